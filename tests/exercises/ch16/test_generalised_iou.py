"""`generalised_iou` (chapter 16)."""

from __future__ import annotations

import torch
from answers import right_answers, solve, unknown_answers, wrong_answers

from attncourse.vision import generalised_iou


def test_the_solution_is_the_packages_own():
    g = torch.Generator().manual_seed(0)
    a, b = (torch.rand(13, 2, 2, generator=g).sort(1).values.flatten(1) for _ in range(2))
    torch.testing.assert_close(solve("generalised_iou", a, b), generalised_iou(a, b))


# -- answers as readers write them -----------------------------------------------------------------


def side_by_side(a, b):
    ax1, ay1, ax2, ay2 = a.unbind(-1)
    bx1, by1, bx2, by2 = b.unbind(-1)
    width = (torch.min(ax2, bx2) - torch.max(ax1, bx1)).clamp(min=0)
    height = (torch.min(ay2, by2) - torch.max(ay1, by1)).clamp(min=0)
    overlap = width * height
    union = (ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - overlap
    hull = (torch.max(ax2, bx2) - torch.min(ax1, bx1)) * (torch.max(ay2, by2) - torch.min(ay1, by1))
    return overlap / union - 1 + union / hull


def plain(a, b):
    ax1, ay1, ax2, ay2 = a.unbind(-1)
    bx1, by1, bx2, by2 = b.unbind(-1)
    width = torch.relu(torch.min(ax2, bx2) - torch.max(ax1, bx1))
    height = torch.relu(torch.min(ay2, by2) - torch.max(ay1, by1))
    areas = (ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1)
    return width * height / (areas - width * height)


def unclamped(a, b):
    inner = torch.min(a, b)[..., 2:] - torch.max(a, b)[..., :2]
    outer = torch.max(a, b)[..., 2:] - torch.min(a, b)[..., :2]
    overlap, hull = inner[..., 0] * inner[..., 1], outer[..., 0] * outer[..., 1]
    union = sum((box[..., 2] - box[..., 0]) * (box[..., 3] - box[..., 1]) for box in (a, b))
    return overlap / (union - overlap) - (hull - union + overlap) / hull


def of_rows_alone(a, b):
    return plain(a, b) - (a - b).abs().mean(-1)


test_a_right_answer_in_other_words_passes = right_answers("generalised_iou", [side_by_side])
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "generalised_iou",
    [
        (plain, "this is the plain IoU"),
        (unclamped, "two negative sides have a positive product"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "generalised_iou", [of_rows_alone]
)
