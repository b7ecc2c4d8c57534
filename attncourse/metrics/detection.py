"""How well objects are found (chapter 16): average precision.

Of each class all detections of all scenes stand in one row, the surest first. Going down the row:

    precision = right.cumsum(0) / (1 + place)   # how many of those so far are right
    recall = right.cumsum(0) / wanted           # how many objects have been found by them
    ap = [precision[recall >= level].max() for level in (0, 0.01, ..., 1)].mean()
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from attncourse.checks import require_number
from attncourse.data.scenes import Scenes
from attncourse.metrics.intervals import Interval, bootstrap_interval
from attncourse.vision.boxes import iou
from attncourse.vision.detections import Detections

LEVELS = 101  # of recall at which precision is read: 0, 0.01, ..., 1
STEPS = 100  # of the score, for the bootstrap
_PIXELS = 100.0  # the library sorts objects by area; ours are shares, which it would call tiny


class AveragePrecision(NamedTuple):
    """Average precision as COCO has it, from 0 to 1 (chapter 16).

    Attributes:
        ap: the mean over IoUs of 0.50, 0.55, ..., 0.95 that a box must reach.
        ap50: with an IoU of 0.5 or more a box is right.
        ap75: with 0.75 or more.
    """

    ap: float
    ap50: float
    ap75: float


def average_precision(found: Detections, scenes: Scenes) -> AveragePrecision:
    """Score detections by average precision over all classes (chapter 16).

    Args:
        found: all that was found, sure or not; what has a score of 0 is left out.
        scenes: the scenes that it was found in.

    Returns:
        The scores, each the mean over the classes that the scenes hold.

    Raises:
        ImportError: if faster-coco-eval is missing; the message says how to install it.
        TypeError, ValueError: if `found` are no detections, or not those of these scenes.

    Source: Lin et al. 2014 (COCO), whose rules the library faster-coco-eval applies: 101 levels of
    recall, at most 100 detections a picture.

    Example:
        >>> from attncourse.data.scenes import draw_scenes
        >>> scenes = draw_scenes(7, "test")
        >>> found = Detections(scenes.present.float(), scenes.classes, scenes.boxes)
        >>> average_precision(found, scenes)  # the truth itself
        AveragePrecision(ap=1.0, ap50=1.0, ap75=1.0)
    """
    require_found(found, scenes)
    coco, evaluator = _library()
    boxes = [_sized(scenes.boxes[i][scenes.present[i]]) for i in range(len(scenes))]
    classes = [scenes.classes[i][scenes.present[i]].tolist() for i in range(len(scenes))]
    wanted = [
        {"image_id": i, "category_id": kind, "bbox": box, "area": box[2] * box[3], "iscrowd": 0}
        for i in range(len(scenes))
        for kind, box in zip(classes[i], boxes[i], strict=True)
    ]
    truth = {
        "images": [{"id": i} for i in range(len(scenes))],
        "categories": [{"id": kind} for kind in sorted({each["category_id"] for each in wanted})],
        "annotations": [{"id": 1 + number, **each} for number, each in enumerate(wanted)],
    }
    known = {kind["id"] for kind in truth["categories"]}
    told = [
        {"image_id": i, "category_id": kind, "bbox": box, "score": score}
        for i in range(len(scenes))
        for score, kind, box in zip(
            found.scores[i].tolist(), found.classes[i].tolist(), _sized(found.boxes[i]), strict=True
        )
        if score > 0 and kind in known
    ]
    if not told:
        return AveragePrecision(0.0, 0.0, 0.0)
    gold = coco(truth)
    run = evaluator(gold, gold.loadRes(told), iouType="bbox")
    run.evaluate()
    run.accumulate()
    run.summarize()
    return AveragePrecision(*(float(score) for score in run.stats[:3]))


def right_detections(
    found: Detections, scenes: Scenes, threshold: float = 0.5
) -> Bool[Tensor, "scene query"]:
    """Say which detections are right: the first on an object of their class (chapter 16).

    From the surest on, each detection takes the object of its class with which its box has the
    greatest IoU, among those that no surer one has taken.

    Args:
        found, scenes: as for `average_precision`.
        threshold: the least IoU.

    Returns:
        (scene, query), True where a detection is right.

    Raises:
        TypeError, ValueError: as `average_precision`; if the threshold does not lie from 0 to 1.

    Source: Everingham et al. 2010, section 4.2.

    Example:
        >>> from attncourse.data.scenes import draw_scenes
        >>> scene = draw_scenes(1, "test")
        >>> box, kind = scene.boxes[:, :1], scene.classes[:, :1]  # the first object, told twice
        >>> twice = Detections(torch.tensor([[0.9, 0.8]]), kind.repeat(1, 2), box.repeat(1, 2, 1))
        >>> right_detections(twice, scene).tolist()
        [[True, False]]
    """
    require_found(found, scenes)
    require_number("threshold", threshold)
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold must lie from 0 to 1, got {threshold}")
    overlap = iou(found.boxes[:, :, None], scenes.boxes[:, None])  # (scene, query, object)
    fits = (found.classes[..., None] == scenes.classes[:, None]) & (overlap >= threshold)
    fits &= scenes.present[:, None] & (found.scores > 0)[..., None]
    order = found.scores.argsort(dim=1, descending=True, stable=True)
    free = scenes.present.clone()
    right = torch.zeros_like(found.scores, dtype=torch.bool)
    rows = torch.arange(len(scenes))
    for query in order.T:  # the surest of every scene, then the second
        open_to_it = fits[rows, query] & free  # (scene, object)
        best = overlap[rows, query].masked_fill(~open_to_it, -1).argmax(1)
        taken = open_to_it[rows, best]
        right[rows, query] = taken
        free[rows, best] &= ~taken
    return right


def ap50(found: Detections, scenes: Scenes) -> float:
    """Average precision at an IoU of 0.5 in a few lines (chapter 16, eq. 16.4).

    Args:
        found, scenes: as for `average_precision`.

    Returns:
        What `average_precision(found, scenes).ap50` is.

    Raises:
        TypeError, ValueError: as `average_precision`.

    Example:
        >>> from attncourse.data.scenes import draw_scenes
        >>> scenes = draw_scenes(7, "test")
        >>> ap50(Detections(scenes.present.float(), scenes.classes, scenes.boxes), scenes)
        1.0
    """
    right, scores = right_detections(found, scenes), []
    for kind in scenes.classes[scenes.present].unique():
        of_kind = (found.classes == kind) & (found.scores > 0)
        order = found.scores[of_kind].argsort(descending=True, stable=True)
        wanted = (scenes.present & (scenes.classes == kind)).sum().item()
        scores.append(precision_over_recall(right[of_kind][order].double(), wanted))
    return sum(scores) / len(scores)


def precision_over_recall(
    right: Float64[Tensor, "step"], wanted: float | int, told: Float64[Tensor, "step"] | None = None
) -> float:
    """Average the precision over 101 levels of recall (chapter 16, eq. 16.4).

    Args:
        right: (step,), how many detections are right at each step down the ranking: 0 or 1, or
            more where several share a step.
        wanted: how many objects there are.
        told: (step,), how many detections are at each step, by default 1.

    Returns:
        The mean; a level of recall that is never reached counts 0.

    Example:
        >>> right = torch.tensor([1.0, 0.0, 1.0, 0.0], dtype=torch.float64)  # the 1st and the 3rd
        >>> round(precision_over_recall(right, wanted=2), 4)  # 51 levels at 1, and 50 at 2/3
        0.835
    """
    so_far = right.cumsum(0)
    told = (torch.ones_like(right) if told is None else told).cumsum(0)
    precision = so_far / told.clamp(min=1)
    # The best that is still to come: precision[i] = max(precision[i:]).
    precision = precision.flip(0).cummax(0).values.flip(0)
    levels = torch.from_numpy(np.linspace(0, 1, LEVELS))  # to the bit those of the library
    step = torch.searchsorted(so_far / wanted, levels)  # the first that recalls so much
    return torch.cat([precision, precision.new_zeros(1)])[step].mean().item()


def ap50_interval(
    found: Detections,
    scenes: Scenes,
    *,
    baseline: Detections | None = None,
    samples: int = 1000,
    confidence: float = 0.95,
    generator: torch.Generator | None = None,
) -> Interval:
    """Give AP50, or the lead in it over a baseline, with its interval (chapter 16).

    Scenes are drawn with replacement. So that sums of counts are enough, scores are rounded to
    hundredths here: the value differs from `ap50` in the third decimal.

    Args:
        found, scenes: as for `average_precision`.
        baseline: what another detector found in the same scenes, for the lead over it.
        samples, confidence, generator: as for `bootstrap_interval`.

    Returns:
        The interval.

    Raises:
        TypeError, ValueError: as `ap50` and `bootstrap_interval`.

    Source: Koehn 2004, for BLEU.

    Example:
        >>> from attncourse.data.scenes import draw_scenes
        >>> scenes = draw_scenes(50, "test")
        >>> perfect = Detections(scenes.present.float(), scenes.classes, scenes.boxes)
        >>> ap50_interval(perfect, scenes, baseline=perfect, samples=40)
        Interval(value=0.0, low=0.0, high=0.0)
    """
    require_found(found, scenes)
    kinds = int(scenes.classes.max()) + 1
    return bootstrap_interval(
        _ranked_counts(found, scenes, kinds).flatten(1),
        lambda counts: _ap_from_counts(counts, kinds),
        baseline=None if baseline is None else _ranked_counts(baseline, scenes, kinds).flatten(1),
        samples=samples,
        confidence=confidence,
        generator=generator,
    )


def require_found(found: object, scenes: object) -> None:
    """Refuse what is no detections, or not as many as the scenes."""
    if not isinstance(found, Detections):
        raise TypeError(f"found must be Detections, got {type(found).__name__}")
    if not isinstance(scenes, Scenes):
        raise TypeError(f"scenes must be Scenes, got {type(scenes).__name__}")
    if len(found.scores) != len(scenes):
        raise ValueError(
            f"found and scenes disagree in scenes: {len(found.scores)} and {len(scenes)}"
        )


def _ranked_counts(
    found: Detections, scenes: Scenes, kinds: int
) -> Float64[Tensor, "scene kind count"]:
    """Count by class: right detections and all, by hundredths of the score, and objects."""
    require_found(found, scenes)
    right = right_detections(found, scenes)
    step = ((1 - found.scores) * STEPS).long().clamp(max=STEPS - 1)  # the surest first
    place = found.classes.clamp(max=kinds - 1) * STEPS + step  # (scene, query)
    real = (found.scores > 0) & (found.classes < kinds)
    empty = torch.zeros(len(scenes), kinds * STEPS, dtype=torch.float64)
    counted = [empty.scatter_add(1, place, part.double()) for part in (right & real, real)]
    wanted = torch.zeros(len(scenes), kinds, dtype=torch.float64)
    wanted = wanted.scatter_add(1, scenes.classes, scenes.present.double())
    parts = [part.unflatten(1, (kinds, STEPS)) for part in counted]
    return torch.cat([*parts, wanted[..., None]], dim=-1)


def _ap_from_counts(counts: Tensor, kinds: int) -> float:
    right, told, wanted = counts.view(kinds, -1).split([STEPS, STEPS, 1], dim=-1)
    scores = [
        precision_over_recall(right[kind], wanted[kind].item(), told[kind])
        for kind in range(kinds)
        if wanted[kind] > 0
    ]
    return sum(scores) / len(scores)


def _sized(boxes: Tensor) -> list[list[float]]:
    """Give boxes as the library wants them: left, top, width, height."""
    first, last = (_PIXELS * boxes.double()).split(2, dim=-1)
    return torch.cat([first, last - first], dim=-1).tolist()


def _library():
    try:
        from faster_coco_eval import COCO, COCOeval_faster
    except ImportError as error:
        raise ImportError(
            "average precision needs faster-coco-eval, which is missing: "
            'pip install "attncourse[vision]"'
        ) from error
    return COCO, COCOeval_faster
