"""A desk seen from above, drawn in code (chapter 01): one red cup, and things in quiet colours."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

HEIGHT, WIDTH = 160, 240  # pixels
THINGS = ("desk", "paper", "book", "pencil", "cup")  # what the labels 0 to 4 stand for

# Half length, half width and reach (the radius of a circle around it), in pixels.
_SIZES = {
    "paper": (30.0, 22.0, 38.0),
    "book": (32.0, 24.0, 40.5),
    "pencil": (30.0, 3.0, 31.0),
    "cup": (14.0, 14.0, 23.0),
}


@dataclass(frozen=True)
class Desk:
    """A drawn desk.

    Attributes:
        image: (height, width, 3), red, green and blue from 0 to 1.
        labels: (height, width), what each pixel belongs to, an index into `THINGS`.
        places: what was put down, one after the other: name, row and column of its centre, and the
            angle by which it is turned clockwise.
    """

    image: Float[Tensor, "height width 3"]
    labels: Int[Tensor, "height width"]
    places: tuple[tuple[str, float, float, float], ...]


def draw_desk(generator: torch.Generator) -> Desk:
    """Draw a desk with two sheets of paper, a book, a pencil and a red cup (chapter 01).

    Places, angles and colours vary with the generator; the things never overlap.

    Args:
        generator: what chance is drawn from, on the CPU.

    Returns:
        The image, in float64, and the label of each pixel.

    Example:
        >>> desk = draw_desk(torch.Generator().manual_seed(0))
        >>> desk.image.shape, sorted(set(desk.labels.flatten().tolist()))
        (torch.Size([160, 240, 3]), [0, 1, 2, 3, 4])
    """
    names = ("book", "cup", "paper", "paper", "pencil")
    canvas = _Canvas(generator)
    for name, centre in zip(names, _places(names, generator), strict=True):
        canvas.put(name, centre)
    return canvas.finish()


def _places(names: tuple[str, ...], generator: torch.Generator) -> list[tuple[float, float]]:
    """Draw centres (row, column) whose reaches do not overlap, by trying again."""
    while True:
        placed: list[tuple[float, float, float]] = []
        for name in names:
            reach = _SIZES[name][2]
            for _ in range(40):
                row, column = torch.rand(2, generator=generator, dtype=torch.float64).tolist()
                row = reach + row * (HEIGHT - 2 * reach)
                column = reach + column * (WIDTH - 2 * reach)
                if all(math.dist((row, column), p[:2]) > reach + p[2] for p in placed):
                    placed.append((row, column, reach))
                    break
            else:
                break  # no room left for it: start over
        if len(placed) == len(names):
            return [(row, column) for row, column, _ in placed]


class _Canvas:
    """Paints at twice the size, so that edges come out smooth."""

    def __init__(self, generator: torch.Generator):
        self.generator = generator
        steps = [(torch.arange(2 * n, dtype=torch.float64) + 0.5) / 2 for n in (HEIGHT, WIDTH)]
        self.row, self.column = torch.meshgrid(*steps, indexing="ij")
        grain = 0.012 * torch.sin(self.row * 0.9 + 3 * torch.sin(self.column / 37))
        self.image = torch.tensor([0.80, 0.77, 0.73], dtype=torch.float64) + grain[..., None]
        self.labels = torch.zeros(2 * HEIGHT, 2 * WIDTH, dtype=torch.long)
        self.places: list[tuple[str, float, float, float]] = []

    def put(self, name: str, centre: tuple[float, float]) -> None:
        chance = torch.rand(2, generator=self.generator, dtype=torch.float64)
        turn, shade = (2 * chance - 1).tolist()
        angle = turn * (math.pi / 9 if name != "pencil" else math.pi / 2)
        self.places.append((name, *centre, angle))
        row, column = self.row - centre[0], self.column - centre[1]
        # Coordinates along and across the thing.
        along = column * math.cos(angle) + row * math.sin(angle)
        across = row * math.cos(angle) - column * math.sin(angle)
        self.label, self.shade = THINGS.index(name), 0.03 * shade
        getattr(self, f"_{name}")(along, across, *_SIZES[name][:2])

    def _fill(self, where: Tensor, *colour: float) -> None:
        self.image[where] = torch.tensor(colour, dtype=torch.float64) + self.shade
        self.labels[where] = self.label

    def _paper(self, x: Tensor, y: Tensor, length: float, width: float) -> None:
        self._fill((x.abs() < length) & (y.abs() < width), 0.91, 0.90, 0.88)

    def _book(self, x: Tensor, y: Tensor, length: float, width: float) -> None:
        self._fill((x.abs() < length) & (y.abs() < width), 0.50, 0.55, 0.64)
        lines = (x.abs() > 4) & (x.abs() < length - 4) & (y.abs() < width - 5) & ((y % 6) < 2.4)
        self._fill(lines, 0.70, 0.74, 0.80)  # an open book: two pages of lines
        self._fill((x.abs() < 1) & (y.abs() < width), 0.36, 0.40, 0.48)

    def _pencil(self, x: Tensor, y: Tensor, length: float, width: float) -> None:
        tip = width * ((length - x) / 8).clamp(0, 1)
        self._fill((x.abs() < length) & (y.abs() < tip), 0.30, 0.31, 0.29)

    def _cup(self, x: Tensor, y: Tensor, length: float, width: float) -> None:
        handle = torch.hypot(x - length - 2, y)
        self._fill((handle < 6) & (handle > 3), 0.80, 0.13, 0.12)
        rim = torch.hypot(x, y)
        self._fill(rim < length, 0.84, 0.15, 0.13)
        self._fill(rim < length - 3.5, 0.52, 0.09, 0.08)
        self._fill(torch.hypot(x + 2, y + 2) < length - 6, 0.62, 0.12, 0.10)

    def finish(self) -> Desk:
        image = self.image.unflatten(0, (HEIGHT, 2)).unflatten(2, (WIDTH, 2)).mean((1, 3))
        return Desk(image.clamp(0, 1), self.labels[::2, ::2].clone(), tuple(self.places))
