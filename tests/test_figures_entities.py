"""Figures of entities: a text in lines, what is marked in it, and where a word looks."""

from __future__ import annotations

import pytest
from matplotlib.colors import same_color
from support import refused

from attncourse import figures
from attncourse.data.bio import Span

WORDS = ["ada", "lo", "sings", "in", "velora", "."]
SPANS = [Span(0, 2, "person"), Span(4, 5, "place")]

pytestmark = pytest.mark.usefixtures("no_figures_left")


def test_an_entity_is_underlined_from_its_first_letter_to_its_last():
    ax = figures.tagged_text(WORDS, SPANS)
    assert [text.get_text() for text in ax.texts] == [*WORDS, "person", "place"]
    person, place = ax.lines
    assert list(person.get_xdata()) == [0, len("ada lo")]
    assert list(place.get_xdata()) == [len("ada lo sings in "), len("ada lo sings in velora")]
    assert not same_color(person.get_color(), place.get_color())


def test_a_kind_keeps_its_colour_from_text_to_text():
    kinds = ["person", "place"]
    first = figures.tagged_text(WORDS, SPANS, kinds=kinds).lines[1]
    second = figures.tagged_text(WORDS, SPANS[1:], kinds=kinds).lines[0]
    assert same_color(first.get_color(), second.get_color())


def test_the_more_weight_the_darker_and_the_asker_has_a_frame():
    ax = figures.tagged_text(WORDS, weights=[0.0, 0.01, 0.2, 0.0, 0.79, 0.0], asker=2)
    few, frame, much = ax.patches
    assert few.get_alpha() < much.get_alpha()
    assert frame.get_xy() == few.get_xy()
    assert not frame.get_fill()


def test_a_long_text_goes_over_lines_and_an_entity_stays_on_one():
    words = ["word"] * 8 + ["ve", "lo"] + ["word"] * 9  # 8 words of 5 signs, then 2 and 3 more
    ax = figures.tagged_text(words, [Span(8, 10, "place")])
    heights = sorted({text.get_position()[1] for text in ax.texts[: len(words)]})
    assert heights == [-1, 0]
    assert ax.texts[8].get_position() == (40, 0)  # 40 + 5 signs are not more than 48
    words[9] = "lorana"
    ax = figures.tagged_text(words, [Span(8, 10, "place")])
    assert ax.texts[8].get_position() == (0, -1)  # "ve" alone would fit, "ve lorana" does not
    assert len(ax.lines) == 1


def test_a_sentence_begins_a_line():
    ax = figures.tagged_text(["it", "rains", ".", "ada", "sings", ".", "."])
    at = [text.get_position() for text in ax.texts]
    assert at == [(0, 0), (3, 0), (9, 0), (0, -1), (4, -1), (10, -1), (0, -2)]


def test_an_entity_longer_than_a_line_is_underlined_on_both():
    ax = figures.tagged_text(["word"] * 12, [Span(0, 12, "place")])
    assert len(ax.lines) == 2


def test_a_label_of_its_own_stands_under_an_entity():
    ax = figures.tagged_text(WORDS, SPANS, labels=["clear", "vague"])
    assert [text.get_text() for text in ax.texts[len(WORDS) :]] == ["clear", "vague"]


def test_what_does_not_fit_the_text_is_refused():
    with refused(ValueError, "words", "none"):
        figures.tagged_text([])
    with refused(ValueError, "weights", "6 words", "2"):
        figures.tagged_text(WORDS, weights=[0.5, 0.5])
    with refused(ValueError, "labels", "2 spans", "1"):
        figures.tagged_text(WORDS, SPANS, labels=["clear"])
    with refused(ValueError, "asker", "0 to 5", "6"):
        figures.tagged_text(WORDS, asker=6)
