"""`leave_one_out` (chapter 02)."""

from __future__ import annotations

import torch
from answers import solve, wrong_answers


def test_leave_one_out_of_three_points():
    want = torch.tensor([[False, True, True], [True, False, True], [True, True, False]])
    assert torch.equal(solve("leave_one_out", 3), want)


# -- answers as readers write them -----------------------------------------------------------------


def own_point(n):
    index = torch.arange(n)
    return index[:, None] == index[None, :]


def others_as_numbers(n):
    return torch.ones(n, n) - torch.eye(n)


def earlier_points(n):
    index = torch.arange(n)
    return index[:, None] > index[None, :]


test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "leave_one_out",
    [
        (own_point, "the other way round"),
        (others_as_numbers, "your mask holds numbers"),
        (earlier_points, "your mask is causal"),
    ],
)
