"""What chapter 18 reads: each record is of the script as it stands, and holds what is claimed."""

from __future__ import annotations

import pytest

from attncourse.language import CausalLanguageModel, LanguageModelConfig
from attncourse.recipes import records
from benchmarks import causal_captions

BY_SEED = pytest.mark.parametrize("seed", range(3))


@BY_SEED
def test_a_record_is_of_the_script_as_it_stands(seed):
    found = records("causal-captions")[seed]
    assert found["seed"] == seed
    settings = found["settings"]
    assert settings.items() >= causal_captions.SIZES.items()
    assert settings["epochs"] == causal_captions.EPOCHS
    assert [ngram["order"] for ngram in found["ngrams"]] == list(causal_captions.ORDERS)
    model = CausalLanguageModel(
        LanguageModelConfig(settings["vocabulary"], **causal_captions.SIZES)
    )
    count = sum(weights.numel() for weights in model.parameters())
    assert found["model"]["parameters"] == count
    hows = ["greedy", *map(str, causal_captions.TEMPERATURES)]
    assert list(found["written"]) == hows
    shown = [len(found["written"][how]) for how in hows]
    assert shown == [1, *[causal_captions.SHOWN] * 3]
    assert {"commit", "torch", "python", "processor", "threads"} <= set(found["environment"])


def test_counting_has_no_seed():
    first, *others = (found["ngrams"] for found in records("causal-captions"))
    assert all(other == first for other in others)


@BY_SEED
def test_the_model_is_less_surprised_than_each_count(seed):
    found = records("causal-captions")[seed]
    best = min(ngram["perplexity"] for ngram in found["ngrams"])
    assert found["model"]["perplexity"] < 0.8 * best
    assert found["model"]["perplexity"] == pytest.approx(22.5, abs=0.15)  # as the page says
    assert best == pytest.approx(31, abs=0.5)


def test_longer_sequences_help_less_and_less():
    two, three, four = (n["perplexity"] for n in records("causal-captions")[0]["ngrams"])
    assert two - three > 5 > 2 > three - four > 0


@BY_SEED
def test_no_caption_is_copied(seed):
    assert records("causal-captions")[seed]["model"]["copied"] == 0
