"""`rotate` (chapter 08)."""

from __future__ import annotations

import math

import pytest
import torch
from answers import normal, right_answers, solve, unknown_answers, wrong_answers

from attncourse.exercises import EXERCISES, check
from attncourse.positions import RotaryPositions


def test_turning_agrees_with_the_package():
    x = normal(2, 3, 5, 8)
    got = solve("rotate", x, torch.arange(7, 12))
    torch.testing.assert_close(got, RotaryPositions(8)(x, offset=7))


def test_a_quarter_turn_brings_one_feature_to_the_other():
    got = solve("rotate", torch.tensor([[1.0, 0.0]]).double(), torch.tensor([1]))
    assert got[0].tolist() == pytest.approx([math.cos(1), math.sin(1)])


def test_angles_in_bfloat16_are_too_coarse_and_told_so():
    def coarse(x, positions):
        frequency = 10000 ** (-torch.arange(0, x.shape[-1], 2) / x.shape[-1])
        angle = positions.to(x.dtype)[:, None] * frequency.to(x.dtype)
        a, b = x[..., ::2], x[..., 1::2]
        turned = (a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos())
        return torch.stack(turned, dim=-1).flatten(-2)

    verdict = check("rotate", coarse)
    assert verdict.kind == "wrong"
    assert "bfloat16 knows no 301" in verdict.message


# -- answers as readers write them -----------------------------------------------------------------


def turned_by_complex_numbers(x, positions):
    width = x.shape[-1]
    frequency = 1.0 / 10000 ** (torch.arange(0, width, 2).float() / width)
    turn = torch.polar(torch.ones(()), positions.float()[:, None] * frequency)
    wide = torch.float64 if x.dtype is torch.float64 else torch.float32
    points = torch.view_as_complex(x.to(wide).unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(points * turn).flatten(-2).to(x.dtype)


def turned_as_in_libraries(x, positions):
    frequency = 10000 ** (-torch.arange(0, x.shape[-1], 2) / x.shape[-1])
    angle = torch.outer(positions, frequency).repeat_interleave(2, dim=-1)
    other = torch.stack([-x[..., 1::2], x[..., ::2]], dim=-1).reshape(x.shape)
    return x * angle.cos().to(x) + other * angle.sin().to(x)


def _angles(x, positions):
    return torch.outer(positions, 10000 ** (-torch.arange(0, x.shape[-1], 2) / x.shape[-1]))


def turned_in_halves(x, positions):
    angle = _angles(x, positions)
    cos, sin = angle.cos().to(x), angle.sin().to(x)
    a, b = x.tensor_split(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


def turned_backwards(x, positions):
    return EXERCISES["rotate"].solution(x, -positions)


def turned_from_zero(x, positions):
    return RotaryPositions(x.shape[-1])(x)


def turned_at_one_speed(x, positions):
    angle = positions.float()[:, None]
    cos, sin = angle.cos().to(x), angle.sin().to(x)
    a, b = x[..., ::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, b * cos + a * sin), dim=-1).flatten(-2)


def turned_not_at_all(x, positions):
    return RotaryPositions(x.shape[-1])(x) * 0 + x


def turned_with_mixed_layouts(x, positions):
    angle = _angles(x, positions)
    cos, sin = (torch.cat((w, w), dim=-1).to(x) for w in (angle.cos(), angle.sin()))
    other = torch.stack([-x[..., 1::2], x[..., ::2]], dim=-1).reshape(x.shape)
    return x * cos + other * sin


def turned_doubly(x, positions):
    return EXERCISES["rotate"].solution(x, 2 * positions)


test_a_right_answer_in_other_words_passes = right_answers(
    "rotate", [turned_by_complex_numbers, turned_as_in_libraries]
)
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "rotate",
    [
        (turned_in_halves, "one half the width further on"),
        (turned_backwards, "your pairs turn the wrong way"),
        (turned_from_zero, "you count from 0"),
        (turned_at_one_speed, "all pairs turn at one speed"),
        (turned_not_at_all, "nothing turns"),
        (turned_with_mixed_layouts, "their angles laid out in the other"),
        (turned_doubly, "your angles are doubled"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "rotate", [lambda x, positions: turned_as_in_libraries(x, 3 * positions)]
)
