"""The style of all figures."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.text import Text

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


WORDS = ["the", "dog", "did", "not", "cross", "the", "road", "because", "it", "was", "too", "wide"]
SHOWN = {  # as in the chapters, with as many words
    "arcs": lambda: figures.arcs(WORDS[:8], {"head 1 of 2": [0.125] * 8}, asker=3),
    "chain_and_web": lambda: figures.chain_and_web(WORDS, asking=8),
    "counting": lambda: figures.counting(64, width=32),
    "crossing": lambda: figures.crossing(WORDS[:10], WORDS, [(0, 0)]),
    "encoder_block": figures.encoder_block,
    "encoder_decoder": lambda: figures.encoder_decoder(WORDS[:4], WORDS[:4]),
    "four_steps": lambda: figures.four_steps(
        WORDS[:6], torch.ones(6), torch.ones(6).bool(), torch.ones(6)
    ),
    "heatmap": lambda: figures.heatmap(torch.rand(3, 7), queries=WORDS[:3], keys=WORDS[:7]),
    "one_word_asks": lambda: figures.one_word_asks(WORDS[:3], *[torch.ones(3, 2)] * 4, asking=1),
    "matrices": lambda: figures.matrices({"1 embedded": torch.ones(4, 4)}, words=WORDS[:4]),
    "copy_map": lambda: figures.copy_map(
        torch.rand(8, 36), torch.rand(8), summary=WORDS[:8], article=WORDS * 3
    ),
    "marked_text": lambda: figures.marked_text([["w" * 60]], {}),
    "three_attentions": lambda: figures.three_attentions(
        *[torch.rand(8, 8)] * 3, WORDS[:8], WORDS[:8]
    ),
    "whole_transformer": lambda: figures.whole_transformer(WORDS[:3], WORDS[:3]),
    "reached": lambda: figures.reached(
        {WORDS[i]: dict.fromkeys((1, 3, 8), torch.eye(12).bool()) for i in range(3)},
        WORDS,
        asking=8,
        named=[1, 8, 11],
    ),
}


@pytest.mark.parametrize("name", SHOWN)
def test_type_is_nine_pixels_or_more_in_a_column_of_343(name):
    figures.style()
    SHOWN[name]()
    figure = plt.gcf()
    figure.canvas.draw()
    said = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    smallest = min(text.get_fontsize() for text in said)
    assert smallest / 72 * 343 / figure.get_figwidth() >= 9


def test_importing_the_module_changes_no_style():
    assert plt.rcParams["figure.dpi"] == plt.rcParamsDefault["figure.dpi"]
