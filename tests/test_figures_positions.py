"""Figures of positions: what is drawn is what was given."""

from __future__ import annotations

import math

import numpy as np
import pytest
from support import refused

from attncourse import figures

pytestmark = pytest.mark.usefixtures("no_figures_left")


def drawn(ax):
    return ax.get_images()[0].get_array()


def test_the_bits_of_a_row_add_up_to_its_position():
    bits, _ = figures.counting(13, 6)
    worth = [int(label.get_text()) for label in bits.get_xticklabels()]
    assert worth == [1, 2, 4, 8]
    np.testing.assert_array_equal(drawn(bits) @ worth, range(13))


def test_the_waves_are_the_sines_of_the_code_and_the_fastest_stands_first():
    _, waves = figures.counting(13, 6)
    speed = np.array([1, 10_000 ** (-1 / 3), 10_000 ** (-2 / 3)])
    np.testing.assert_allclose(drawn(waves), np.sin(np.arange(13)[:, None] * speed), atol=1e-6)


def tips(ax):
    return [text.xy for text in ax.texts]


def test_a_hand_starts_at_the_top_and_goes_clockwise():
    (first, second), *_ = figures.dials(16, starts=[0], shift=1, hands=2)
    before, after = tips(first)
    assert before == (0, 1)
    assert after == pytest.approx((math.sin(1), math.cos(1)))
    assert tips(second)[1][0] < after[0]  # slower


def test_a_shift_turns_a_hand_by_the_same_angle_from_wherever_it_starts():
    axes = figures.dials(16, starts=[3, 40], shift=5)
    for column in axes.T:
        (a, b), (c, d) = map(tips, column)
        assert np.dot(a, b) == pytest.approx(np.dot(c, d))


def test_more_hands_than_waves_and_one_position_are_refused():
    with refused(ValueError, "hands", "2 or fewer", "got 4"):
        figures.dials(4, starts=[2], shift=5)
    with refused(ValueError, "length", "2 or more", "got 1"):
        figures.counting(1, 6)
