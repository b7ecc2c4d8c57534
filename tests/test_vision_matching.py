"""attncourse.vision.matching: which query answers for which object, and what it costs."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
import torch
import torch.nn.functional as F
from support import refused

from attncourse.vision import SetPrediction, generalised_iou, grid_loss, match, set_loss

LAYERS, BATCH, QUERIES, OBJECTS, CLASSES = 2, 3, 5, 3, 7


def boxes(*shape: int, generator: torch.Generator) -> torch.Tensor:
    corners = torch.rand(*shape, 2, 2, generator=generator, dtype=torch.float64).sort(-2).values
    return corners.flatten(-2)


def drawn(seed: int = 0):
    """A prediction, and what is wanted: the second scene has one object, the third none."""
    g = torch.Generator().manual_seed(seed)
    logits = torch.randn(LAYERS, BATCH, QUERIES, CLASSES + 1, generator=g, dtype=torch.float64)
    prediction = SetPrediction(logits, boxes(LAYERS, BATCH, QUERIES, generator=g))
    present = torch.arange(OBJECTS) < torch.tensor([[3], [1], [0]])
    wanted = boxes(BATCH, OBJECTS, generator=g).masked_fill(~present[..., None], 0.0)
    classes = torch.randint(CLASSES, (BATCH, OBJECTS), generator=g)
    return prediction, (wanted, classes, present)


def cost(prediction: SetPrediction, wanted, layer: int, scene: int, query: int, thing: int):
    """What one query pays for one object, term by term."""
    box, kinds, _ = (part[scene] for part in wanted)
    chance = prediction.logits[layer, scene, query].softmax(-1)[kinds[thing]]
    said = prediction.boxes[layer, scene, query]
    far = (said - box[thing]).abs().sum()
    return (-2 * chance + 5 * far - 2 * generalised_iou(said, box[thing])).item()


@pytest.mark.parametrize("seed", range(5))
def test_no_other_assignment_costs_less(seed):
    prediction, wanted = drawn(seed)
    found = match(prediction, *wanted)
    assert found.shape == (LAYERS, BATCH, OBJECTS)
    for layer in range(LAYERS):
        for scene, things in ((0, 3), (1, 1)):

            def total(queries, layer=layer, scene=scene):
                pairs = enumerate(queries)
                return sum(cost(prediction, wanted, layer, scene, q, thing) for thing, q in pairs)

            best = min(map(total, permutations(range(QUERIES), things)))
            got = found[layer, scene, :things].tolist()
            assert len(set(got)) == things
            assert total(got) == pytest.approx(best)


def test_the_loss_is_the_sum_of_its_terms_written_out():
    prediction, wanted = drawn()
    truth, classes, present = wanted
    found = match(prediction, *wanted)
    surprise, weights, far, missed, count = 0.0, 0.0, 0.0, 0.0, 0
    for layer in range(LAYERS):
        for scene in range(BATCH):
            owner = {found[layer, scene, j].item(): j for j in range(OBJECTS) if present[scene, j]}
            for query in range(QUERIES):
                log_chances = prediction.logits[layer, scene, query].log_softmax(-1)
                if query not in owner:
                    surprise -= 0.2 * log_chances[CLASSES].item()
                    weights += 0.2
                    continue
                j = owner[query]
                surprise -= log_chances[classes[scene, j]].item()
                weights += 1
                said = prediction.boxes[layer, scene, query]
                far += (said - truth[scene, j]).abs().sum().item()
                missed += 1 - generalised_iou(said, truth[scene, j]).item()
                count += 1
    expected = 2 * surprise / weights + (5 * far + 2 * missed) / count
    assert set_loss(prediction, *wanted).item() == pytest.approx(expected)


def test_what_padding_holds_and_the_order_of_objects_change_nothing():
    prediction, (truth, classes, present) = drawn()
    loss = set_loss(prediction, truth, classes, present)
    other = truth.masked_fill(~present[..., None], 0.7)
    torch.testing.assert_close(
        set_loss(prediction, other, classes.where(present, 5), present), loss
    )
    turned = [part.flip(1) for part in (truth, classes, present)]
    torch.testing.assert_close(set_loss(prediction, *turned), loss)


def test_the_truth_costs_nothing_and_a_scene_without_objects_is_learned_from():
    _, (truth, classes, present) = drawn()
    logits = 50.0 * F.one_hot(classes.where(present, CLASSES), CLASSES + 1).double()
    perfect = SetPrediction(logits[None], truth[None])
    assert set_loss(perfect, truth, classes, present).item() == pytest.approx(0, abs=1e-5)
    nothing = torch.zeros_like(present)
    flat = SetPrediction(torch.zeros_like(logits)[None], truth[None])
    assert set_loss(flat, truth, classes, nothing).item() == pytest.approx(
        2 * math.log(CLASSES + 1)
    )


def test_a_given_assignment_is_used_and_gradients_reach_every_layer():
    prediction, wanted = drawn()
    prediction = SetPrediction(*(part.requires_grad_() for part in prediction))
    best = set_loss(prediction, *wanted)
    other = set_loss(prediction, *wanted, torch.tensor([4, 3, 2]).expand(LAYERS, BATCH, OBJECTS))
    assert other > best
    best.backward()
    assert (prediction.logits.grad.abs().sum((1, 2, 3)) > 0).all()
    assert (prediction.boxes.grad.abs().sum((1, 2, 3)) > 0).all()


def test_bfloat16_and_float32_predictions_match_as_well():
    prediction, (truth, classes, present) = drawn()
    exact = set_loss(prediction, truth, classes, present).item()
    for dtype in (torch.float32, torch.bfloat16):
        lower = SetPrediction(*(part.to(dtype) for part in prediction))
        loss = set_loss(lower, truth.float(), classes, present)
        assert loss.dtype == dtype
        assert loss.item() == pytest.approx(exact, rel=0.05)


def test_an_object_falls_to_the_cell_of_its_centre_and_the_last_of_two_keeps_it():
    # Cells of 1/3: the centres are (0.5, 0.1), cell 1, and twice (0.9, 0.9), cell 8.
    truth = torch.tensor([[[0.4, 0.0, 0.6, 0.2], [0.8, 0.8, 1.0, 1.0], [0.85, 0.85, 0.95, 0.95]]])
    classes, present = torch.tensor([[0, 1, 2]]), torch.ones(1, 3, dtype=torch.bool)
    logits = torch.zeros(1, 1, 9, 4)
    logits[..., 3] = 50.0  # no object
    logits[0, 0, 1] = torch.tensor([50.0, 0.0, 0.0, 0.0])
    logits[0, 0, 8] = torch.tensor([0.0, 0.0, 50.0, 0.0])
    said = torch.zeros(1, 1, 9, 4)
    said[0, 0, 1], said[0, 0, 8] = truth[0, 0], truth[0, 2]
    assert grid_loss(SetPrediction(logits, said), truth, classes, present).item() < 1e-5
    said[0, 0, 8] = truth[0, 1]
    assert grid_loss(SetPrediction(logits, said), truth, classes, present).item() > 0.1


@pytest.mark.usefixtures("own_errors")
def test_bad_input_is_named():
    prediction, (truth, classes, present) = drawn()
    with refused(TypeError, "prediction", "SetPrediction", "Tensor"):
        match(prediction.logits, truth, classes, present)
    with refused(ValueError, "boxes", "positive side"):
        match(prediction, truth[..., [2, 1, 0, 3]], classes, present)
    with refused(ValueError, "boxes", "inside the picture"):
        match(prediction, truth + 1, classes, present)
    with refused(ValueError, "classes", "0 to 6", "7"):
        match(prediction, truth, torch.full_like(classes, 7), present)
    with refused(ValueError, "boxes", "queries", "5", "6 objects"):
        match(
            prediction,
            *(part.repeat(1, 2, *[1] * (part.dim() - 2)) for part in (truth, classes, present)),
        )
    with refused(ValueError, "classes", "(3, 2)", "(3, 3)"):
        match(prediction, truth, classes[:, :2], present)
    with refused(ValueError, "boxes", "(3, 2)"):
        match(prediction, truth[:, :2], classes, present)
    with refused(ValueError, "present", "(3, 3)"):
        match(prediction, truth, classes, present[:2])
    with refused(TypeError, "present", "int64"):
        set_loss(prediction, truth, classes, present.long())
    with refused(TypeError, "classes", "float64"):
        set_loss(prediction, truth, classes.double(), present)


def test_without_scipy_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "scipy.optimize", None)
    prediction, wanted = drawn()
    with refused(ImportError, 'pip install "attncourse[vision]"'):
        match(prediction, *wanted)
