"""attncourse.recipes.runs: trainings by recipe, and the folders that hold them."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_recipes import SMALL, TRANSFORMER
from support import also_calling, refused

from attncourse import seed_everything
from attncourse.recipes import (
    corpora,
    evaluate,
    load,
    runs,
    ship,
    shipped,
    train,
)
from attncourse.training import CheckpointError, Checkpoints, fit, load_checkpoint
from attncourse.training.locks import held

MODELS = pytest.mark.parametrize(
    "recipe", [SMALL, replace(SMALL, model="fixed"), TRANSFORMER], ids=lambda recipe: recipe.model
)


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
        ({"label_smoothing": "0.1"}, ["label_smoothing", "number", "str"]),
        ({"learning_rate": -1.0}, ["learning rate", "-1.0"]),
        ({"learning_rate": "0.1"}, ["learning_rate", "number", "str"]),
        ({"adam": {"betas": [0.9, 2.0]}}, ["beta", "2.0"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_cannot_be_trained_leaves_no_folder(
    tmp_path, small_corpus, own_errors, changes, words
):
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
