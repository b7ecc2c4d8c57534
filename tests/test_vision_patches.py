"""attncourse.vision.patches: pictures cut into patches."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from support import refused

from attncourse.vision import PatchEmbedding, patchify

BATCH, CHANNELS, ROWS, COLUMNS, SIDE, EMBED = 2, 3, 5, 7, 4, 11


def pictures(channels: int = CHANNELS) -> torch.Tensor:
    return torch.randn(BATCH, channels, ROWS * SIDE, COLUMNS * SIDE)


def test_patches_by_hand():
    # Two channels of 2x4 pixels; patches of 2x2, the left one first.
    one = torch.tensor([[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]])
    cut = patchify(torch.stack([one, 10 * one])[None], 2)
    assert cut.tolist() == [[[0, 1, 4, 5, 0, 10, 40, 50], [2, 3, 6, 7, 20, 30, 60, 70]]]


@pytest.mark.equals("vision.patchify", "torch.nn.functional.unfold", within={torch.float32: 0})
def test_patches_are_those_of_torchs_unfold(same):
    x = pictures()
    theirs = F.unfold(x, SIDE, stride=SIDE).mT
    same(patchify(x, SIDE), theirs)


@pytest.mark.equals(
    "vision.PatchEmbedding", "torch.nn.functional.conv2d", within={torch.float32: 1e-5}
)
def test_the_embedding_is_a_convolution_that_steps_a_patch_at_a_time(same):
    layer = PatchEmbedding(SIDE, channels=CHANNELS, embed_dim=EMBED)
    kernel = layer.projection.weight.view(EMBED, CHANNELS, SIDE, SIDE)
    x = pictures()
    theirs = F.conv2d(x, kernel, layer.projection.bias, stride=SIDE)
    same(layer(x), theirs.flatten(2).mT)


def test_a_patch_hears_only_its_own_pixels():
    layer = PatchEmbedding(SIDE, channels=CHANNELS, embed_dim=EMBED)
    x = pictures().requires_grad_()
    layer(x)[:, COLUMNS + 2].sum().backward()  # second row, third column
    touched = x.grad.abs().sum((0, 1)) > 0
    assert touched[SIDE : 2 * SIDE, 2 * SIDE : 3 * SIDE].all()
    assert touched.sum() == SIDE**2


@pytest.mark.usefixtures("own_errors")
def test_bad_input_is_named():
    with refused(ValueError, "patch_size", "5", "20 x 28"):
        patchify(pictures(), 5)
    with refused(ValueError, "patch_size", "0"):
        patchify(pictures(), 0)
    with refused(TypeError, "patch_size", "float"):
        patchify(pictures(), 4.0)
    with refused(ValueError, "pictures", "(2, 3, 20)"):
        patchify(pictures()[..., 0], 4)
    with refused(TypeError, "pictures", "int64"):
        patchify(torch.zeros(1, 3, 8, 8, dtype=torch.int64), 4)
    layer = PatchEmbedding(SIDE, channels=CHANNELS, embed_dim=EMBED)
    with refused(ValueError, "pictures", "3 channels", "got 4"):
        layer(pictures(channels=4))
    with refused(TypeError, "pictures", "float64", "float32"):
        layer(pictures().double())
    with refused(ValueError, "channels", "0"):
        PatchEmbedding(SIDE, channels=0, embed_dim=EMBED)
