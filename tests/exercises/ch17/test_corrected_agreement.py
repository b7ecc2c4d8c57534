"""`corrected_agreement` (chapter 17)."""

from __future__ import annotations

import torch
from answers import right_answers, solve, unknown_answers, wrong_answers

from attncourse.metrics import agreement


def test_the_solution_is_what_the_package_measures():
    table = [[6, 4, 1], [2, 8, 3], [5, 1, 7]]
    pairs = [[i, j] for i, row in enumerate(table) for j, n in enumerate(row) for _ in range(n)]
    got = solve("corrected_agreement", torch.tensor(table, dtype=torch.float64))
    assert abs(got.item() - agreement(torch.tensor(pairs), 3).corrected) < 1e-12


# -- answers as readers write them -----------------------------------------------------------------


def by_loops(table):
    total = table.sum()
    n = table.size(0)
    raw = sum(table[i, i] for i in range(n)) / total
    chance = sum(table[i].sum() * table[:, i].sum() for i in range(n)) / total**2
    return (raw - chance) / (1 - chance)


def by_mistakes(table):
    expected = table.sum(1, keepdim=True) * table.sum(0, keepdim=True) / table.sum()
    off = 1 - torch.eye(table.size(0), dtype=table.dtype)
    return 1 - (off * table).sum() / (off * expected).sum()


def raw(table):
    return table.diagonal().sum() / table.sum()


def even(table):
    chance = 1 / table.size(0)
    return (raw(table) - chance) / (1 - chance)


def undivided(table):
    shares = table / table.sum()
    return raw(table) - (shares.sum(0) * shares.sum(1)).sum()


def weighted(table):
    return raw(table) * 2 - 1


test_a_right_answer_in_other_words_passes = right_answers(
    "corrected_agreement", [by_loops, by_mistakes]
)
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "corrected_agreement",
    [
        (raw, "this is the raw agreement"),
        (even, "you take off 1 / n"),
        (undivided, "chance is taken off but not divided out"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "corrected_agreement", [weighted]
)
