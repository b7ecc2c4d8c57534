"""The style of all figures."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pytest

from attncourse import figures

pytestmark = pytest.mark.usefixtures("no_figures_left")


def test_the_ground_is_opaque_white_so_that_figures_survive_dark_mode():
    figures.style()
    assert plt.rcParams["figure.facecolor"] == plt.rcParams["savefig.facecolor"] == "white"
    assert plt.subplots()[0].get_facecolor() == (1, 1, 1, 1)


def test_lines_take_the_palette_in_its_order():
    figures.style()
    ax = plt.subplots()[1]
    drawn = [ax.plot([0, 1])[0].get_color() for _ in figures.COLOURS]
    assert drawn == list(figures.COLOURS)


def test_the_colours_of_the_palette_are_all_different():
    assert len(set(figures.COLOURS)) == 7


def test_importing_the_module_changes_no_style():
    assert plt.rcParams["figure.dpi"] == plt.rcParamsDefault["figure.dpi"]
