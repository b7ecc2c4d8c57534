"""attncourse.recipes.repeating: a recorded training once more, where there is a GPU."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_recipes import SMALL
from support import also_calling, refused

from attncourse.data.real import Pair
from attncourse.data.translation import translation_pairs
from attncourse.data.vocabulary import join_words
from attncourse.recipes import corpora, evaluate, load, records, repeat, runs
from attncourse.recipes.repeating import compared

FOLDER = "small-seed3"
FILES = {"checkpoint.safetensors", "recipe.json", "source.json", "target.json"}  # of a stopped one
RECORD = {
    "name": "small",
    "seed": 3,
    "recipe": replace(SMALL, corpus="multi30k", steps=19).to_dict(),
    "environment": {"processor": "an abacus", "gpu": None},
    "training": {"device": "cpu", "minutes": 71.4},
    "scores": {"test": {"beam": {"bleu": 50.26, "interval": [0.0, 100.0]}}},
}


@pytest.fixture
def captions(monkeypatch):
    """Let made sentences stand for the captions."""
    pairs = translation_pairs(train=90, validation=0, composition=0, length=0).train
    texts = [Pair(join_words(p.source), join_words(p.target, "fr")) for p in pairs]
    parts = {"train": texts[:60], "val": texts[60:77], "test_2016_flickr": texts[77:]}

    def multi30k(source, target, split):
        return parts[split]

    monkeypatch.setattr(corpora, "multi30k", multi30k)


def test_a_bar_comes_to_its_end_and_the_scores_stand_side_by_side(
    tmp_path, captions, capsys, device
):
    run = repeat(RECORD, tmp_path, device=device)
    out, err = capsys.readouterr()
    assert "19/19" in err
    assert "100%" in err
    (scores,) = evaluate(run).values()
    *_, new, _, recorded, how_long, verdict = out.splitlines()
    assert new.startswith(f"{scores['beam']['bleu']:.1f} BLEU (")
    assert recorded == "The record has 50.3 BLEU (0.0 to 100.0)"
    assert how_long == "  after 71 minutes on an abacus"
    assert verdict == "The new score lies within the record's interval."
    again = load(tmp_path / FOLDER)
    assert (again.recipe.to_dict(), again.seed) == (RECORD["recipe"], 3)
    for name, weights in run.model.state_dict().items():
        assert torch.equal(weights, again.model.state_dict()[name])


def scored(bleu: float, *interval: float, **changed) -> dict:
    scores = {"test": {"beam": {"bleu": bleu, "interval": interval}}}
    return RECORD | {"scores": scores} | changed


@pytest.mark.parametrize(
    ("score", "place"),
    [(39.99, "below"), (40.0, "within"), (50.0, "within"), (60.0, "within"), (60.01, "above")],
)
def test_the_new_score_is_held_to_the_interval_of_the_record(score, place):
    said = compared(scored(score, 1.0, 2.0), scored(45.0, 40.0, 60.0))
    assert said.endswith(f"\nThe new score lies {place} the record's interval.")


def test_each_score_is_told_with_its_minutes_and_what_it_was_trained_on():
    training = {"device": "cuda", "minutes": 7.6}
    now = scored(12.34, 11.0, 13.96, training=training, environment={"gpu": "a large one"})
    assert compared(now, scored(45.0, 40.0, 60.0)).splitlines()[:4] == [
        "12.3 BLEU (11.0 to 14.0)",
        "  after 8 minutes on a large one",
        "The record has 45.0 BLEU (40.0 to 60.0)",
        "  after 71 minutes on an abacus",
    ]


def test_a_stopped_training_leaves_whole_files_and_goes_on(tmp_path, captions, capsys, monkeypatch):
    def interrupt(step, model, history):
        if step == 8:
            raise KeyboardInterrupt

    whole = repeat(RECORD, tmp_path / "whole", device="cpu")
    with monkeypatch.context() as patch:
        patch.setattr(runs, "fit", also_calling(interrupt))
        with pytest.raises(KeyboardInterrupt, match="the same call goes on"):
            repeat(RECORD, tmp_path, device="cpu")
    assert {path.name for path in (tmp_path / FOLDER).iterdir()} == FILES
    capsys.readouterr()
    resumed = repeat(RECORD, tmp_path, device="cpu")
    out, err = capsys.readouterr()
    assert "going on after step 8" in out
    assert "19/19" in err
    for name, weights in whole.model.state_dict().items():
        assert torch.equal(weights, resumed.model.state_dict()[name])


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU, and would train")
def test_without_a_gpu_the_record_stands(tmp_path, capsys):
    assert repeat(RECORD, tmp_path / "none") is None
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "No GPU here, so nothing was trained. The record stands for it:",
        "50.3 BLEU (0.0 to 100.0)",
        "  after 71 minutes on an abacus",
    ]
    assert err == ""
    assert not (tmp_path / "none").exists()


def test_a_record_of_something_else_is_refused(tmp_path):
    (record, *_) = records("embedded-attention")
    with refused(ValueError, "record", "'multi30k'", "'embedded'"):
        repeat(record, tmp_path / "none", device="cpu")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("name", ["multi30k-en-fr-attention", "captions-transformer"])
def test_what_the_chapters_repeat_needs_no_special_gpu(name):
    (record,) = records(name)
    assert record["recipe"]["precision"] == "float32"  # a T4 has no bfloat16
