"""attncourse.figures.scenes: boxes where they belong, and a shade that spares where one looks."""

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
    assert ax.get_title() == "both"
    assert [patch.get_edgecolor()[:3] for patch in ax.patches] == [(1, 0, 0), (1, 1, 1)]


def test_the_shade_is_thinnest_where_the_weight_is_greatest():
    weights = torch.tensor([[0.1, 0.2, 0.3], [0.0, 0.4, 0.0]])
    ax = scene(IMAGE, weights=weights)
    shade = ax.images[1].get_array()[..., 3]
    assert shade.shape == (2, 3)
    assert shade.argmin() == 4
    assert shade.min() == 0
    assert shade.max() == pytest.approx(0.85)
    assert len(scene(IMAGE).images) == 1


@pytest.mark.usefixtures("own_errors")
def test_bad_input_is_named():
    with refused(ValueError, "labels", "1 boxes", "got 2"):
        scene(IMAGE, [[0.0, 0.0, 1.0, 1.0]], labels=["one", "two"])
    with refused(ValueError, "colours", "got 0"):
        scene(IMAGE, [[0.0, 0.0, 1.0, 1.0]], colours=[])
    with refused(ValueError, "weights", "(6,)"):
        scene(IMAGE, weights=torch.zeros(6))
