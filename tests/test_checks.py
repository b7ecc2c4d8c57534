"""attncourse.checks: when values may be asked for. What the checks refuse is tested where they are
used."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch
from support import COMPILES, refused
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from attncourse import padding_mask
from attncourse.checks import require_known, require_no_hole, require_number, values_unknown


@pytest.mark.parametrize("number", [2, 0.5, np.float32(0.5), np.int64(2)])
def test_a_number_is_what_a_tensor_can_be_multiplied_with(own_errors, number):
    """Kind: passed on. A Fraction was let through, and then no tensor could be divided by it."""
    require_number("share", number)
    assert (torch.ones(2) * number).shape == (2,)
    for other in (Fraction(1, 2), Decimal("0.5"), True, 1j):
        with refused(TypeError, "share", "number", type(other).__name__):
            require_number("share", other)


# Kind of fault: a check of values stands in the way where tensors have none.


def answers(transform, *inputs) -> list[bool]:
    """Ask `values_unknown` inside a function that `transform` wraps."""
    found = []

    def ask(x):
        found.append(values_unknown(x))
        return x.sum()

    transform(ask)(*inputs)
    return found


def test_values_of_ordinary_tensors_are_known():
    assert not values_unknown()
    assert not values_unknown(torch.ones(3), torch.ones(2, 0, dtype=torch.bool))
    assert not values_unknown(torch.ones(3, requires_grad=True).exp())
    with torch.inference_mode():
        assert not values_unknown(torch.ones(3)[1:])


def test_meta_and_fake_tensors_have_no_values():
    assert values_unknown(torch.ones(3), torch.ones(3, device="meta"))
    with FakeTensorMode() as mode:
        assert values_unknown(torch.ones(3))
        assert values_unknown(mode.from_tensor(torch.ones(3)))


@pytest.mark.parametrize(
    "transform",
    [torch.func.vmap, torch.func.grad, lambda f: torch.func.vmap(torch.func.grad(f))],
    ids=["vmap", "grad", "vmap of grad"],
)
def test_inside_a_transform_values_are_unknown(transform):
    shape = (3,) if transform is torch.func.grad else (2, 3)
    assert answers(transform, torch.ones(shape)) == [True]
    assert not values_unknown(torch.ones(3))


@COMPILES
def test_while_something_is_compiled_or_exported_values_are_unknown():
    def shift(x):
        return x + 1 if values_unknown(x) else x

    class Shift(nn.Module):
        def forward(self, x):
            return shift(x)

    x = torch.zeros(3)
    assert torch.compile(shift, backend="aot_eager", fullgraph=True)(x).tolist() == [1, 1, 1]
    assert torch.export.export(Shift(), (x,)).module()(x).tolist() == [1, 1, 1]


def test_checks_of_values_let_tensors_without_values_pass():
    table = nn.Embedding(5, 3)
    bad, hole = torch.tensor([[7, 1]]), torch.tensor([[False, True]])

    def ask(ids, mask):
        require_known("ids", ids, table)
        require_no_hole(mask=mask)
        return padding_mask(ids.new_full((2,), -1), 4).sum()

    with refused(ValueError, "ids", "0 to 4", "7"):
        ask(bad, ~hole)
    with refused(ValueError, "mask", "True after False"):
        ask(bad % 5, hole)
    torch.func.vmap(ask)(bad[None], hole[None])
    with FakeTensorMode() as mode:
        ask(mode.from_tensor(bad), mode.from_tensor(hole))
    ask(bad.to("meta"), hole.to("meta"))
