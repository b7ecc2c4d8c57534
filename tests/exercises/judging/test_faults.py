"""Faults that are told by what a change of the input does."""

from __future__ import annotations

import torch

from attncourse.exercises.judging.faults import alike, blind_to, not_averaging, reads


def test_faults_are_told_by_what_a_change_does():
    x, y = torch.tensor([[1.0, 2.0]]), torch.tensor([3.0])
    assert blind_to(1)(lambda given: given[0], (x, y)) is True
    assert blind_to(0)(lambda given: given[0], (x, y)) is False
    assert blind_to(0)(lambda given: None, (x, y)) is None
    assert alike(1)(lambda given: torch.ones(1, 3), (x, y)) is True
    assert alike(1)(lambda given: x, (x, y)) is False
    assert alike(0)(lambda given: x, (x, y)) is None

    leaks = reads(0, lambda x: torch.cat([x[:1], x[1:] + 1]), lambda answer: answer[0])
    rows = torch.tensor([[1.0], [2.0]])
    assert leaks(lambda given: given[0] * given[0].sum(), (rows,)) is True
    assert leaks(lambda given: given[0] * 2, (rows,)) is False
    assert leaks(lambda given: given[0], (rows[:1],)) is None
    assert leaks(lambda given: None, (rows,)) is None


def test_weights_that_do_not_sum_to_one_are_told_from_other_faults():
    value, weights = torch.tensor([1.0, 2.0]), torch.tensor([0.25, 0.75])
    assert not_averaging(0)(lambda given: 2 * weights @ given[0], (value,)) is True
    assert not_averaging(0)(lambda given: weights @ given[0], (value,)) is False
    assert not_averaging(0)(lambda given: weights @ given[0] + 1, (value,)) is None
    assert not_averaging(0)(lambda given: None, (value,)) is None
