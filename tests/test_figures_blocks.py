"""The figures of chapter 09."""

import pytest
import torch

from attncourse import figures

pytestmark = pytest.mark.usefixtures("no_figures_left")


@pytest.mark.parametrize(
    ("norm_first", "order"),
    [
        (False, ["attention", "+", "norm", "feed-forward", "+", "norm"]),
        (True, ["norm", "attention", "+", "norm", "feed-forward", "+"]),
    ],
)
def test_the_parts_of_a_block_stand_in_their_order(norm_first, order):
    ax = figures.encoder_block(norm_first, title="a block")
    parts = sorted((text.get_position()[0], text.get_text()) for text in ax.texts)
    assert [part for _, part in parts if part and part != "$x$"] == order
    assert ax.get_title(loc="left") or ax.get_title()


def test_matrices_share_their_colours_and_name_the_words_once_a_row():
    parts = {"X": torch.tensor([[3.0], [-5.0]]), "Y": torch.zeros(2, 7), "Z": torch.ones(2, 3)}
    axes = figures.matrices(parts, words=["twelve", "layers"], columns=2)
    assert [ax.get_title(loc="center") for ax in axes] == ["X", "Y", "Z"]
    assert {ax.images[0].get_clim() for ax in axes} == {(-5.0, 5.0)}
    labels = [[label.get_text() for label in ax.get_yticklabels()] for ax in axes]
    assert labels == [["twelve", "layers"], ["", ""], ["twelve", "layers"]]


def test_the_darkest_colour_can_be_chosen():
    (ax,) = figures.matrices({"X": torch.eye(2)}, words=["twelve", "layers"], maximum=0.25)
    assert ax.images[0].get_clim() == (-0.25, 0.25)


def test_a_matrix_needs_a_row_for_each_word():
    with pytest.raises(ValueError, match=r"X must be \(2, \.\.\.\), got \(3, 1\)"):
        figures.matrices({"X": torch.zeros(3, 1)}, words=["twelve", "layers"])


def test_a_number_that_is_none_leaves_the_others_their_colours():
    (ax,) = figures.matrices({"Z": torch.tensor([[1.0, torch.nan], [0, -3]])}, words=["a", "b"])
    assert ax.images[0].get_clim() == (-3.0, 3.0)
