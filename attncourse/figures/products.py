"""Attention as two products of matrices, drawn to scale (the cheat sheet)."""

from __future__ import annotations

import matplotlib.pyplot as plt
import torch
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from torch import Tensor

from attncourse.attention import attend, attention_weights
from attncourse.figures.looks import BLACK, arrow

GAP, ROW = 1.5, 7.2  # cells between two matrices, and from a row of matrices to the next


def two_products(
    query: Float[Tensor, "query width"],
    key: Float[Tensor, "key width"],
    value: Float[Tensor, "key value_width"],
    mask: Bool[Tensor, "query key"] | None = None,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw what `attend` does with these numbers: a square a number, hidden pairs crossed out.

    Args:
        query: (query, width).
        key: (key, width).
        value: (key, value_width).
        mask: (query, key), true where attention is allowed; by default everywhere.
        ax: where to draw, by default a new figure.

    Returns:
        The axes.

    Example:
        >>> ax = two_products(torch.zeros(1, 2), torch.ones(3, 2), torch.ones(3, 1))
        >>> [text.get_text() for text in ax.texts if "×" in text.get_text()]
        ['1 × 3', '1 × 2', '2 × 3', '1 × 3', '3 × 1', '1 × 1']
    """
    weights = attention_weights(query, key, mask)
    hidden = torch.zeros_like(weights, dtype=torch.bool) if mask is None else ~mask
    signed, shares = plt.get_cmap("PuOr"), plt.get_cmap("Blues")
    if ax is None:
        _, ax = plt.subplots(figsize=(5.6, 4.2))
    first = [
        ("scores", query @ key.mT, signed),
        ("query", query, signed),
        ("keys, turned", key.mT, signed),
    ]
    output = attend(query, key, value, mask)
    then = [("weights", weights, shares), ("values", value, signed), ("output", output, signed)]
    right = max(_row(ax, 0.0, first, "=@"), _row(ax, -ROW, then, "@="))
    for top in (0.0, -ROW):
        _cross_out(ax, top, hidden)
    middle, foot = key.shape[0] / 2, -query.shape[0]
    arrow(ax, (middle, foot - 0.1), (middle, foot - 0.9))
    steps = f"÷ √{query.shape[-1]}, mask, softmax of each row"
    ax.text(middle + 0.4, foot - 0.5, steps, ha="left", va="center")
    depth = max(query.shape[0], key.shape[0])
    ax.set(xlim=(-0.3, right + 0.3), ylim=(-ROW - depth - 0.3, 2.6))
    ax.set_aspect("equal")
    ax.axis("off")
    return ax


def _row(ax: Axes, top: float, matrices: list, signs: str) -> float:
    """Draw matrices beside each other, with signs between; return where the last one ends."""
    left = 0.0
    for place, (name, matrix, colours) in enumerate(matrices):
        rows, columns = matrix.shape
        _matrix(ax, left, top, matrix, colours)
        centre = left + columns / 2
        ax.text(centre, top + 1.15, name, ha="center", va="bottom", weight="bold")
        ax.text(centre, top + 0.2, f"{rows} × {columns}", ha="center", va="bottom")
        left += columns
        if place < len(signs):
            ax.text(left + GAP / 2, top - 1.5, signs[place], ha="center", va="center", size=14)
            left += GAP
    return left


def _matrix(ax: Axes, left: float, top: float, matrix: Tensor, colours: Colormap) -> None:
    shares = matrix / max(matrix.abs().max().item(), 1e-9)
    if colours.name != "Blues":
        shares = 0.5 - 0.4 * shares  # zero in the middle
    for i, row in enumerate(shares.tolist()):
        for j, share in enumerate(row):
            corner = left + j, top - i - 1
            look = {"facecolor": colours(share), "edgecolor": "#888888", "linewidth": 0.6}
            ax.add_patch(plt.Rectangle(corner, 1, 1, **look))


def _cross_out(ax: Axes, top: float, hidden: Tensor) -> None:
    """Cross out the hidden pairs of the first matrix of a row."""
    for i, j in hidden.nonzero().tolist():
        y = top - i - 1
        look = {"facecolor": "#dddddd", "edgecolor": "#888888", "linewidth": 0.6}
        ax.add_patch(plt.Rectangle((j, y), 1, 1, **look))
        for ends in ((0.25, 0.75), (0.75, 0.25)):
            ax.plot([j + 0.25, j + 0.75], [y + end for end in ends], color=BLACK, lw=1)
