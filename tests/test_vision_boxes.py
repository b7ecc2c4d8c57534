"""attncourse.vision.boxes: how far boxes agree, by hand and by area counted in pixels."""

from __future__ import annotations

import pytest
import torch
from support import refused

from attncourse.vision import generalised_iou, iou, to_corners
from attncourse.vision.boxes import require_boxes


def some_boxes(*shape: int, seed: int = 0) -> torch.Tensor:
    """Boxes with corners on a grid of 20, so that areas are counts."""
    generator = torch.Generator().manual_seed(seed)
    first = torch.randint(0, 12, (*shape, 2), generator=generator)
    size = torch.randint(1, 9, (*shape, 2), generator=generator)
    return torch.cat([first, first + size], dim=-1).double() / 20


def cells(box: torch.Tensor) -> torch.Tensor:
    """The cells of the grid that a box covers."""
    left, top, right, bottom = (20 * box).round().long().tolist()
    covered = torch.zeros(20, 20, dtype=torch.bool)
    covered[top:bottom, left:right] = True
    return covered


def test_iou_and_its_generalised_form_are_what_counting_cells_gives():
    a, b = some_boxes(7), some_boxes(11, seed=1)
    got, general = iou(a[:, None], b), generalised_iou(a[:, None], b)
    assert got.shape == general.shape == (7, 11)
    for i in range(7):
        for j in range(11):
            one, other = cells(a[i]), cells(b[j])
            union = (one | other).sum().item()
            expected = (one & other).sum().item() / union
            assert got[i, j].item() == pytest.approx(expected, abs=1e-6)
            rows = (one | other).any(1).nonzero()
            columns = (one | other).any(0).nonzero()
            hull = ((rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)).item()
            expected -= (hull - union) / hull
            assert general[i, j].item() == pytest.approx(expected, abs=1e-6)


def test_a_box_agrees_with_itself_and_both_measures_are_symmetric():
    a, b = some_boxes(13), some_boxes(13, seed=1)
    for measure in (iou, generalised_iou):
        torch.testing.assert_close(measure(a, a), torch.ones(13, dtype=torch.float64))
        torch.testing.assert_close(measure(a, b), measure(b, a))
    assert (generalised_iou(a, b) <= iou(a, b)).all()


def test_of_boxes_that_do_not_meet_only_the_generalised_form_has_a_slope():
    still = torch.tensor([0.0, 0.0, 0.1, 0.1])
    for measure, slope in ((iou, False), (generalised_iou, True)):
        away = torch.tensor([0.5, 0.5, 0.7, 0.7], requires_grad=True)
        measure(still, away).backward()
        assert bool((away.grad != 0).any()) == slope
    # Boxes of 1 x 1, two and six apart: hulls of 4 x 1 and 8 x 1, of which both cover 2.
    row = torch.tensor([[0.3, 0.0, 0.4, 0.1], [0.7, 0.0, 0.8, 0.1]])
    torch.testing.assert_close(generalised_iou(still, row), torch.tensor([-2 / 4, -6 / 8]))


def test_boxes_of_no_size_give_numbers_and_gradients():
    flat = torch.zeros(2, 4, requires_grad=True)
    both = iou(flat, flat).sum() + generalised_iou(flat, flat).sum()
    both.backward()
    assert both.isfinite()
    assert flat.grad.isfinite().all()


def test_centres_become_corners():
    centres = torch.tensor([[0.5, 0.25, 0.5, 0.5], [0.1, 0.9, 0.2, 0.1]])
    corners = torch.tensor([[0.25, 0.0, 0.75, 0.5], [0.0, 0.85, 0.2, 0.95]])
    torch.testing.assert_close(to_corners(centres), corners)


@pytest.mark.usefixtures("own_errors")
def test_bad_input_is_named():
    good = torch.tensor([[0.1, 0.1, 0.2, 0.2]])
    require_boxes("boxes", good)
    require_boxes("boxes", good.new_zeros(0, 4))
    # At padding nothing is asked.
    require_boxes("boxes", torch.cat([good, 5 * good]), torch.tensor([True, False]))
    with refused(ValueError, "boxes", "without a positive side", "[0.5, 0.1, 0.2, 0.2]"):
        require_boxes("boxes", torch.tensor([[0.5, 0.1, 0.2, 0.2]]))
    with refused(ValueError, "boxes", "inside the picture", "1.5"):
        require_boxes("boxes", torch.tensor([[0.1, 0.1, 1.5, 0.2]]))
    with refused(ValueError, "boxes", "inside the picture", "-0.5"):
        require_boxes("boxes", torch.tensor([[-0.5, 0.1, 0.5, 0.2]]))
    with refused(ValueError, "boxes", "nan"):
        require_boxes("boxes", torch.tensor([[float("nan"), 0.1, 0.5, 0.2]]))
    with refused(ValueError, "boxes", "(..., 4)", "(1, 3)"):
        to_corners(good[:, :3])
    with refused(TypeError, "a", "int64"):
        iou(good.long(), good)
    with refused(TypeError, "b", "float64"):
        generalised_iou(good, good.double())
