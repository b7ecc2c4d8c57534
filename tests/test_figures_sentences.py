"""Figures of sentences and translators: what is drawn is what was given."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pytest
from matplotlib.colors import same_color
from matplotlib.text import Text

from attncourse import figures
from attncourse.figures.sentences import LOW

pytestmark = pytest.mark.usefixtures("no_figures_left")


@pytest.fixture
def ax():
    return plt.subplots()[1]


def test_a_line_joins_each_pair_of_words_and_none_past_the_end():
    ax = figures.crossing(["a", "bb", "ccc"], ["x", "y"], {(0, 1), (2, 0), (1, 2), (3, 0)})
    places = {text.get_text(): text.get_position()[1] for text in ax.texts}
    joined = {tuple(line.get_ydata()) for line in ax.lines}
    assert joined == {(places["a"], places["y"]), (places["ccc"], places["x"])}


def test_a_decoder_reads_each_word_after_it_has_written_it():
    ax = figures.encoder_decoder(["dogs", "sleep"], ["les", "chiens"])
    at = {height: [] for height in (-0.75, LOW - 0.75, LOW + 1.4)}
    for text in filter(Text.get_text, ax.texts):
        at.get(text.get_position()[1], []).append(text.get_text())
    assert list(at.values()) == [["dogs", "sleep"], ["<bos>", "les"], ["les", "chiens"]]


@pytest.mark.parametrize("source", [["dogs"], ["the", "dogs", "sleep"]])
def test_the_context_begins_the_decoder_and_reaches_every_step(source):
    ax = figures.encoder_decoder(source, ["les", "chiens"])
    (rail,) = ax.lines
    *_, context, first, last = ax.patches
    top, end = rail.get_path().vertices[[0, -1]]
    assert tuple(top) == (context.get_x() + context.get_width() / 2, context.get_y())
    assert end[0] < first.get_x()
    assert first.get_y() < end[1] < first.get_y() + first.get_height()
    assert min(rail.get_xdata()) < first.get_x()
    assert last.get_x() + last.get_width() < max(rail.get_xdata())
    figures.encoder_decoder(source, [])


def test_the_heavier_a_weight_the_thicker_its_line():
    ax = figures.looking_back(["the", "dog", "sleeps"], [0.1, 0.6, 0.3], ["le", "chien", "dort"])
    first, second, third = (line.get_linewidth() for line in ax.lines)
    assert first < third < second


def test_a_decoder_that_looks_back_can_be_read_on_a_phone():
    ax = figures.looking_back(["the", "dog", "sleeps"], [0.1, 0.6, 0.3], ["le", "chien", "dort"])
    column = 343  # pixels; the figure is made as wide, and a point is 1/72 of an inch
    pixels_per_point = column / (72 * ax.figure.get_figwidth())
    assert min(text.get_fontsize() for text in ax.texts) * pixels_per_point >= 9


def test_a_length_curve_stands_at_the_middles(ax):
    scores = {"3-6": {"right": 0.9, "wrong": 0.1}, "26-30": {"right": 0.2, "wrong": 0.8}}
    assert figures.length_curve(ax, scores, "wrong", color="red") == [4.5, 28]
    (line,) = ax.lines
    assert list(line.get_xdata()) == [4.5, 28]
    assert list(line.get_ydata()) == [0.1, 0.8]
    assert same_color(line.get_color(), "red")
