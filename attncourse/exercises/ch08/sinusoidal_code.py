"""An exercise of chapter 08: the table of sinusoidal codes."""

from __future__ import annotations

import torch

from attncourse.exercises.judging import Case, Exercise, Input, Misconception, size


def sinusoidal_code(length, width):
    position = torch.arange(length)[:, None]  # (length, 1)
    angle = position / 10_000 ** (torch.arange(0, width, 2) / width)  # (length, width / 2)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-2)


def _positions(length):
    return torch.arange(length)[:, None]


def exponents(width):
    return torch.arange(0, width, 2) / width


def angles(position, exponent):
    return position / 10_000**exponent


def pairs(sine, cosine):
    return torch.stack([sine, cosine], dim=-1).flatten(-2)


def _code(position=_positions, exponent=exponents, angle=angles, arrange=pairs):
    """A table of codes, each choice open to be wrong."""

    def function(length, width):
        waves = angle(position(length), exponent(width))
        return arrange(waves.sin(), waves.cos())

    return function


def _own_angle_for_each_column(length, width):
    waves = angles(_positions(length), torch.arange(width) / width)
    return torch.where(torch.arange(width) % 2 == 0, waves.sin(), waves.cos())


EXERCISE = Exercise(
    name="sinusoidal_code",
    chapter="08",
    signature="sinusoidal_code(length, width) -> (length, width)",
    inputs=(Input("length", "length", draw=size), Input("width", "width", draw=size)),
    sizes={"length": 5, "pairs": 2},
    tied={"width": lambda sizes: 2 * sizes["pairs"]},
    cases=(
        Case(label="five positions, four features"),
        Case(label="a single pair of features", sizes={"pairs": 1}),
        Case(label="one position", sizes={"length": 1}),
        Case(label="as many positions as features", sizes={"length": 6, "pairs": 3}),
        Case(label="as many positions as pairs of features", sizes={"length": 5, "pairs": 5}),
        Case(label="more positions and more features", sizes={"length": 17, "pairs": 16}),
    ),
    misconceptions=(
        Misconception(
            "all sines stand first, then all cosines. They take turns: sine in column 0, its "
            "cosine in column 1. A model learns from your order as well, but weights learned with "
            "one do not fit the other",
            (_code(arrange=lambda sine, cosine: torch.cat([sine, cosine], dim=-1)),),
        ),
        Misconception(
            "sine and cosine are exchanged: the even columns hold sines, so position 0 is "
            "0, 1, 0, 1",
            (
                _code(arrange=lambda sine, cosine: pairs(cosine, sine)),
                _code(arrange=lambda sine, cosine: torch.cat([cosine, sine], dim=-1)),
            ),
        ),
        Misconception(
            "the exponent is i / width where 2i / width is due: i counts pairs of columns. "
            "Else the exponents end at a half, and the longest waves are missing",
            (
                _code(exponent=lambda width: torch.arange(width // 2) / width),
                _code(
                    exponent=lambda width: torch.arange(width // 2) / width,
                    arrange=lambda sine, cosine: torch.cat([sine, cosine], dim=-1),
                ),
            ),
        ),
        Misconception(
            "the exponent is doubled: torch.arange(0, width, 2) counts in twos already, so it is "
            "divided by width, no more",
            (
                _code(exponent=lambda width: 2 * torch.arange(0, width, 2) / width),
                _code(exponent=lambda width: torch.arange(0, width, 2) / (width // 2)),
            ),
        ),
        Misconception(
            "a sine and its cosine have two frequencies: the exponent counts columns. Both of a "
            "pair take the even one's, else a shift by one position is no rotation of the pair",
            (_own_angle_for_each_column,),
        ),
        Misconception(
            "positions are counted from 1; the first is 0, whose sines are 0 and cosines 1",
            (_code(position=lambda length: torch.arange(1, length + 1)[:, None]),),
        ),
        Misconception(
            "the base has no exponent of its own: 10000 is raised to 2i / width, so that every "
            "pair turns at another speed",
            (
                _code(angle=lambda position, exponent: position / (10_000 * exponent)),
                _code(angle=lambda position, exponent: position / 10_000 + 0 * exponent),
                _code(angle=lambda position, exponent: position / 10_000 * exponent),
                _code(angle=lambda position, exponent: position * exponent),
            ),
        ),
        Misconception(
            "you multiply by 10000^(2i/width); divide by it, so that later pairs turn more slowly",
            (_code(angle=lambda position, exponent: position * 10_000**exponent),),
        ),
        Misconception(
            "all pairs turn at one speed, a radian a position, so two positions that are a turn "
            "apart are alike: after 44, nearly",
            (_code(angle=lambda position, exponent: position + 0 * exponent),),
        ),
        Misconception(
            "the columns are all sines, or all cosines. Each pair has both: by one of them alone a "
            "shift cannot be told",
            (
                _code(arrange=lambda sine, cosine: pairs(sine, sine)),
                _code(arrange=lambda sine, cosine: pairs(cosine, cosine)),
            ),
        ),
        Misconception(
            "you return the angles; their sines and cosines are wanted",
            (lambda length, width: angles(_positions(length), exponents(width)),),
        ),
        Misconception(
            "your table is (width, length); wanted is a row a position",
            (lambda length, width: sinusoidal_code(length, width).mT,),
        ),
        Misconception(
            "the answer has an axis too many: it is (length, width)",
            (
                lambda length, width: sinusoidal_code(length, width)[None],
                lambda length, width: sinusoidal_code(length, width).unflatten(-1, (-1, 2)),
            ),
        ),
    ),
    hint="One angle for each position and pair: torch.arange(length)[:, None] against "
    "torch.arange(0, width, 2). Then sine and cosine side by side: stack them last and flatten.",
    solution=sinusoidal_code,
)
