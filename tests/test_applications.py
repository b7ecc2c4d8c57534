"""attncourse.recipes.applications: one row a task, each number from the run that it names."""

from __future__ import annotations

import pytest

from attncourse.recipes import applications, records

ROWS = {row.task[:2] + row.task[-3:]: row for row in applications()}


def test_every_task_has_a_number_a_seed():
    assert len(ROWS) == 6
    for row in ROWS.values():
        assert len(row.attention) == len(row.replaced) == 3
        assert len(row.rival_scores) == (3 if row.rival else 0)


@pytest.mark.parametrize("task", ROWS)
def test_with_attention_each_seed_is_better_than_all_without(task):
    row = ROWS[task]
    assert min(row.attention) > max(row.replaced) + 0.2


@pytest.mark.parametrize("task", ["15for", "16P50"])
def test_a_rival_comes_near(task):
    row = ROWS[task]
    assert min(row.rival_scores) > min(row.attention) - 0.03


def test_the_numbers_are_those_of_the_records():
    for seed, record in enumerate(records("detection")):
        by_name = {run["model"]: run["ap50"] for run in record["runs"]}
        row = ROWS["16P50"]
        assert by_name["queries"] == row.attention[seed]
        assert by_name["queries with a mean"] == row.replaced[seed]
        assert by_name["grid"] == row.rival_scores[seed]
    for seed, record in enumerate(records("generation")):
        full, window = record["gpts"]
        assert ROWS["17GPT"].attention[seed] == full["corrected"]
        assert ROWS["17GPT"].replaced[seed] == window["corrected"]
    for seed, record in enumerate(records("entities")):
        best = max(run["validation_f1"] for run in record["runs"] if run["kind"] == "mean")
        (run,) = [
            run for run in record["runs"] if run["kind"] == "mean" and run["validation_f1"] == best
        ]
        assert ROWS["14mes"].replaced[seed] == run["test_f1"][0]
