"""Comparing a student's results with the reference's (every chapter)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from attncourse.exercises.judging.probe import Outcome

# How far a result may be from the reference, which runs in float64: absolute and relative.
# In float64 too a right answer may divide by a float32 constant, torch.sqrt(torch.tensor(3)) for
# one, which is 2e-8 off. That the result itself is float64 is seen by its dtype.
TOLERANCE = {torch.float64: 1e-6, torch.float32: 2e-5, torch.bfloat16: 4e-2, torch.float16: 5e-3}


def double(value: object) -> object:
    return value.double() if isinstance(value, Tensor) and value.is_floating_point() else value


def close(got: object, wanted: Tensor, tolerance: float) -> bool:
    if not isinstance(got, Tensor) or got.shape != wanted.shape or got.device != wanted.device:
        return False
    got, wanted = got.detach(), wanted.detach()
    if not (got.is_floating_point() and wanted.is_floating_point()):
        return got.dtype == wanted.dtype and torch.equal(got, wanted)
    return torch.allclose(
        got.double(), wanted.double(), rtol=tolerance, atol=tolerance, equal_nan=True
    )


def same(one: Outcome, other: Outcome, tolerance: float) -> bool:
    """Whether two functions did the same: gave the same, or failed alike."""
    if one.error is not None or other.error is not None:
        return (
            one.error is not None
            and other.error is not None
            and type(one.error) is type(other.error)
            and one.complaint == other.complaint
        )
    if not isinstance(one.value, Tensor) or not isinstance(other.value, Tensor):
        return type(one.value) is type(other.value)
    return one.value.dtype == other.value.dtype and close(one.value, other.value, tolerance)


def gradient(function: Callable, arguments: tuple) -> list[Tensor | None] | None:
    """The gradients at the floating-point arguments, in order; None if there is nothing to
    differentiate. The result is weighted with different numbers, lest a row's sum be constant."""
    leaves = [
        a.detach().clone().requires_grad_()
        if isinstance(a, Tensor) and a.is_floating_point()
        else a
        for a in arguments
    ]
    value = function(tuple(leaves))
    if not isinstance(value, Tensor) or not value.requires_grad:
        return None
    weights = torch.arange(value.numel(), dtype=value.dtype).reshape(value.shape) % 5 - 1.5
    # Not by backward(), which would leave gradients in a student's module too.
    asked = [leaf for leaf in leaves if isinstance(leaf, Tensor) and leaf.requires_grad]
    found = iter(torch.autograd.grad((value * weights).sum(), asked, allow_unused=True))
    return [
        next(found) if isinstance(leaf, Tensor) and leaf.requires_grad else None for leaf in leaves
    ]


def gradient_fault(got: Tensor | None, wanted: Tensor | None, tolerance: float) -> str:
    """Say what is wrong with a gradient, or nothing."""
    if wanted is None or not wanted.numel():
        return ""
    if got is None:
        got = torch.zeros_like(wanted)
    if not got.isfinite().all():
        return (
            "is not finite. Look for the root of zero, a division by zero, or a NaN that is "
            "replaced after it arose: the gradient meets it on the way back."
        )
    scale = max(1.0, wanted.abs().max().item())
    if not close(got / scale, wanted / scale, 10 * tolerance):
        return (
            "differs from the reference's. Is a part cut off by detach or float(), or computed "
            "without torch?"
        )
    return ""
