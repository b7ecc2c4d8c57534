"""Faults that can be made in many ways, told by what a change of the input does (01 and 03)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from attncourse.exercises.judging.exercise import Shows

Run = Callable[[tuple], "Tensor | None"]  # the function, quiet; None where it raises


def blind_to(index: int) -> Shows:
    """Whether another argument at `index` would not have changed the answer."""

    def shows(run: Run, arguments: tuple) -> bool | None:
        other = list(arguments)
        other[index] = 1.5 - arguments[index].flip(-1)
        return _equal(run(arguments), run(tuple(other)))

    return shows


def reads(
    index: int, change: Callable[[Tensor], Tensor], keep: Callable[[Tensor], Tensor]
) -> Shows:
    """Whether a change of argument `index` reaches a part of the answer that it must not reach."""

    def shows(run: Run, arguments: tuple) -> bool | None:
        other = list(arguments)
        other[index] = change(arguments[index])
        if torch.equal(other[index], arguments[index]):
            return None  # there was nothing to change
        try:
            kept = [keep(run(given)) for given in (arguments, tuple(other))]
        except (IndexError, TypeError):  # no answer, or one without such a part
            return None
        return not _equal(*kept)

    return shows


def not_averaging(index: int) -> Shows:
    """Whether the answer is a weighted sum of argument `index` whose weights do not sum to one."""

    def shows(run: Run, arguments: tuple) -> bool | None:
        answers = []
        for fill in (torch.zeros_like, torch.ones_like):
            other = list(arguments)
            other[index] = fill(arguments[index])
            answers.append(run(tuple(other)))
        zeros, ones = answers
        if zeros is None or ones is None or zeros.any() or not ones.isfinite().all():
            return None
        return not _equal(ones, torch.ones_like(ones))

    return shows


def alike(dim: int) -> Shows:
    """Whether the answer is the same all along an axis."""

    def shows(run: Run, arguments: tuple) -> bool | None:
        value = run(arguments)
        if value is None or value.dim() <= dim or value.shape[dim] < 2:
            return None
        return _equal(value, value.narrow(dim, 0, 1).expand_as(value))

    return shows


def _equal(one: Tensor | None, two: Tensor | None) -> bool | None:
    if one is None or two is None:
        return None
    return one.shape == two.shape and torch.allclose(
        one.double(), two.double(), rtol=1e-5, atol=1e-6, equal_nan=True
    )
