"""attncourse.recipes: trainings by name, their folders, their scores, and the records kept."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from support import also_calling, refused

from attncourse import seed_everything
from attncourse.data.translation import translation_pairs
from attncourse.recipes import (
    RECIPES,
    Recipe,
    corpora,
    environment,
    evaluate,
    load,
    records,
    runs,
    ship,
    shipped,
    train,
)
from attncourse.recipes.scores import of_links, of_part, teacher_forced
from attncourse.training import CheckpointError, Checkpoints, fit, load_checkpoint
from attncourse.training.locks import held
from attncourse.translator import Translator
from benchmarks import captions_pace, encoder_depth, several_processes, tune_captions

ROOT = Path(__file__).parents[1]
RECORDS = sorted((ROOT / "results").glob("*.json"))
# By no recipe, but by a script:
DEPTH = [path for path in RECORDS if path.stem.startswith("encoder-depth-")]
SEVERAL = ROOT / "results/several-processes-seed0.json"
TUNING = ROOT / "results/captions-tuning-seed0.json"
PACE = ROOT / "results/captions-pace-seed0.json"
SPEED = [path for path in RECORDS if path.stem.startswith(("transformer-", "greedy-decoding-"))]
RECORDS = [path for path in RECORDS if path not in [*DEPTH, SEVERAL, *SPEED, TUNING, PACE]]

SMALL = Recipe(
    corpus="embedded",
    model="attention",
    pairs=300,
    steps=7,
    sizes={"embed_dim": 5, "hidden_dim": 7},
    sentences=11,
    warmup=2,
)
TRANSFORMER = replace(
    SMALL,
    model="transformer",
    sizes={"embed_dim": 12, "num_heads": 2, "ffn_dim": 7, "num_layers": 2},
    subwords=150,
    sentences=None,
    tokens=300,
    accumulate=2,
    adam={"betas": [0.9, 0.98], "eps": 1e-9},
    schedule="inverse root",
    label_smoothing=0.1,
    average=3,
    average_every=2,
)
MODELS = pytest.mark.parametrize(
    "recipe", [SMALL, replace(SMALL, model="fixed"), TRANSFORMER], ids=lambda recipe: recipe.model
)


@pytest.fixture
def small_corpus(monkeypatch):
    """Make the embedded corpus small."""
    sizes = {"validation": 13, "composition": 11, "length": 7}
    monkeypatch.setattr(corpora, "translation_pairs", partial(translation_pairs, **sizes))


# Recipes


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_comes_back_from_json(name):
    recipe = RECIPES[name]
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_a_recipe_with_a_field_too_many_or_too_few_is_refused():
    given = SMALL.to_dict()
    with refused(ValueError, "recipe", "colour"):
        Recipe.from_dict(given | {"colour": "red"})
    given.pop("steps")
    with refused(ValueError, "recipe", "steps"):
        Recipe.from_dict(given)


def rivals() -> list[str]:
    return [name for name in RECIPES if name.endswith("-attention")]


@pytest.mark.parametrize("name", rivals())
def test_with_and_without_attention_have_the_same_budget(name):
    with_, without = RECIPES[name], RECIPES[name.replace("-attention", "-fixed")]
    # nothing differs but the attention and the widths that make up for its parameters
    without_decoder = {k: v for k, v in with_.sizes.items() if k != "decoder_dim"}
    assert replace(without, sizes=without_decoder, model="attention") == replace(
        with_, sizes=without_decoder, learning_rate=without.learning_rate
    )
    sizes = (450, 850) if with_.corpus == "embedded" else (7859, 5931)
    if with_.subwords is not None:
        sizes = with_.subwords, with_.subwords
    counts = [
        sum(weights.numel() for weights in recipe.build(*sizes).parameters())
        for recipe in (with_, without)
    ]
    assert max(counts) <= 1.1 * min(counts)


def test_the_three_of_chapter_11_have_the_same_budget():
    names = ("captions-fixed", "captions-attention", "captions-transformer")
    recipes = [RECIPES[name] for name in names]
    counts = [
        sum(weights.numel() for weights in recipe.build(10_000, 10_000).parameters())
        for recipe in recipes
    ]
    assert max(counts) <= 1.1 * min(counts)
    for recipe in recipes:
        same = {"model": "", "sizes": {}, "learning_rate": 0.0}
        assert replace(recipe, **same) == replace(recipes[0], **same)


@pytest.mark.parametrize(
    ("name", "beside", "changed"),
    [
        ("captions-no-dropout", "captions-transformer", {"dropout": 0.0}),
        ("captions-heavy-dropout", "captions-transformer", {"dropout": 0.3}),
        ("captions-no-smoothing", "captions-heavy-dropout", {"label_smoothing": 0.0}),
    ],
)
def test_one_thing_is_changed_in_chapter_11s_transformer(name, beside, changed):
    def settings(recipe):
        model = {"dropout": recipe.build(10_000, 10_000).config.dropout}
        return recipe.to_dict() | {"sizes": recipe.sizes["preset"]} | model

    assert settings(RECIPES[name]) == settings(RECIPES[beside]) | changed
    assert settings(RECIPES[name]) != settings(RECIPES[beside])


@pytest.mark.parametrize("one_vocabulary", [True, False])
@pytest.mark.parametrize("model", ["fixed", "attention"])
def test_tied_embeddings_are_one_matrix(model, one_vocabulary):
    sizes = {"embed_dim": 5, "hidden_dim": 7, "tie_embeddings": True}
    recipe = replace(SMALL, model=model, sizes=sizes, subwords=97 if one_vocabulary else None)
    built = recipe.build(97, 97)
    written, read = built.decoder.readout.output.weight, built.decoder.embedding.weight
    assert written is read
    assert (built.encoder.embedding.weight is read) == one_vocabulary


def test_a_misspelt_field_is_answered_with_the_right_one():
    with refused(ValueError, "a recipe", "'warm_up'", "warmup perhaps?"):
        Recipe.from_dict(SMALL.to_dict() | {"warm_up": 3})
    with refused(ValueError, "sizes", "'hiden_dim'", "hidden_dim perhaps?"):
        replace(SMALL, sizes={"hiden_dim": 7}).build(97, 89)
    with refused(ValueError, "sizes", "'num_head'", "num_heads perhaps?"):
        replace(TRANSFORMER, sizes={"num_head": 2}).build(97, 97)


def test_what_there_is_no_such_of_is_refused():
    with refused(ValueError, "corpus", "'moon'"):
        corpora.load(replace(SMALL, corpus="moon"))
    with refused(ValueError, "source", "'de'"):
        corpora.load(replace(SMALL, source="de"))
    with refused(ValueError, "model", "'lstm'"):
        replace(SMALL, model="lstm").build(97, 89)
    with refused(ValueError, "schedule", "'cosine'"):
        replace(SMALL, schedule="cosine").factor()


def test_one_vocabulary_of_byte_pairs_serves_both_languages(small_corpus):
    corpus = corpora.load(TRANSFORMER)
    assert corpus.source is corpus.target
    assert len(corpus.source) == 150
    model = TRANSFORMER.build(150, 150)
    assert model.source_embedding.weight is model.target_embedding.weight
    two = replace(TRANSFORMER, subwords=None).build(150, 160)
    assert two.output.out_features == 160


# Runs


@MODELS
def test_what_was_trained_is_what_is_loaded(tmp_path, small_corpus, recipe):
    run, training = train(recipe, tmp_path, seed=3, device="cpu", progress=False)
    again = load(tmp_path)
    assert (again.recipe, again.seed) == (recipe, 3)
    assert (again.source, again.target) == (run.source, run.target)
    for name, weights in run.model.state_dict().items():
        assert torch.equal(weights, again.model.state_dict()[name])
    assert not again.model.training
    assert training["parameters"] == sum(w.numel() for w in run.model.parameters())
    assert training["curve"]["step"] == [1, 2, 3, 4, 5, 6, 7]
    assert training["curve"]["validation_step"] == [1, 2, 3, 4, 5, 6, 7]
    assert evaluate(run) == evaluate(again)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": "lstm"}, ["model", "'lstm'"]),
        ({"sizes": {"decoder_dim": 0}}, ["hidden_dim", "0"]),
        ({"steps": 0}, ["steps", "0"]),
        ({"accumulate": 0}, ["accumulate", "0"]),
        ({"precision": "int8"}, ["precision", "'int8'"]),
        ({"schedule": "cosine"}, ["schedule", "'cosine'"]),
        ({"adam": {"beta": 1}}, ["adam", "'beta'", "betas perhaps?"]),
        ({"average": 4, "average_every": 2}, ["steps", "8", "7"]),
        ({"sentences": None}, ["sentences", "tokens"]),
        ({"corpus": "moon"}, ["corpus", "'moon'"]),
        ({"subwords": 3}, ["size", "3"]),
        ({"label_smoothing": 1.5}, ["label_smoothing", "1.5"]),
        ({"learning_rate": -1.0}, ["learning rate", "-1.0"]),
        ({"adam": {"betas": [0.9, 2.0]}}, ["beta", "2.0"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_cannot_be_trained_leaves_no_folder(tmp_path, small_corpus, changes, words):
    with refused((TypeError, ValueError), *words):
        train(replace(SMALL, **changes), tmp_path / "none", device="cpu", progress=False)
    assert not (tmp_path / "none").exists()


def test_where_nothing_can_be_trained_no_folder_is_left(tmp_path, small_corpus):
    with refused(ValueError, "tpu9"):
        train(SMALL, tmp_path / "none", device="tpu9", progress=False)
    with refused(RuntimeError, "several processes"):
        train(SMALL, tmp_path / "none", device="cpu", sharded=True, progress=False)
    assert not (tmp_path / "none").exists()


def test_a_sentence_that_is_too_long_for_the_model_does_not_claim_the_folder(
    tmp_path, small_corpus
):
    short = replace(TRANSFORMER, sizes=TRANSFORMER.sizes | {"max_len": 7})
    with refused(ValueError, "max_len", "7"):
        train(short, tmp_path / "run", device="cpu", progress=False)
    assert not (tmp_path / "run").exists()
    run, _ = train(TRANSFORMER, tmp_path / "run", device="cpu", progress=False)
    assert run.recipe == TRANSFORMER


def test_a_folder_that_another_process_trains_in_is_refused(tmp_path, small_corpus):
    with (
        held(tmp_path / "recipe.json"),
        refused(CheckpointError, str(tmp_path), str(os.getpid())),
    ):
        train(SMALL, tmp_path, device="cpu", progress=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["another word", "fewer words"])
def test_a_training_on_other_words_than_the_corpus_has_now_is_left_alone(
    tmp_path, small_corpus, monkeypatch, kind
):
    folder = tmp_path / "run"
    train(SMALL, folder, device="cpu", progress=False)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    whole = corpora.translation_pairs()

    def changed(**sizes):
        if kind == "fewer words":
            return replace(whole, train=whole.train[:20])
        return replace(
            whole,
            train=tuple(
                pair._replace(target=tuple(word.replace("le", "leu") for word in pair.target))
                for pair in whole.train
            ),
        )

    monkeypatch.setattr(corpora, "translation_pairs", changed)
    with refused(ValueError, "other words", str(folder)):
        train(SMALL, folder, device="cpu", progress=False)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files
    assert load(folder).translator(["The dog sleeps."])


def test_every_setting_of_a_recipe_reaches_the_training(tmp_path, small_corpus, monkeypatch):
    given = {}

    def spy(model, batches, **options):
        given.update(options, batches=batches, optimiser=options["optimiser"](model))
        return fit(model, batches, **options)

    monkeypatch.setattr(runs, "fit", spy)
    recipe = replace(TRANSFORMER, warmup=3, learning_rate=3e-3, precision="bfloat16", bucket=60)
    train(recipe, tmp_path, seed=5, device="cpu", progress=False)
    asked = {
        "steps": 7,
        "accumulate": 2,
        "label_smoothing": 0.1,
        "precision": "bfloat16",
        "seed": 5,
        "checkpoint": Checkpoints(tmp_path, every=1),
    }
    assert {name: given[name] for name in asked} == asked
    (group,) = given["optimiser"].param_groups
    assert (group["lr"], group["betas"], group["eps"]) == (3e-3, (0.9, 0.98), 1e-9)
    rises = [given["schedule"](step) for step in (1, 2, 3, 12)]
    assert rises == pytest.approx([1 / 3, 2 / 3, 1, 1 / 2])
    assert max(batch.source.numel() + batch.target.numel() for batch in given["batches"]) <= 300
    (kept,) = given["callbacks"]
    assert (kept.every, kept.last) == (2, 3)


def test_the_averaged_weights_are_the_mean_of_those_kept(tmp_path, small_corpus):
    run, _ = train(TRANSFORMER, tmp_path, device="cpu", progress=False)
    kept = [tmp_path / f"weights-{step:08d}.safetensors" for step in (2, 4, 6)]
    model = TRANSFORMER.build(len(run.source), len(run.target))
    mean = {}
    for path in kept:
        load_checkpoint(path, model)
        for name, weights in model.state_dict().items():
            mean[name] = mean.get(name, 0) + weights.double() / 3
    for name, weights in run.model.state_dict().items():
        torch.testing.assert_close(weights.double(), mean[name], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    "changes",
    [
        {"adam": {"betas": (0.9, 0.95)}, "steps": 2},
        {"adam": {"weight_decay": np.float32(0.5)}, "steps": np.int64(2)},
        {"sizes": {"embed_dim": np.int64(5), "hidden_dim": 7}, "learning_rate": np.float32(0.5)},
    ],
    ids=["tuple", "weight decay", "sizes"],
)
@pytest.mark.usefixtures("own_errors")
def test_a_recipe_may_have_what_json_has_not(tmp_path, small_corpus, changes):
    recipe = replace(SMALL, **changes)
    for _ in range(2):
        run, _ = train(recipe, tmp_path, device="cpu", progress=False)
        assert run.recipe == recipe


def test_what_json_cannot_hold_is_refused():
    with refused(TypeError, "JSON", "set"):
        replace(SMALL, sizes={"hidden_dim": {7}}).check()


def test_validations_says_how_often(tmp_path, small_corpus):
    _, training = train(replace(SMALL, validations=3), tmp_path, device="cpu", progress=False)
    assert training["curve"]["validation_step"] == [2, 4, 6, 7]  # the last one in any case
    with refused(ValueError, "validations", "0"):
        train(replace(SMALL, validations=0), tmp_path / "none", device="cpu", progress=False)


def test_the_seed_decides_and_nothing_else(tmp_path, small_corpus):
    weights = []
    for folder, seed in (("a", 3), ("b", 3), ("c", 4)):
        seed_everything(ord(folder))
        run, _ = train(SMALL, tmp_path / folder, seed=seed, device="cpu", progress=False)
        weights.append(torch.cat([w.flatten() for w in run.model.parameters()]))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_training_that_was_stopped_goes_on_to_the_same_weights(
    tmp_path, small_corpus, monkeypatch
):
    whole, _ = train(SMALL, tmp_path / "whole", device="cpu", progress=False)

    def interrupt(step, model, history):
        if step == 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(runs, "fit", also_calling(interrupt))
        with pytest.raises(KeyboardInterrupt):
            train(SMALL, tmp_path / "halved", device="cpu", progress=False)
    with refused(CheckpointError, "model.safetensors"):
        load(tmp_path / "halved")
    halved, training = train(SMALL, tmp_path / "halved", device="cpu", progress=False)
    for name, weights in whole.model.state_dict().items():
        assert torch.equal(weights, halved.model.state_dict()[name])
    assert training["curve"]["step"][-1] == 7


def test_a_folder_belongs_to_one_recipe_and_seed(tmp_path, small_corpus):
    train(SMALL, tmp_path, device="cpu", progress=False)
    before = (tmp_path / "model.safetensors").read_bytes()
    with refused(ValueError, "another recipe or seed"):
        train(SMALL, tmp_path, seed=1, device="cpu", progress=False)
    other = replace(SMALL, sizes={"hidden_dim": 11})
    with refused(ValueError, str(tmp_path), "another recipe or seed"):
        train(other, tmp_path, device="cpu", progress=False)
    assert (tmp_path / "model.safetensors").read_bytes() == before


def test_a_vocabulary_that_does_not_fit_the_weights_is_refused(tmp_path, small_corpus):
    train(SMALL, tmp_path, device="cpu", progress=False)
    (tmp_path / "target.json").write_bytes((tmp_path / "source.json").read_bytes())
    with refused(CheckpointError, "model.safetensors", "does not fit", "decoder.embedding"):
        load(tmp_path)


def test_a_folder_without_a_training_says_so(tmp_path):
    with refused(FileNotFoundError, str(tmp_path), "no training"):
        load(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", '{"seed": 1}', '{"recipe": {}, "seed": 1}'])
def test_a_damaged_claim_says_so(tmp_path, text):
    (tmp_path / "recipe.json").write_text(text)
    with refused(ValueError, "recipe.json", "damaged"):
        load(tmp_path)


# What is shipped


def test_a_shipped_translator_has_the_weights_in_half_precision(tmp_path, small_corpus):
    run, _ = train(TRANSFORMER, tmp_path / "run", device="cpu", progress=False)
    ship(run, tmp_path / "shipped")
    again = shipped(tmp_path / "shipped")
    assert (again.recipe, again.seed) == (run.recipe, run.seed)
    assert again.source == again.target == run.source
    for name, weights in run.model.named_parameters():
        found = again.model.get_parameter(name)
        assert found.dtype == torch.float32
        assert torch.equal(found, weights.half().float())
    size = (tmp_path / "shipped/model.safetensors").stat().st_size
    assert size < 2.5 * sum(weights.numel() for weights in run.model.parameters()) + 20_000
    assert not again.model.training


def test_what_cannot_be_shipped_is_refused(tmp_path, small_corpus):
    run, _ = train(SMALL, tmp_path / "run", device="cpu", progress=False)
    with refused(ValueError, "one vocabulary"):
        ship(run, tmp_path / "shipped")
    with refused(FileNotFoundError, "no training"):
        shipped(tmp_path / "shipped")


# Scores


class Oracle(Translator):
    """Writes what it was told to, whatever its model would."""

    def __init__(self, run, answers):
        super().__init__(run.model, run.source, run.target)
        self.answers = answers

    def words(self, sentences):
        return [list(self.answers[tuple(sentence)]) for sentence in sentences]


@pytest.fixture
def run(tmp_path, small_corpus):
    return train(SMALL, tmp_path, device="cpu", progress=False)[0]


def test_matches_are_counted_by_length(run):
    pairs = translation_pairs(train=300, validation=13, composition=0, length=0).validation
    answers = {pair.source: pair.target for pair in pairs}
    scores = of_part(Oracle(run, answers), pairs)
    assert scores["exact_match"] == 1
    wrong = next(pair for pair in pairs if len(pair.source) > 16)
    answers[wrong.source] = (*wrong.target, "!")
    scores = of_part(Oracle(run, answers), pairs)
    long = [pair for pair in pairs if len(pair.source) > 16]
    assert scores["exact_match"] == round(12 / 13, 4)
    assert scores["above_16_words"]["sentences"] == len(long)
    assert scores["above_16_words"]["exact_match"] == round(1 - 1 / len(long), 4)
    assert sum(part["sentences"] for part in scores["by_length"].values()) == 13
    for name, part in scores["by_length"].items():
        low, high = map(int, name.split("-"))
        expected = 1 - (low <= len(wrong.source) <= high) / part["sentences"]
        assert part["exact_match"] == round(expected, 4)


def test_right_tokens_are_those_of_the_sentence_alone(run):
    pairs = translation_pairs(train=300, validation=13, composition=0, length=0).validation
    tallies, links = teacher_forced(run.translator, pairs)
    for pair, tally, linked in zip(pairs, tallies, links, strict=True):
        ids = torch.tensor([[1, *run.target.encode(pair.target), 2]])
        source = torch.tensor([run.source.encode(pair.source)])
        with torch.no_grad():
            likeliest = run.model(source, ids[:, :-1]).argmax(-1)
        assert tally.hits == (likeliest == ids[:, 1:]).sum()
        assert tally.tries == len(pair.target) + 1
        assert {target for _, target in linked} == set(range(len(pair.target)))
        assert max(source for source, _ in linked) < len(pair.source)


def test_the_gold_links_have_no_error():
    pairs = translation_pairs(train=50, validation=0, composition=0, length=0).train
    scores = of_links([pair.sure for pair in pairs], pairs)
    assert scores["error_rate"] == 0
    assert scores["content_words"] == 1
    nowhere = of_links([frozenset((0, t) for _, t in pair.sure) for pair in pairs], pairs)
    assert nowhere["content_words"] < 0.5


# Records


def test_the_environment_is_told_and_no_place_is():
    told = environment()
    assert told["torch"] == torch.__version__
    assert "/" not in json.dumps(told).replace("\\/", "").replace("http://", "")


def test_an_installed_package_has_no_commit_of_its_neighbours(tmp_path):
    """It may lie in somebody's own checkout, which ignores it."""
    shutil.copytree(ROOT / "attncourse", tmp_path / "site/attncourse")
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org"]
    (tmp_path / ".gitignore").write_text("site\n")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "mine"]):
        subprocess.run([*git, *command], cwd=tmp_path, check=True)
    script = "from attncourse.recipes import environment; print(environment()['commit'])"
    paths = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    command = [sys.executable, "-c", script]
    told = subprocess.run(
        command, cwd=tmp_path, env=paths, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "None"


@pytest.mark.parametrize("path", DEPTH, ids=lambda path: path.stem)
def test_a_record_of_depths_is_of_the_script_as_it_stands(path):
    record = json.loads(path.read_text(encoding="utf-8"))
    assert path.stem == f"{record['name']}-seed{record['seed']}"
    settings = record["settings"]
    assert (settings["steps"], settings["embed_dim"]) == (encoder_depth.STEPS, encoder_depth.WIDTH)
    assert {run["depth"] for run in record["runs"]} == set(encoder_depth.DEPTHS)
    assert {run["learning_rate"] for run in record["runs"]} == set(encoder_depth.RATES)
    assert {"commit", "torch", "python", "processor", "threads"} <= set(record["environment"])


@pytest.mark.parametrize("name", tune_captions.TRIALS)
def test_the_three_of_chapter_11_have_the_best_of_their_trials(name):
    record = json.loads(TUNING.read_text(encoding="utf-8"))
    runs = [run for run in record["runs"] if run["recipe"] == name]
    losses = {(run["learning_rate"], run["dropout"]): run["validation_loss"] for run in runs}
    assert tuple(losses) == tune_captions.TRIALS[name]
    best = min(losses, key=losses.get)
    assert best == (RECIPES[name].learning_rate, RECIPES[name].sizes["dropout"])
    (own,) = [run for run in records(name) if run["seed"] == record["seed"]]
    assert own["training"]["curve"]["validation_loss"][-1] == losses[best]


def test_the_pace_of_chapter_11_is_of_its_three():
    record = json.loads(PACE.read_text(encoding="utf-8"))
    assert tuple(record["seconds"]) == captions_pace.NAMES == tuple(tune_captions.TRIALS)
    assert {"commit", "torch", "processor", "threads"} <= set(record["environment"])


@pytest.mark.parametrize("path", SPEED, ids=lambda path: path.stem)
def test_the_benchmarks_page_has_the_figures_of_the_record(path):
    record = json.loads(path.read_text(encoding="utf-8"))
    assert {"commit", "torch", "python", "processor", "threads"} <= set(record["environment"])
    page = (ROOT / "benchmarks/README.md").read_text(encoding="utf-8")
    if record["name"] == "transformer-step":
        ours, *peers = record["models"]
        figures = [f"{peer['time_over_ours'][0]:.2f}" for peer in peers]
        figures.append(f"{ours['share_of_peak']:.0%}")
    elif record["name"] == "transformer-memory":
        ours, *peers = record["megabytes"].values()
        figures = [f"{peer / ours:.2f}" for peer in peers] + [f"{ours} MB"]
    else:
        figures = [f"{over:.2f}" for over in record["time_over_ours"].values()]
        tokens = record["milliseconds_a_token"].values()
        figures += [f"{each['early']} to {each['late']} ms" for each in tokens]
    assert f"| `{path.name}` | {' | '.join(figures)} |" in page


def test_the_page_on_several_gpus_has_the_figures_of_the_record():
    record = json.loads(SEVERAL.read_text(encoding="utf-8"))
    assert record["settings"]["steps"] == several_processes.STEPS == 100
    assert [run["processes"] for run in record["runs"]] == list(several_processes.PROCESSES)
    page = (ROOT / "chapters/several_gpus.md").read_text(encoding="utf-8")
    for run in record["runs"]:
        assert run["difference"] < 1e-6
        difference = f"{run['difference']:.1e}" if run["difference"] else "0"
        row = f"| {run['processes']} | {difference} | {run['milliseconds_a_step']} |"
        assert row in page


def test_the_page_on_several_gpus_counts_right():
    d, f, vocabulary, layers, tokens = 512, 2048, 37_000, 6, 25_000 * 100_000
    weights = layers * (4 * d * d + 2 * d * f), layers * (8 * d * d + 2 * d * f), d * vocabulary
    assert [round(number / 1e6, 1) for number in weights] == [18.9, 25.2, 18.9]
    operations = 6 * tokens * sum(weights)
    assert f"{operations:.1e}" == "9.4e+17"
    by_time = 12 * 3600 * 8 * 9.5e12
    assert f"{by_time:.1e}" == "3.3e+18"
    assert round(operations / by_time, 2) == 0.29
    minutes = [operations / (989e12 * share) / 60 for share in (0.3, 0.4)]
    assert [round(number) for number in minutes] == [53, 40]


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_is_of_the_recipe_as_it_stands(path):
    record = json.loads(path.read_text(encoding="utf-8"))
    recipe = RECIPES[record["name"]]
    assert path.stem == f"{record['name']}-seed{record['seed']}"
    assert Recipe.from_dict(record["recipe"]) == recipe
    assert record["training"]["curve"]["validation_step"][-1] == recipe.steps
    assert {"commit", "torch", "python", "processor", "threads"} <= set(record["environment"])
    assert record["environment"]["commit"]
    assert record["scores"]
