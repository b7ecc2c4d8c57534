"""Which query answers for which object, and the loss that follows (chapter 16).

    cost = 2 * -chance[:, wanted] + 5 * l1(boxes, wanted) - 2 * giou(boxes, wanted)
    query, object = scipy.optimize.linear_sum_assignment(cost)  # one query an object, at least cost

The matched queries are to say class and box of their objects, all others "no object".
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from attncourse.checks import require_counted, require_floats, require_ids, require_tokens
from attncourse.vision.boxes import generalised_iou, require_boxes
from attncourse.vision.detections import SetPrediction

CLASS, L1, GIOU = 2.0, 5.0, 2.0  # weights of the three terms, in costs and losses
NO_OBJECT = 0.2  # weight of a query that is to say "no object": most are


def match(
    prediction: SetPrediction,
    boxes: Float[Tensor, "batch object 4"],
    classes: Int64[Tensor, "batch object"],
    present: Bool[Tensor, "batch object"],
) -> Int64[Tensor, "layer batch object"]:
    r"""Assign each object a query of its own, at the least cost in all (chapter 16, eq. 16.1).

    $$\min_\sigma \sum_j \left( -2\, p_{\sigma(j)}(c_j) + 5\, \lVert b_{\sigma(j)} - b_j \rVert_1
      - 2 \operatorname{GIoU}(b_{\sigma(j)}, b_j) \right)$$

    where $\sigma$ gives each object $j$ another query, $p(c)$ is the query's probability of a
    class, and $b$ are boxes as corners.

    Args:
        prediction: what the queries of each layer say.
        boxes: (batch, object, 4), corners as shares of the sides.
        classes: (batch, object).
        present: (batch, object), True at real objects, False at padding.

    Returns:
        (layer, batch, object), the number of each object's query; where there is only padding, that
        of some query that is left.

    Raises:
        ImportError: if SciPy is missing; the message says how to install it.
        TypeError: if a tensor is of another kind.
        ValueError: if shapes disagree, there are more objects than queries, or a box or class is
            none.

    Source: Carion et al. 2020, section 3.1, equations 1 and 2, and appendix A.4 for the weights 5
    and 2. There the class has the weight 1, and the L1 distance is of centre and size.

    Example:
        >>> says = SetPrediction(torch.zeros(1, 1, 2, 4), torch.tensor([[0.0, 0.0, 0.4, 0.4],
        ...     [0.5, 0.5, 0.9, 0.9]])[None, None])
        >>> wanted = torch.tensor([[[0.5, 0.5, 0.9, 0.9]]])
        >>> match(says, wanted, torch.tensor([[1]]), torch.tensor([[True]])).tolist()
        [[[1]]]
    """
    require_targets(prediction, boxes, classes, present)
    assign = _linear_sum_assignment()
    with torch.no_grad():
        costs = _costs(prediction, boxes, classes)  # (layer, batch, query, object)
        # Padding costs the same everywhere, so it takes what the objects leave.
        costs = costs.masked_fill(~present[:, None], 0.0).flatten(0, 1).cpu().double().numpy()
    # Asked object by object, SciPy gives the queries in the order of the objects.
    queries = [torch.as_tensor(assign(cost.T)[1]) for cost in costs]
    found = torch.stack(queries).to(boxes.device)
    return found.unflatten(0, prediction.logits.shape[:2])


def set_loss(
    prediction: SetPrediction,
    boxes: Float[Tensor, "batch object 4"],
    classes: Int64[Tensor, "batch object"],
    present: Bool[Tensor, "batch object"],
    assigned: Int64[Tensor, "layer batch object"] | None = None,
) -> Float[Tensor, ""]:
    """Give the loss of all layers: of classes, of boxes, and of boxes that miss (chapter 16).

    Args:
        prediction, boxes, classes, present: as for `match`.
        assigned: (layer, batch, object), which query answers for each object; by default as
            `match` finds it. Every object needs one of its own.

    Returns:
        The mean over the layers of 2 cross-entropy + 5 L1 + 2 (1 - GIoU). A query that is to say
        "no object" counts a fifth in the cross-entropy; boxes are averaged over real objects.

    Raises:
        ImportError, TypeError, ValueError: as `match`.

    Source: Carion et al. 2020, section 3.1, and "auxiliary decoding losses" for the sum over the
    layers. There "no object" counts a tenth and the class 1.

    Example:
        >>> wanted = torch.tensor([[[0.25, 0.25, 0.75, 0.75]]])
        >>> says = SetPrediction(torch.zeros(1, 1, 2, 4), wanted.expand(1, 1, 2, 4))
        >>> loss = set_loss(says, wanted, torch.tensor([[1]]), torch.tensor([[True]]))
        >>> round(loss.item(), 3)  # 2 log 4
        2.773
    """
    if assigned is None:
        assigned = match(prediction, boxes, classes, present)
    else:
        require_targets(prediction, boxes, classes, present)
    logits, predicted = prediction  # (layer, batch, query, class) and (layer, batch, query, 4)
    nothing = logits.shape[-1] - 1  # the last class
    real = present.expand_as(assigned)

    # What each query is to say: its object's class, else "no object".
    taken = assigned.masked_fill(~real, logits.shape[2])  # padding goes to one that is cut off
    wanted = logits.new_full((*logits.shape[:2], logits.shape[2] + 1), nothing, dtype=torch.int64)
    wanted = wanted.scatter(2, taken, classes.expand_as(assigned))[..., :-1]
    weight = logits.new_ones(nothing + 1)
    weight[nothing] = NO_OBJECT
    class_loss = F.cross_entropy(logits.flatten(0, 2), wanted.flatten(), weight)

    matched = predicted.gather(2, assigned[..., None].expand(*assigned.shape, 4))[real]
    truth = boxes.expand(*assigned.shape, 4)[real].to(matched.dtype)  # (matched, 4)
    distance = (matched - truth).abs().sum(-1)
    missed = 1 - generalised_iou(matched, truth)
    objects = real.sum().clamp(min=1)
    box_loss = (L1 * distance + GIOU * missed).sum() / objects
    return CLASS * class_loss + box_loss


def grid_loss(
    prediction: SetPrediction,
    boxes: Float[Tensor, "batch object 4"],
    classes: Int64[Tensor, "batch object"],
    present: Bool[Tensor, "batch object"],
) -> Float[Tensor, ""]:
    """Give the loss of a `GridDetector`: each object falls to the cell of its centre (chapter 16).

    Of several objects with their centres in one cell only the last counts; the others are lost.

    Args:
        prediction: of one layer, its cells a square grid, row by row.
        boxes, classes, present: as for `match`.

    Returns:
        As `set_loss`.

    Raises:
        TypeError, ValueError: as `match`.

    Source: Redmon et al. 2016, section 2, for the cells; the loss is that of the queries.

    Example:
        >>> wanted = torch.tensor([[[0.5, 0.5, 0.9, 0.9]]])  # its centre is in the last of 4 cells
        >>> says = SetPrediction(torch.zeros(1, 1, 4, 4), wanted.expand(1, 1, 4, 4))
        >>> loss = grid_loss(says, wanted, torch.tensor([[1]]), torch.tensor([[True]]))
        >>> round(loss.item(), 3)  # 2 log 4
        2.773
    """
    require_targets(prediction, boxes, classes, present)
    across = math.isqrt(prediction.logits.shape[2])
    centre = (boxes[..., :2] + boxes[..., 2:]) / 2
    column, row = (centre * across).long().clamp(max=across - 1).unbind(-1)
    cell = across * row + column  # (batch, object)
    shared = (cell[..., None] == cell[:, None]) & present[:, None]
    lost = shared.triu(diagonal=1).any(-1)
    return set_loss(prediction, boxes, classes, present & ~lost, cell[None])


def _costs(prediction: SetPrediction, boxes: Tensor, classes: Tensor) -> Tensor:
    """What it costs that a query answers for an object: (layer, batch, query, object)."""
    logits, predicted = (part.float() for part in prediction)
    boxes = boxes.float()
    asked = classes[:, None].expand(*logits.shape[:3], -1)  # (layer, batch, query, object)
    chance = logits.softmax(-1).gather(-1, asked)
    predicted, boxes = predicted[..., None, :], boxes[:, None]  # each with each
    distance = (predicted - boxes).abs().sum(-1)
    agreement = generalised_iou(predicted, boxes)
    return -CLASS * chance + L1 * distance - GIOU * agreement


def require_targets(prediction: SetPrediction, boxes: Any, classes: Any, present: Any) -> None:
    """Refuse what is no prediction, or objects that do not go with it."""
    if not isinstance(prediction, SetPrediction):
        raise TypeError(f"prediction must be a SetPrediction, got {type(prediction).__name__}")
    logits = prediction.logits
    require_counted("present", present, (logits.shape[1], *present.shape[1:2]), "(batch, object)")
    require_floats("boxes", boxes, ("batch", "object", "4"))
    if boxes.shape[:-1] != present.shape:
        raise ValueError(
            f"boxes and present disagree in (batch, object): {tuple(boxes.shape[:-1])} and "
            f"{tuple(present.shape)}"
        )
    require_boxes("boxes", boxes, present)
    require_tokens("classes", classes, "(batch, object)")
    if classes.shape != present.shape:
        raise ValueError(
            f"classes and present disagree in (batch, object): {tuple(classes.shape)} and "
            f"{tuple(present.shape)}"
        )
    require_ids("classes", classes, logits.shape[-1] - 1, present)
    if present.shape[1] > logits.shape[2]:
        raise ValueError(
            f"boxes must hold no more objects than there are queries, {logits.shape[2]}, "
            f"got {present.shape[1]} objects"
        )


def _linear_sum_assignment():
    try:
        from scipy.optimize import linear_sum_assignment
    except ImportError as error:
        raise ImportError(
            'matching needs SciPy, which is missing: pip install "attncourse[vision]"'
        ) from error
    return linear_sum_assignment
