"""The detector of chapter 16 as a picture: a map of positions, and queries that look at it."""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from attncourse.figures.looks import BLACK, BLUE, GREEN, ORANGE, PURPLE, arrow

GREY = "0.4"
WIDE, HIGH = 3.6, 0.8  # of a part
PICTURE, QUERIES, BOXES = 1.8, 7.3, 10.9  # where the three lanes stand


def query_detector(
    *,
    side: int = 48,
    positions: int = 36,
    queries: int = 16,
    width: int = 64,
    layers: int = 3,
    classes: int = 3,
    ax: Axes | None = None,
) -> Axes:
    """Draw a detector with queries, from below to above, with the shapes between its parts.

    On the left the picture becomes a map; on the right each query's vector and box go through the
    layers (chapter 16). A dot is where one arrow becomes several.

    Args:
        side: pixels of the picture's sides.
        positions: of the map.
        queries, width, layers, classes: as `SetDetector` has them; `width` is that of the vectors.
        ax: where to draw, by default a new figure.

    Returns:
        The axes.

    Example:
        >>> ax = query_detector(positions=9, width=8)
        >>> [text.get_text() for text in ax.texts if "9" in text.get_text()]
        ['9 × 8\\n+ codes', 'memory $M$\\n9 × 8']
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(5.6, 5.2))
    _note(ax, PICTURE, 0.0, f"picture\n3 × {side} × {side}")
    _note(ax, QUERIES, 0.0, f"vectors $X$\n{queries} × {width}")
    _note(ax, BOXES, 0.0, f"anchors\n{queries} × 4")

    _part(ax, PICTURE, 1.5, PURPLE, "convolutions")
    _note(ax, PICTURE + 0.95, 2.8, f"{positions} × {width}\n+ codes")
    _part(ax, PICTURE, 3.3, BLUE, "encoder layer")
    _note(ax, PICTURE, 5.2, f"memory $M$\n{positions} × {width}")
    for start, end in ((0.55, 1.5), (2.3, 3.3), (4.1, 4.65)):
        arrow(ax, (PICTURE, start), (PICTURE, end))
    ax.plot([PICTURE + 1.2, 4.4, 4.4], [5.2, 5.2, 3.7], color=BLACK, lw=1)
    arrow(ax, (4.4, 3.7), (QUERIES - WIDE / 2, 3.7))
    _note(ax, 3.85, 5.5, "+ codes")

    frame = {"fill": False, "ec": GREY, "ls": "--"}
    ax.add_patch(plt.Rectangle((QUERIES - WIDE / 2 - 0.25, 1.15), 7.4, 6.35, **frame))
    _note(ax, QUERIES - WIDE / 2 - 0.45, 0.8, f"one of {layers}\nlayers", ha="right")
    for y, colour, name in (
        (1.7, GREEN, "self-attention"),
        (3.3, BLUE, "cross-attention"),
        (4.9, ORANGE, "FFN"),
    ):
        _part(ax, QUERIES, y, colour, name)
    for start, end in ((0.55, 1.7), (2.5, 3.3), (4.1, 4.9), (5.7, 8.0)):
        arrow(ax, (QUERIES, start), (QUERIES, end))
    for y in (2.1, 3.7):  # where the queries stand
        _split(ax, BOXES, y)
        arrow(ax, (BOXES, y), (QUERIES + WIDE / 2, y))
        _note(ax, 10.0, y + 0.3, "codes")
    arrow(ax, (BOXES, 0.55), (BOXES, 6.1))
    _split(ax, QUERIES, 6.6)
    arrow(ax, (QUERIES, 6.6), (BOXES - 0.95, 6.6))
    arrow(ax, (QUERIES, 6.6), (4.7, 6.6))
    _note(ax, BOXES, 6.6, "move,\nstretch")
    arrow(ax, (BOXES, 7.15), (BOXES, 8.0))
    _note(ax, 3.7, 6.6, f"logits\n{queries} × {classes + 1}")
    _note(ax, QUERIES, 8.55, f"vectors\n{queries} × {width}")
    _note(ax, BOXES, 8.55, f"boxes\n{queries} × 4")
    _note(ax, QUERIES - 1.6, 8.55, "to the\nnext layer:", ha="right")
    ax.set(xlim=(-0.1, 12.7), ylim=(-0.5, 9.1))
    ax.axis("off")
    return ax


def _part(ax: Axes, x: float, y: float, colour: str, text: str) -> None:
    ax.add_patch(plt.Rectangle((x - WIDE / 2, y), WIDE, HIGH, color=colour, zorder=3))
    ink = BLACK if colour in (ORANGE, PURPLE) else "white"
    look = {"ha": "center", "va": "center", "color": ink, "zorder": 4}
    ax.text(x, y + HIGH / 2, text, **look)


def _split(ax: Axes, x: float, y: float) -> None:
    ax.plot(x, y, "o", color=BLACK, ms=5)


def _note(ax: Axes, x: float, y: float, text: str, ha: str = "center") -> None:
    ax.text(x, y, text, ha=ha, va="center", linespacing=1.3)
