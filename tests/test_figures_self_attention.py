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
    ends = sorted(round(float(line.get_ydata()[-1]), 6) for line in web.lines)
    assert ends == [0, 1, 2, 3, 4]
    assert all(float(line.get_ydata()[0]) == 3 for line in web.lines)


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
    assert [label.get_text() for label in axes[0][0].get_yticklabels()] == ["a", "b", "c"]


def test_only_the_words_that_are_named_stand_beside_the_maps():
    maps = {"one": {1: torch.eye(3).bool()}}
    ax = figures.reached(maps, ["a", "b", "c"], asking=1, named=[0, 2])[0][0]
    for ticks, labels in (
        (ax.get_xticks(), ax.get_xticklabels()),
        (ax.get_yticks(), ax.get_yticklabels()),
    ):
        assert list(ticks) == [0, 2]
        assert [label.get_text() for label in labels] == ["a", "c"]


def by_hand():
    """Return x, query, key and value of three words; word 1 gives its weight to 0 and 2 alike."""
    x = torch.tensor([[2.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    key = torch.tensor([[50.0, 0.0], [0.0, 0.0], [50.0, 9.0]])
    return x, torch.eye(3)[:, :2] + 1.0, key, torch.tensor([[2.0, 0.0], [7.0, 7.0], [3.0, 1.0]])


def test_the_word_that_asks_shows_its_scores_weights_and_mean():
    x, query, key, value = by_hand()
    query[1] = torch.tensor([2.0, 0.0])  # scores 100/sqrt 2, 0 and 100/sqrt 2
    ax = figures.one_word_asks(["a", "b", "c"], x, query, key, value, asking=1)
    texts = [text.get_text() for text in ax.texts]
    assert texts.count("70.71") == 2
    assert texts.count("0.50") == 2
    assert texts[-2:] == ["2  0", "2.50  0.50"]  # its query, and the mean of values 0 and 2
    widths = [line.get_linewidth() for line in ax.lines if line.get_color() == figures.RED]
    assert widths == pytest.approx([3.1, 0.6, 3.1])


@pytest.mark.parametrize("name", ["x", "query", "key", "value"])
def test_rows_that_do_not_fit_the_words_are_refused(name):
    rows = dict(zip(("x", "query", "key", "value"), by_hand(), strict=True))
    rows[name] = rows[name][:2]
    with refused(ValueError, name, "3 rows", "2"):
        figures.one_word_asks(["a", "b", "c"], **rows, asking=1)


def test_a_word_that_is_not_there_cannot_ask():
    with refused(ValueError, "asking", "0 to 2", "3"):
        figures.one_word_asks(["a", "b", "c"], *by_hand(), asking=3)


def test_what_cannot_be_reached_is_refused():
    maps = {"one": {1: torch.eye(3).bool()}}
    for asking in (-1, 3):
        with refused(ValueError, "asking", "0 to 2", str(asking)):
            figures.reached(maps, ["a", "b", "c"], asking=asking)
    with refused(ValueError, "maps", "at least one layer"):
        figures.reached({}, ["a", "b", "c"], asking=1)
