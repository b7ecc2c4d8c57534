"""Figures of self-attention: what is drawn is what was given."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support import refused

from attncourse import figures

pytestmark = pytest.mark.usefixtures("no_figures_left")


def test_the_asking_word_has_a_line_to_every_word_and_to_itself():
    _, web = figures.chain_and_web(["a", "b", "c", "d", "e"], asking=3)
    ends = sorted(round(float(line.get_xdata()[-1]), 6) for line in web.lines)
    assert ends == [0, 1, 2, 3, 4]
    assert all(float(line.get_xdata()[0]) == 3 for line in web.lines)


def test_a_chain_of_words_has_one_arrow_fewer_than_words():
    chain, _ = figures.chain_and_web(["a", "b", "c", "d", "e"], asking=3)
    drawn = [text for text in chain.texts if text.get_text() == ""]  # an annotation without words
    assert len(drawn) == 4


def test_a_row_is_a_layer_a_column_a_number_of_steps():
    maps = {
        "one": {1: torch.eye(3).bool(), 2: torch.ones(3, 3).bool()},
        "two": {1: torch.ones(3, 3).bool().tril(), 2: torch.zeros(3, 3).bool()},
    }
    axes = figures.reached(maps, ["a", "b", "c"], asking=1)
    for row, found in zip(axes, maps.values(), strict=True):
        for ax, depends in zip(row, found.values(), strict=True):
            np.testing.assert_array_equal(ax.get_images()[0].get_array(), depends.numpy())
    assert [ax.get_title() for ax in axes[0]] == ["1 step", "2 steps"]
    assert [row[0].get_ylabel() for row in axes] == ["one", "two"]
    assert axes[0][0].patches[0].get_y() == 0.5  # the row of word 1


def test_what_cannot_be_reached_is_refused():
    maps = {"one": {1: torch.eye(3).bool()}}
    for asking in (-1, 3):
        with refused(ValueError, "asking", "0 to 2", str(asking)):
            figures.reached(maps, ["a", "b", "c"], asking=asking)
    with refused(ValueError, "maps", "at least one layer"):
        figures.reached({}, ["a", "b", "c"], asking=1)
