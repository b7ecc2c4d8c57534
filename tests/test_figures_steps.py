"""One query's attention in four steps: every number that is drawn is that of the formula."""

from __future__ import annotations

import math

import pytest
import torch
from matplotlib.colors import to_rgba
from support import refused

from attncourse import figures
from attncourse.figures.steps import COLUMNS, HIDDEN

pytestmark = pytest.mark.usefixtures("no_figures_left")

NAMES = ["a", "b", "c"]
SCORES = torch.tensor([math.log(2.0), 5.0, 0.0])  # without the second: weights 2/3 and 1/3
MASK = torch.tensor([True, False, True])
VALUES = torch.tensor([3.0, 100.0, 6.0])  # average 2/3 * 3 + 1/3 * 6 = 4


def drawn():
    return figures.four_steps(NAMES, SCORES, MASK, VALUES, unit="m")


def column(ax, name: str) -> list[str]:
    """What stands below a heading, from the top."""
    heading = next(text for text in ax.texts if text.get_text() == name)
    x, _ = heading.get_position()
    below = [t for t in ax.texts if t.get_position()[0] == x and t is not heading]
    return [text.get_text() for text in sorted(below, key=lambda text: text.get_position()[1])]


def test_each_column_has_the_numbers_of_its_step():
    ax = drawn()
    assert column(ax, "score") == ["0.693147", "5", "0"]
    assert column(ax, "mask") == ["0.693147", "−∞", "0"]
    assert column(ax, "softmax") == ["0.67", "0", "0.33"]
    assert column(ax, "value") == ["3", "100", "6"]


def test_the_average_is_that_of_the_values_that_are_seen():
    assert drawn().texts[-1].get_text() == "4.0 m"


def test_the_hidden_key_is_grey_behind_the_mask():
    grey = [box.get_xy() for box in drawn().patches if box.get_facecolor() == to_rgba(HIDDEN)]
    assert grey == [(COLUMNS["mask"], 0.5), (COLUMNS["softmax"], 0.5)]


def test_lengths_that_disagree_are_told():
    with refused(ValueError, "names", "2", "3"):
        figures.four_steps(NAMES[:2], SCORES, MASK, VALUES)
