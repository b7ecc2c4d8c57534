"""Boxes and how far they agree (chapter 16).

A box is its corners (left, top, right, bottom), as shares of the sides of the picture, from 0 to 1
from its top left.

    overlap = width(intersection) * height(intersection)
    union = area(a) + area(b) - overlap
    iou = overlap / union
    giou = iou - (hull - union) / hull  # hull: the smallest box around both
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from attncourse.checks import require_same_kind, values_unknown

# A box of no size has no union; the sum with it leaves others as they are.
_TINY = 1e-12


def to_corners(boxes: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 4"]:
    """Turn (x, y, width, height), x and y of the centre, into corners (chapter 16).

    Args:
        boxes: (..., 4), centre and size.

    Returns:
        (..., 4), left, top, right, bottom.

    Raises:
        TypeError: if boxes are not floating point.
        ValueError: if the last axis is not 4 long.

    Example:
        >>> to_corners(torch.tensor([0.5, 0.25, 0.5, 0.5]))
        tensor([0.2500, 0.0000, 0.7500, 0.5000])
    """
    _require_fours("boxes", boxes)
    centre, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([centre - half, centre + half], dim=-1)


def iou(a: Float[Tensor, "*a 4"], b: Float[Tensor, "*b 4"]) -> Float[Tensor, "*both"]:
    """Divide what two boxes share by what they cover together (chapter 16, eq. 16.2).

    Args:
        a, b: corners, (..., 4); their leading axes broadcast, so `iou(a[:, None], b)` is each with
            each.

    Returns:
        (...), from 0 to 1; 0 for boxes that do not meet, however far apart.

    Raises:
        TypeError: if boxes are not floating point, or of two dtypes.
        ValueError: if a last axis is not 4 long.

    Source: Everingham et al. 2010, section 4.2.

    Example:
        >>> iou(torch.tensor([0.0, 0.0, 0.2, 0.2]), torch.tensor([0.0, 0.1, 0.2, 0.3]))
        tensor(0.3333)
    """
    _require_both(a, b)
    overlap, union = _overlap_and_union(a, b)
    return overlap / (union + _TINY)


def generalised_iou(a: Float[Tensor, "*a 4"], b: Float[Tensor, "*b 4"]) -> Float[Tensor, "*both"]:
    r"""Lower the IoU by the share of the hull that neither box covers (chapter 16, eq. 16.3).

    $$\operatorname{GIoU} = \operatorname{IoU} - \frac{|H| - |A \cup B|}{|H|}$$

    with $H$ the hull, the smallest box around both. Where boxes do not meet, it still says which
    way is nearer.

    Args:
        a, b: corners, (..., 4); their leading axes broadcast.

    Returns:
        (...), from -1 to 1.

    Raises:
        TypeError, ValueError: as `iou`.

    Source: Rezatofighi et al. 2019, algorithm 1.

    Example:
        >>> generalised_iou(torch.tensor([0.0, 0.0, 0.1, 0.1]), torch.tensor([0.3, 0.0, 0.4, 0.1]))
        tensor(-0.5000)
    """
    _require_both(a, b)
    overlap, union = _overlap_and_union(a, b)
    first, last = torch.minimum(a[..., :2], b[..., :2]), torch.maximum(a[..., 2:], b[..., 2:])
    hull = (last - first).prod(-1)
    return overlap / (union + _TINY) - (hull - union) / (hull + _TINY)


def _overlap_and_union(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    first, last = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    overlap = (last - first).clamp(min=0).prod(-1)  # 0 where they do not meet
    area_a, area_b = ((box[..., 2:] - box[..., :2]).prod(-1) for box in (a, b))
    return overlap, area_a + area_b - overlap


# Refusals


def require_boxes(name: str, boxes: Any, present: Bool[Tensor, "..."] | None = None) -> None:
    """Refuse boxes that are no corners inside the picture, but at padding.

    Args:
        name: of the argument.
        boxes: (..., 4), left, top, right, bottom as shares of the sides.
        present: (...), True at real boxes.
    """
    _require_fours(name, boxes)
    if values_unknown(boxes) or not boxes.numel():
        return
    given = boxes if present is None else boxes[present]
    wrong = (given[..., 2:] <= given[..., :2]).any(-1)
    if wrong.any():
        box = [round(side, 4) for side in given[wrong][0].tolist()]
        raise ValueError(
            f"{name} must be (left, top, right, bottom) with left < right and top < bottom, got a "
            f"box without a positive side: {box}"
        )
    outside = ((given < 0) | (given > 1)).any(-1) | given.isnan().any(-1)
    if outside.any():
        box = [round(side, 4) for side in given[outside][0].tolist()]
        raise ValueError(
            f"{name} must lie inside the picture, as shares of its sides from 0 to 1, got {box}"
        )


def _require_fours(name: str, boxes: Any) -> None:
    if not isinstance(boxes, Tensor) or not boxes.is_floating_point():
        kind = boxes.dtype if isinstance(boxes, Tensor) else type(boxes).__name__
        raise TypeError(f"{name} must be a floating-point tensor, got {kind}")
    if boxes.shape[-1:] != (4,):
        raise ValueError(f"{name} must be (..., 4), got shape {tuple(boxes.shape)}")


def _require_both(a: Any, b: Any) -> None:
    _require_fours("a", a)
    _require_fours("b", b)
    require_same_kind("b", a, b, of="a")
