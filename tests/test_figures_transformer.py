"""Figures of the Transformer: what is drawn is what was given."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.colors import same_color

from attncourse import figures

SOURCE, TARGET = ["the", "green", "doors", "close", "."], ["les", "portes", "vertes"]


pytestmark = pytest.mark.usefixtures("no_figures_left")


def texts(ax):
    return [text.get_text() for text in ax.texts]


def cells(ax, colour):
    """Count the small cells of that colour: those of the grids, not the boxes."""
    return sum(
        same_color(patch.get_facecolor(), colour) and patch.get_edgecolor() != patch.get_facecolor()
        for patch in ax.patches
    )


def test_the_decoder_reads_the_target_one_place_behind():
    said = texts(figures.whole_transformer(SOURCE, TARGET))
    assert said[: len(SOURCE)] == SOURCE
    assert said.count("<bos>") == 1
    assert said.count("vertes") == 1  # written, never read
    assert said.count("portes") == 2  # written, then read


def test_the_grids_say_who_may_look_at_whom():
    ax = figures.whole_transformer(SOURCE, TARGET)
    assert cells(ax, figures.BLUE) == 25  # every source word at every one
    assert cells(ax, figures.GREEN) == 6  # three target words, none at its future
    assert cells(ax, figures.RED) == 15  # every target word at every source word


def test_each_map_is_drawn_as_given():
    maps = [torch.rand(5, 5), torch.rand(3, 3).tril(), torch.rand(3, 5)]
    cross, masked, encoder = figures.three_attentions(*maps, SOURCE, TARGET)
    for ax, weights in zip((encoder, masked, cross), maps, strict=True):
        np.testing.assert_array_equal(ax.images[0].get_array(), weights.numpy())


def test_rows_are_the_words_to_be_written_and_columns_those_already_there():
    maps = torch.rand(5, 5), torch.rand(3, 3), torch.rand(3, 5)
    cross, masked, encoder = figures.three_attentions(*maps, SOURCE, TARGET)
    assert [label.get_text() for label in cross.get_yticklabels()] == TARGET
    assert [label.get_text() for label in masked.get_xticklabels()] == ["<bos>", "les", "portes"]
    assert [label.get_text() for label in encoder.get_yticklabels()] == SOURCE
    assert [label.get_text() for label in encoder.get_xticklabels()] == SOURCE


def test_a_map_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="queries must have 5 labels, got 3"):
        figures.three_attentions(*torch.rand(3, 5, 5), SOURCE, TARGET)
