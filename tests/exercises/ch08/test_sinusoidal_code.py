"""`sinusoidal_code` (chapter 08)."""

from __future__ import annotations

import math

import torch
from answers import right_answers, solve, unknown_answers, wrong_answers

from attncourse.positions import SinusoidalPositions


def test_the_codes_agree_with_the_packages():
    torch.testing.assert_close(solve("sinusoidal_code", 17, 8), SinusoidalPositions(8).code(17))


# -- answers as readers write them -----------------------------------------------------------------


def code_by_assignment(length, width):
    code = torch.zeros(length, width)
    position = torch.arange(0, length, dtype=torch.float).unsqueeze(1)
    factor = torch.exp(torch.arange(0, width, 2).float() * (-math.log(10000.0) / width))
    code[:, 0::2] = torch.sin(position * factor)
    code[:, 1::2] = torch.cos(position * factor)
    return code


def code_by_hand(length, width):
    rows = [
        [
            (math.cos if j % 2 else math.sin)(t / 10000 ** ((j - j % 2) / width))
            for j in range(width)
        ]
        for t in range(length)
    ]
    return torch.tensor(rows)


def _waves(length, width):
    factor = 10000.0 ** (-torch.arange(0, width, 2) / width)
    return torch.arange(length).unsqueeze(1) * factor


def code_in_halves(length, width):
    waves = _waves(length, width)
    return torch.cat((torch.sin(waves), torch.cos(waves)), dim=1)


def code_halved_exponent(length, width):
    code = torch.zeros(length, width)
    waves = torch.arange(length)[:, None] / torch.pow(10000, torch.arange(width // 2) / width)
    code[:, 0::2], code[:, 1::2] = waves.sin(), waves.cos()
    return code


def code_by_columns(length, width):
    rows = [
        [(math.cos if j % 2 else math.sin)(t / 10000 ** (j / width)) for j in range(width)]
        for t in range(length)
    ]
    return torch.tensor(rows)


def code_from_one(length, width):
    return code_by_assignment(length + 1, width)[1:]


def code_exchanged(length, width):
    return code_by_assignment(length, width).unflatten(1, (-1, 2)).flip(-1).flatten(1)


test_a_right_answer_in_other_words_passes = right_answers(
    "sinusoidal_code", [code_by_assignment, code_by_hand]
)
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "sinusoidal_code",
    [
        (code_in_halves, "all sines stand first"),
        (code_halved_exponent, "i / width where 2i / width is due"),
        (code_by_columns, "a sine and its cosine have two frequencies"),
        (code_from_one, "positions are counted from 1"),
        (code_exchanged, "sine and cosine are exchanged"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "sinusoidal_code", [lambda length, width: code_by_assignment(length, width) / 2]
)
