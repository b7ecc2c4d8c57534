"""Figures of sentences and of what reads them (chapters 04 and 05)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from attncourse.figures.looks import BLACK, BLUE, GREEN, RED, arrow, box

LOW = -3.3  # the decoder's height below the encoder
RAIL = LOW + 1  # where the context runs above the decoder


def crossing(left: Sequence[str], right: Sequence[str], links: Iterable[tuple[int, int]]) -> Axes:
    """Draw a sentence beside its translation, with a line between words that belong together.

    Args:
        left, right: the words of both, written from top to bottom.
        links: pairs (word on the left, on the right); those past the end of a column are left out.

    Returns:
        The axes.

    Example:
        >>> ax = crossing(["green", "doors"], ["portes", "vertes"], [(0, 1), (1, 0), (7, 7)])
        >>> len(ax.lines), [text.get_text() for text in ax.texts]
        (2, ['green', 'doors', 'portes', 'vertes'])
    """
    rows = max(len(left), len(right))
    _, ax = plt.subplots(figsize=(4.4, 0.3 * rows + 0.3))
    for words, x, side in ((left, 0, "right"), (right, 1, "left")):
        for i, word in enumerate(words):
            ax.text(x, i, word, ha=side, va="center")
    for i, j in links:
        if i < len(left) and j < len(right):
            ax.plot([0.05, 0.95], [i, j], color=BLUE, lw=1.2)
    ax.set(xlim=(-0.7, 1.7), ylim=(rows - 0.5, -0.5))
    ax.axis("off")
    return ax


def encoder_decoder(source: Sequence[str], target: Sequence[str]) -> Axes:
    """Draw an encoder, the one vector that it hands over, and a decoder (chapter 04).

    Args:
        source: the words that are read.
        target: the words that are written, without marks.

    Returns:
        The axes.

    Example:
        >>> ax = encoder_decoder(["dogs", "sleep"], ["les", "chiens", "dorment"])
        >>> len(ax.patches)
        6
    """
    end = max(len(source), len(target))  # the context's place
    _, ax = plt.subplots(figsize=(1.05 * end + 1.0, 4.4))
    for i, word in enumerate(source):
        box(ax, i, 0, BLUE, below=word)
        arrow(ax, (i + 0.7, 0.35), (i + 1 if i + 1 < len(source) else end, 0.35))
    box(ax, end, 0, RED)
    ax.text(end + 0.35, 1, "context", ha="center", va="center", color=RED)
    # The context begins the decoder's state, and every step reads it.
    ax.plot([end + 0.35] * 2 + [-0.3] * 2, [0, RAIL, RAIL, LOW + 0.35], color=RED, lw=1)
    for i, (read, written) in enumerate(zip(["<bos>", *target], target, strict=False)):
        arrow(ax, (i - 0.3, LOW + 0.35), (i, LOW + 0.35), color=BLACK if i else RED)
        box(ax, i, LOW, GREEN, below=read, above=written)
        arrow(ax, (i + 0.12, RAIL), (i + 0.12, LOW + 0.7), color=RED)
    ax.text(0, 1, "encoder", color=BLUE, va="center")
    ax.text(end + 0.35, LOW + 0.35, "decoder", color=GREEN, ha="center", va="center")
    ax.set(xlim=(-0.5, end + 1), ylim=(LOW - 1, 1.2), aspect="equal")
    ax.axis("off")
    return ax


def looking_back(source: Sequence[str], weights: Sequence[float], target: Sequence[str]) -> Axes:
    """Draw a decoder that reads the encoder's memory before its last word (chapter 05).

    Args:
        source: the words that were read.
        weights: for each of them, its weight.
        target: the last three words: one read, one written and read, one to be written.

    Returns:
        The axes.

    Example:
        >>> ax = looking_back(["dogs", "sleep"], [0.1, 0.9], ["les", "chiens", "dorment"])
        >>> len(ax.patches)
        5
    """
    _, ax = plt.subplots(figsize=(4.6, 2.3))
    middle, right = 0.6 * len(source), 1.2 * len(source) + 0.6
    for i, (word, weight) in enumerate(zip(source, weights, strict=True)):
        box(ax, 1.2 * i, 0, BLUE, inside=f"$h_{{{i + 1}}}$", below=word)
        ax.plot([1.2 * i + 0.35, middle + 0.35], [0.7, 1.9], color=RED, lw=0.5 + 7 * weight)
        ax.text(1.2 * i + 0.5, 0.78, f"{weight:.2f}", fontsize=9, zorder=4)
    box(ax, middle, 1.9, RED, inside="$c_3$")
    for i in range(2):
        state = f"$s_{i + 2}$"
        box(ax, right + 1.6 * i, 0.7, GREEN, state, below=target[i], above=target[i + 1])
    arrow(ax, (right + 0.7, 1.05), (right + 1.6, 1.05))
    arrow(ax, (middle + 0.75, 2.25), (right + 1.6, 1.4))
    arrow(ax, (right, 1.05), (1.2 * len(source) - 0.45, 0.45), linestyle="--")
    ax.text(right - 0.75, 0.35, "asks")
    ax.set(xlim=(-0.3, right + 2.6), ylim=(-1.1, 2.8), aspect="equal")
    ax.axis("off")
    return ax


def length_curve(
    ax: Axes, scores: Mapping[str, Mapping[str, float]], measure: str, **line: object
) -> list[float]:
    """Draw a score against the length of the sentences (chapters 04 and 05).

    Args:
        ax: where to draw.
        scores: by length, such as "7-10", the scores of those sentences.
        measure: which of them.
        line: what `Axes.plot` takes.

    Returns:
        The horizontal positions, the middles of the lengths.

    Example:
        >>> _, ax = plt.subplots()
        >>> length_curve(ax, {"3-6": {"right": 0.9}, "7-10": {"right": 0.5}}, "right")
        [4.5, 8.5]
    """
    middles = [sum(map(int, length.split("-"))) / 2 for length in scores]
    ax.plot(middles, [score[measure] for score in scores.values()], **line)
    ax.set(xlabel="words of the English sentence", ylim=(-0.02, 1.03))
    return middles
