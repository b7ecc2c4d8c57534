"""What chapter 19 reads of time and memory: the scripts at a small size, and their records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from attncourse.recipes import records
from benchmarks import grouped_heads, long_inputs

FOLDER = Path(__file__).parents[1] / "results"


def record(name: str) -> dict:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def test_the_record_of_grouped_heads_is_of_the_script_and_meets_its_bars():
    found = record("grouped-heads")
    assert found["settings"] == json.loads(json.dumps(grouped_heads.SETTINGS))
    assert {"commit", "torch", "processor", "threads"} <= set(found["environment"])
    for name in grouped_heads.TURNS:
        rows = {row["kv_heads"]: row for row in found[name]}
        assert tuple(rows) == grouped_heads.KEY_HEADS
        if name != "training":  # the attention, and the whole layer with its projections
            for kv_heads, bar in grouped_heads.WANTED.items():
                assert rows[kv_heads]["times_as_fast"] >= bar
        assert rows[2]["times_as_fast"] > 0.9  # nowhere are they slower
    # 2 x 8,192 keys x 8 heads x 64 features x 4 bytes
    assert found["cache_bytes"] == {"8": 33554432, "2": 8388608, "1": 4194304}


def test_the_record_of_long_inputs_is_of_the_script_and_shows_what_the_page_says():
    found = record("long-inputs-cpu")
    lengths = list(long_inputs.LENGTHS)
    assert found["settings"] == long_inputs.SETTINGS | {"device": "cpu", "lengths": lengths}
    assert {"commit", "torch", "processor", "threads"} <= set(found["environment"])
    runs = {(run["form"], run["length"]): run for run in found["runs"]}
    assert set(runs) == {(form, length) for form in long_inputs.FORMS for length in lengths}
    for form in long_inputs.FORMS:
        half, full = (runs[form, length] for length in (4096, 8192))
        memory = full["peak_bytes"] / half["peak_bytes"]
        time = full["milliseconds"] / half["milliseconds"]
        assert abs(memory - 4) < 0.1 if form == "plain" else memory < 2.2
        if form in ("window", "linear", "linear, causal"):
            assert time < 2.8  # for every word
        else:
            assert time > 3.2  # for every pair
    held = {form: runs[form, 8192]["peak_bytes"] for form in long_inputs.FORMS}
    assert held["plain"] > 100 * held["fused"]


def test_a_record_without_a_seed_is_read_as_one():
    assert records("grouped-heads") == [record("grouped-heads")]


def test_grouped_heads_at_a_small_size(monkeypatch):
    monkeypatch.setattr(grouped_heads, "WORDS", 5)
    told = grouped_heads.measure(keys=11, turns=dict.fromkeys(grouped_heads.TURNS, (3, 2)))
    for name in grouped_heads.TURNS:
        assert [row["kv_heads"] for row in told[name]] == [8, 2, 1]
        assert told[name][0]["quartiles"] == [1.0, 1.0]
        assert all(row["milliseconds"] > 0 for row in told[name])
    assert told["cache_bytes"] == {8: 2 * 11 * 8 * 64 * 4, 2: 2 * 11 * 2 * 64 * 4, 1: 5632}


@pytest.fixture
def small(monkeypatch) -> None:
    monkeypatch.setattr(long_inputs, "PASSES", 1)
    for name, more in (("window", {"window": 17}), ("online softmax", {"block": 32})):
        changed = {name: lambda *x, f=long_inputs.FORMS[name].func, more=more: f(*x, **more)}
        monkeypatch.setattr(long_inputs, "FORMS", long_inputs.FORMS | changed)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", long_inputs.FORMS)
def test_only_plain_attention_takes_memory_for_every_pair(name):
    small, large = (
        long_inputs.measure(name, length, torch.device("cpu"))["peak_bytes"]
        for length in (1024, 2048)
    )
    if name == "plain":
        assert large / small > 3.7  # 4 but for what it gives
        assert large > 2 * 4 * 2048**2 * 4  # scores and weights of 4 heads, 4 bytes each
    else:
        assert 1.4 < large / small < 2.2
        assert large < 4 * 2048**2 * 4  # less than the scores alone


@pytest.mark.parametrize("name", ["fused", "online softmax"])
def test_what_is_said_to_be_attention_is(name):
    inputs = torch.randn(3, 1, 4, 67, 64)
    torch.testing.assert_close(long_inputs.FORMS[name](*inputs), long_inputs.plain(*inputs))
