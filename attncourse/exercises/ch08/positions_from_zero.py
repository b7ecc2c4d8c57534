"""Find the bug (chapter 08): codes that count from zero at every call."""

from __future__ import annotations

import torch

from attncourse.exercises.ch08 import _broken
from attncourse.exercises.ch08.sinusoidal_code import angles, exponents, pairs, sinusoidal_code
from attncourse.exercises.judging import (
    BFLOAT16,
    STRIDED,
    Case,
    Exercise,
    Input,
    Misconception,
    size,
)


def place(embedded, written):
    new, width = embedded.shape[1:]
    position = torch.arange(written, written + new, dtype=torch.float64)[:, None]
    angle = position / 10_000 ** (torch.arange(0, width, 2, dtype=torch.float64) / width)
    code = torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-2)
    return embedded + code.to(embedded.dtype)


def _placed(position, angle=angles):
    """The next tokens with codes for other positions."""

    def function(embedded, written):
        new, width = embedded.shape[1:]
        waves = angle(position(new, written).double()[:, None], exponents(width).double())
        return embedded + pairs(waves.sin(), waves.cos()).to(embedded.dtype)

    return function


EXERCISE = Exercise(
    name="positions_from_zero",
    chapter="08",
    signature="place(embedded, written) -> (batch, new, width)",
    inputs=(
        Input("embedded", "batch new width"),
        Input("written", "written", draw=size),
    ),
    sizes={"batch": 7, "new": 3, "written": 5, "pairs": 2},
    tied={"width": lambda sizes: 2 * sizes["pairs"]},
    cases=(
        Case(label="a sentence that comes whole", sizes={"written": 0}),
        Case(label="the second word alone", sizes={"new": 1, "written": 1}),
        Case(label="the sixth word alone", sizes={"new": 1}),
        Case(label="three words after five"),
        Case(label="as many words as were written", sizes={"new": 5}),
        Case(label="one sentence", sizes={"batch": 1}),
        Case(label="as many sentences as words", sizes={"batch": 3}),
        STRIDED,
        Case(label="float64", sizes={"written": 2}, dtype=torch.float64),
        BFLOAT16,
    ),
    misconceptions=(
        Misconception(
            "every call counts from 0. A word that comes alone hears that it is the first, so all "
            "words of the sentence stand in one place; count from `written`",
            (_broken.place, _placed(lambda new, written: torch.arange(new))),
        ),
        Misconception(
            "all new words get one position; the first stands at `written`, the others follow",
            (
                _placed(lambda new, written: torch.full((new,), written)),
                _placed(lambda new, written: torch.full((new,), written + new - 1)),
            ),
        ),
        Misconception(
            "the positions are off by one: with no word before it, a word stands at 0",
            (
                _placed(lambda new, written: torch.arange(written + 1, written + new + 1)),
                _placed(lambda new, written: torch.arange(written - 1, written + new - 1)),
            ),
        ),
        Misconception(
            "you add codes for the words before as well, so there are more codes than words; only "
            "the new ones are asked for",
            (
                lambda embedded, written: (
                    embedded
                    + sinusoidal_code(written + embedded.shape[1], embedded.shape[2]).to(
                        embedded.dtype
                    )
                ),
            ),
        ),
        Misconception(
            "the codes stand in place of the words; they are added to them",
            (lambda embedded, written: place(torch.zeros_like(embedded), written),),
        ),
    ),
    hint="Call it on a sentence whole, then word by word, and compare. Which number in it should "
    "depend on `written`?",
    solution=place,
    broken=_broken.place,
)
