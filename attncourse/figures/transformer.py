"""Figures of the Transformer (chapter 10): the whole model, and its three attentions at work."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from torch import Tensor

from attncourse.figures.looks import BLACK, BLUE, GREEN, ORANGE, RED, arrow
from attncourse.figures.maps import heatmap

GREY = "0.45"
WIDE = 4.0  # of a box
SIZE = 10  # of the type, in points


def whole_transformer(source: Sequence[str], target: Sequence[str]) -> Axes:
    """Draw the whole model: a sentence goes up through the encoder, another through the decoder.

    The three attentions are numbered, and beside each stands who may look at whom.

    Args:
        source: a few words that are read.
        target: the words that are written, without marks.

    Returns:
        The axes.

    Example:
        >>> ax = whole_transformer(["green", "doors"], ["portes", "vertes"])
        >>> [text.get_text() for text in ax.texts if "attention" in text.get_text()]
        ['1  self-attention', '2  masked self-attention', '3  cross-attention']
    """
    _, ax = plt.subplots(figsize=(5.1, 6.6))
    read, left, right = ["<bos>", *target[:-1]], 0.0, 5.3
    for x, words in ((left, source), (right, read)):
        _words(ax, x, -0.45, words)
        _up(ax, x, words, -0.15, 0.3)
        _box(ax, x, 0.3, GREY, "embedding + position")
        arrow(ax, (x + WIDE / 2, 0.95), (x + WIDE / 2, 1.75))
    _frame(ax, left, 1.4, 2.7, "encoder layer, $N$ times", side="left")
    _box(ax, left, 1.75, BLUE, "1  self-attention")
    _box(ax, left, 3.0, ORANGE, "feed-forward")
    _frame(ax, right, 1.4, 4.0, "decoder layer, $N$ times", side="right")
    _box(ax, right, 1.75, GREEN, "2  masked self-attention")
    _box(ax, right, 3.0, RED, "3  cross-attention")
    _box(ax, right, 4.25, ORANGE, "feed-forward")
    for x, y in ((left, 2.4), (right, 2.4), (right, 3.65)):
        arrow(ax, (x + WIDE / 2, y), (x + WIDE / 2, y + 0.6))

    _up(ax, left, source, 3.65, 4.45)  # the memory: a vector for each word
    for x in _places(left, len(source)):
        ax.add_patch(plt.Rectangle((x - 0.22, 4.45), 0.44, 0.44, color=BLUE))
    ax.text(left + WIDE / 2, 5.1, "memory", ha="center", color=BLUE, size=SIZE)
    corner = left + WIDE + 0.6
    ax.plot([left + WIDE - 0.3, corner, corner], [4.67, 4.67, 3.32], color=BLACK, lw=1)
    arrow(ax, (corner, 3.32), (right, 3.32))
    ax.text(corner + 0.4, 4.8, "keys and\nvalues", ha="right", size=SIZE)
    ax.text(right + WIDE / 2 + 0.15, 2.7, "queries", va="center", size=SIZE)

    arrow(ax, (right + WIDE / 2, 4.9), (right + WIDE / 2, 5.75))
    _box(ax, right, 5.75, GREY, "a score for every word")
    _up(ax, right, target, 6.4, 6.85)
    _words(ax, right, 7.1, target)

    _grid(ax, left + 0.1, 6.3, source, source, BLUE, "1")
    _grid(ax, left + 1.55, 6.3, read, read, GREEN, "2", causal=True)
    _grid(ax, left + 3.0, 6.3, read, source, RED, "3")
    ax.text(left, 7.5, "who (rows) may look\nat whom (columns)", size=SIZE)
    ax.set(xlim=(-0.75, right + WIDE + 0.75), ylim=(-0.75, 8.2))
    ax.axis("off")
    return ax


def three_attentions(
    encoder: Tensor, decoder: Tensor, cross: Tensor, source: Sequence[str], target: Sequence[str]
) -> list[Axes]:
    """Draw the three attentions of a Transformer for one sentence (chapter 10).

    Rows of the two upper maps are the same, and so are the columns of the two on the left.

    Args:
        encoder: (source, source), weights of the encoder's self-attention.
        decoder: (target, target), of the decoder's masked self-attention.
        cross: (target, source), of the cross-attention.
        source: the words read.
        target: the words written, the end mark last.

    Returns:
        The axes: cross, decoder, encoder.

    Example:
        >>> import torch
        >>> maps = torch.full((2, 2), 0.5), torch.ones(3, 3).tril(), torch.ones(3, 2)
        >>> axes = three_attentions(*maps, ["green", "doors"], ["portes", "vertes", "<eos>"])
        >>> [ax.get_title() for ax in axes]
        ['3  cross', '2  masked self', '1  self']
    """
    sizes = [len(source), len(target)]
    figure, grid = plt.subplots(
        2, 2, figsize=(5.1, 6.6), width_ratios=sizes, height_ratios=sizes[::-1]
    )
    (upper, masked), (lower, empty) = grid
    empty.axis("off")
    written = ["<bos>", *target[:-1]]
    heatmap(cross, queries=target, keys=source, ax=upper, numbers=False)
    heatmap(decoder, queries=target, keys=written, ax=masked, numbers=False)
    heatmap(encoder, queries=source, keys=source, ax=lower, numbers=False)
    titles = ("3  cross", RED), ("2  masked self", GREEN), ("1  self", BLUE)
    axes = [upper, masked, lower]
    for ax, (title, colour) in zip(axes, titles, strict=True):
        ax.set_title(title, color=colour)
        ax.tick_params(axis="x", rotation=90)
    upper.set(ylabel="about to write", xlabel="words of the source")
    masked.set(xlabel="words written so far", yticklabels=[])
    lower.set(ylabel="word of the source", xlabel="words of the source")
    strip = empty.inset_axes((0.1, 0.75, 0.8, 0.08))
    figure.colorbar(upper.images[0], cax=strip, orientation="horizontal", label="weight")
    return axes


def _places(x: float, number: int) -> list[float]:
    """Where so many words stand below a box."""
    return [x + WIDE * (i + 0.5) / number for i in range(number)]


def _words(ax: Axes, x: float, y: float, words: Sequence[str]) -> None:
    for place, word in zip(_places(x, len(words)), words, strict=True):
        ax.text(place, y, word, ha="center", va="center", size=SIZE)


def _up(ax: Axes, x: float, words: Sequence[str], start: float, end: float) -> None:
    for place in _places(x, len(words)):
        arrow(ax, (place, start), (place, end), lw=0.8)


def _box(ax: Axes, x: float, y: float, colour: str, text: str) -> None:
    ax.add_patch(plt.Rectangle((x, y), WIDE, 0.65, color=colour, zorder=3))
    ink = BLACK if colour == ORANGE else "white"
    look = {"ha": "center", "va": "center", "color": ink, "zorder": 4, "size": SIZE}
    ax.text(x + WIDE / 2, y + 0.325, text, **look)


def _frame(ax: Axes, x: float, y: float, height: float, text: str, *, side: str) -> None:
    shape = plt.Rectangle((x - 0.2, y), WIDE + 0.4, height, fill=False, ec=GREY, ls="--")
    ax.add_patch(shape)
    place = x - 0.5 if side == "left" else x + WIDE + 0.5
    ax.text(place, y + height / 2, text, ha="center", va="center", rotation=90, size=SIZE)


def _grid(
    ax: Axes,
    x: float,
    y: float,
    rows: Sequence[str],
    columns: Sequence[str],
    colour: str,
    number: str,
    *,
    causal: bool = False,
) -> None:
    """Draw who may look at whom, as filled cells."""
    cell = 1.0 / max(len(rows), len(columns))
    for i in range(len(rows)):
        for j in range(len(columns)):
            fill = "white" if causal and j > i else colour
            place = x + j * cell, y + 1 - (i + 1) * cell
            ax.add_patch(plt.Rectangle(place, cell, cell, fc=fill, ec=GREY, lw=0.8))
    ax.text(x - 0.12, y + 1, number, color=colour, ha="right", va="top", weight="bold", size=SIZE)
