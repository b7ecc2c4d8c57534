"""Scores of ever wider vectors, divided by a power of their width (chapter 03)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from attncourse.figures.live import LiveFigure
from attncourse.figures.live_svg import Scale, axis_left, label, line, svg, tag
from attncourse.figures.looks import BLUE
from attncourse.scores import DotProductScore

WIDTHS = (1, 4, 16, 64, 256, 1024)  # what the slider offers
PLACE, POWER = 1, 0  # at the start: the width 4, and no division
HEIGHTS = Scale(0, 1, start=180, end=24)
LEFT, RIGHT = 40, 350  # where the bars stand
ALT = (
    "A bar for each of 32 weights, of vectors with 4 numbers and scores that are not divided. "
    "Several bars are seen, and the highest stays far below 1."
)


def divided_scores(query: Float[Tensor, "1 width"], key: Float[Tensor, "key width"]) -> LiveFigure:
    """Show weights whose scores a reader divides by a power of the width (chapter 03).

    The power 0 is the dot product, and 0.5 the scaled dot product.

    Args:
        query: of 1,024 numbers, of which the first 1, 4, 16, ... are read.
        key: a row for each bar, as wide.

    Returns:
        A figure with two sliders, for the width and for the power.

    Raises:
        ValueError: if the query is narrower.

    Example:
        >>> import torch
        >>> divided_scores(torch.ones(1, 1024), torch.ones(5, 1024)).name
        'root'
    """
    if query.shape[1] < WIDTHS[-1]:
        raise ValueError(f"query must have {WIDTHS[-1]} numbers, got {query.shape[1]}")
    scores = [DotProductScore()(query[:, :d], key[:, :d])[0].double() for d in WIDTHS]
    weights = (scores[PLACE] / WIDTHS[PLACE] ** POWER).softmax(0).tolist()
    apart = (RIGHT - LEFT) / len(weights)
    bars = [(LEFT + apart * (book + 0.5), HEIGHTS(weight)) for book, weight in enumerate(weights)]
    best = min(bars, key=lambda bar: bar[1])
    parts = [
        *axis_left(HEIGHTS, LEFT - 2, {"0": 0, "0.5": 0.5, "1": 1}),
        label(LEFT + 4, 14, "weight"),
        label(RIGHT, HEIGHTS(0) + 18, f"{len(key)} keys", text_anchor="end"),
        tag("path", d=line([(LEFT, HEIGHTS(0)), (RIGHT, HEIGHTS(0))]), stroke="#888"),
        tag(
            "path",
            at="bars",
            d="".join(line([(x, HEIGHTS(0)), (x, top)]) for x, top in bars),
            color=BLUE,
            stroke="currentColor",
            stroke_width=0.8 * apart,
        ),
        label(best[0], best[1] - 6, f"{max(weights):.2f}", at="most", text_anchor="middle"),
    ]
    data = {
        "widths": WIDTHS,
        "scores": [row.round(decimals=2) for row in scores],
        "place": PLACE,
        "power": POWER,
        "heights": HEIGHTS.numbers,
        "left": LEFT,
        "apart": apart,
    }
    return LiveFigure("root", data, svg(360, 202, *parts), ALT)
