"""Figures of decoding: what is drawn is what was given."""

from __future__ import annotations

import pytest
from matplotlib.colors import same_color

from attncourse import figures

TREE = {
    "see": (0.5, {"you": (0.4, {}), "it": (0.36, {}), "what": (0.24, {})}),
    "good": (0.4, {"night": (0.9, {}), "luck": (0.1, {})}),
    "stop": (0.1, {}),
}
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


def test_every_word_of_the_tree_is_drawn_once_with_its_branch():
    ax = figures.choices(TREE)
    said = [text.get_text() for text in ax.texts]
    words = ["see", "you", "it", "what", "good", "night", "luck", "stop"]
    assert [said.count(word) for word in words] == [1] * len(words)
    assert len(ax.lines) == len(words)


def test_whole_sentences_have_the_product_of_their_branches():
    said = [text.get_text() for text in figures.choices(TREE).texts]
    assert {"0.20", "0.18", "0.12", "0.36", "0.04", "0.10"} <= set(said)


def test_the_likeliest_sentence_and_the_likeliest_word_each_time_stand_out():
    ax = figures.choices(TREE)
    assert drawn_in(ax, figures.RED) == ["0.4", "good", "0.9", "night", "0.36"]
    assert drawn_in(ax, figures.BLUE) == ["0.5", "see", "0.4", "you", "0.20"]


def test_where_greedy_finds_the_likeliest_sentence_all_of_it_is_red():
    ax = figures.choices({"good": (0.8, {"night": (1.0, {})}), "see": (0.2, {})})
    assert lines_in(ax, figures.RED) == 2
    assert lines_in(ax, figures.BLUE) == 0


def test_an_empty_tree_is_refused():
    with pytest.raises(ValueError, match="tree must hold a word"):
        figures.choices({})


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
