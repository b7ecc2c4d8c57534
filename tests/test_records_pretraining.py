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
