"""attncourse.figures.scenes: boxes where they belong, and a green shade where one looks."""

from __future__ import annotations

import pytest
import torch
from support import refused

from attncourse.figures import scene

IMAGE = torch.rand(3, 5, 7)


def test_boxes_are_drawn_where_they_are_with_their_labels_and_colours():
    boxes = torch.tensor([[0.1, 0.2, 0.5, 0.9], [0.0, 0.0, 1.0, 0.3]])
    ax = scene(IMAGE, boxes, labels=["one", "other"], colours=["red", "white"], title="both")
    drawn = [patch.get_bbox().extents.tolist() for patch in ax.patches]
    for box, extents in zip(boxes.tolist(), drawn, strict=True):
        assert extents == pytest.approx(box)
    assert [text.get_text() for text in ax.texts] == ["one", "other"]
    assert [text.get_color() for text in ax.texts] == ["red", "white"]
    assert ax.get_title() == "both"
    assert [patch.get_edgecolor()[:3] for patch in ax.patches] == [(1, 0, 0), (1, 1, 1)]


@pytest.mark.parametrize("image", [IMAGE, (255 * IMAGE).to(torch.uint8)], ids=["floats", "bytes"])
def test_the_picture_is_grey_and_greenest_where_the_weight_is_greatest(image):
    weights = torch.tensor([[0.1, 0.2, 0.3], [0.0, 0.4, 0.0]])
    ax = scene(image, weights=weights)
    grey, green = (each.get_array() for each in ax.images)
    assert torch.allclose(torch.tensor(grey), 0.4 + 0.6 * IMAGE.mean(0), atol=0.01)
    assert torch.allclose(torch.tensor(green[..., 3]), 0.85 * weights / 0.4)
    assert (green[..., :3].argmax(-1) == 1).all()
    assert ax.images[1].get_interpolation() == "nearest"  # a square a position, as they are
    assert len(scene(image).images) == 1


def test_an_anchor_is_a_dashed_box():
    ax = scene(IMAGE, [[0.0, 0.0, 1.0, 0.3]], anchor=torch.tensor([0.1, 0.2, 0.5, 0.9]))
    anchor, box = ax.patches
    assert anchor.get_bbox().extents == pytest.approx([0.1, 0.2, 0.5, 0.9])
    assert anchor.get_linestyle() != box.get_linestyle()


def test_true_boxes_are_thin_and_white_below_the_others():
    ax = scene(IMAGE, [[0.0, 0.0, 1.0, 0.3]], truth=torch.tensor([[0.1, 0.2, 0.5, 0.9]]))
    truth, box = ax.patches  # in the order in which they are drawn
    assert truth.get_bbox().extents == pytest.approx([0.1, 0.2, 0.5, 0.9])
    assert truth.get_edgecolor()[:3] == (1, 1, 1)
    assert box.get_edgecolor() != truth.get_edgecolor()
    assert truth.get_linewidth() < box.get_linewidth()


@pytest.mark.usefixtures("own_errors")
def test_bad_input_is_named():
    with refused(ValueError, "labels", "1 boxes", "got 2"):
        scene(IMAGE, [[0.0, 0.0, 1.0, 1.0]], labels=["one", "two"])
    with refused(ValueError, "colours", "got 0"):
        scene(IMAGE, [[0.0, 0.0, 1.0, 1.0]], colours=[])
    with refused(ValueError, "weights", "(6,)"):
        scene(IMAGE, weights=torch.zeros(6))
