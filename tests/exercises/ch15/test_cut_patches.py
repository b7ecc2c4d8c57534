"""`cut_patches` (chapter 15)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from answers import normal, right_answers, solve, unknown_answers, wrong_answers

from attncourse.vision import patchify


def test_the_solution_is_the_packages_own():
    pictures = normal(3, 5, 6, 14)
    assert torch.equal(solve("cut_patches", pictures, 2), patchify(pictures, 2))


# -- answers as readers write them -----------------------------------------------------------------


def by_unfold(pictures, side):
    return F.unfold(pictures, side, stride=side).transpose(1, 2)


def by_loops(pictures, side):
    patches = [
        pictures[:, :, y : y + side, x : x + side].flatten(1)
        for y in range(0, pictures.size(2), side)
        for x in range(0, pictures.size(3), side)
    ]
    return torch.stack(patches, dim=1)


def by_view(pictures, side):
    batch, channels = pictures.shape[:2]
    return pictures.contiguous().view(batch, -1, channels * side * side)


def by_columns(pictures, side):
    patches = [
        pictures[:, :, y : y + side, x : x + side].flatten(1)
        for x in range(0, pictures.size(3), side)
        for y in range(0, pictures.size(2), side)
    ]
    return torch.stack(patches, dim=1)


def channels_last(pictures, side):
    patches = [
        pictures[:, :, y : y + side, x : x + side].permute(0, 2, 3, 1).flatten(1)
        for y in range(0, pictures.size(2), side)
        for x in range(0, pictures.size(3), side)
    ]
    return torch.stack(patches, dim=1)


def unmoved(pictures, side):
    return F.unfold(pictures, side, stride=side)


def from_the_end(pictures, side):
    return by_unfold(pictures, side).flip(1)


test_a_right_answer_in_other_words_passes = right_answers("cut_patches", [by_unfold, by_loops])
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "cut_patches",
    [
        (by_view, "your patches are read straight off the memory"),
        (by_columns, "rows and columns of patches have changed places"),
        (channels_last, "in a patch the channels stand last"),
        (unmoved, "the values stand before the patches"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "cut_patches", [from_the_end]
)
