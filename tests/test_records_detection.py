"""What chapter 16 reads: each record is of the script as it stands, and holds what is claimed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from attncourse.recipes import records
from benchmarks import detection

FOLDER = Path(__file__).parents[1] / "results"
BY_SEED = pytest.mark.parametrize("seed", range(3))
QUERIES, ALONE, MEAN, GRID = (name for name, *_ in detection.RUNS)


def run(seed: int, name: str) -> dict:
    (found,) = [run for run in records("detection")[seed]["runs"] if run["model"] == name]
    return found


def layers(seed: int, name: str, key: str, kind: str = "layers") -> list[float]:
    return [layer[key] for layer in run(seed, name)[kind]]


@BY_SEED
def test_a_record_is_of_the_script_as_it_stands(seed):
    found = records("detection")[seed]
    assert found["seed"] == seed
    settings = [tuple(run[name] for name in detection.SETTING) for run in found["runs"]]
    assert settings == list(detection.RUNS)
    assert found["settings"]["training_scenes"] == detection.SCENES
    assert found["settings"]["test_scenes"] == detection.TEST
    for told in found["runs"]:
        assert told["parameters"] == detection.count(detection.detector(told["model"]))
        assert sum(told["scenes"][str(number)] for number in range(1, 6)) == detection.TEST
        last = told["suppressed" if told["model"] == GRID else "layers"][-1]
        assert {key: told[key] for key in last} == last
        low, high = told["interval"]
        assert low < told["ap50"] < high
    assert {"commit", "torch", "python", "processor", "threads"} <= set(found["environment"])


def test_the_rivals_have_the_rates_with_the_lowest_loss_of_their_trials():
    tuned = json.loads((FOLDER / "detection-tuning-seed0.json").read_text(encoding="utf-8"))["runs"]
    rates = {name: rate for name, rate, _ in detection.RUNS}
    for name in (ALONE, MEAN, GRID):
        losses = {
            run["learning_rate"]: run["training_loss"] for run in tuned if run["model"] == name
        }
        assert tuple(losses) == detection.RATES
        assert min(losses, key=losses.get) == rates[name], name
    assert rates[QUERIES] == rates[ALONE]


def test_what_is_compared_has_as_many_weights():
    queries, *others = (detection.count(detection.detector(name)) for name, *_ in detection.RUNS)
    assert all(abs(other - queries) < 0.03 * queries for other in others)


@BY_SEED
def test_queries_find_what_a_mean_does_not(seed):
    assert run(seed, QUERIES)["ap50"] >= 0.90
    assert run(seed, MEAN)["ap50"] <= 0.65


@BY_SEED
def test_with_one_object_the_mean_looks_fine(seed):
    assert run(seed, MEAN)["parts"]["1"] > 0.9
    assert run(seed, MEAN)["parts"]["5"] < 0.5
    assert run(seed, QUERIES)["parts"]["5"] > 0.88


@BY_SEED
def test_talking_takes_away_duplicates_layer_by_layer(seed):
    first, second, last = layers(seed, QUERIES, "duplicates")
    assert first > second > last
    assert last < 0.8 * layers(seed, ALONE, "duplicates")[-1]


@BY_SEED
def test_average_precision_hides_the_duplicates(seed):
    assert abs(run(seed, QUERIES)["ap50"] - run(seed, ALONE)["ap50"]) < 0.02


@BY_SEED
def test_suppression_takes_duplicates_and_lowers_the_last_layer_of_queries_that_talk(seed):
    assert layers(seed, QUERIES, "duplicates", "suppressed")[-1] < 0.1
    suppressed = layers(seed, QUERIES, "ap50", "suppressed")[-1]
    assert suppressed < layers(seed, QUERIES, "ap50")[-1]


@BY_SEED
def test_the_grid_is_close_tighter_and_behind_where_objects_overlap(seed):
    queries, grid = run(seed, QUERIES), run(seed, GRID)
    assert abs(queries["ap50"] - grid["ap50"]) < 0.03
    assert grid["ap75"] > queries["ap75"]
    assert grid["duplicates"] < queries["duplicates"]
    assert grid["cpu_seconds"] < queries["cpu_seconds"]
    assert queries["parts"]["crowded"] > grid["parts"]["crowded"] + 0.01


def test_a_cut_down_training_writes_what_a_record_needs():
    train, test = detection.draw_scenes(64), detection.draw_scenes(20, "test")
    for name in (QUERIES, GRID):
        told = detection.run(name, 1e-3, 1, seed=0, train=train, test=test)
        assert len(told["layers"]) == (1 if name == GRID else 3)
        assert set(told["parts"]) == {"1", "2", "3", "4", "5", "crowded", "not crowded"}
        assert 0 <= told["ap50"] <= 1
