"""What a detector says, as it learns and as it is read (chapter 16).

A detector says something at each of its places, layer by layer: a `SetPrediction`, which the loss
reads. `detections` makes of one layer what is scored: a class, how sure, and a box.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from attncourse.checks import require_number
from attncourse.vision.boxes import iou


class SetPrediction(NamedTuple):
    """What each query of each layer says (chapter 16).

    Attributes:
        logits: (layer, batch, query, class + 1), of the classes, and last of "no object".
        boxes: (layer, batch, query, 4), corners as shares of the sides.
    """

    logits: Float[Tensor, "layer batch query class"]
    boxes: Float[Tensor, "layer batch query 4"]


class Detections(NamedTuple):
    """What a detector has found, all of it, sure or not (chapter 16).

    Attributes:
        scores: (scene, query), how sure it is, from 0 to 1; 0 is not reported at all.
        classes: (scene, query), the likeliest.
        boxes: (scene, query, 4), corners as shares of the sides.
    """

    scores: Float[Tensor, "scene query"]
    classes: Int64[Tensor, "scene query"]
    boxes: Float[Tensor, "scene query 4"]


def detections(prediction: SetPrediction, layer: int = -1) -> Detections:
    """Read what a layer says: of each query its likeliest class, "no object" apart (chapter 16).

    Args:
        prediction: what a detector gives.
        layer: which of its layers, by default the last.

    Returns:
        As many detections as there are queries, with the probability of their class as score.

    Raises:
        IndexError: if there is no such layer.

    Source: Carion et al. 2020, section 4: scores of "no object" are set aside, those of the
    classes rank the detections.

    Example:
        >>> logits = torch.tensor([[0.1, 0.3, 0.6]]).log()[None, None]  # 2 classes, no object
        >>> found = detections(SetPrediction(logits, torch.rand(1, 1, 1, 4)))
        >>> found.classes.tolist(), round(found.scores.item(), 2)
        ([[1]], 0.3)
    """
    chances = prediction.logits[layer].detach().float().softmax(-1)
    scores, classes = chances[..., :-1].max(-1)
    return Detections(scores, classes, prediction.boxes[layer].detach().float())


def suppress(found: Detections, threshold: float = 0.5) -> Detections:
    """Silence whatever overlaps a surer detection of its class (chapter 16).

    Non-maximum suppression: from the surest on, each detection that still stands silences all
    weaker ones of its class whose boxes overlap it.

    Args:
        found: the detections.
        threshold: the IoU above which a box is taken to be of the same object.

    Returns:
        The same, those that are silenced with a score of 0.

    Raises:
        TypeError: if the threshold is no number.
        ValueError: if it does not lie from 0 to 1.

    Source: Neubeck and Van Gool 2006 (as it is commonly used, greedily).

    Example:
        >>> boxes = torch.tensor([[[0.0, 0.0, 0.5, 0.5], [0.1, 0.0, 0.5, 0.5]]])
        >>> found = Detections(torch.tensor([[0.6, 0.9]]), torch.tensor([[1, 1]]), boxes)
        >>> suppress(found).scores
        tensor([[0.0000, 0.9000]])
    """
    require_number("threshold", threshold)
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold must lie from 0 to 1, got {threshold}")
    order = found.scores.argsort(dim=-1, descending=True, stable=True)  # the surest first
    classes = found.classes.gather(-1, order)
    boxes = found.boxes.gather(-2, order[..., None].expand_as(found.boxes))
    rivals = classes[..., :, None] == classes[..., None, :]  # (scene, detection, detection)
    rivals &= iou(boxes[..., :, None, :], boxes[..., None, :, :]) > threshold
    stands = _stands(rivals)
    kept = torch.zeros_like(stands).scatter(-1, order, stands)
    return found._replace(scores=found.scores.masked_fill(~kept, 0.0))


def _stands(rivals: Bool[Tensor, "scene one other"]) -> Bool[Tensor, "scene one"]:
    """Say which of the detections, surest first, no stronger one that stands silences."""
    stands = torch.ones(rivals.shape[:-1], dtype=torch.bool, device=rivals.device)
    for place in range(1, rivals.shape[-1]):
        stronger = rivals[:, place, :place] & stands[:, :place]
        stands[:, place] = ~stronger.any(-1)
    return stands
