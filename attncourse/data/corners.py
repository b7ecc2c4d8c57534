"""Pictures whose two far corners agree (chapter 17): the same symbol top left and bottom right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from attncourse.checks import require_integer

SIDE = 16  # pixels
SYMBOL = 5  # a symbol's side
CORNERS = (0, SIDE - SYMBOL)  # row and column of a symbol's first pixel, top left, bottom right
BLOTS, BLOT = 5, 2  # at most so many, each a square of so many pixels

# A square ring with one side open: all are equally hard to draw.
NAMES = ("right", "left", "top", "bottom")
_DRAWN = (
    ("#####", "#....", "#....", "#....", "#####"),
    ("#####", "....#", "....#", "....#", "#####"),
    ("#...#", "#...#", "#...#", "#...#", "#####"),
    ("#####", "#...#", "#...#", "#...#", "#...#"),
)


def symbol_shapes(num_symbols: int = len(NAMES)) -> Float[Tensor, "symbol 5 5"]:
    """Give the first so many symbols, 1 where there is ink and 0 elsewhere (chapter 17).

    Each is a square ring with one side open; any two differ in 6 pixels.

    Args:
        num_symbols: from 1 to 4.

    Raises:
        TypeError, ValueError: if it is no such integer.

    Example:
        >>> symbol_shapes(2)[1].int().tolist()[1]
        [0, 0, 0, 0, 1]
    """
    require_integer("num_symbols", num_symbols, least=1)
    if num_symbols > len(NAMES):
        raise ValueError(f"num_symbols must be at most {len(NAMES)}, got {num_symbols}")
    ink = [[[dot == "#" for dot in row] for row in rows] for rows in _DRAWN[:num_symbols]]
    return torch.tensor(ink, dtype=torch.float32)


@dataclass(frozen=True)
class Corners:
    """Drawn pictures, and the symbol that each has in both corners (chapter 17).

    Attributes:
        images: (picture, 1, row, column), 1 where there is ink and 0 elsewhere.
        symbols: (picture,), an index into `NAMES`.
    """

    images: Float[Tensor, "picture 1 row column"]
    symbols: Int64[Tensor, "picture"]

    def __len__(self) -> int:
        return len(self.symbols)


def draw_corners(count: int, num_symbols: int, generator: torch.Generator) -> Corners:
    """Draw pictures of 16x16 pixels with the same symbol in two corners (chapter 17).

    Between the corners lie up to five blots of 2x2 pixels, at random places that may overlap.

    Args:
        count: how many pictures.
        num_symbols: how many symbols to choose from, 1 to 4, all equally likely.
        generator: what chance is drawn from, on the CPU.

    Returns:
        The pictures, in float32.

    Raises:
        TypeError: if a number is not an integer.
        ValueError: if `count` is not positive, or there are not so many symbols.

    Example:
        >>> drawn = draw_corners(3, 4, torch.Generator().manual_seed(0))
        >>> top_left, bottom_right = drawn.images[:, 0, :5, :5], drawn.images[:, 0, -5:, -5:]
        >>> torch.equal(top_left, bottom_right)
        True
    """
    require_integer("count", count, least=1)
    shapes = symbol_shapes(num_symbols)
    symbols = torch.randint(num_symbols, (count,), generator=generator)
    images = torch.zeros(count, 1, SIDE, SIDE)
    free = _free_places()
    places = free[torch.randint(len(free), (count, BLOTS), generator=generator)]
    wanted = torch.randint(BLOTS + 1, (count, 1), generator=generator)
    picture, blot = (torch.arange(BLOTS) < wanted).nonzero(as_tuple=True)
    row, column = places[picture, blot].unbind(-1)
    for y in range(BLOT):
        for x in range(BLOT):
            images[picture, 0, row + y, column + x] = 1
    for start in CORNERS:
        corner = slice(start, start + SYMBOL)
        images[:, 0, corner, corner] = shapes[symbols]
    return Corners(images, symbols)


def _free_places() -> Int64[Tensor, "place 2"]:
    """Give the top left pixels of all blots that stay clear of both corners."""
    taken = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    for start in CORNERS:
        corner = slice(max(0, start - 1), start + SYMBOL + 1)  # a pixel of air around each symbol
        taken[corner, corner] = True
    covered = taken.unfold(0, BLOT, 1).unfold(1, BLOT, 1).flatten(2).any(-1)
    return (~covered).nonzero()


class CornerBatches:
    """Pictures without end, drawn anew for every batch (chapter 17).

    Each batch is a tensor of pictures, (batch_size, 1, 16, 16).

    Args:
        batch_size: pictures a batch.
        num_symbols: as for `draw_corners`.
        generator: what chance is drawn from; by default one of its own, which `fit` seeds.

    Raises:
        TypeError, ValueError: as `draw_corners`, at the first batch.

    Example:
        >>> tuple(next(iter(CornerBatches(7, num_symbols=2))).shape)
        (7, 1, 16, 16)
    """

    def __init__(
        self, batch_size: int, *, num_symbols: int, generator: torch.Generator | None = None
    ):
        self.batch_size = batch_size
        self.num_symbols = num_symbols
        self.generator = torch.Generator() if generator is None else generator

    def __iter__(self) -> Iterator[Tensor]:
        while True:
            yield draw_corners(self.batch_size, self.num_symbols, self.generator).images
