"""Figures of positions: what is drawn is what was given."""

from __future__ import annotations

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


def test_one_position_is_refused():
    with refused(ValueError, "length", "2 or more", "got 1"):
        figures.counting(1, 6)
