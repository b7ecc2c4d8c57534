"""Numbers and tensors as a verdict prints them (every chapter): few digits, the same anywhere."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Mapping

import torch
from torch import Tensor

from attncourse.exercises.judging.exercise import Exercise

PRINTABLE = 24  # numbers of one tensor
COLUMNS = 76  # what the book shows of a line without scrolling


class Text(str):
    """Text that a notebook shows as it is, without quotes and escapes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def wrapped(text: str) -> str:
    """Break long lines at spaces; what goes over is indented below its line."""
    lines = []
    for line in text.split("\n"):
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        fill = {"subsequent_indent": indent, "break_long_words": False, "break_on_hyphens": False}
        lines.append(textwrap.fill(line, COLUMNS, **fill))
    return "\n".join(lines)


def number(value: bool | int | float) -> str:
    """Print with up to three decimals. Ties are nudged, so that rounding noise decides none."""
    if isinstance(value, int) or not math.isfinite(value):  # a bool is an int
        return str(value)
    if abs(value) >= 1e5:
        return f"{value:.3g}"
    text = f"{value + math.copysign(1e-6, value):.3f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def tensor(value: object) -> str:
    """Print a tensor as nested lists if it is small, else as its shape."""
    if isinstance(value, float):
        return number(value)
    if not isinstance(value, Tensor):
        return repr(value)
    if value.numel() > PRINTABLE:
        return f"shape {tuple(value.shape)}"
    value = value.detach()
    return _nested(value.double().tolist() if value.is_floating_point() else value.tolist())


def _nested(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_nested(v) for v in value) + "]"
    return number(value)


def shapes(exercise: Exercise, arguments: tuple) -> str:
    """Name the arguments' shapes: 'query (2, 3), key (5, 3)'."""
    parts = []
    for argument, value in zip(exercise.inputs, arguments, strict=False):
        shown = tuple(value.shape) if isinstance(value, Tensor) else value
        parts.append(f"{argument.name} {shown}")
    return ", ".join(parts)


def axes(lengths: Mapping[str, int], complaint: str) -> str:
    """Name the axes whose lengths an error speaks of, or none: 'Here 3 is batch, 5 is source.'"""
    if not re.search("size|shape", complaint):
        return ""
    spoken = re.sub(r"(dimension|index|mat) ?\d+", "", complaint)
    told = []
    for number in dict.fromkeys(map(int, re.findall(r"\d+", spoken))):
        names = [name for name, length in lengths.items() if length == number]
        if len(names) == 1 and number > 1:
            told.append(f"{number} is {names[0]}")
    return f"Here {', '.join(told)}." if told else ""


def table(rows: list[tuple[str, str]]) -> str:
    """Lay rows out below each other, names in one column."""
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"  {name.ljust(width)}  {text}" for name, text in rows)


def counterexample(
    exercise: Exercise, arguments: tuple, got: object, wanted: object, note: str = ""
) -> str:
    """Show a case: its arguments, what came back and what was wanted."""
    rows = [
        (argument.name, tensor(value))
        for argument, value in zip(exercise.inputs, arguments, strict=False)
    ]
    rows += [("got", tensor(got) + note), ("wanted", tensor(wanted))]
    if not note and tensor(got) == tensor(wanted):
        rows.append(("at", _apart(got, wanted)))
    return table(rows)


def _apart(got: Tensor, wanted: Tensor) -> str:
    """Name a place where two tensors that print alike are far apart."""
    got, wanted = got.detach().double(), wanted.detach().double()
    gap = (got - wanted).abs().nan_to_num(torch.inf)
    gap[(got == wanted) | (got.isnan() & wanted.isnan())] = 0.0
    # The first that is far enough, lest rounding noise decide which is the furthest.
    place = tuple((gap >= gap.max() / 2).nonzero()[0].tolist())
    one, other = got[place].item(), wanted[place].item()
    digits = 3
    while digits < 17 and f"{one:.{digits}g}" == f"{other:.{digits}g}":
        digits += 1
    return f"{list(place)}: got {one:.{digits}g}, wanted {other:.{digits}g}"


def dtype(value: torch.dtype) -> str:
    """Name a dtype: 'float32'."""
    return str(value).removeprefix("torch.")
