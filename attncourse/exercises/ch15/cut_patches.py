"""An exercise of chapter 15: pictures cut into patches."""

from __future__ import annotations

import torch.nn.functional as F

from attncourse.exercises.judging import (
    BFLOAT16,
    FLOAT64,
    STRIDED,
    Case,
    Exercise,
    Input,
    Misconception,
    size,
)


def cut_patches(pictures, side):
    x = pictures.unflatten(2, (-1, side)).unflatten(4, (-1, side))
    x = x.permute(0, 2, 4, 1, 3, 5)  # (batch, row, column, channel, y, x)
    return x.flatten(3).flatten(1, 2)


def _cut(*order):
    """The axes (batch, channel, row, y, column, x) in another order before they are joined."""

    def function(pictures, side):
        x = pictures.unflatten(2, (-1, side)).unflatten(4, (-1, side))
        return x.permute(order).flatten(3).flatten(1, 2)

    return function


def _read_off(pictures, side):
    """As many numbers a row as a patch has, as they come in memory."""
    return pictures.reshape(len(pictures), -1, pictures.shape[1] * side**2)


def _strips(pictures, side):
    """Rows cut out whole: the right number of values, from the wrong places."""
    x = pictures.movedim(1, -1)  # (batch, height, width, channel)
    return x.reshape(len(x), -1, pictures.shape[1] * side**2)


def _overlapping(pictures, side):
    return F.unfold(pictures, side).mT


def _values_first(pictures, side):
    return cut_patches(pictures, side).mT


def _grid_kept(pictures, side):
    x = pictures.unflatten(2, (-1, side)).unflatten(4, (-1, side))
    return x.permute(0, 2, 4, 1, 3, 5).flatten(3)


EXERCISE = Exercise(
    name="cut_patches",
    chapter="15",
    signature="cut_patches(pictures, side) -> (batch, patch, values)",
    inputs=(
        Input("pictures", "batch channel height width"),
        Input("side", "side", draw=size),
    ),
    sizes={"batch": 3, "channel": 5, "side": 2, "rows": 7, "columns": 11},
    tied={
        "height": lambda sizes: sizes["rows"] * sizes["side"],
        "width": lambda sizes: sizes["columns"] * sizes["side"],
    },
    cases=(
        Case(label="patches of 2 x 2"),
        Case(label="one channel", sizes={"channel": 1}),
        Case(label="one picture", sizes={"batch": 1}),
        Case(label="patches of one pixel", sizes={"side": 1}),
        Case(label="one patch", sizes={"rows": 1, "columns": 1}),
        Case(label="as many channels as pictures", sizes={"batch": 3, "channel": 3}),
        Case(label="as many rows as a patch is high", sizes={"rows": 2}),
        Case(label="square pictures", sizes={"rows": 3, "columns": 3}),
        STRIDED,
        FLOAT64,
        BFLOAT16,
    ),
    misconceptions=(
        Misconception(
            "your patches are read straight off the memory, where a picture lies row by row, so a "
            "patch is a strip, not a square. Cut height and width into two axes each, then permute",
            (_read_off, _strips),
        ),
        Misconception(
            "rows and columns of patches have changed places: patches are counted along a row of "
            "them first",
            (_cut(0, 4, 2, 1, 3, 5),),
        ),
        Misconception(
            "inside a patch rows and columns have changed places: each patch is mirrored",
            (_cut(0, 2, 4, 1, 5, 3),),
        ),
        Misconception(
            "in a patch the channels stand last; here the first channel comes before the second, "
            "each row by row",
            (_cut(0, 2, 4, 3, 5, 1),),
        ),
        Misconception(
            "you took the pixels that lie so many apart: (-1, side) cuts an axis into patches, "
            "(side, -1) into combs",
            (
                lambda pictures, side: (
                    pictures.unflatten(2, (side, -1))
                    .unflatten(4, (side, -1))
                    .permute(0, 3, 5, 1, 2, 4)
                    .flatten(3)
                    .flatten(1, 2)
                ),
            ),
        ),
        Misconception(
            "your patches overlap: they begin at every pixel. The next one begins where the last "
            "one ended",
            (_overlapping,),
        ),
        Misconception(
            "the values stand before the patches; it is (batch, patch, values)",
            (_values_first,),
        ),
        Misconception(
            "the patches still lie in a grid, (batch, row, column, values); they are to be one row "
            "of words",
            (_grid_kept,),
        ),
    ),
    hint="Height is rows of patches times side: unflatten(2, (-1, side)) makes two axes of it. Do "
    "the same with the width, permute, and join what belongs together.",
    solution=cut_patches,
)
