"""Figures of decoding: what is drawn is what was given."""

from __future__ import annotations

import pytest
from matplotlib.colors import same_color

from attncourse import figures

STEPS = [
    [(0, "see", -0.7), (0, "good", -0.9)],
    [(1, "night", -1.0), (0, "you", -1.6)],
    [(0, "<eos>", -1.1), (1, "<eos>", -1.7)],
]


pytestmark = pytest.mark.usefixtures("no_figures_left")


def drawn_in(ax, colour):
    return [text.get_text() for text in ax.texts if same_color(text.get_color(), colour)]


def lines_in(ax, colour):
    return sum(same_color(line.get_color(), colour) for line in ax.lines)


def test_what_a_beam_kept_is_drawn_row_by_row():
    ax = figures.kept(STEPS)
    assert [text.get_text().split()[0] for text in ax.texts] == [
        *("see", "good", "night", "you", "<eos>", "<eos>")
    ]
    assert len(ax.lines) == 4  # the first row hangs on nothing


def test_the_winner_is_red_and_greedy_has_an_edge():
    ax = figures.kept(STEPS)
    red = [text.split()[0] for text in drawn_in(ax, figures.RED)]
    assert red == ["good", "night", "<eos>"]
    edged = [
        text.get_text().split()[0]
        for text in ax.texts
        if same_color(text.get_bbox_patch().get_edgecolor(), figures.BLUE)
    ]
    assert edged == ["see", "you", "<eos>"]


def test_greedys_way_may_leave_the_beam():
    ax = figures.kept([STEPS[0], [(1, "night", -1.0), (1, "luck", -1.5)]])
    edges = [text.get_bbox_patch().get_edgecolor() for text in ax.texts]
    assert [same_color(edge, figures.BLUE) for edge in edges] == [True, False, False, False]


@pytest.mark.parametrize("steps", [[], [[]]])
def test_a_step_that_kept_nothing_is_refused(steps):
    with pytest.raises(ValueError, match="steps must hold"):
        figures.kept(steps)
