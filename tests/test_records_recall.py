"""What chapter 19 reads of recall: each record is of the script, and holds what is claimed."""

from __future__ import annotations

import pytest
import torch

from attncourse.recipes import records
from benchmarks import recall

BY_SEED = pytest.mark.parametrize("seed", range(3))


def run(seed: int, form: str, key_width: int = 64) -> dict:
    runs = records("recall")[seed]["runs"]
    (found,) = [run for run in runs if (run["form"], run["key_width"]) == (form, key_width)]
    return found


def by_distance(seed: int, form: str, key_width: int = 64) -> list[float]:
    return [part["accuracy"] for part in run(seed, form, key_width)["by_distance"]]


@BY_SEED
def test_a_record_is_of_the_script_as_it_stands(seed):
    found = records("recall")[seed]
    assert found["seed"] == seed
    assert tuple((run["form"], run["key_width"]) for run in found["runs"]) == recall.RUNS
    settings = found["settings"]
    assert (settings["steps"], settings["batch"]) == (recall.STEPS, recall.BATCH)
    assert (settings["window"], settings["learning_rate"]) == (recall.WINDOW, recall.RATE)
    for run in found["runs"]:
        model = recall.Recaller(run["form"], run["key_width"])
        assert run["parameters"] == sum(weights.numel() for weights in model.parameters())
        assert list(run["by_pairs"]) == [str(pairs) for pairs in recall.FEWER_PAIRS]
        assert [part["from"] for part in run["by_distance"]] == list(recall.DISTANCES[:-1])
    assert {"commit", "torch", "processor", "threads"} <= set(found["environment"])


@BY_SEED
def test_full_attention_recalls_all_and_a_window_only_what_is_in_it(seed):
    assert run(seed, "full")["accuracy"] > 0.98
    near, *beyond = by_distance(seed, "window")
    assert near > 0.95
    assert max(beyond) < 0.06  # one in 32 by chance


@BY_SEED
def test_linear_attention_forgets_by_number_and_not_by_distance(seed):
    shares = [run(seed, "linear", width)["accuracy"] for width in (4, 16, 64)]
    assert shares == sorted(shares)
    assert shares[0] < 0.3
    assert shares[-1] - shares[0] > 0.5
    for width in (4, 16, 64, 256):
        flat = by_distance(seed, "linear", width)
        assert max(flat) - min(flat) < 0.1
    few, *_, many = run(seed, "linear", 16)["by_pairs"].values()
    assert few > many + 0.2


@pytest.mark.parametrize("form", recall.FORMS)
def test_a_cut_down_training_writes_what_a_record_needs(monkeypatch, form):
    monkeypatch.setattr(recall, "BATCH", 2)
    monkeypatch.setattr(recall, "TEST", 2)
    told = recall.run(form, 4, seed=0, steps=2)
    assert 0 <= told["accuracy"] <= 1
    assert list(told["by_pairs"]) == list(recall.FEWER_PAIRS)
    assert len(told["by_distance"]) == 4


def test_a_question_is_answered_by_its_sequence_alone():
    # another value of the pair that is asked for changes the logits; one sequence, not the next
    model = recall.Recaller("full", 5)
    keys, values = torch.tensor([[3, 5], [3, 5]]), torch.tensor([[7, 9], [7, 9]])
    before = model(keys, values, keys[:, :1])
    values[0, 0] = 11
    after = model(keys, values, keys[:, :1])
    assert not torch.equal(after[0], before[0])
    assert torch.equal(after[1], before[1])
