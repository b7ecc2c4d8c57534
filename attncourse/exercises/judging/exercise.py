"""What an exercise is (every chapter): data, from which `check` makes its cases.

To add one, write a module of its name in its chapter's room, `attncourse/exercises/chNN/`, and call
it `EXERCISE` there; it is found by itself. Its misconceptions are functions with one bug each; the
tests check that every one of them is recognised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations, product

import torch
from torch import Tensor

from attncourse.masks import causal_mask


@dataclass(frozen=True, kw_only=True)
class Case:
    """One situation in which the student's function runs.

    Attributes:
        label: ends the sentence "It first fails with ...".
        sizes: lengths of axes that differ from the exercise's.
        lead: the lengths that "..." stands for.
        mask: how `allowed` draws a mask; `None` leaves the argument out.
        scale: factors on arguments, by name.
        given: arguments that are not drawn, by name.
        dtype: of the floating-point tensors.
        strided: whether tensors are laid out in memory in another order than their axes'.
        hint: what to say if this case is the first to fail.
        bonus: whether failing it only earns a remark.
    """

    label: str
    sizes: Mapping[str, int] = field(default_factory=dict)
    lead: tuple[int, ...] = ()
    mask: str | None = None
    scale: Mapping[str, float] = field(default_factory=dict)
    given: Mapping[str, object] = field(default_factory=dict)
    dtype: torch.dtype = torch.float32
    strided: bool = False
    hint: str = ""
    bonus: bool = False


# Cases and hints that many exercises share.
STRIDED = Case(
    label="tensors laid out in another order in memory",
    strided=True,
    hint="view() needs one order in memory; reshape() does not.",
)
FLOAT64 = Case(label="float64", dtype=torch.float64)
BFLOAT16 = Case(label="bfloat16", dtype=torch.bfloat16)
COUNT_FROM_THE_END = "Name axes from the end: -1 is the last, however many stand in front."

Draw = Callable[[tuple[int, ...], Case, torch.Generator], object]


def numbers(shape: tuple[int, ...], case: Case, generator: torch.Generator) -> Tensor:
    """Draw halves from -2 to 2: exact in every dtype, the same on every machine, easy to read."""
    return torch.randint(-4, 5, shape, generator=generator) / 2


def allowed(shape: tuple[int, ...], case: Case, generator: torch.Generator) -> Tensor | None:
    """Draw a boolean mask of the kind that the case names, True where attention is allowed."""
    if case.mask is None:
        return None
    if case.mask == "causal":
        return causal_mask(*shape[-2:]).expand(shape)
    if case.mask == "padding":  # one row, which broadcasts over the queries
        shape = (*shape[:-2], 1, shape[-1])
    mask = torch.randint(2, shape, generator=generator).bool()
    mask[..., :1] |= ~mask.any(-1, keepdim=True)
    if case.mask == "empty row":
        mask[(0,) * (len(shape) - 1)] = False  # one row of one map only
    return mask


def size(shape: tuple[int, ...], case: Case, generator: torch.Generator) -> int:
    """Pass the length of the axis itself."""
    return shape[0]


@dataclass(frozen=True)
class Input:
    """An argument: its name, its axes ("..." stands for the case's lead), how it is drawn."""

    name: str
    axes: str = ""
    draw: Draw = numbers


# Given a function and a case's arguments: whether a mistake shows, or None where it cannot be told.
Shows = Callable[[Callable[[tuple], "Tensor | None"], tuple], "bool | None"]


@dataclass(frozen=True)
class Misconception:
    """A mistake worth a name.

    Attributes:
        says: ends the sentence "Not yet: ...".
        does: functions that make just this mistake, each in one way of making it.
        shows: tells whether a function makes the mistake, for mistakes that can be made in more
            ways than one can list.
    """

    says: str
    does: tuple[Callable, ...] = ()
    shows: Shows | None = None


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """An exercise, whole.

    Attributes:
        name: as in `check(name, ...)`.
        chapter: two digits.
        signature: how the student's function is called, and what it returns.
        inputs: its arguments in order.
        sizes: the lengths of the axes, different primes where they may differ.
        tied: axes whose length follows from the others'.
        cases: in the order in which they run, the simplest first.
        misconceptions: the likeliest first.
        hint: one step, not the whole way.
        solution: short; what the student's function is compared with.
        broken: in "find the bug", the function to be mended.
    """

    name: str
    chapter: str
    signature: str
    inputs: tuple[Input, ...]
    sizes: Mapping[str, int]
    cases: tuple[Case, ...]
    misconceptions: tuple[Misconception, ...]
    hint: str
    solution: Callable
    tied: Mapping[str, Callable[[Mapping[str, int]], int]] = field(default_factory=dict)
    broken: Callable | None = None

    def arguments(self, case: Case, seed: int, sizes: Mapping[str, int] | None = None) -> tuple:
        """Draw the arguments of a case, of other sizes if they are given."""
        generator = torch.Generator().manual_seed(seed)
        lengths = self.lengths(case, sizes)
        drawn = []
        for argument in self.inputs:
            if argument.name in case.given:
                drawn.append(case.given[argument.name])
                continue
            shape: list[int] = []
            for axis in argument.axes.split():
                shape.extend(case.lead if axis == "..." else (lengths[axis],))
            value = argument.draw(tuple(shape), case, generator)
            if value is not None:
                drawn.append(_finish(value, case, argument.name))
        return tuple(drawn)

    def lengths(self, case: Case, sizes: Mapping[str, int] | None = None) -> dict[str, int]:
        """Give the length of each axis in a case."""
        lengths = {**self.sizes, **case.sizes, **(sizes or {})}
        return lengths | {axis: length(lengths) for axis, length in self.tied.items()}

    def smaller(self, case: Case) -> Iterator[dict[str, int]]:
        """Give the sizes at which to look for a counterexample, the smallest first."""
        axes = sorted({axis for i in self.inputs for axis in i.axes.split()} - {"...", *self.tied})
        named = [axis for axis in axes if axis in case.sizes]
        for lengths in sorted(product((1, 2, 3), repeat=len(axes)), key=lambda n: (sum(n), n)):
            found = dict(zip(axes, lengths, strict=True))
            # What the case makes equal stays equal, and what it makes different, different.
            if all(
                (case.sizes[a] == case.sizes[b]) == (found[a] == found[b])
                for a, b in combinations(named, 2)
            ):
                yield found


def _finish(value: object, case: Case, name: str) -> object:
    if not isinstance(value, Tensor):
        return value
    if value.is_floating_point():
        value = (value * case.scale.get(name, 1.0)).to(case.dtype)
    if case.strided and value.dim() > 1:
        value = value.mT.contiguous().mT
    elif case.strided:
        value = value.repeat_interleave(2)[::2]
    return value
