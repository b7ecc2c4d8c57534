"""Figures of heads: an arc for each look."""

from __future__ import annotations

import pytest
import torch
from matplotlib.colors import same_color
from support import refused

from attncourse import figures

WORDS = ["the", "dog", "saw", "cats"]


pytestmark = pytest.mark.usefixtures("no_figures_left")


def test_the_heavier_a_look_the_thicker_its_arc_and_the_lightest_have_none():
    ax = figures.arcs(WORDS, {"one head": [0.04, 0.66, 0.0, 0.30]}, asker=2)
    dog, cats = ax.lines
    assert dog.get_linewidth() > cats.get_linewidth()
    assert [text.get_text() for text in ax.texts] == ["one head", *WORDS, "0.66", "0.30"]


def test_an_arc_leads_from_the_asking_word_to_the_one_it_looks_at():
    ax = figures.arcs(WORDS, {"one head": [0.0, 1.0, 0.0, 0.0]}, asker=2)
    places = {text.get_text(): text.get_position()[0] for text in ax.texts}
    (line,) = ax.lines
    assert line.get_xdata()[0] == pytest.approx(places["saw"])
    assert line.get_xdata()[-1] == pytest.approx(places["dog"])


def test_each_head_has_a_sentence_and_a_colour_of_its_own():
    ax = figures.arcs(WORDS, {"a": torch.eye(4)[1], "b": torch.eye(4)[3]}, asker=2)
    first, second = ax.lines
    assert not same_color(first.get_color(), second.get_color())
    heights = {t.get_text(): t.get_position()[1] for t in ax.texts}
    assert heights["a"] > heights["b"]


def test_the_asking_word_is_bold_and_gets_a_dot_where_it_looks_at_itself():
    ax = figures.arcs(WORDS, {"a": torch.eye(4)[2]}, asker=2)
    assert [t.get_text() for t in ax.texts if t.get_weight() == "bold"] == ["saw"]
    (dot,) = ax.lines
    assert len(dot.get_xdata()) == 1


def test_a_weight_for_every_word_is_asked_for():
    with refused(ValueError, "looks['a']", "4 weights", "3"):
        figures.arcs(WORDS, {"a": [1.0, 0.0, 0.0]}, asker=2)


@pytest.mark.parametrize("asker", [-1, 4])
def test_who_asks_must_be_a_word(asker):
    with refused(ValueError, "asker", "0 to 3", str(asker)):
        figures.arcs(WORDS, {"a": torch.eye(4)[2]}, asker=asker)
