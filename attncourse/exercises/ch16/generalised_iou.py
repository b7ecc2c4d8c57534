"""An exercise of chapter 16: how far two boxes agree, also where they do not meet."""

from __future__ import annotations

import torch

from attncourse.exercises.judging import (
    BFLOAT16,
    FLOAT64,
    STRIDED,
    Case,
    Exercise,
    Input,
    Misconception,
)


def generalised_iou(a, b):
    inner = torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])
    outer = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    overlap, hull = inner.clamp(min=0).prod(-1), outer.prod(-1)
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - overlap
    return overlap / union - (hull - union) / hull


def _boxes(shape, case, generator):
    """Draw corners on a grid of halves, with positive sides."""
    first = torch.randint(0, 6, (*shape, 2), generator=generator)
    size = torch.randint(1, 7, (*shape, 2), generator=generator)
    return torch.cat([first, first + size], dim=-1) / 2


def _giou(
    clamp=lambda inner: inner.clamp(min=0),
    union=lambda areas, overlap: areas - overlap,
    answer=lambda overlap, union, hull: overlap / union - (hull - union) / hull,
):
    """The measure with one of its steps done in another way."""

    def function(a, b):
        inner = torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])
        outer = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
        overlap, hull = clamp(inner).prod(-1), outer.prod(-1)
        areas = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1)
        return answer(overlap, union(areas, overlap), hull)

    return function


def _centre_and_size(a, b):
    """The boxes read as (x, y, width, height) with x and y of the centre."""

    def corners(box):
        return torch.cat([box[..., :2] - box[..., 2:] / 2, box[..., :2] + box[..., 2:] / 2], -1)

    return generalised_iou(corners(a), corners(b))


def _corner_and_size(a, b):
    """The boxes read as (left, top, width, height)."""

    def corners(box):
        return torch.cat([box[..., :2], box[..., :2] + box[..., 2:]], -1)

    return generalised_iou(corners(a), corners(b))


EXERCISE = Exercise(
    name="generalised_iou",
    chapter="16",
    signature="generalised_iou(a, b) -> (...), from -1 to 1",
    inputs=(Input("a", "... pair", draw=_boxes), Input("b", "... pair", draw=_boxes)),
    sizes={"pair": 11},
    cases=(
        Case(
            label="boxes that meet",
            given={
                "a": torch.tensor([[0.0, 0.0, 2.0, 2.0]]),
                "b": torch.tensor([[1.0, 0.0, 3.0, 2.0]]),
            },
        ),
        Case(
            label="boxes side by side, apart",
            given={
                "a": torch.tensor([[0.0, 0.0, 1.0, 1.0]]),
                "b": torch.tensor([[3.0, 0.0, 4.0, 1.0]]),
            },
        ),
        Case(
            label="boxes apart in both directions",
            given={
                "a": torch.tensor([[0.0, 0.0, 1.0, 1.0]]),
                "b": torch.tensor([[3.0, 2.0, 4.0, 4.0]]),
            },
            hint="Both differences are negative there, and their product is positive.",
        ),
        Case(
            label="a box inside the other",
            given={
                "a": torch.tensor([[0.0, 0.0, 4.0, 4.0]]),
                "b": torch.tensor([[1.0, 1.0, 2.0, 3.0]]),
            },
        ),
        Case(label="any boxes"),
        Case(label="more axes in front", lead=(3, 2)),
        STRIDED,
        FLOAT64,
        BFLOAT16,
    ),
    misconceptions=(
        Misconception(
            "this is the plain IoU: the share of the hull that neither box covers is still to be "
            "taken off",
            (_giou(answer=lambda overlap, union, hull: overlap / union),),
        ),
        Misconception(
            "boxes that are apart in both directions seem to overlap: two negative sides have a "
            "positive product. clamp the sides at 0 before you multiply",
            (_giou(clamp=lambda inner: inner), _giou(clamp=torch.abs)),
        ),
        Misconception(
            "what both cover counts twice in your union: take the overlap off the sum of the areas",
            (_giou(union=lambda areas, overlap: areas),),
        ),
        Misconception(
            "the gap is divided by the union; it is a share of the hull",
            (_giou(answer=lambda overlap, union, hull: overlap / union - (hull - union) / union),),
        ),
        Misconception(
            "what you take off is the share of the hull that the overlap leaves free; it is what "
            "the union leaves free",
            (_giou(answer=lambda overlap, union, hull: overlap / union - (hull - overlap) / hull),),
        ),
        Misconception(
            "the overlap is divided by the hull; in the first term it is a share of the union",
            (_giou(answer=lambda overlap, union, hull: overlap / hull - (hull - union) / hull),),
        ),
        Misconception(
            "the gap is added; it makes two boxes agree less",
            (_giou(answer=lambda overlap, union, hull: overlap / union + (hull - union) / hull),),
        ),
        Misconception(
            "the result is kept from going below 0, so boxes that do not meet are all alike again. "
            "It may go down to -1",
            (
                _giou(
                    answer=lambda overlap, union, hull: (
                        overlap / union - (hull - union) / hull
                    ).clamp(min=0)
                ),
            ),
        ),
        Misconception(
            "this is a loss, 1 - GIoU; the measure itself is wanted",
            (lambda a, b: 1 - generalised_iou(a, b),),
        ),
        Misconception(
            "your boxes are read as a corner or centre and a size; here all four numbers are "
            "corners: left, top, right, bottom",
            (_centre_and_size, _corner_and_size),
        ),
    ),
    hint="The overlap goes from the larger of the first corners to the smaller of the last; the "
    "hull the other way round.",
    solution=generalised_iou,
)
