"""attncourse.figures.summaries: marked articles, and where a summary's words came from."""

from __future__ import annotations

import itertools

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.colors import to_rgb
from support import refused

from attncourse.figures import RED, SKY, copy_map, marked_text, style

pytestmark = pytest.mark.usefixtures("no_figures_left")


def test_words_stand_in_their_lines_and_only_the_marked_ones_on_a_colour():
    ax = marked_text([["rosa", "$x$", "."], ["it", "rains"]], {"rosa": SKY, "it": RED})
    assert [text.get_text() for text in ax.texts] == ["rosa", "$x$", ".", "it", "rains"]
    assert [text.get_position() for text in ax.texts] == [(0, 0), (5, 0), (9, 0), (0, 1), (3, 1)]
    behind = {t.get_text(): t.get_bbox_patch() for t in ax.texts}
    assert to_rgb(behind["rosa"].get_facecolor()) == to_rgb(SKY)
    assert to_rgb(behind["it"].get_facecolor()) == to_rgb(RED)
    assert behind["rains"] is None


@pytest.mark.parametrize("words", [3, 29])
def test_no_line_leaves_the_figure(words):
    style()
    ax = marked_text([["word"] * words, ["a"]], {})
    ax.figure.canvas.draw()
    inside = ax.figure.bbox
    for text in ax.texts:
        box = text.get_window_extent()
        assert inside.x0 <= box.x0
        assert box.x1 <= inside.x1
    ends = [text.get_window_extent() for text in ax.texts[:words]]
    for one, two in itertools.pairwise(ends):
        assert one.x1 < two.x0, "words overlap"


def test_the_map_shows_what_the_gate_lets_through_in_the_columns_of_the_gate():
    weights, gate = torch.rand(3, 7), torch.tensor([1.0, 0.0, 0.5])
    where, copied = copy_map(weights, gate, summary=list("abc"), article=list("hijklmn"))
    assert where.get_images()[0].get_array().shape == (7, 3)
    shown = where.get_images()[0].get_array().data  # (article, summary)
    assert shown[:, 0] == pytest.approx(weights[0].numpy())
    assert (shown[:, 1] == 0).all()
    assert shown[:, 2] == pytest.approx(weights[2].numpy() / 2)
    assert copied.get_images()[0].get_array().shape == (1, 3)
    assert [text.get_text() for text in copied.texts] == ["1.00", "0.00", "0.50"]
    for ax in (where, copied):
        assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b", "c"]
    assert [label.get_text() for label in where.get_yticklabels()] == list("hijklmn")


# Bad input


def test_what_does_not_fit_is_refused(own_errors):
    for empty in ([], [[]]):
        with refused(ValueError, "lines", "at least one word"):
            marked_text(empty, {})
    with refused(ValueError, "gate", "(3, 7)", "(2,)"):
        copy_map(torch.rand(3, 7), torch.rand(2), summary=list("abc"), article=list("hijklmn"))
    with refused(ValueError, "keys", "3", "2"):
        copy_map(torch.rand(3, 7), torch.rand(3), summary=list("ab"), article=list("hijklmn"))
    assert plt.get_fignums()
