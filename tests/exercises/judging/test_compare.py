"""Comparing results, gradients and errors."""

from __future__ import annotations

import math

import torch

from attncourse.exercises.judging.compare import close, gradient, same
from attncourse.exercises.judging.probe import Outcome


def test_errors_are_the_same_if_type_and_message_are():
    one = Outcome(error=ValueError("a"))
    assert same(one, Outcome(error=ValueError("a")), 0.0)
    assert not same(one, Outcome(error=ValueError("b")), 0.0)
    assert not same(one, Outcome(error=TypeError("a")), 0.0)
    assert not same(one, Outcome(value=torch.ones(1)), 0.0)


def test_values_are_the_same_if_shape_dtype_and_numbers_are():
    one = Outcome(value=torch.tensor([1.0, math.nan]))
    assert same(one, Outcome(value=torch.tensor([1.0, math.nan])), 0.0)
    assert not same(one, Outcome(value=torch.tensor([1.0, math.nan]).double()), 0.1)
    assert not same(one, Outcome(value=torch.tensor([[1.0, math.nan]])), 0.1)
    assert not same(one, Outcome(value=torch.tensor([math.nan, 1.0])), 0.1)


def test_a_mask_is_close_only_to_the_same_mask():
    mask = torch.tensor([True, False])
    assert close(mask, mask.clone(), 1.0)
    assert not close(mask.int(), mask, 1.0)
    assert not close(~mask, mask, 1.0)


def test_a_gradient_by_hand():
    # value 2xy, weighted with -1.5 and -0.5: at x these times 2y, at y times 2x
    x, y = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 5.0])
    at_x, at_y, at_n = gradient(lambda given: 2 * given[0] * given[1], (x, y, 7))
    assert at_x.tolist() == [-9.0, -5.0]
    assert at_y.tolist() == [-3.0, -2.0]
    assert at_n is None
