"""attncourse.vision.detector and .detections: what queries and cells say, and how it is read."""

from __future__ import annotations

import pytest
import torch
from support import COMPILES, refused

from attncourse import record_attention
from attncourse.training import fit
from attncourse.vision import (
    ConvStem,
    Detections,
    GridDetector,
    QueryLayer,
    SetDetector,
    SetPrediction,
    detections,
    grid_loss,
    iou,
    set_loss,
    suppress,
)
from attncourse.vision.detector import places

BATCH, SIDE, CLASSES, QUERIES, LAYERS, WIDTH, HEADS = 3, 14, 5, 9, 2, 8, 2
POSITIONS = 4 * 4  # two strides of two


def set_detector(**options) -> SetDetector:
    torch.manual_seed(0)
    kind = {"num_classes": CLASSES, "side": SIDE, "num_queries": QUERIES, "num_layers": LAYERS}
    stem = ConvStem((3, 7, WIDTH), strides=(2, 2))
    return SetDetector(stem, **(kind | options), num_heads=HEADS, ffn_dim=11).eval()


def grid_detector() -> GridDetector:
    torch.manual_seed(0)
    stem = ConvStem((3, 7, WIDTH), strides=(2, 2))
    return GridDetector(stem, num_classes=CLASSES, side=SIDE).eval()


BOTH = pytest.mark.parametrize("make", [set_detector, grid_detector], ids=["queries", "grid"])


def pictures(channels: int = 3, side: int = SIDE) -> torch.Tensor:
    return torch.rand(BATCH, channels, side, side, generator=torch.Generator().manual_seed(0))


def test_every_layer_says_a_class_and_a_box_for_every_query():
    prediction = set_detector()(pictures())
    assert prediction.logits.shape == (LAYERS, BATCH, QUERIES, CLASSES + 1)
    assert prediction.boxes.shape == (LAYERS, BATCH, QUERIES, 4)
    cells = grid_detector()(pictures())
    assert cells.logits.shape == (1, BATCH, POSITIONS, CLASSES + 1)
    assert cells.boxes.shape == (1, BATCH, POSITIONS, 4)


def test_at_the_start_boxes_are_the_anchors_in_a_grid_row_by_row():
    boxes = set_detector()(pictures()).boxes
    third = torch.arange(3) / 3
    left, top = third.repeat(3), third.repeat_interleave(3)
    expected = torch.stack([left, top, left + 1 / 3, top + 1 / 3], dim=-1)
    torch.testing.assert_close(boxes, expected.expand_as(boxes))
    cells = grid_detector()(pictures()).boxes
    centre = (cells[..., :2] + cells[..., 2:]) / 2
    expected = torch.cartesian_prod(*2 * [(torch.arange(4) + 0.5) / 4]).flip(-1)
    torch.testing.assert_close(centre, expected.expand_as(centre))


@BOTH
def test_one_picture_has_the_same_answer_in_any_batch(make):
    model, x = make(), pictures()
    together = model(x)
    for i in range(BATCH):
        alone = model(x[i : i + 1])
        torch.testing.assert_close(alone.logits[:, 0], together.logits[:, i])
        torch.testing.assert_close(alone.boxes[:, 0], together.boxes[:, i])
    assert not torch.allclose(together.logits[:, 0], together.logits[:, 1])


def test_where_queries_look_can_be_recorded():
    with record_attention(model := set_detector()) as maps:
        model(pictures())
    for layer in range(LAYERS):
        shape = maps[f"layers.{layer}.cross_attention"].shape
        assert shape == (BATCH, HEADS, QUERIES, POSITIONS)
        assert maps[f"layers.{layer}.self_attention"].shape == (BATCH, HEADS, QUERIES, QUERIES)


def queries_changed(model: SetDetector) -> torch.Tensor:
    """Change what one query holds, and say which others' answers change: (query,)."""
    x = pictures()
    before = model(x).logits[-1]
    with torch.no_grad():
        model.content[4] += 1.0
    return (model(x).logits[-1] - before).abs().amax((0, 2)) > 1e-6


def test_queries_hear_of_each_other_only_if_they_talk():
    assert queries_changed(set_detector()).all()
    assert queries_changed(set_detector(talk=False)).nonzero().flatten().tolist() == [4]


def test_a_query_that_does_not_look_gets_the_mean_of_the_picture():
    with record_attention(model := set_detector(look=False)) as maps:
        model(pictures())
    for layer in range(LAYERS):
        weights = maps[f"layers.{layer}.cross_attention"]
        torch.testing.assert_close(weights, torch.full_like(weights, 1 / POSITIONS))
    # Also with weights that training has changed, biases included.
    for weights in model.parameters():
        torch.nn.init.normal_(weights)
    with record_attention(model) as maps:
        model(pictures())
    weights = maps["layers.0.cross_attention"]
    torch.testing.assert_close(weights, torch.full_like(weights, 1 / POSITIONS))


def test_the_switches_change_no_weight():
    whole = [weights.shape for weights in set_detector().parameters()]
    for switch in ("talk", "look"):
        assert [p.shape for p in set_detector(**{switch: False}).parameters()] == whole


def test_at_the_start_a_query_looks_most_at_what_is_near():
    model = SetDetector(ConvStem((3, 64), strides=(2,)), num_classes=2, side=14, num_queries=4)
    with record_attention(model.eval()) as maps:
        model(pictures())
    weights = maps["layers.0.cross_attention"].mean((0, 1)).view(4, 7, 7)
    for query, (row, column) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        parts = weights[query].unflatten(0, (7,))
        near = parts[3 * row : 3 * row + 4, 3 * column : 3 * column + 4].sum()
        assert near > 0.4  # a third of the positions


def test_codes_of_places_fall_off_with_distance_and_tell_x_from_y():
    line = torch.stack([torch.linspace(0, 1, 41), torch.full((41,), 0.5)], -1)
    likeness = places(line, 64) @ places(torch.tensor([0.5, 0.5]), 64)
    assert likeness.argmax() == 20
    assert (likeness[20] - likeness[:16]).min() > 4
    turned = places(line.flip(-1), 64)
    torch.testing.assert_close(turned.unflatten(-1, (2, 32)).flip(-2).flatten(-2), places(line, 64))


def toy(seed: int = 0):
    """Bright squares of one of two kinds, red or green, in one of four corners each."""
    g = torch.Generator().manual_seed(seed)
    x = torch.zeros(32, 3, SIDE, SIDE)
    corner, kind = torch.randint(4, (32,), generator=g), torch.randint(2, (32,), generator=g)
    boxes = torch.zeros(32, 1, 4)
    for i in range(32):
        row, column = divmod(corner[i].item(), 2)
        top, left = 7 * row + 1, 7 * column + 1
        x[i, kind[i], top : top + 5, left : left + 5] = 1.0
        boxes[i, 0] = torch.tensor([left, top, left + 5, top + 5]) / SIDE
    return x, boxes, kind[:, None], torch.ones(32, 1, dtype=torch.bool)


@BOTH
def test_it_learns_to_find_squares(make):
    def loss(model, batch):
        x, *wanted = batch
        return (grid_loss if make is grid_detector else set_loss)(model(x), *wanted)

    batch, model = toy(), make()
    options = {"learning_rate": 1e-2, "device": "cpu", "progress": False}
    fit(model, [batch], steps=120, loss=loss, **options)
    found = suppress(detections(model(batch[0])))
    best = found.scores.argmax(1)
    rows = torch.arange(32)
    assert (found.classes[rows, best] == batch[2][:, 0]).float().mean() > 0.9
    assert (iou(found.boxes[rows, best], batch[1][:, 0]) > 0.5).float().mean() > 0.9


@BOTH
def test_it_works_in_float64_and_bfloat16(make):
    model, x = make(), pictures()
    exact = model.double()(x.double())
    half = model.bfloat16()(x.bfloat16())
    assert exact.boxes.dtype == exact.logits.dtype == torch.float64
    assert half.boxes.dtype == half.logits.dtype == torch.bfloat16
    for lower, higher in zip(half, exact, strict=True):
        assert (lower.double() - higher).abs().max() < 0.15


@COMPILES
@BOTH
def test_it_compiles_whole(make):
    model, x = make(), pictures()
    fast = torch.compile(model, backend="aot_eager", fullgraph=True)(x)
    torch.testing.assert_close(fast.logits, model(x).logits)


def test_detections_are_read_from_the_layer_that_is_asked_for():
    # Two layers, one scene, two queries, two classes and "no object".
    chances = torch.tensor([[[0.6, 0.1, 0.3], [0.2, 0.3, 0.5]], [[0.1, 0.2, 0.7], [0.5, 0.4, 0.1]]])
    says = SetPrediction(chances.log()[:, None], torch.rand(2, 1, 2, 4))
    first, last = detections(says, 0), detections(says)
    torch.testing.assert_close(first.scores, torch.tensor([[0.6, 0.3]]))
    assert first.classes.tolist() == [[0, 1]]
    torch.testing.assert_close(last.scores, torch.tensor([[0.2, 0.5]]))
    assert last.classes.tolist() == [[1, 0]]
    assert torch.equal(last.boxes, says.boxes[1])


def by_loops(scores, classes, boxes, threshold):
    """The textbook's suppression, one scene."""
    kept: list[int] = []
    for i in sorted(range(len(scores)), key=lambda i: -scores[i]):
        if all(classes[i] != classes[j] or iou(boxes[i], boxes[j]) <= threshold for j in kept):
            kept.append(i)
    return sorted(kept)


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5])
def test_suppression_keeps_what_the_textbook_keeps(threshold):
    g = torch.Generator().manual_seed(0)
    first, size = torch.rand(7, 13, 2, generator=g) * 0.3, 0.2 + torch.rand(7, 13, 2, generator=g)
    boxes = torch.cat([first, first + size], -1)
    scores, classes = torch.rand(7, 13, generator=g), torch.randint(2, (7, 13), generator=g)
    found = suppress(Detections(scores, classes, boxes), threshold)
    silenced = 0
    for scene in range(7):
        kept = by_loops(scores[scene], classes[scene], boxes[scene], threshold)
        assert found.scores[scene].nonzero().flatten().tolist() == kept
        assert torch.equal(found.scores[scene, kept], scores[scene, kept])
        silenced += 13 - len(kept)
    assert silenced > 7


def test_a_single_query_starts_with_nearly_the_whole_picture():
    """Kind: infinite. A box as large as the picture has no logit, and all came out as NaN."""
    prediction = set_detector(num_queries=1)(pictures())
    assert prediction.logits.isfinite().all()
    wanted = torch.tensor([0.05, 0.05, 0.95, 0.95]).expand(LAYERS, BATCH, 1, 4)
    torch.testing.assert_close(prediction.boxes, wanted)


@pytest.mark.usefixtures("own_errors")
def test_bad_input_is_named():
    stem = ConvStem((3, 7, WIDTH), strides=(2, 2))
    kind = {"num_classes": CLASSES, "side": SIDE, "num_heads": HEADS}
    with refused(ValueError, "num_queries", "square", "7"):
        SetDetector(stem, num_queries=7, **kind)
    with refused(ValueError, "stem", "multiple of 4", "got 6"):
        SetDetector(ConvStem((3, 6), strides=(2,)), **kind)
    with refused(TypeError, "num_layers", "float"):
        SetDetector(stem, num_layers=2.0, **kind)
    with refused(ValueError, "num_classes", "0"):
        GridDetector(stem, num_classes=0, side=SIDE)
    with refused(TypeError, "talk", "'no'"):
        QueryLayer(8, num_heads=2, ffn_dim=11, talk="no")
    for model in (set_detector(), grid_detector()):
        with refused(ValueError, "pictures", "3 channels", "got 1"):
            model(pictures(channels=1))
        with refused(ValueError, "pictures", "14 x 14", "16 x 16"):
            model(pictures(side=16))
        with refused(TypeError, "pictures", "float64"):
            model(pictures().double())
    found = detections(set_detector()(pictures()))
    with refused(ValueError, "threshold", "1.5"):
        suppress(found, 1.5)
