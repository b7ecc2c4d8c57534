"""The records of chapter 14: what each was made by, and what the page says of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from attncourse.data.wnut17 import WNUT17_SPLITS
from benchmarks import entities, wnut17

ROOT = Path(__file__).parents[1]
MADE = {seed: ROOT / f"results/entities-seed{seed}.json" for seed in range(3)}
REAL = {seed: ROOT / f"results/wnut17-seed{seed}.json" for seed in range(3)}
ALIKE, USUAL, MEAN, NOTHING = entities.KINDS[0], entities.KINDS[1], "mean", "nothing"


def read(path: Path) -> dict:
    record = json.loads(path.read_text(encoding="utf-8"))
    assert path.stem == f"{record['name']}-seed{record['seed']}"
    assert {"commit", "torch", "python", "processor", "threads"} <= set(record["environment"])
    return record


def best(record: dict, kind: str, steps: int = entities.STEPS) -> dict:
    runs = [run for run in record["runs"] if (run["kind"], run["steps"]) == (kind, steps)]
    return max(runs, key=lambda run: run["validation_f1"])


@pytest.mark.parametrize("seed", MADE)
def test_a_record_of_made_texts_is_of_the_script_as_it_stands(seed):
    record = read(MADE[seed])
    settings = record["settings"]
    names = ("buckets", "embed_dim", "reach", "train", "held_out", "batch")
    assert [settings[name] for name in names] == [
        entities.BUCKETS,
        entities.WIDTH,
        entities.REACH,
        entities.TRAIN,
        entities.HELD_OUT,
        entities.BATCH,
    ]
    assert settings["distances"] == [list(bounds) for bounds in entities.DISTANCES]
    runs = [(run["kind"], run["learning_rate"], run["steps"]) for run in record["runs"]]
    wanted = list(entities.settings(None if seed else record["runs"]))
    assert sorted(runs) == sorted(wanted)
    for run in record["runs"]:
        model = entities.make_tagger(run["kind"])
        assert run["parameters"] == sum(weights.numel() for weights in model.parameters())
        assert len(run["curve"]) == run["steps"] / 20
        assert len(run["distance_f1"]) == len(entities.DISTANCES)


@pytest.mark.parametrize("seed", MADE)
def test_attention_has_95_of_100_and_15_points_more_than_the_mean(seed):
    record = read(MADE[seed])
    ours, mean = best(record, ALIKE), best(record, MEAN)
    assert abs(ours["parameters"] - mean["parameters"]) < 0.001 * mean["parameters"]
    assert ours["test_f1"][0] >= 0.95
    assert ours["test_f1"][0] - mean["test_f1"][0] >= 0.15
    assert ours["test_f1"][1] > mean["test_f1"][2]  # the intervals lie apart
    # at every distance, and where the clue is beside the name no other does worse
    assert min(ours["distance_f1"]) >= 0.93
    for kind in entities.KINDS:
        assert best(record, kind)["distance_f1"][0] > 0.97


@pytest.mark.parametrize("seed", MADE)
def test_with_the_usual_start_attention_is_no_better_than_the_mean(seed):
    record = read(MADE[seed])
    usual, mean = best(record, USUAL)["test_f1"][0], best(record, MEAN)["test_f1"][0]
    assert best(record, NOTHING)["test_f1"][0] < usual < mean


def test_in_four_times_the_steps_the_usual_start_goes_past_the_mean():
    record = read(MADE[0])
    assert entities.LONG == 4 * entities.STEPS
    usual, mean = best(record, USUAL, entities.LONG), best(record, MEAN, entities.LONG)
    assert usual["test_f1"][0] > 0.85
    assert mean["test_f1"][0] < 0.80
    assert usual["test_f1"][2] < best(record, ALIKE)["test_f1"][1]  # and is not there yet


@pytest.mark.parametrize("seed", REAL)
def test_a_record_of_real_posts_is_of_the_script_as_it_stands(seed):
    record = read(REAL[seed])
    names = ("buckets", "embed_dim", "reach", "dropout", "batch", "steps", "learning_rate")
    assert [record["settings"][name] for name in names] == [
        wnut17.BUCKETS,
        wnut17.WIDTH,
        wnut17.REACH,
        wnut17.DROPOUT,
        wnut17.BATCH,
        wnut17.STEPS,
        wnut17.RATE,
    ]
    assert [run["kind"] for run in record["runs"]] == ["list", *wnut17.KINDS]
    for run in record["runs"]:
        value, low, high = run["test_f1"]
        assert low < value < high
    assert set(WNUT17_SPLITS) == {"train", "dev", "test"}


@pytest.mark.parametrize("seed", REAL)
def test_on_real_posts_a_tagger_beats_the_list(seed):
    runs = {run["kind"]: run for run in read(REAL[seed])["runs"]}
    for kind in wnut17.KINDS:
        assert runs[kind]["test_f1"][1] > runs["list"]["test_f1"][2]
