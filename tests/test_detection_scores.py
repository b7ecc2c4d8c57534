"""attncourse.metrics.detection: average precision by hand and by the library, and duplicates."""

from __future__ import annotations

import sys

import pytest
import torch
from support import refused

from attncourse.data.scenes import Scenes, draw_scenes
from attncourse.metrics import Interval
from attncourse.metrics.detection import (
    ap50,
    ap50_interval,
    average_precision,
    precision_over_recall,
    right_detections,
)
from attncourse.metrics.duplicates import crowding, duplicates, select
from attncourse.vision import Detections, iou

SCENES = draw_scenes(150, "test")


def truth(scenes: Scenes) -> Detections:
    return Detections(scenes.present.float(), scenes.classes, scenes.boxes)


def noisy(scenes: Scenes, seed: int = 0) -> Detections:
    """The truth shaken, told again shaken more, some of another class, and boxes anywhere."""
    g = torch.Generator().manual_seed(seed)
    count = len(scenes)

    def shaken(by: float) -> torch.Tensor:
        moved = scenes.boxes + by * torch.randn(scenes.boxes.shape, generator=g)
        return moved.unflatten(-1, (2, 2)).sort(-2).values.flatten(-2)

    anywhere = torch.rand(count, 6, 2, 2, generator=g).sort(-2).values.flatten(-2)
    boxes = torch.cat([shaken(0.02), shaken(0.06), anywhere], 1)
    classes = torch.cat([scenes.classes, scenes.classes, torch.zeros(count, 6).long()], 1)
    other = torch.randint(3, classes.shape, generator=g)
    classes = torch.where(torch.rand(classes.shape, generator=g) < 0.15, other, classes)
    # No two scores are alike: the library orders those as it pleases.
    scores = (1 + torch.randperm(classes.numel(), generator=g)) / (1 + classes.numel())
    return Detections(scores.view(classes.shape), classes, boxes)


def one_scene(*boxes: tuple[float, ...], classes: tuple[int, ...]) -> Scenes:
    """A scene with these objects, of which nothing is drawn."""
    count = len(boxes)
    return Scenes(
        torch.zeros(1, 3, 48, 48, dtype=torch.uint8),
        torch.tensor([boxes]),
        torch.tensor([classes]),
        torch.ones(1, count, dtype=torch.bool),
        torch.ones(1, count),
    )


def found(*told: tuple[float, int, tuple[float, ...]]) -> Detections:
    scores, classes, boxes = zip(*told, strict=True)
    return Detections(torch.tensor([scores]), torch.tensor([classes]), torch.tensor([boxes]))


LEFT, RIGHT = (0.0, 0.0, 0.4, 0.4), (0.6, 0.0, 1.0, 0.4)
NEAR_LEFT = (0.0, 0.0, 0.4, 0.3)  # IoU 3/4 with LEFT


@pytest.mark.parametrize("seed", range(3))
def test_the_few_lines_agree_with_the_library(seed):
    said = noisy(SCENES, seed)
    assert 0.1 < ap50(said, SCENES) < 0.9
    assert ap50(said, SCENES) == pytest.approx(average_precision(said, SCENES).ap50, abs=1e-9)
    # And with fewer classes, without some of the scenes, with silenced detections.
    rows = SCENES.present.sum(1) == 1
    part = select(said, rows)
    part = part._replace(scores=part.scores.masked_fill(part.scores < 0.3, 0.0))
    library = average_precision(part, SCENES[rows]).ap50
    assert ap50(part, SCENES[rows]) == pytest.approx(library, abs=1e-9)


def test_average_precision_by_hand():
    scene = one_scene(LEFT, RIGHT, classes=(1, 1))
    # Right, wrong, right: precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1; 51 levels have 1.
    told = found((0.9, 1, LEFT), (0.8, 1, (0.4, 0.6, 0.6, 1.0)), (0.7, 1, RIGHT))
    expected = (51 * 1 + 50 * 2 / 3) / 101
    assert ap50(told, scene) == pytest.approx(expected)
    assert average_precision(told, scene).ap50 == pytest.approx(expected)
    # A box that is three quarters right is right at 0.5 to 0.75, six of ten IoUs (0.75 itself
    # would hang on the last bit, so here it is a little more).
    close = found((0.9, 1, (0.0, 0.0, 0.4, 0.304)), (0.8, 1, RIGHT))
    score = average_precision(close, scene)
    assert score.ap50 == score.ap75 == pytest.approx(1.0)
    # From 0.8 on, four IoUs: wrong, then right, one object of two found with precision 1/2.
    assert score.ap == pytest.approx((6 * 1.0 + 4 * (51 * 0.5) / 101) / 10)


def test_precision_over_recall_by_hand_and_in_steps_that_several_share():
    right = torch.tensor([1, 1, 0, 1, 0], dtype=torch.float64)
    # Of 4 objects 3 are found: recall 1/4, 1/2, 1/2, 3/4; levels 0..50 have 1, 51..75 have 3/4.
    expected = (51 + 25 * 0.75) / 101
    assert precision_over_recall(right, 4) == pytest.approx(expected)
    together = torch.tensor([2, 1], dtype=torch.float64)
    told = torch.tensor([2, 3], dtype=torch.float64)
    assert precision_over_recall(together, 4, told) == pytest.approx((51 + 25 * 0.6) / 101)
    assert precision_over_recall(torch.zeros(0, dtype=torch.float64), 4) == 0


def test_an_object_is_taken_once_by_the_surest_of_its_class():
    scene = one_scene(LEFT, RIGHT, classes=(1, 2))
    told = found((0.6, 1, LEFT), (0.9, 1, NEAR_LEFT), (0.8, 1, RIGHT), (0.7, 2, RIGHT))
    assert right_detections(told, scene).tolist() == [[False, True, False, True]]
    assert right_detections(told, scene, 0.8).tolist() == [[True, False, False, True]]
    # The second on an object takes another that it also fits.
    scene = one_scene(LEFT, (0.0, 0.0, 0.4, 0.5), classes=(1, 1))
    told = found((0.9, 1, LEFT), (0.8, 1, LEFT))
    assert right_detections(told, scene).tolist() == [[True, True]]


def test_duplicates_are_reports_after_the_first_whatever_their_class():
    scene = one_scene(LEFT, RIGHT, classes=(1, 2))
    told = found((0.9, 1, LEFT), (0.6, 2, NEAR_LEFT), (0.4, 1, LEFT), (0.9, 2, RIGHT))
    assert duplicates(told, scene).tolist() == [1]  # the third is not sure enough
    assert duplicates(told, scene, sure=0.3).tolist() == [2]
    assert duplicates(told, scene, sure=0.3, threshold=0.8).tolist() == [1]
    assert (duplicates(truth(SCENES), SCENES) == 0).all()


def test_average_precision_does_not_see_a_duplicate_that_comes_last():
    twice = Detections(*(part.repeat(1, 2, *[1] * (part.dim() - 2)) for part in truth(SCENES)))
    twice = twice._replace(scores=twice.scores * torch.tensor([1.0] * 5 + [0.9] * 5))
    assert duplicates(twice, SCENES).sum() == SCENES.present.sum()
    # 1.0 would be perfect; every object is reported twice.
    assert ap50(twice, SCENES) == pytest.approx(1.0)


def test_the_interval_holds_the_score_and_a_lead_has_the_right_sign():
    said, better = noisy(SCENES), truth(SCENES)
    score = ap50(said, SCENES)
    interval = ap50_interval(said, SCENES, samples=200)
    assert isinstance(interval, Interval)
    assert interval.value == pytest.approx(score, abs=0.01)  # scores in hundredths
    assert interval.low < interval.value < interval.high
    assert interval.high - interval.low < 0.15
    lead = ap50_interval(better, SCENES, baseline=said, samples=200)
    assert lead.value == pytest.approx(1 - interval.value)
    assert lead.low > 0


def test_crowding_is_the_greatest_overlap_of_two_objects():
    scene = one_scene(LEFT, RIGHT, NEAR_LEFT, classes=(1, 1, 1))
    assert crowding(scene).item() == pytest.approx(0.75)
    for i in range(20):
        boxes = SCENES.boxes[i][SCENES.present[i]]
        pairs = iou(boxes[:, None], boxes).fill_diagonal_(0)
        assert crowding(SCENES)[i] == pairs.max()


def test_nothing_found_scores_nothing():
    silent = truth(SCENES)._replace(scores=torch.zeros(SCENES.present.shape))
    assert average_precision(silent, SCENES) == (0.0, 0.0, 0.0)
    assert ap50(silent, SCENES) == 0


def test_without_the_library_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "faster_coco_eval", None)
    with refused(ImportError, "faster-coco-eval", 'pip install "attncourse[vision]"'):
        average_precision(truth(SCENES), SCENES)


@pytest.mark.usefixtures("own_errors")
def test_bad_input_is_named():
    said = truth(SCENES)
    for measure in (average_precision, ap50, duplicates, ap50_interval):
        with refused(ValueError, "found", "scenes", "150 and 7"):
            measure(said, SCENES[:7])
        with refused(TypeError, "found", "Detections", "tuple"):
            measure(tuple(said), SCENES)
        with refused(TypeError, "scenes", "Scenes", "Tensor"):
            measure(said, SCENES.images)
    with refused(ValueError, "threshold", "1.5"):
        right_detections(said, SCENES, 1.5)
    with refused(TypeError, "sure", "str"):
        duplicates(said, SCENES, sure="0.5")
