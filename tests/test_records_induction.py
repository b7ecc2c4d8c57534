"""What chapter 18 reads: each record is of the script as it stands, and holds what is claimed."""

from __future__ import annotations

import pytest
import torch

from attncourse.data.repeats import draw_repeats
from attncourse.recipes import records
from benchmarks import induction

BY_SEED = pytest.mark.parametrize("seed", range(3))


def runs(seed: int) -> dict[int, dict]:
    return {run["layers"]: run for run in records("induction")[seed]["runs"]}


@BY_SEED
def test_a_record_is_of_the_script_as_it_stands(seed):
    found = records("induction")[seed]
    assert found["seed"] == seed
    assert tuple(runs(seed)) == induction.RUNS
    for layers, run in runs(seed).items():
        model = induction.make_model(layers)
        assert run["parameters"] == sum(weights.numel() for weights in model.parameters())
        assert len(run["curve"]) == induction.STEPS // induction.EVERY
        assert run["curve"][-1] == run["loss"]
        assert len(run["heads"]) == layers
    assert {"commit", "torch", "python", "processor", "threads"} <= set(found["environment"])


@BY_SEED
def test_two_layers_copy_and_one_does_not(seed):
    one, two = runs(seed)[1], runs(seed)[2]
    assert two["accuracy"] > 0.95
    assert one["accuracy"] < 0.2
    assert two["loss"] < 0.1
    assert min(one["curve"]) > 2.5


@BY_SEED
def test_two_layers_fall_below_one_early(seed):
    first = next(i for i, loss in enumerate(runs(seed)[2]["curve"], 1) if loss < 1)
    assert first * induction.EVERY <= 500


@BY_SEED
def test_the_second_layer_looks_at_successors_and_the_first_does_not(seed):
    first, second = runs(seed)[2]["heads"]
    assert max(head["successor"] for head in second) > 0.7
    assert max(head["successor"] for head in first) < 0.15
    assert all(0.135 < head["previous"] < 0.185 for head in first)


def test_an_even_spread_would_put_four_hundredths_one_back():
    rows = draw_repeats(300, generator=torch.Generator().manual_seed(0))
    shares = 1 / torch.arange(1, 48)  # of each query, one key of so many
    assert shares.expand(300, -1)[rows.repeated].mean().item() == pytest.approx(0.04, abs=0.005)


def test_the_weights_of_a_head_by_hand(monkeypatch):
    class Even(torch.nn.Module):
        """Attends to all that is written, evenly."""

        def __init__(self):
            super().__init__()
            self.model = induction.make_model(1)
            for each in self.model.layers[0].query_projection.parameters():
                torch.nn.init.zeros_(each)

        def forward(self, tokens):
            return self.model(tokens)

    torch.manual_seed(0)
    rows = draw_repeats(
        5, num_tokens=9, length=9, shortest=4, longest=4, generator=torch.Generator()
    )
    ((head, _),) = induction.weights_of(Even(), rows)
    # Queries 3 to 7 ask for a token seen before, with 4 to 8 keys each. One key stands one back.
    # Query 3 has a new token; 4 to 7 have one earlier occurrence each.
    even = [1 / (query + 1) for query in range(3, 8)]
    assert head["previous"] == pytest.approx(sum(even) / 5, abs=1e-4)
    assert head["successor"] == pytest.approx(sum(even[1:]) / 5, abs=1e-4)


def test_a_cut_down_training_writes_what_a_record_needs(monkeypatch):
    monkeypatch.setattr(induction, "EVERY", 1)
    monkeypatch.setattr(induction, "WARMUP", 1)
    monkeypatch.setattr(induction, "BATCH", 3)
    monkeypatch.setattr(induction, "TEST", 5)
    run = induction.run(2, 0, steps=2)
    assert len(run["curve"]) == 2
    assert 0 <= run["accuracy"] <= 1
