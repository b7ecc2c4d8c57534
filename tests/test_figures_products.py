"""Attention as two products of matrices; and the figures of pages that are no notebooks."""

from __future__ import annotations

import re

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.colors import to_rgb

from attncourse import attention_weights, causal_mask, figures

pytestmark = pytest.mark.usefixtures("no_figures_left")

QUERIES, KEYS, WIDTH, VALUE_WIDTH = 2, 5, 3, 7


def drawn(mask=None):
    generator = torch.Generator().manual_seed(0)
    query, key, value = (
        torch.randn(shape, generator=generator)
        for shape in ((QUERIES, WIDTH), (KEYS, WIDTH), (KEYS, VALUE_WIDTH))
    )
    return figures.two_products(query, key, value, mask), attention_weights(query, key, mask)


def test_every_number_has_a_square_and_every_matrix_its_shape():
    ax, _ = drawn()
    shapes = [(2, 5), (2, 3), (3, 5), (2, 5), (5, 7), (2, 7)]
    assert len(ax.patches) == sum(rows * columns for rows, columns in shapes)
    told = [text.get_text() for text in ax.texts if "×" in text.get_text()]
    assert told == [f"{rows} × {columns}" for rows, columns in shapes]
    assert any("√3" in text.get_text() for text in ax.texts)


def test_the_larger_a_weight_the_darker_its_square():
    ax, weights = drawn()
    start = 2 * 5 + 2 * 3 + 3 * 5
    squares = ax.patches[start : start + 10]
    light = [sum(to_rgb(square.get_facecolor())) for square in squares]
    ordered = [light[i] for i in weights.flatten().argsort()]
    assert ordered == sorted(ordered, reverse=True)
    assert len(set(ordered)) > 5


def test_hidden_pairs_are_crossed_out_among_scores_and_weights():
    ax, _ = drawn(causal_mask(QUERIES, KEYS))  # the first query sees all keys but the last
    assert len(ax.lines) == 2 * 2
    middles = {(line.get_xdata().mean(), line.get_ydata().mean()) for line in ax.lines}
    assert {x for x, _ in middles} == {4.5}
    assert len({y for _, y in middles}) == 2


def test_the_cheat_sheets_figure_is_the_one_that_is_drawn():
    draw = pytest.importorskip("tools.draw", reason="the tools are those of a checkout")
    for name in draw.FIGURES:
        text = (draw.FOLDER / f"{name}.svg").read_text(encoding="utf-8")
        if draw.CREATOR not in text:
            pytest.skip(f"drawn by another Matplotlib than {draw.CREATOR}: other outlines")
        assert draw.drawn(name) == text
        assert not plt.get_fignums()


def test_the_figure_stands_on_white():
    draw = pytest.importorskip("tools.draw", reason="the tools are those of a checkout")
    for path in draw.FOLDER.glob("*.svg"):
        text = path.read_text(encoding="utf-8")
        assert re.search(r'id="patch_1".{0,400}fill: #ffffff', text, re.DOTALL)
        assert len(text) < 100_000
