"""Drawn scenes with one to five shapes, some in front of others (chapter 16): who has this one?

inside = u ** 2 + v ** 2 <= 1             # an ellipse; u and v go from -1 to 1 across its box
inside = (u.abs() <= 1) & (v.abs() <= 1)  # a rectangle
inside = (v.abs() <= 1) & (u.abs() <= (v + 1) / 2)  # a triangle, its tip at the top
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Float32, Int64, UInt8
from torch import Tensor

from attncourse.checks import require_bool, require_integer

SHAPES = ("ellipse", "rectangle", "triangle")
SIDE = 48  # pixels of a scene
MOST = 5  # objects in a scene
SMALLEST, LARGEST = 10, 22  # pixels that an object is wide, and high
LEAST_VISIBLE = 0.35  # of every object's pixels
RIM = 0.25  # how bright a rim is, as a share of what it surrounds
NOISE = 0.15  # the most that chance adds to a pixel
SPLITS = ("train", "test")
_AT_ONCE = 500  # scenes that are drawn together: few enough to stay in the processor's cache


@dataclass(frozen=True)
class Scenes:
    """Drawn scenes, and what is in them (chapter 16).

    A scene with fewer than five objects has padding behind them, where `present` is False.

    Attributes:
        images: (scene, channel, row, column), red, green and blue from 0 to 255.
        boxes: (scene, object, 4), left, top, right and bottom as shares of the side, from 0 to 1;
            tight around the whole object, with what others hide of it.
        classes: (scene, object), an index into `SHAPES`.
        present: (scene, object), True at real objects.
        visible: (scene, object), the share of its pixels that no other object hides.
    """

    images: UInt8[Tensor, "scene 3 row column"]
    boxes: Float32[Tensor, "scene object 4"]
    classes: Int64[Tensor, "scene object"]
    present: Bool[Tensor, "scene object"]
    visible: Float32[Tensor, "scene object"]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: Tensor | slice) -> Scenes:
        """Give some of the scenes, by a slice, their numbers or a mask."""
        return Scenes(*(getattr(self, field.name)[rows] for field in fields(self)))

    @property
    def pictures(self) -> Float[Tensor, "scene 3 row column"]:
        """The images in float32, from 0 to 1, as a network reads them."""
        return self.images.float() / 255


def draw_scenes(count: int, split: str = "train", *, seed: int = 0) -> Scenes:
    """Draw scenes of 48x48 pixels with one to five shapes (chapter 16).

    Ellipses, rectangles and triangles, 10 to 22 pixels wide and high, of one colour each with a
    dark rim, on a noisy ground. At least 35% of every object can be seen.

    Args:
        count: how many scenes.
        split: "train" or "test"; no seed of one is a seed of the other.
        seed: which scenes of the split; the same seed gives the same scenes.

    Returns:
        The scenes, the objects of each from the farthest to the nearest.

    Raises:
        TypeError: if `count` or `seed` is not an integer.
        ValueError: if `count` is not positive, `seed` negative, or there is no such split.

    Example:
        >>> scenes = draw_scenes(7, "test")
        >>> tuple(scenes.images.shape), tuple(scenes.boxes.shape)
        ((7, 3, 48, 48), (7, 5, 4))
    """
    require_integer("count", count, least=1)
    require_integer("seed", seed, least=0)
    if split not in SPLITS:
        raise ValueError(f"split must be train or test, got {split!r}")
    generator = torch.Generator().manual_seed(len(SPLITS) * seed + SPLITS.index(split))
    present = torch.arange(MOST) < torch.randint(1, MOST + 1, (count, 1), generator=generator)
    scenes = Scenes(
        torch.empty(count, 3, SIDE, SIDE, dtype=torch.uint8),
        torch.zeros(count, MOST, 4),
        torch.zeros(count, MOST, dtype=torch.int64),
        present,
        torch.zeros(count, MOST),
    )
    waiting = torch.arange(count)
    while len(waiting):
        hidden = []
        for rows in waiting.split(_AT_ONCE):
            drawn = _draw(present[rows], generator)
            good = ((drawn.visible >= LEAST_VISIBLE) | ~drawn.present).all(1)
            for field in fields(Scenes):
                getattr(scenes, field.name)[rows[good]] = getattr(drawn, field.name)[good]
            hidden.append(rows[~good])
        waiting = torch.cat(hidden)  # drawn again, with as many objects
    return scenes


def _draw(present: Bool[Tensor, "scene object"], generator: torch.Generator) -> Scenes:
    """Draw one scene for each row, however much of an object is hidden."""
    scenes = len(present)

    def chance(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator)

    classes = torch.randint(len(SHAPES), present.shape, generator=generator)
    size = torch.randint(SMALLEST, LARGEST + 1, (*present.shape, 2), generator=generator)
    corner = (chance(*present.shape, 2) * (SIDE + 1 - size)).floor()
    inside = _inside(classes, corner, size) & present[..., None, None]

    # Each pixel belongs to the nearest object there, or to the ground, number 0.
    number = torch.arange(1, MOST + 1, dtype=torch.uint8)[:, None, None]
    owner = (inside * number).amax(1)  # (scene, row, column)
    visible = (owner[:, None] == number).sum((2, 3)) / inside.sum((2, 3)).clamp(min=1)

    paint = 0.35 + 0.65 * chance(scenes, 1 + MOST, 3)
    paint[:, 0] = 0.25 + 0.3 * chance(scenes, 1)  # the ground is grey
    images = paint[torch.arange(scenes)[:, None, None], owner.long()]  # (scene, row, column, 3)
    rim = (_rim(inside) & (owner[:, None] == number)).any(1)
    images = images * torch.where(rim, RIM, 1.0)[..., None]
    images = images + NOISE * (chance(scenes, SIDE, SIDE, 1) - 0.5)
    images = (255 * images.clamp(0, 1)).to(torch.uint8).movedim(-1, 1)
    boxes, classes = _boxes(inside), classes.masked_fill(~present, 0)
    return Scenes(images, boxes, classes, present, visible)


def _inside(classes: Tensor, corner: Tensor, size: Tensor) -> Bool[Tensor, "scene object row col"]:
    """Say which pixels, by their centres, each object covers."""
    centre = torch.arange(SIDE) + 0.5
    # From -1 to 1 between the sides of the box: u from left to right, v from top to bottom.
    u, v = (2 * (centre - corner[..., None]) / size[..., None] - 1).unbind(2)
    inside = torch.empty(*classes.shape, SIDE, SIDE, dtype=torch.bool)
    for shape, name in enumerate(SHAPES):
        of_shape = classes == shape
        across, down = u[of_shape][:, None], v[of_shape][..., None]
        if name == "ellipse":
            covers = across.square() + down.square() <= 1
        elif name == "rectangle":
            covers = (across.abs() <= 1) & (down.abs() <= 1)
        else:
            covers = (down.abs() <= 1) & (across.abs() <= (down + 1) / 2)
        inside[of_shape] = covers
    return inside


def _rim(inside: Bool[Tensor, "scene object row col"]) -> Bool[Tensor, "scene object row col"]:
    """Say which pixels of an object have a neighbour outside it, or outside the picture."""
    deep = inside.clone()
    deep[:, :, 1:] &= inside[:, :, :-1]
    deep[:, :, :-1] &= inside[:, :, 1:]
    deep[..., 1:] &= inside[..., :-1]
    deep[..., :-1] &= inside[..., 1:]
    deep[:, :, [0, -1]] = False
    deep[..., [0, -1]] = False
    return inside & ~deep


def _boxes(inside: Bool[Tensor, "scene object row col"]) -> Float32[Tensor, "scene object 4"]:
    """Give the boxes around the pixels of each object, all 0 where there are none."""
    columns, rows = inside.any(2).int(), inside.any(3).int()  # (scene, object, SIDE)
    first = [line.argmax(-1) for line in (columns, rows)]
    last = [start + line.sum(-1) for start, line in zip(first, (columns, rows), strict=True)]
    return torch.stack([*first, *last], dim=-1) / SIDE


Batch = tuple[Tensor, Tensor, Tensor, Tensor]


class SceneBatches:
    """Scenes in random order without end, each perhaps mirrored (chapter 16).

    Each batch is a tuple of pictures, boxes, classes and which objects are real: (scene, 3, 48, 48)
    from 0 to 1, (scene, object, 4), and (scene, object) twice. A mirrored scene has left and
    right changed; top and bottom stay, since a triangle's tip does.

    Args:
        scenes: what to choose from, such as `draw_scenes(40_000)`.
        batch_size: scenes a batch, at most as many as there are.
        flips: whether half of the scenes are mirrored.
        generator: what chance is drawn from; by default one of its own, which `fit` seeds.

    Raises:
        TypeError: if `batch_size` is not an integer, or `flips` neither True nor False.
        ValueError: if there are fewer scenes than a batch has.

    Example:
        >>> pictures, boxes, classes, present = next(iter(SceneBatches(draw_scenes(11), 7)))
        >>> tuple(pictures.shape), tuple(boxes.shape), tuple(classes.shape)
        ((7, 3, 48, 48), (7, 5, 4), (7, 5))
    """

    def __init__(
        self,
        scenes: Scenes,
        batch_size: int,
        *,
        flips: bool = True,
        generator: torch.Generator | None = None,
    ):
        require_integer("batch_size", batch_size, least=1)
        require_bool("flips", flips)
        if len(scenes) < batch_size:
            raise ValueError(f"scenes must be at least a batch, {batch_size}, got {len(scenes)}")
        self.scenes = scenes
        self.batch_size = batch_size
        self.flips = flips
        self.generator = torch.Generator() if generator is None else generator

    def __iter__(self) -> Iterator[Batch]:
        while True:
            order = torch.randperm(len(self.scenes), generator=self.generator)
            for rows in order.split(self.batch_size):
                if len(rows) < self.batch_size:
                    break
                flip = torch.rand(len(rows), generator=self.generator) < 0.5
                yield mirrored(self.scenes[rows], flip & self.flips)


def mirrored(scenes: Scenes, which: Bool[Tensor, "scene"]) -> Batch:
    """Give scenes as a batch, those of them mirrored that `which` says (chapter 16).

    Args:
        scenes: the scenes.
        which: (scene,), True where left and right change places.

    Returns:
        Pictures, boxes, classes and which objects are real, see `SceneBatches`.

    Example:
        >>> scenes = draw_scenes(2)
        >>> _, boxes, _, _ = mirrored(scenes, torch.tensor([False, True]))
        >>> torch.equal(boxes[0], scenes.boxes[0]), torch.equal(boxes[1], scenes.boxes[1])
        (True, False)
    """
    pictures = torch.where(which[:, None, None, None], scenes.images.flip(-1), scenes.images)
    left, top, right, bottom = scenes.boxes.unbind(-1)
    flipped = torch.stack([1 - right, top, 1 - left, bottom], dim=-1)
    flipped = flipped.masked_fill(~scenes.present[..., None], 0.0)
    boxes = torch.where(which[:, None, None], flipped, scenes.boxes)
    return pictures.float() / 255, boxes, scenes.classes, scenes.present
