"""Figures of pictures whose corners agree (chapter 17): what a window shows, what a judge sees."""

from __future__ import annotations

import matplotlib.pyplot as plt
import torch
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from torch import Tensor

from attncourse.data.corners import CORNERS, SIDE, SYMBOL
from attncourse.figures.looks import BLACK, BLUE, RED, SKY

PATCH = 2  # a patch's side in pixels
SEEN = 9  # pixels that a position of the discriminator's last map sees, in a row
SQUARES = (-2, 8)  # where those of the positions 1 and 6, around the rings, begin
GREY = "#999999"


def window_view(mask: Bool[Tensor, "place key"], place: int) -> Axes:
    """Draw which patches a place sees in one layer and in two, on a picture (chapter 17).

    Args:
        mask: (place, key), of a picture of 8x8 patches; key j holds the word before place j.
        place: the place that looks.

    Returns:
        The axes.

    Raises:
        ValueError: if the mask is not (64, 64), or there is no such place.

    Example:
        >>> from attncourse.vision import picture_window_mask
        >>> ax = window_view(picture_window_mask(8, 8, 2), 61)
        >>> [text.get_text() for text in ax.texts]
        ['first ring', 'second ring']
    """
    grid = SIDE // PATCH
    if mask.shape != (grid * grid, grid * grid):
        raise ValueError(f"mask must be ({grid * grid}, {grid * grid}), got {tuple(mask.shape)}")
    if not 0 <= place < len(mask):
        raise ValueError(f"place must be from 0 to {len(mask) - 1}, got {place}")
    steps = mask.long()
    twice = (steps @ steps)[place] > 0
    _, ax = plt.subplots(figsize=(3.6, 3.8))
    colours = torch.ones(grid * grid, 4)
    for keys, colour in ((twice, SKY), (mask[place], BLUE)):
        words = keys.nonzero()[:, 0] - 1  # key j holds word j - 1, key 0 the begin mark
        colours[words[words >= 0]] = torch.tensor(to_rgba(colour))
    ax.imshow(colours.view(grid, grid, 4).numpy(), extent=(0, SIDE, SIDE, 0))
    for edge in range(0, SIDE + 1, PATCH):
        ax.axhline(edge, color="#cccccc", lw=0.8)
        ax.axvline(edge, color="#cccccc", lw=0.8)
    for start, name, y in zip(CORNERS, ("first ring", "second ring"), (7.2, 9.2), strict=True):
        first, last = start // PATCH * PATCH, -(-(start + SYMBOL) // PATCH) * PATCH
        size = {"width": last - first, "height": last - first}
        ax.add_patch(plt.Rectangle((first, first), **size, fill=False, ec=BLACK, lw=2, zorder=3))
        ground = {"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.8}
        ax.text((first + last) / 2, y, name, ha="center", va="center", fontsize=10, bbox=ground)
    corner = (place % grid * PATCH, place // grid * PATCH)
    ax.add_patch(plt.Rectangle(corner, PATCH, PATCH, fill=False, ec=RED, lw=3, zorder=4))
    ax.set(xlim=(-0.2, SIDE + 0.2), ylim=(SIDE + 0.2, -0.2))
    ax.axis("off")
    return ax


def two_judges(picture: Float[Tensor, "1 16 16"]) -> list[Axes]:
    """Draw a discriminator that adds up what its squares find, and one that compares (chapter 17).

    Args:
        picture: (1, 16, 16), which both judge.

    Returns:
        Both axes.

    Raises:
        ValueError: if the picture has another shape.

    Example:
        >>> [ax.get_title() for ax in two_judges(torch.zeros(1, 16, 16))]
        ['without attention', 'with attention']
    """
    if picture.shape != (1, SIDE, SIDE):
        raise ValueError(f"picture must be (1, {SIDE}, {SIDE}), got {tuple(picture.shape)}")
    _, axes = plt.subplots(1, 2, figsize=(4.8, 3.4))
    rings = "left is a ring: +1\nright is a ring: +1\n"
    below = (rings + "score 2", rings + "the two differ: −2\nscore 0")
    titles = ("without attention", "with attention")
    for ax, title, told in zip(axes, titles, below, strict=True):
        ax.imshow(picture[0].numpy(), cmap="Greys", vmin=0, vmax=1.3, extent=(0, SIDE, SIDE, 0))
        edge = {"width": SIDE, "height": SIDE, "ec": GREY, "lw": 1, "zorder": 0}
        ax.add_patch(plt.Rectangle((0, 0), **edge, fill=False))
        for start in SQUARES:
            size = {"width": SEEN, "height": SEEN}
            ax.add_patch(plt.Rectangle((start, start), **size, fill=False, ec=BLUE, lw=2))
            ax.text(start + SEEN / 2, start - 0.3, "9 × 9", color=BLUE, ha="center", va="bottom")
        ax.text(SIDE / 2, 18.2, told, ha="center", va="top", fontsize=10)
        ax.set(xlim=(-2.5, 17.5), ylim=(17.5, -3.8), xticks=[], yticks=[])
        ax.set_title(title)
        ax.spines[:].set_visible(False)
    bent = {"connectionstyle": "arc3,rad=0.45", "shrinkA": 0, "shrinkB": 0}
    look = {"arrowstyle": "<->", "color": RED, "lw": 2.5, "mutation_scale": 18}
    axes[1].annotate("", (8, 14), (1, 7), arrowprops=look | bent)
    axes[1].text(3.2, 9.4, "same?", color=RED, fontsize=11, ha="left")
    return list(axes)
