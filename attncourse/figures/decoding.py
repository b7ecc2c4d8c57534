"""Figures of decoding (chapter 12): a tree of sentences, and what a beam keeps of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from attncourse.figures.looks import BLACK, BLUE, RED

FAINT = "0.6"


def choices(tree: Mapping[str, tuple[float, Mapping]], *, ax: Axes | None = None) -> Axes:
    """Draw all sentences of a few words as a tree, each with its probability (chapter 12).

    The way that takes the likeliest word every time is blue, the likeliest sentence red.

    Args:
        tree: for each first word its probability, and such a tree of the words that may follow;
            an empty one where the sentence ends.
        ax: where to draw, by default a new figure.

    Returns:
        The axes.

    Raises:
        ValueError: if the tree is empty.

    Example:
        >>> ax = choices({"good": (0.4, {"night": (0.9, {})}), "see": (0.6, {"you": (0.5, {})})})
        >>> [text.get_text() for text in ax.texts if text.get_text().startswith("0.")]
        ['0.4', '0.9', '0.36', '0.6', '0.5', '0.30']
    """
    if not tree:
        raise ValueError("tree must hold a word, got none")
    leaves = dict(_sentences(tree, (), 1.0))
    best = max(leaves, key=leaves.get)
    likely, branch = (), tree
    while branch:
        word = max(branch, key=lambda word: branch[word][0])
        likely, branch = (*likely, word), branch[word][1]
    if ax is None:
        _, ax = plt.subplots(figsize=(7.2, 0.6 + 0.42 * len(leaves)))
    deepest = max(map(len, leaves))
    rows = {sentence: -row for row, sentence in enumerate(leaves)}

    def height(path: tuple[str, ...]) -> float:
        below = [row for sentence, row in rows.items() if sentence[: len(path)] == path]
        return sum(below) / len(below)

    def draw(branch: Mapping, path: tuple[str, ...], total: float) -> None:
        for word, (chance, rest) in branch.items():
            here = (*path, word)
            on_best, on_likely = (way[: len(here)] == here for way in (best, likely))
            colour = RED if on_best else BLUE if on_likely else FAINT
            ink = BLACK if colour == FAINT else colour
            width = 1.0 if colour == FAINT else 2.5
            start, end = (len(path) + 0.42 * bool(path), height(path)), (len(here), height(here))
            ax.plot(*zip(start, end, strict=True), color=colour, lw=width)
            middle = 0.45 * start[0] + 0.55 * end[0], 0.45 * start[1] + 0.55 * end[1]
            ground = {"color": "white", "pad": 0.8}
            look = {"va": "center", "bbox": ground}
            ax.text(*middle, f"{chance:g}", fontsize=9, ha="center", color=ink, **look)
            ax.text(len(here) + 0.03, height(here), word, color=ink, va="center")
            if rest:
                draw(rest, here, total * chance)
            else:
                ax.text(deepest + 0.75, height(here), f"{total * chance:.2f}", color=ink, **look)

    draw(tree, (), 1.0)
    ax.text(deepest + 0.75, 0.9, "whole", va="center")
    ax.set(xlim=(-0.1, deepest + 1.05), ylim=(0.5 - len(leaves), 1.3))
    ax.axis("off")
    return ax


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


def _sentences(tree: Mapping, path: tuple[str, ...], total: float):
    for word, (chance, rest) in tree.items():
        if rest:
            yield from _sentences(rest, (*path, word), total * chance)
        else:
            yield (*path, word), total * chance
