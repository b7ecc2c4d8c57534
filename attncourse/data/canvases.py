"""Canvases with four digits in four colours (chapter 15): "read the red one"."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from attncourse.checks import require_integer
from attncourse.data.digits import SIDE, Digits

# Red, green and blue, from 0 to 1.
COLOURS = {
    "red": (1.0, 0.15, 0.15),
    "green": (0.15, 1.0, 0.15),
    "blue": (0.25, 0.35, 1.0),
    "yellow": (1.0, 1.0, 0.15),
    "magenta": (1.0, 0.15, 1.0),
    "cyan": (0.15, 1.0, 1.0),
}
CELL, CELLS = 10, 3  # a digit has a cell of its own, of 10x10 pixels, in a grid of 3x3
CANVAS = CELL * CELLS
ON_CANVAS = 4  # digits
NOISE = 0.2  # the brightest grey


@dataclass(frozen=True)
class Canvases:
    """Drawn canvases, and what is on them (chapter 15).

    Attributes:
        images: (canvas, channel, row, column), red, green and blue from 0 to 1.
        colours: (canvas, digit), an index into `COLOURS`; no canvas has a colour twice.
        labels: (canvas, digit), what each digit is.
        corners: (canvas, digit, 2), row and column of its top left pixel.
    """

    images: Float[Tensor, "canvas 3 row column"]
    colours: Int64[Tensor, "canvas digit"]
    labels: Int64[Tensor, "canvas digit"]
    corners: Int64[Tensor, "canvas digit 2"]

    def __len__(self) -> int:
        return len(self.images)

    def covers(self) -> Bool[Tensor, "canvas digit row column"]:
        """Say which pixels each digit's square of 8x8 covers."""
        row, column = (self.corners[..., axis, None, None] for axis in (0, 1))
        place = torch.arange(CANVAS)
        within = (place[:, None] >= row) & (place[:, None] < row + SIDE)
        return within & (place >= column) & (place < column + SIDE)


def draw_canvases(digits: Digits, count: int, generator: torch.Generator) -> Canvases:
    """Draw canvases of 30x30 pixels with four coloured digits on grey noise (chapter 15).

    Args:
        digits: what to choose from, such as `load_digits("train")`.
        count: how many canvases.
        generator: what chance is drawn from, on the CPU.

    Returns:
        The canvases, in float32, the digits in no order.

    Raises:
        TypeError: if `count` is not an integer.
        ValueError: if it is not positive, or there are no digits.

    Example:
        >>> from attncourse.data.digits import load_digits
        >>> canvases = draw_canvases(load_digits("test"), 5, torch.Generator().manual_seed(0))
        >>> tuple(canvases.images.shape), tuple(canvases.colours.shape)
        ((5, 3, 30, 30), (5, 4))
    """
    require_integer("count", count, least=1)
    if len(digits) == 0:
        raise ValueError("digits must hold at least one, got none")

    def chosen(among: int) -> Tensor:
        """Choose for each canvas four different ones among so many."""
        return torch.rand(count, among, generator=generator).argsort(1)[:, :ON_CANVAS]

    cells, colours = chosen(CELLS**2), chosen(len(COLOURS))
    which = torch.randint(len(digits), (count, ON_CANVAS), generator=generator)
    jitter = torch.randint(CELL - SIDE + 1, (count, ON_CANVAS, 2), generator=generator)
    corners = CELL * torch.stack([cells // CELLS, cells % CELLS], -1) + jitter

    grey = NOISE * torch.rand(count, 1, CANVAS, CANVAS, generator=generator)
    images = grey.repeat(1, 3, 1, 1)  # (canvas, channel, row, column)
    ink = digits.images[which]  # (canvas, digit, 8, 8)
    paint = torch.tensor(list(COLOURS.values()))[colours]  # (canvas, digit, channel)
    canvas, step = torch.arange(count)[:, None, None], torch.arange(SIDE)
    for digit in range(ON_CANVAS):
        row = corners[:, digit, 0, None, None] + step[:, None]  # (canvas, 8, 1)
        column = corners[:, digit, 1, None, None] + step  # (canvas, 1, 8)
        dark = ink[:, digit, ..., None]  # (canvas, 8, 8, 1)
        under = images[canvas, :, row, column]  # (canvas, 8, 8, channel)
        painted = (1 - dark) * under + dark * paint[:, digit, None, None]
        images[canvas, :, row, column] = painted
    return Canvases(images, colours, digits.labels[which], corners)


class CanvasBatches:
    """Canvases without end, drawn anew for every batch (chapter 15).

    Each is a tuple of the images, the colours that are asked for, and the answers:
    (canvas, 3, 30, 30), (canvas, asked) and (canvas, asked).

    Args:
        digits: what to choose from.
        batch_size: canvases a batch.
        asked: how many of its four colours each canvas is asked.
        generator: what chance is drawn from; by default one of its own, which `fit` seeds.

    Raises:
        TypeError, ValueError: if `asked` is no integer from 1 to 4; also as `draw_canvases`, at the
            first batch.

    Example:
        >>> from attncourse.data.digits import load_digits
        >>> images, colours, labels = next(iter(CanvasBatches(load_digits("train"), 7)))
        >>> tuple(images.shape), tuple(labels.shape)
        ((7, 3, 30, 30), (7, 4))
    """

    def __init__(
        self,
        digits: Digits,
        batch_size: int,
        *,
        asked: int = ON_CANVAS,
        generator: torch.Generator | None = None,
    ):
        require_integer("asked", asked, least=1)
        if asked > ON_CANVAS:
            raise ValueError(
                f"asked must be at most {ON_CANVAS}, the digits of a canvas, got {asked}"
            )
        self.digits = digits
        self.batch_size = batch_size
        self.asked = asked
        self.generator = torch.Generator() if generator is None else generator

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        while True:
            drawn = draw_canvases(self.digits, self.batch_size, self.generator)
            yield drawn.images, drawn.colours[:, : self.asked], drawn.labels[:, : self.asked]
