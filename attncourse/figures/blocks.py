"""Figures of the encoder block (chapter 09): its parts and its matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from torch import Tensor

from attncourse.figures.looks import BLACK, BLUE, GREEN, ORANGE, arrow

PARTS = {"attention": BLUE, "feed-forward": GREEN, "norm": ORANGE}


def encoder_block(norm_first: bool = False, *, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw one encoder block: its two sublayers, with norms and the ways round (chapter 09).

    Args:
        norm_first: whether the norm stands before the sublayer, not after the sum.
        ax: where to draw, by default a new figure.
        title: above the block.

    Returns:
        The axes.

    Example:
        >>> ax = encoder_block(norm_first=True)
        >>> [text.get_text() for text in ax.texts if text.get_text().isalpha()]
        ['norm', 'attention', 'norm']
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(5.6, 1.4))
    ax.text(-0.1, 0, "$x$", ha="right", va="center")
    x = 0.0
    for sublayer in ("attention", "feed-forward"):
        order = ("norm", sublayer, "+") if norm_first else (sublayer, "+", "norm")
        fork = x + 0.2  # where the way round leaves
        for part in order:
            if part == "+":
                arrow(ax, (x, 0), (x + 0.4, 0))
                ax.add_patch(plt.Circle((x + 0.65, 0), 0.25, fc="white", ec=BLACK, zorder=3))
                ax.text(x + 0.65, 0, "+", ha="center", va="center", zorder=4)
                ax.plot([fork, fork, x + 0.65], [0, 0.95, 0.95], color=BLACK, lw=1)
                arrow(ax, (x + 0.65, 0.96), (x + 0.65, 0.25))
                x += 0.9
                continue
            width = 1.0 if part == "norm" else 1.9
            arrow(ax, (x, 0), (x + 0.4, 0))
            corner = (x + 0.4, -0.4)
            ax.add_patch(plt.Rectangle(corner, width, 0.8, color=PARTS[part], zorder=3))
            middle = x + 0.4 + width / 2
            colour = BLACK if part == "norm" else "white"  # white on orange is hard to read
            ax.text(middle, 0, part, ha="center", va="center", color=colour, zorder=4)
            x += 0.4 + width
    arrow(ax, (x, 0), (x + 0.5, 0))
    ax.set(xlim=(-0.5, x + 0.6), ylim=(-0.6, 1.2), aspect="equal", title=title)
    ax.axis("off")
    return ax


def matrices(
    parts: Mapping[str, Tensor],
    *,
    words: Sequence[str],
    columns: int = 3,
    maximum: float | None = None,
) -> list[Axes]:
    """Draw matrices as coloured squares, a row a word: blue is below zero, red above (chapter 09).

    Args:
        parts: (word, feature) by title; all have the same colours.
        words: labels of the rows.
        columns: how many matrices stand beside each other.
        maximum: the size that is drawn darkest, by default the largest there is.

    Returns:
        The axes, one for each matrix.

    Raises:
        ValueError: if a matrix has another number of rows than there are words.

    Example:
        >>> import torch
        >>> axes = matrices({"X": torch.eye(2), "Z": -torch.eye(2)}, words=["a", "b"])
        >>> [ax.get_title() for ax in axes]
        ['X', 'Z']
    """
    for title, matrix in parts.items():
        if matrix.dim() != 2 or len(matrix) != len(words):
            raise ValueError(f"{title} must be ({len(words)}, ...), got {tuple(matrix.shape)}")
    rows = -(-len(parts) // columns)
    size = (5.6, 0.6 + (0.5 + 0.25 * len(words)) * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False)
    most = maximum or max(matrix.nan_to_num(0).abs().max().item() for matrix in parts.values())
    for ax in axes.flat[len(parts) :]:
        ax.axis("off")
    for i, (ax, (title, matrix)) in enumerate(zip(axes.flat, parts.items(), strict=False)):
        shown = matrix.detach().cpu().double().numpy()
        ax.imshow(shown, cmap="RdBu_r", vmin=-most, vmax=most)
        ax.set_title(title, loc="center")
        ax.set_xticks([])
        ax.set_yticks(range(len(words)), words if i % columns == 0 else [""] * len(words))
        ax.tick_params(length=0)
        ax.spines[:].set_visible(True)
    ends = "neither" if maximum is None else "both"
    figure.colorbar(ax.images[0], ax=axes, shrink=0.6, aspect=30, extend=ends)
    return list(axes.flat[: len(parts)])
