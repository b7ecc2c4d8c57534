"""Figures of sentences and translators: what is drawn is what was given."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pytest
from matplotlib.colors import same_color

from attncourse import figures

pytestmark = pytest.mark.usefixtures("no_figures_left")


@pytest.fixture
def ax():
    return plt.subplots()[1]


def test_a_line_joins_each_pair_of_words_and_none_past_the_end():
    ax = figures.crossing(["a", "bb", "ccc"], ["x", "y"], {(0, 1), (2, 0), (1, 2), (3, 0)})
    places = {text.get_text(): text.get_position()[0] for text in ax.texts}
    joined = {tuple(line.get_xdata()) for line in ax.lines}
    assert joined == {(places["a"], places["y"]), (places["ccc"], places["x"])}


def test_a_decoder_reads_each_word_after_it_has_written_it():
    ax = figures.encoder_decoder(["dogs", "sleep"], ["les", "chiens"])
    below = [text.get_text() for text in ax.texts if text.get_position()[1] == -0.75]
    above = [text.get_text() for text in ax.texts if text.get_position()[1] == 1.4]
    assert [word for word in below if word] == ["dogs", "sleep", "<bos>", "les"]
    assert [word for word in above if word] == ["les", "chiens"]
    (line,) = ax.lines  # the context, which every step reads
    (*_, box) = ax.patches
    assert box.get_x() < line.get_xdata()[-1] < box.get_x() + box.get_width()
    figures.encoder_decoder(["dogs"], [])


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
