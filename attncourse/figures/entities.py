"""Figures of entities (chapter 14): a text with what is marked in it, and where a word looks."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from torch import Tensor

from attncourse.data.bio import Span
from attncourse.figures.looks import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, SKY

COLUMNS = 48  # signs in a line, few enough for a narrow screen
SIZE = 12  # points
KIND_COLOURS = (RED, GREEN, PURPLE, ORANGE, SKY)
LETTER = 0.602 * SIZE / 72  # inches a sign of the font is wide


def tagged_text(
    words: Sequence[str],
    spans: Sequence[Span] = (),
    *,
    kinds: Sequence[str] = (),
    labels: Sequence[str] | None = None,
    weights: Tensor | Sequence[float] | None = None,
    asker: int | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Write a text in lines, its entities underlined with their kinds, and where a word looks.

    Every sentence begins a line.

    Args:
        words: the text.
        spans: its entities.
        kinds: all kinds there are, which fixes their colours; by default those of the spans.
        labels: what stands under each entity, by default its kind.
        weights: of the word that looks, one a word: the more, the darker the word's ground.
        asker: which word looks; it stands in a frame.
        title: above the text.
        ax: where to draw, by default a new figure of the height that the text needs.

    Returns:
        The axes.

    Raises:
        ValueError: if there is no word, not a weight a word, not a label an entity, or no such word
            to ask.

    Example:
        >>> ax = tagged_text(["in", "velora"], [Span(1, 2, "place")], weights=[0.0, 1.0], asker=1)
        >>> [text.get_text() for text in ax.texts]
        ['in', 'velora', 'place']
    """
    if not words:
        raise ValueError("words must hold at least one word, got none")
    if weights is not None and len(weights) != len(words):
        raise ValueError(f"weights must be one for each of {len(words)} words, got {len(weights)}")
    if labels is not None and len(labels) != len(spans):
        raise ValueError(f"labels must be one for each of {len(spans)} spans, got {len(labels)}")
    if asker is not None and not 0 <= asker < len(words):
        raise ValueError(f"asker must be from 0 to {len(words) - 1}, got {asker}")
    places = _places(words, spans)
    lines = places[-1][1] + 1
    if ax is None:
        _, ax = plt.subplots(figsize=(COLUMNS * LETTER + 0.2, 0.58 * lines + 0.2))
    kinds = list(kinds) or sorted({span.kind for span in spans})
    shades = [0.0] * len(words) if weights is None else torch.as_tensor(weights).tolist()
    for i, (word, (column, line), shade) in enumerate(zip(words, places, shades, strict=True)):
        size = {"width": len(word) + 0.4, "height": 0.5, "linewidth": 0}
        corner = (column - 0.2, -line - 0.27)
        if shade >= 0.02:
            ax.add_patch(plt.Rectangle(corner, **size, color=BLUE, alpha=min(1.0, 0.15 + shade)))
        if i == asker:
            frame = {**size, "linewidth": 1.5}
            ax.add_patch(plt.Rectangle(corner, **frame, fill=False, edgecolor=BLACK))
        colour = "white" if shade > 0.4 else BLACK
        ax.text(column, -line, word, family="monospace", fontsize=SIZE, va="center", color=colour)
    texts = [span.kind for span in spans] if labels is None else labels
    for (start, end, kind), label in zip(spans, texts, strict=True):
        colour = KIND_COLOURS[kinds.index(kind) % len(KIND_COLOURS)]
        _underline(ax, words, places[start:end], start, colour)
        column, line = places[start]
        ax.text(column, -line - 0.52, label, fontsize=10, va="center")
    ax.set(xlim=(-0.5, COLUMNS), ylim=(-lines + 0.2, 0.45), title=title)
    ax.axis("off")
    return ax


def _places(words: Sequence[str], spans: Sequence[Span]) -> list[tuple[int, int]]:
    """Give each word its column and line: a sentence a line, an entity on one line if it can be."""
    ends = {span.start: span.end for span in spans}
    places, column, line = [], 0, 0
    for i, word in enumerate(words):
        whole = " ".join(words[i : ends.get(i, i + 1)])
        full = column + len(whole if len(whole) <= COLUMNS else word) > COLUMNS
        if column and (full or words[i - 1] == "."):
            column, line = 0, line + 1
        places.append((column, line))
        column += len(word) + 1
    return places


def _underline(
    ax: Axes, words: Sequence[str], places: list[tuple[int, int]], start: int, colour: str
) -> None:
    """Draw a line below an entity, in pieces where it is longer than a line."""
    for line in sorted({line for _, line in places}):
        own = [
            (column, column + len(words[start + i]))
            for i, (column, at) in enumerate(places)
            if at == line
        ]
        ax.plot([own[0][0], own[-1][1]], [-line - 0.32] * 2, color=colour, lw=2.5)
