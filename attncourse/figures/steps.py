"""One query's attention in four steps, with its numbers (chapter 03)."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from torch import Tensor

from attncourse.figures.looks import BLACK, RED, arrow
from attncourse.masks import masked_softmax

COLUMNS = {"score": 0.0, "mask": 1.9, "softmax": 3.8, "value": 5.7}  # the left edge of each
HIDDEN = "#dddddd"


def four_steps(
    names: Sequence[str],
    scores: Float[Tensor, " key"],
    mask: Bool[Tensor, " key"],
    values: Float[Tensor, " key"],
    *,
    unit: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw score, mask, softmax and average of one query, a row a key (chapter 03).

    Args:
        names: (key), written beside the rows.
        scores: (key,).
        mask: (key,), true where attention is allowed.
        values: (key,), one number each.
        unit: of the values, written behind their average.
        ax: where to draw, by default a new figure.

    Returns:
        The axes.

    Raises:
        ValueError: if the lengths disagree.

    Example:
        >>> import torch
        >>> mask = torch.tensor([True, False])
        >>> ax = four_steps(["a", "b"], torch.tensor([1.0, 5.0]), mask, torch.tensor([3.0, 4.0]))
        >>> ax.texts[-1].get_text()  # the whole weight goes to a
        '3.0'
    """
    lengths = [len(each) for each in (names, scores, mask, values)]
    if len(set(lengths)) > 1:
        raise ValueError(f"names, scores, mask and values disagree in length: {lengths}")
    weights = masked_softmax(scores, mask)
    if ax is None:
        _, ax = plt.subplots(figsize=(5.0, 0.38 * len(names) + 1.3))
    signed, shares = plt.get_cmap("PuOr"), plt.get_cmap("Blues")
    largest = max(scores.abs().max().item(), 1e-9)
    rows = zip(
        names, scores.tolist(), mask.tolist(), weights.tolist(), values.tolist(), strict=True
    )
    for y, (name, score, seen, weight, value) in enumerate(rows):
        ax.text(-0.25, y, name, ha="right", va="center")
        tint = signed(0.5 - 0.25 * score / largest)  # zero in the middle
        number = f"{score:g}".replace("-", "−")
        _number(ax, "score", y, number, tint)
        _number(ax, "mask", y, number if seen else "−∞", tint if seen else HIDDEN)
        share = f"{weight:.2f}" if seen else "0"  # exactly
        light = "white" if weight > 0.55 else BLACK
        _number(ax, "softmax", y, share, shares(weight) if seen else HIDDEN, light)
        _number(ax, "value", y, f"{value:g}", "white")
    middle, foot = (len(names) - 1) / 2, len(names) - 0.5
    for column, left in COLUMNS.items():
        ax.text(left + 0.5, -0.85, column, ha="center", va="center", weight="bold")
        if column in ("mask", "softmax"):
            arrow(ax, (left - 0.75, middle), (left - 0.1, middle), lw=1.5)
    ax.text(5.25, middle, "×", ha="center", va="center", size=14)
    arrow(ax, (5.25, middle + 0.4), (5.25, foot + 0.7), lw=1.5, color=RED)
    ax.text(5.1, foot + 1.05, "average", ha="right", va="center", weight="bold")
    average = f"{(weights * values).sum().item():.1f} {unit}".strip()
    ax.text(5.25, foot + 1.05, average, va="center", color=RED, weight="bold")
    ax.set(xlim=(-2.2, 6.8), ylim=(foot + 1.4, -1.2))
    ax.axis("off")
    return ax


def _number(ax: Axes, column: str, y: int, text: str, tint: object, colour: str = BLACK) -> None:
    look = {"facecolor": tint, "edgecolor": "#888888", "linewidth": 0.6}
    ax.add_patch(plt.Rectangle((COLUMNS[column], y - 0.5), 1, 1, **look))
    ax.text(COLUMNS[column] + 0.5, y, text, ha="center", va="center", color=colour)
