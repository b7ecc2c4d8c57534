"""What chapter 15 reads: each record is of the script as it stands, and holds what is claimed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from attncourse.data.canvases import Canvases
from attncourse.recipes import records
from benchmarks import red_digit

FOLDER = Path(__file__).parents[1] / "results"
BY_SEED = pytest.mark.parametrize("seed", range(3))


def record(seed: int) -> dict:
    return records("red-digit")[seed]


def share(seed: int, name: str, key: str = "accuracy", steps: int | None = None) -> float:
    """Of the training with so many steps, by default the only or the shorter one."""
    runs = [run for run in record(seed)["runs"] if run["model"] == name]
    (run,) = runs[:1] if steps is None else [run for run in runs if run["steps"] == steps]
    return run[key]


def plain(seed: int, name: str) -> float:
    (run,) = [run for run in record(seed)["plain"] if run["model"] == name]
    return run["accuracy"]


@BY_SEED
def test_a_record_is_of_the_script_as_it_stands(seed):
    found = record(seed)
    assert found["seed"] == seed
    settings = [tuple(run[name] for name in red_digit.SETTING) for run in found["runs"]]
    assert settings == list(red_digit.RUNS)
    for run in found["runs"]:
        assert run["parameters"] == red_digit.count(red_digit.canvas_model(run["model"]))
        assert len(run["curve"]) == run["steps"] // red_digit.EVERY
        assert run["curve"][-1] == run["accuracy"]
    assert [run["model"] for run in found["plain"]] == list(red_digit.PLAIN)
    for run in found["plain"]:
        assert run["parameters"] == red_digit.count(red_digit.plain_model(run["model"]))
    assert {"commit", "torch", "python", "processor", "threads"} <= set(found["environment"])


def test_the_rivals_have_the_rates_with_the_lowest_loss_of_their_trials():
    tuned = json.loads((FOLDER / "red-digit-tuning-seed0.json").read_text(encoding="utf-8"))["runs"]
    rates = {name: rate for name, rate, *_ in red_digit.RUNS}
    for name in ("mean", "max", "FiLM"):
        losses = {
            run["learning_rate"]: run["training_loss"] for run in tuned if run["model"] == name
        }
        assert tuple(losses) == red_digit.RATES
        assert min(losses, key=losses.get) == rates[name], name
    assert rates["attention"] == rates["mean"]


def test_what_is_compared_has_as_many_weights():
    (attention, *others) = (
        red_digit.count(red_digit.canvas_model(name))
        for name in ("attention", "mean", "max", "FiLM")
    )
    assert all(abs(other - attention) < 0.01 * attention for other in others)


@BY_SEED
def test_attention_reads_the_digit_that_is_asked_for_and_the_mean_and_maximum_do_not(seed):
    assert share(seed, "attention") >= 0.95
    # The commonest of four digits has 0.3835, and without the question nothing has more.
    assert share(seed, "mean") < 0.3835 < share(seed, "max")
    assert share(seed, "max") < 0.6


@BY_SEED
def test_mean_and_maximum_are_far_behind_film_after_as_many_steps(seed):
    steps = share(seed, "FiLM", "steps")
    assert share(seed, "mean", steps=steps) < 0.3835
    assert 0.6 < share(seed, "max", steps=steps) < share(seed, "FiLM") - 0.2


@BY_SEED
def test_film_gets_there_and_is_behind_at_step_200_where_both_rates_are_near_their_peak(seed):
    place = 200 // red_digit.EVERY - 1
    film = share(seed, "FiLM", "curve")[place]
    attention = share(seed, "attention", "curve")[place]
    assert film < attention - 0.4
    assert share(seed, "FiLM") >= 0.95
    assert share(seed, "FiLM", "steps") > 2.5 * share(seed, "attention", "steps")


@BY_SEED
def test_the_weight_lies_on_the_digit_in_the_pool_and_not_in_the_transformer(seed):
    assert share(seed, "attention", "weight_on_digit") > 0.9
    assert share(seed, "attention", "weight_when_wrong") > 0.9
    assert share(seed, "vision Transformer") > 0.65
    assert share(seed, "vision Transformer", "weight_on_digit") < 0.2


@BY_SEED
def test_plain_digits_need_no_attention_and_patches_need_positions(seed):
    assert plain(seed, "mean") > plain(seed, "attention") - 0.02
    assert plain(seed, "max") > plain(seed, "attention") - 0.02
    assert plain(seed, "Transformer") > plain(seed, "Transformer without positions") + 0.15


def test_touched_positions_by_hand():
    # A digit whose square begins at row 4, column 0, on a canvas of 30 x 30: of a grid of 3 x 3
    # its rows 4 to 11 touch the first two, its columns 0 to 7 the first.
    corners = torch.tensor([[[4, 0]]])
    nothing = torch.zeros(1, 1, dtype=torch.int64)
    canvases = Canvases(torch.zeros(1, 3, 30, 30), nothing, nothing, corners)
    assert red_digit.touches(canvases, 3).view(3, 3).int().tolist() == [
        [1, 0, 0],
        [1, 0, 0],
        [0, 0, 0],
    ]


def test_a_cut_down_training_writes_what_a_record_needs(monkeypatch):
    train = red_digit.load_digits("train")
    test = red_digit.draw_canvases(red_digit.load_digits("test"), 5, torch.Generator())
    monkeypatch.setattr(red_digit, "EVERY", 1)
    for name in ("attention", "FiLM", "vision Transformer"):
        run = red_digit.canvas_run(name, 1e-3, 2, 3, 4, seed=0, train=train, test=test)
        assert len(run["curve"]) == 2
        assert 0 <= run["accuracy"] <= 1
        assert ("weight_on_digit" in run) == (name != "FiLM")
