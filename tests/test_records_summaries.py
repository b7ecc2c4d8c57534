"""The records of `benchmarks/summaries.py`, and what chapter 13 claims of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from attncourse import padding_mask, record_attention
from attncourse.data.news import news
from attncourse.data.vocabulary import Vocabulary
from attncourse.metrics import rouge_l
from attncourse.recipes import records
from benchmarks import summaries
from benchmarks.summaries import STEPS, Pieces, model_of

FILES = sorted((Path(__file__).parents[1] / "results").glob("summaries-*.json"))


@pytest.fixture(scope="module")
def corpus():
    return news()


@pytest.fixture(scope="module")
def chosen():
    """Of each model the run of each seed at the rate that was chosen."""
    found = {kind: [] for kind in STEPS}
    for record in records("summaries"):
        for run in record["runs"]:
            if run["learning_rate"] == record["chosen"][run["model"]]:
                found[run["model"]].append(run)
    return found


def test_there_are_three_seeds():
    assert [record["seed"] for record in records("summaries")] == [0, 1, 2]
    assert [file.stem for file in FILES] == [f"summaries-seed{seed}" for seed in range(3)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_record_is_of_the_script_as_it_stands(file, corpus):
    record = json.loads(file.read_text(encoding="utf-8"))
    settings = record["settings"]
    assert settings["steps"] == STEPS
    assert settings["learning_rates"] == list(summaries.RATES)
    named = {"min_count": "MIN_COUNT", "batch": "BATCH", "bucket": "BUCKET", "warmup": "WARMUP"}
    for name, constant in named.items():
        assert settings[name] == getattr(summaries, constant)
    parts = ("train", *summaries.PARTS)
    assert settings["articles"] == {part: len(getattr(corpus, part)) for part in parts}
    tried = {(run["model"], run["learning_rate"]) for run in record["runs"]}
    every = {(kind, rate) for kind in STEPS for rate in summaries.RATES}
    assert tried == (every if record["seed"] == 0 else set(record["chosen"].items()))
    assert all(run["steps"] == STEPS[run["model"]] for run in record["runs"])
    assert {"commit", "torch", "python", "processor", "threads"} <= set(record["environment"])


def test_the_rate_is_the_better_one_on_the_validation_articles():
    first, *others = records("summaries")
    for kind in STEPS:
        runs = [run for run in first["runs"] if run["model"] == kind]
        best = max(runs, key=lambda run: run["validation"]["rouge_l"])
        assert first["chosen"][kind] == best["learning_rate"]
    assert all(record["chosen"] == first["chosen"] for record in others)


def test_the_parameters_are_equal_but_for_the_vocabulary_of_pieces(corpus, chosen):
    read = (article.text + article.summary for article in corpus.train)
    words = Vocabulary.build(read, min_count=summaries.MIN_COUNT)
    for kind, runs in chosen.items():
        vocabulary = Pieces(corpus).vocabulary if kind == "pieces" else words
        weights = sum(weights.numel() for weights in model_of(kind, vocabulary).parameters())
        assert {run["parameters"] for run in runs} == {weights}
        if kind != "pieces":
            assert weights == pytest.approx(chosen["pointer"][0]["parameters"], rel=1e-3)


# What the chapter claims


def test_with_the_pointer_nine_names_of_ten_are_right(chosen):
    for run in chosen["pointer"]:
        _, low, _ = run["test"]["names"]
        assert low >= 0.9


def test_without_it_no_name_is_and_in_pieces_one_of_a_hundred_at_most(chosen):
    for kind in ("no pointer", "mean, no pointer"):
        assert all(run["test"]["names"][0] == 0 for run in chosen[kind])
    for run in chosen["pieces"]:
        assert run["test"]["names"][0] <= 0.01
        assert run["test"]["invented"] >= 0.9
        assert run["test"]["unknown"] == 0


def test_the_pointer_is_60_points_of_rouge_above_the_lead(corpus, chosen):
    references = [" ".join(article.summary) for article in corpus.test]
    lead = rouge_l([" ".join(article.sentences[0]) for article in corpus.test], references).score
    for run in chosen["pointer"]:
        assert run["test"]["rouge_l"] >= lead + 60


def test_rouge_hardly_sees_that_all_names_are_wrong(chosen):
    for run in chosen["no pointer"]:
        assert run["test"]["rouge_l"] > 75


def test_a_look_that_is_a_mean_is_far_below(chosen):
    for kind in ("mean", "mean, no pointer"):
        for run in chosen[kind]:
            assert run["test"]["rouge_l"] < 70
            assert run["test"]["names"][0] < 0.5


def test_a_mean_gives_every_word_of_the_article_the_same_weight():
    model = model_of("mean", Vocabulary(["a", "b", "c"]))
    with record_attention(model) as maps:
        model(
            torch.tensor([[4, 5, 6], [4, 5, 0]]),
            torch.tensor([[1], [1]]),
            padding_mask(torch.tensor([3, 2])),
        )
    wanted = torch.tensor([[1 / 3, 1 / 3, 1 / 3], [1 / 2, 1 / 2, 0]])
    for name in ("head", "decoder.layers.0.cross_attention"):
        heads = maps[name].shape[1]
        torch.testing.assert_close(maps[name][:, :, 0], wanted[:, None].expand(-1, heads, -1))
