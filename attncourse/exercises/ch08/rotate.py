"""An exercise of chapter 08: features turned by their token's position."""

from __future__ import annotations

from dataclasses import replace

import torch

from attncourse.exercises.judging import (
    COUNT_FROM_THE_END,
    STRIDED,
    Case,
    Exercise,
    Input,
    Misconception,
)


def rotate(x, positions):
    width = x.shape[-1]
    frequency = 10_000.0 ** -(torch.arange(0, width, 2, dtype=torch.float64) / width)
    angle = positions[:, None] * frequency  # (length, width / 2)
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    first, second = x[..., 0::2], x[..., 1::2]
    turned = first * cos - second * sin, first * sin + second * cos
    return torch.stack(turned, dim=-1).flatten(-2)


def _positions(shape, case, generator):
    """Draw positions: from the start, from later on, far on, or in no order."""
    (length,) = shape
    if case.mask == "scattered":
        return torch.randint(1, 20, shape, generator=generator)
    start = {"later": 3, "far": 300}.get(case.mask, 0)
    return torch.arange(start, start + length)


def _exponent(width):
    return torch.arange(0, width, 2) / width


def _angle(position, exponent):
    return position / 10_000**exponent


def _neighbours(x):
    return x[..., 0::2], x[..., 1::2]


def _halves(x):
    return x.chunk(2, dim=-1)


def _interleave(first, second):
    return torch.stack([first, second], dim=-1).flatten(-2)


def _join(first, second):
    return torch.cat([first, second], dim=-1)


def _turn(first, second, cos, sin):
    return first * cos - second * sin, first * sin + second * cos


def _rotation(
    count=lambda positions: positions,
    exponent=_exponent,
    angle=_angle,
    pair=_neighbours,
    turn=_turn,
    arrange=_interleave,
):
    """A rotation, each choice open to be wrong."""

    def function(x, positions):
        waves = angle(count(positions).double()[:, None], exponent(x.shape[-1]).double())
        cos, sin = waves.cos().to(x.dtype), waves.sin().to(x.dtype)
        return arrange(*turn(*pair(x), cos, sin))

    return function


def _added(x, positions):
    waves = _angle(positions.double()[:, None], _exponent(x.shape[-1]).double())
    return x + _interleave(waves.sin(), waves.cos()).to(x.dtype)


def _mixed(pairs_in_halves):
    """Features paired in one way, their angles laid out in the other."""

    def function(x, positions):
        waves = _angle(positions.double()[:, None], _exponent(x.shape[-1]).double())
        first, second = _halves(x) if pairs_in_halves else _neighbours(x)
        arrange, lay = (_join, _interleave) if pairs_in_halves else (_interleave, _join)
        cos, sin = (lay(w, w).to(x.dtype) for w in (waves.cos(), waves.sin()))
        return x * cos + arrange(-second, first) * sin

    return function


EXERCISE = Exercise(
    name="rotate",
    chapter="08",
    signature="rotate(x, positions) -> the shape of x",
    inputs=(
        Input("x", "... length width"),
        Input("positions", "length", draw=_positions),
    ),
    sizes={"length": 5, "pairs": 2},
    tied={"width": lambda sizes: 2 * sizes["pairs"]},
    cases=(
        Case(label="a sentence from its start"),
        Case(label="a sentence from its fourth word", mask="later"),
        Case(label="one word", mask="later", sizes={"length": 1}),
        Case(label="positions in no order", mask="scattered"),
        Case(label="a single pair of features", mask="later", sizes={"pairs": 1}),
        Case(label="as many words as features", mask="later", sizes={"length": 4, "pairs": 2}),
        Case(label="as many words as pairs", mask="later", sizes={"length": 3, "pairs": 3}),
        Case(
            label="more leading axes",
            mask="later",
            lead=(2, 3),
            sizes={"pairs": 7},  # no length twice
            hint=COUNT_FROM_THE_END,
        ),
        Case(label="as many sentences as words", mask="later", lead=(5,)),
        replace(STRIDED, mask="later"),
        Case(label="float64", mask="later", dtype=torch.float64, scale={"x": 0.125}),
        Case(
            label="bfloat16, three hundred words on",
            mask="far",
            dtype=torch.bfloat16,
            hint="bfloat16 knows no 301: compute the angles in float32 or wider, and make only "
            "their sines and cosines bfloat16.",
        ),
    ),
    misconceptions=(
        Misconception(
            "you pair feature i with the one half the width further on. Some libraries do, and "
            "the model is the same up to the order of its features; but weights learned in one "
            "form do not fit the other. Here neighbours are paired",
            (_rotation(pair=_halves, arrange=_join),),
        ),
        Misconception(
            "your pairs turn the wrong way: the first feature loses what the second gains, "
            "first * cos - second * sin. Scores still depend on distances alone, but weights "
            "learned in one form do not fit the other",
            (_rotation(turn=lambda a, b, cos, sin: (a * cos + b * sin, b * cos - a * sin)),),
        ),
        Misconception(
            "nothing turns: every word counts as the first",
            (lambda x, positions: x.clone(), _rotation(count=torch.zeros_like)),
        ),
        Misconception(
            "you count from 0 whatever `positions` says. A word that is read alone, after others, "
            "then counts as the first",
            (_rotation(count=lambda positions: torch.arange(len(positions))),),
        ),
        Misconception(
            "you count from the first of the positions on; they may come in any order",
            (_rotation(count=lambda positions: positions[0] + torch.arange(len(positions))),),
        ),
        Misconception(
            "the positions are off by one: a word at position 0 is not turned",
            (
                _rotation(count=lambda positions: positions + 1),
                _rotation(count=lambda positions: positions - 1),
            ),
        ),
        Misconception(
            "all pairs turn at one speed. Pair i turns by position / 10000^(2i/width), the later "
            "ones more slowly",
            (
                _rotation(angle=lambda position, exponent: position + 0 * exponent),
                _rotation(angle=lambda position, exponent: position / 10_000 + 0 * exponent),
            ),
        ),
        Misconception(
            "the exponent is i / width where 2i / width is due: i counts pairs of features",
            (_rotation(exponent=lambda width: torch.arange(width // 2) / width),),
        ),
        Misconception(
            "the exponent is doubled: torch.arange(0, width, 2) counts in twos already",
            (_rotation(exponent=lambda width: 2 * torch.arange(0, width, 2) / width),),
        ),
        Misconception(
            "your angles are doubled",
            (_rotation(angle=lambda position, exponent: 2 * _angle(position, exponent)),),
        ),
        Misconception(
            "you multiply by 10000^(2i/width); divide by it, so that later pairs turn more slowly",
            (_rotation(angle=lambda position, exponent: position * 10_000**exponent),),
        ),
        Misconception(
            "sine and cosine are exchanged: a word at position 0 is not turned, and cos(0) is 1",
            (_rotation(turn=lambda a, b, cos, sin: _turn(a, b, sin, cos)),),
        ),
        Misconception(
            "a sign is missing: a pair that turns gains on one side and loses on the other, so one "
            "of the sines is subtracted. Without it lengths change",
            (_rotation(turn=lambda a, b, cos, sin: (a * cos + b * sin, a * sin + b * cos)),),
        ),
        Misconception(
            "neighbours go in as pairs, but come back in halves. Stack the two last and flatten, "
            "so that each feature stands where it was",
            (
                _rotation(arrange=_join),
                _rotation(pair=_halves, arrange=_interleave),
            ),
        ),
        Misconception(
            "the features are paired in one way, and their angles laid out in the other: where "
            "neighbours are paired, each angle stands twice in a row, repeat_interleave(2)",
            (_mixed(True), _mixed(False)),
        ),
        Misconception(
            "every feature is multiplied by one number; a turn mixes the two of a pair",
            (
                _rotation(turn=lambda a, b, cos, sin: (a * cos, b * sin)),
                _rotation(turn=lambda a, b, cos, sin: (a * cos, b * cos)),
            ),
        ),
        Misconception(
            "a code is added. Rotary positions add nothing: they turn what is there",
            (_added,),
        ),
    ),
    hint="Take the features apart, x[..., 0::2] and x[..., 1::2]. Turned by an angle, "
    "(a, b) becomes (a cos - b sin, a sin + b cos). Then put them back as neighbours.",
    solution=rotate,
)
