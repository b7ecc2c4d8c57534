"""What chapter 18 reads: each record is of the script as it stands, and holds what is claimed."""

from __future__ import annotations

from itertools import product

import pytest

from attncourse.language import LanguageModelConfig, MaskedLanguageModel
from attncourse.recipes import records
from benchmarks import pretraining

BY_SEED = pytest.mark.parametrize("seed", range(3))
PRETRAINED = "pre-trained, 80/10/10"
SCRATCH = "from scratch"


def f1(seed: int, start: str, labels: int) -> float:
    """On test captions, at the rate that is better on validation captions."""
    found = records("pretraining")[seed]["runs"]
    runs = [run for run in found if (run["start"], run["labels"]) == (start, labels)]
    return max(runs, key=lambda run: run["validation"]["f1"])["test"]["f1"]


def mean_f1(start: str, labels: int) -> float:
    return sum(f1(seed, start, labels) for seed in range(3)) / 3


@BY_SEED
def test_a_record_is_of_the_script_as_it_stands(seed):
    found = records("pretraining")[seed]
    assert found["seed"] == seed
    settings = [(run["labels"], run["start"], run["learning_rate"]) for run in found["runs"]]
    counted = [(labels, pretraining.BAYES, None) for labels in pretraining.LABELS]
    tuned = product(pretraining.LABELS, pretraining.STARTS, pretraining.TUNE_RATES)
    assert settings == [*counted, *tuned]
    assert [run["rule"] for run in found["pretraining"]] == list(pretraining.RULES)
    # the vocabulary of the captions, and the mask
    size = records("causal-captions")[0]["settings"]["vocabulary"] + 1
    model = MaskedLanguageModel(LanguageModelConfig(size, **pretraining.SIZES))
    for run in found["pretraining"]:
        assert run["parameters"] == pretraining.count(model)
    assert {"commit", "torch", "python", "processor", "threads"} <= set(found["environment"])


@BY_SEED
def test_nothing_is_as_bad_as_always_saying_the_commonest_kind(seed):
    found = records("pretraining")[seed]
    least = found["settings"]["commonest_kind"]["f1"]
    assert all(run["test"]["f1"] > least + 0.1 for run in found["runs"])


@BY_SEED
def test_the_pretrained_tagger_is_ahead_at_every_number_of_labels(seed):
    others = pretraining.BAYES, SCRATCH, "embeddings only"
    for labels in pretraining.LABELS:
        assert f1(seed, PRETRAINED, labels) > max(f1(seed, s, labels) for s in others) + 0.05


@pytest.mark.parametrize(("few", "many"), [(50, 800), (200, 3200)])
def test_it_is_worth_sixteen_times_as_many_labels(few, many):
    assert mean_f1(PRETRAINED, few) == pytest.approx(mean_f1(SCRATCH, many), abs=0.03)


@pytest.mark.parametrize("labels", pretraining.LABELS)
def test_embeddings_alone_do_not_help(labels):
    assert mean_f1("embeddings only", labels) < mean_f1(SCRATCH, labels) + 0.03


@BY_SEED
def test_naive_bayes_is_better_than_a_tagger_from_scratch_until_800(seed):
    for labels in (50, 200):
        assert f1(seed, pretraining.BAYES, labels) > f1(seed, SCRATCH, labels) + 0.01
    level = pytest.approx(f1(seed, SCRATCH, 800), abs=0.03)
    assert f1(seed, pretraining.BAYES, 800) == level


@pytest.mark.parametrize("labels", pretraining.LABELS)
def test_the_rule_makes_no_difference_to_the_task(labels):
    without = mean_f1("pre-trained, always masked", labels)
    assert mean_f1(PRETRAINED, labels) == pytest.approx(without, abs=0.03)


@BY_SEED
def test_the_rule_makes_visible_words_known_and_holes_no_worse(seed):
    rule, without = records("pretraining")[seed]["pretraining"]
    assert rule["hidden_named"] == pytest.approx(without["hidden_named"], abs=0.03)
    assert rule["visible_named"] > without["visible_named"] + 0.1
    assert rule["visible_named"] < 0.7
    assert without["visible_named"] < without["hidden_named"] + 0.02
