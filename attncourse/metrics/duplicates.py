"""What average precision does not show (chapter 16): duplicates, and the scenes that are hard."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from attncourse.checks import require_number
from attncourse.data.scenes import Scenes
from attncourse.metrics.detection import require_found
from attncourse.vision.boxes import iou
from attncourse.vision.detections import Detections

SURE = 0.5  # from this score on a detection counts as reported


def duplicates(
    found: Detections, scenes: Scenes, *, sure: float = SURE, threshold: float = 0.5
) -> Int64[Tensor, "scene"]:
    """Count the reports of each scene that come after the first of their object (chapter 16).

    A report belongs to the object with which its box has the greatest IoU, whatever its class.

    Args:
        found, scenes: as for `average_precision`.
        sure: the least score of a report.
        threshold: the least IoU that a report has with its object.

    Returns:
        (scene,), how many reports too many.

    Raises:
        TypeError, ValueError: as `average_precision`; if a number is no number.

    Example:
        >>> from attncourse.data.scenes import draw_scenes
        >>> scene = draw_scenes(1, "test")
        >>> box, kind = scene.boxes[:, :1], scene.classes[:, :1]
        >>> thrice = Detections(torch.ones(1, 3), kind.repeat(1, 3), box.repeat(1, 3, 1))
        >>> duplicates(thrice, scene).tolist()
        [2]
    """
    require_found(found, scenes)
    require_number("sure", sure)
    require_number("threshold", threshold)
    overlap = iou(found.boxes[:, :, None], scenes.boxes[:, None]) * scenes.present[:, None]
    most, owner = overlap.max(-1)  # (scene, query)
    reports = ((found.scores >= sure) & (most >= threshold)).long()
    each = torch.zeros_like(scenes.classes).scatter_add(1, owner, reports)  # (scene, object)
    return (each - 1).clamp(min=0).sum(1)


def crowding(scenes: Scenes) -> Float[Tensor, "scene"]:
    """Give the greatest IoU of two objects of a scene, 0 if there is one object (chapter 16).

    Example:
        >>> from attncourse.data.scenes import draw_scenes
        >>> scenes = draw_scenes(50, "test")
        >>> bool((crowding(scenes)[scenes.present.sum(1) == 1] == 0).all())
        True
    """
    each = iou(scenes.boxes[:, :, None], scenes.boxes[:, None])  # (scene, object, object)
    return each.masked_fill(torch.eye(each.shape[1], dtype=torch.bool), 0.0).amax((1, 2))


def select(found: Detections, rows: Bool[Tensor, "scene"]) -> Detections:
    """Give the detections of some scenes, as `scenes[rows]` does of the scenes (chapter 16)."""
    return Detections(*(part[rows] for part in found))
