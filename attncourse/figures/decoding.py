"""A figure of decoding (chapter 12): what a beam keeps."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from attncourse.figures.looks import BLACK, BLUE, RED

FAINT = "0.6"


def kept(steps: Sequence[Sequence[tuple[int, str, float]]], *, ax: Axes | None = None) -> Axes:
    """Draw which beginnings a beam search kept, word by word from top to bottom (chapter 12).

    The sentence that won, of those that end, is red; greedy's way, as far as the beam kept it, has
    a blue edge.

    Args:
        steps: for each step the beginnings that were kept, the likeliest first: the place of the
            beginning that each one continues, among those of the step before; its last token; its
            log-probability so far.
        ax: where to draw, by default a new figure.

    Returns:
        The axes.

    Raises:
        ValueError: if there is no step, or one that holds nothing.

    Example:
        >>> first = [(0, "see", -0.7), (0, "good", -0.9)]
        >>> ax = kept([first, [(1, "night", -1.0), (0, "you", -1.6)]])
        >>> len(ax.lines), ax.texts[2].get_text()
        (2, 'night\\n-1.00')
    """
    if not steps or not all(steps):
        raise ValueError("steps must hold at least one beginning each")
    if ax is None:
        _, ax = plt.subplots(figsize=(4.6, 0.5 * len(steps) + 0.3))
    ends = [
        (total, row, place)
        for row, step in enumerate(steps)
        for place, (_, token, total) in enumerate(step)
        if token == "<eos>" or row == len(steps) - 1
    ]
    _, row, place = max(ends)
    best = set()
    while row >= 0:
        best.add((row, place))
        row, place = row - 1, steps[row][place][0]
    likely, way = set(), 0
    for row, step in enumerate(steps):
        children = [i for i, (parent, _, _) in enumerate(step) if parent == way]
        if row and not children:
            break
        way = children[0] if row else 0
        likely.add((row, way))
    for row, step in enumerate(steps):
        for place, (parent, token, total) in enumerate(step):
            node = row, place
            colour = RED if node in best else BLACK
            if row:
                # A line ends above the word, and begins below the one before.
                ax.plot(
                    [parent, place],
                    [-(row - 1) - 0.37, -row + 0.37],
                    color=RED if node in best else FAINT,
                    lw=2.5 if node in best else 1.0,
                )
            edge = BLUE if node in likely else "none"
            look = {"boxstyle": "round,pad=0.15", "fc": "white", "ec": edge, "lw": 1.4}
            ax.text(
                place,
                -row,
                f"{token}\n{total:.2f}",
                ha="center",
                va="center",
                fontsize=9,
                linespacing=0.95,
                color=colour,
                bbox=look,
            )
    widest = max(map(len, steps))
    ax.set(xlim=(-0.6, widest - 0.4), ylim=(0.5 - len(steps), 0.5))
    ax.set_title("red: the winner, blue edge: greedy search", fontsize=10)
    ax.axis("off")
    return ax
