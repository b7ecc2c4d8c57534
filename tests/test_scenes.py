"""attncourse.data.scenes: what is drawn, how its boxes lie, and what is held out."""

from __future__ import annotations

import pytest
import torch
from support import refused

from attncourse.data.scenes import (
    LARGEST,
    LEAST_VISIBLE,
    MOST,
    SHAPES,
    SIDE,
    SMALLEST,
    SceneBatches,
    Scenes,
    _boxes,
    _inside,
    _rim,
    draw_scenes,
    mirrored,
)

SCENES = draw_scenes(700, "test")


def shape(name: str, corner: tuple[int, int], size: tuple[int, int]) -> torch.Tensor:
    """The pixels of one shape, (row, column), from (x, y) and (width, height)."""
    kind = torch.tensor([[SHAPES.index(name)]])
    place = (torch.tensor([[values]], dtype=torch.float32) for values in (corner, size))
    return _inside(kind, *place)[0, 0]


def test_scenes_hold_one_to_five_objects_of_three_shapes_alike_often():
    counts = SCENES.present.sum(1).bincount(minlength=MOST + 1) / len(SCENES)
    assert counts[0] == 0
    assert ((counts[1:] - 0.2).abs() < 0.06).all()
    kinds = SCENES.classes[SCENES.present].bincount() / SCENES.present.sum()
    assert ((kinds - 1 / 3).abs() < 0.06).all()
    # Padding stands behind the objects and holds nothing.
    assert (SCENES.present[:, :-1] | ~SCENES.present[:, 1:]).all()
    assert (SCENES.boxes[~SCENES.present] == 0).all()
    assert (SCENES.classes[~SCENES.present] == 0).all()


def test_of_every_object_enough_is_visible_and_of_the_nearest_all():
    visible = SCENES.visible[SCENES.present]
    assert LEAST_VISIBLE <= visible.min() < LEAST_VISIBLE + 0.05
    nearest = SCENES.present.sum(1) - 1
    assert (SCENES.visible[torch.arange(len(SCENES)), nearest] == 1).all()


def test_boxes_lie_in_the_picture_and_have_the_sizes_that_are_drawn():
    boxes = (SIDE * SCENES.boxes[SCENES.present]).round()
    assert torch.allclose(boxes / SIDE, SCENES.boxes[SCENES.present])  # whole pixels
    assert boxes.min() == 0
    assert boxes.max() == SIDE
    sizes = boxes[:, 2:] - boxes[:, :2]
    assert sizes.max() == LARGEST
    # The tip of a triangle may be too thin to cover the centre of a pixel.
    assert sizes.min() >= SMALLEST - 2
    # What is hidden counts: no ellipse or rectangle has a smaller box than the smallest whole one.
    full = SCENES.classes[SCENES.present] != SHAPES.index("triangle")
    assert sizes[full].min() == SMALLEST
    assert SCENES.visible[SCENES.present][full].min() < 0.4


def test_an_object_that_is_alone_fills_its_box_and_nothing_outside_it():
    (alone,) = (SCENES.present.sum(1) == 1).nonzero()[:40].T
    some = SCENES[alone]
    x1, y1, x2, y2 = (SIDE * some.boxes[:, 0]).round().long().T
    for image, left, top, right, bottom in zip(some.images, x1, y1, x2, y2, strict=True):
        # The ground is grey: red, green and blue are the same there.
        coloured = (image[0] != image[1]) | (image[1] != image[2])
        rows, columns = coloured.any(1).nonzero()[:, 0], coloured.any(0).nonzero()[:, 0]
        assert [columns[0], rows[0]] == [left, top]
        assert [columns[-1] + 1, rows[-1] + 1] == [right, bottom]


def test_shapes_by_hand():
    rectangle = shape("rectangle", (3, 5), (11, 13))
    assert rectangle.sum() == 11 * 13
    assert rectangle[5:18, 3:14].all()
    ellipse = shape("ellipse", (3, 5), (20, 16))
    assert abs(ellipse.sum() / (20 * 16) - torch.pi / 4) < 0.02
    assert not ellipse[5, 3]
    assert ellipse[13, 3]
    triangle = shape("triangle", (4, 6), (16, 12))
    assert abs(triangle.sum() / (16 * 12) - 0.5) < 0.02
    assert triangle[17, 4:20].all()
    assert triangle[6].sum() < triangle[12].sum() < triangle[17].sum()


def test_boxes_and_rims_by_hand():
    inside = torch.zeros(1, 2, SIDE, SIDE, dtype=torch.bool)
    inside[0, 0, 7:12, 3:20] = True
    assert (SIDE * _boxes(inside)[0]).tolist() == [[3, 7, 20, 12], [0, 0, 0, 0]]
    assert _rim(inside)[0, 0].sum() == 5 * 17 - 3 * 15
    inside[0, 1, :4, :4] = True  # in the corner, where the picture ends
    assert _rim(inside)[0, 1].sum() == 16 - 4


def test_the_same_seed_draws_the_same_and_every_split_and_seed_other_scenes():
    again = draw_scenes(30, "test", seed=1)
    assert torch.equal(draw_scenes(30, "test", seed=1).images, again.images)
    seen = set()
    for split in ("train", "test"):
        for seed in range(3):
            for image in draw_scenes(30, split, seed=seed).images:
                seen.add(image.numpy().tobytes())
    assert len(seen) == 2 * 3 * 30


def test_the_caller_s_own_chance_is_left_alone():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    draw_scenes(3)
    assert torch.equal(torch.rand(1), expected)


def test_rows_are_taken_by_slice_numbers_and_mask():
    assert isinstance(SCENES[:3], Scenes)
    assert len(SCENES[:3]) == 3
    mask = SCENES.present.sum(1) == 2
    assert torch.equal(SCENES[mask].boxes, SCENES.boxes[mask])
    assert torch.equal(SCENES[torch.tensor([5, 2])].images, SCENES.images[[5, 2]])


def test_a_mirrored_scene_has_its_boxes_where_its_objects_are():
    which = torch.tensor([True, False, True])
    pictures, boxes, classes, present = mirrored(SCENES[:3], which)
    assert torch.equal(pictures[1], SCENES.pictures[1])
    assert torch.equal(pictures[0], SCENES.pictures[0].flip(-1))
    assert torch.equal(classes, SCENES.classes[:3])
    for scene in (0, 2):
        real = present[scene]
        left, top, right, bottom = SCENES.boxes[scene][real].T
        torch.testing.assert_close(
            boxes[scene][real].T, torch.stack([1 - right, top, 1 - left, bottom])
        )
    assert (boxes[~present] == 0).all()


def test_batches_go_through_all_scenes_and_mirror_half():
    batches = iter(SceneBatches(SCENES, 100, generator=torch.Generator().manual_seed(0)))
    epoch = [next(batches) for _ in range(7)]
    found = torch.cat([pictures for pictures, *_ in epoch])
    flipped = sum(
        bool((found[:, 0].flip(-1) == image).all((1, 2)).any())
        for image in SCENES.pictures[:100, 0]
    )
    straight = sum(
        bool((found[:, 0] == image).all((1, 2)).any()) for image in SCENES.pictures[:100, 0]
    )
    assert flipped + straight == 100
    assert 30 < flipped < 70
    (unflipped, *_) = next(iter(SceneBatches(SCENES[:3], 3, flips=False)))
    assert all(any(torch.equal(a, b) for b in SCENES.pictures[:3]) for a in unflipped)


@pytest.mark.usefixtures("own_errors")
def test_bad_input_is_named():
    with refused(ValueError, "count", "0"):
        draw_scenes(0)
    with refused(TypeError, "count", "float"):
        draw_scenes(3.0)
    with refused(ValueError, "seed", "-1"):
        draw_scenes(3, seed=-1)
    with refused(ValueError, "split", "validation"):
        draw_scenes(3, "validation")
    with refused(ValueError, "scenes", "8", "got 3"):
        SceneBatches(SCENES[:3], 8)
    with refused(TypeError, "batch_size", "float"):
        SceneBatches(SCENES, 8.0)
    with refused(TypeError, "flips", "'no'"):
        SceneBatches(SCENES, 8, flips="no")
