"""attncourse.figures.corners: what a window shows of a picture, and what two judges see."""

from __future__ import annotations

import pytest
import torch
from matplotlib.colors import to_rgba
from support import refused

from attncourse.figures import BLUE, SKY, two_judges, window_view
from attncourse.figures.corners import SEEN, SQUARES
from attncourse.masks import causal_mask
from attncourse.vision import Discriminator, picture_window_mask


def test_dark_patches_are_seen_in_one_layer_and_light_ones_in_two():
    ax = window_view(picture_window_mask(8, 8, 2), 3 * 8 + 3)
    colours = torch.tensor(ax.images[0].get_array()).view(8, 8, 4)

    def of(colour):
        found = (colours == torch.tensor(to_rgba(colour))).all(-1).nonzero()
        return {tuple(each) for each in found.tolist()}

    assert of(BLUE) == {(3, 1), (3, 2), *((2, column) for column in range(1, 6))}
    assert {row for row, _ in of(SKY)} == {1, 2, 3}
    assert (1, 0) in of(SKY)
    assert (1, 7) in of(SKY)


def test_the_frame_is_at_the_place_and_rings_at_their_patches():
    ax = window_view(causal_mask(64), 7 * 8 + 6)
    corners = [(*patch.get_xy(), patch.get_width()) for patch in ax.patches]
    assert corners == [(0, 0, 6), (10, 10, 6), (12, 14, 2)]


def test_both_judges_get_squares_around_both_rings_and_one_an_arrow():
    picture = torch.zeros(1, 16, 16)
    picture[0, 3, 5] = 1
    left, right = two_judges(picture)
    for ax in (left, right):
        assert torch.equal(torch.tensor(ax.images[0].get_array()), picture[0])
        corners = [(*patch.get_xy(), patch.get_width()) for patch in ax.patches]
        assert corners == [(0, 0, 16), (-2, -2, 9), (8, 8, 9)]  # the picture, and two squares
        assert [text.get_text() for text in ax.texts].count("9 × 9") == 2
    assert "same?" in [text.get_text() for text in right.texts]
    assert "same?" not in [text.get_text() for text in left.texts]


def test_the_squares_are_those_that_the_discriminator_sees():
    judge = Discriminator(attention=False).double().eval()
    seen = {}
    judge.conv3.register_forward_hook(lambda _, __, out: seen.update(out=out))
    picture = torch.rand(1, 1, 16, 16, dtype=torch.float64, requires_grad=True)
    judge(picture)
    for at, start in zip((1, 6), SQUARES, strict=True):
        (slope,) = torch.autograd.grad(seen["out"][0, :, at, at].sum(), picture, retain_graph=True)
        rows = slope[0, 0].abs().amax(1).nonzero()
        first, last = max(start, 0), min(start + SEEN, 16) - 1
        assert (rows.min().item(), rows.max().item()) == (first, last)


@pytest.mark.usefixtures("own_errors")
def test_bad_input_is_named():
    with refused(ValueError, "mask", "(64, 64)", "(9, 9)"):
        window_view(causal_mask(9), 0)
    with refused(ValueError, "place", "63", "64"):
        window_view(causal_mask(64), 64)
    with refused(ValueError, "picture", "(1, 16, 16)", "(16, 16)"):
        two_judges(torch.zeros(16, 16))
