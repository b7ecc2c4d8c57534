"""Figures of heads (chapter 07): where one word looks, once for every head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from torch import Tensor

from attncourse.figures.looks import COLOURS


def arcs(words: Sequence[str], looks: Mapping[str, Tensor | Sequence[float]], asker: int) -> Axes:
    """Draw a sentence for each head, with arcs from one word to those that it looks at.

    Args:
        words: the sentence.
        looks: by the head's name, its weights, one for each word. An arc is as thick as its
            weight; those under 0.05 are left out. A word that looks at itself gets a dot.
        asker: which word looks.

    Returns:
        The axes.

    Raises:
        ValueError: if there are not as many weights as words, or no such word.

    Example:
        >>> ax = arcs(["dogs", "see", "cats"], {"one head": [0.5, 0.0, 0.5]}, asker=1)
        >>> [text.get_text() for text in ax.texts]
        ['one head', 'dogs', 'see', 'cats', '0.50', '0.50']
    """
    for name, weights in looks.items():
        if len(weights) != len(words):
            raise ValueError(f"looks[{name!r}] must have {len(words)} weights, got {len(weights)}")
    if not 0 <= asker < len(words):
        raise ValueError(f"asker must be from 0 to {len(words) - 1}, got {asker}")
    _, ax = plt.subplots(figsize=(5.0, 0.2 + 1.05 * len(looks)))
    widths = [len(word) + 3.0 for word in words]
    places = [sum(widths[:i]) + width / 2 for i, width in enumerate(widths)]
    for row, (name, weights) in enumerate(looks.items()):
        height, colour = -2.0 * row, COLOURS[row % len(COLOURS)]
        ax.text(-1, height, name, ha="right", va="center", color=colour)
        for i, (word, place) in enumerate(zip(words, places, strict=True)):
            weight = "bold" if i == asker else "normal"
            ax.text(place, height, word, ha="center", va="center", weight=weight)
        for i, weight in enumerate(map(float, weights)):
            if weight >= 0.05:
                rise = 0.35 + 0.12 * abs(i - asker)
                _arc(ax, (places[asker], places[i]), height + 0.35, rise, weight, colour)
    ax.set(xlim=(-12, sum(widths)), ylim=(-2.0 * len(looks) + 1.5, 1.6))
    ax.axis("off")
    return ax


def _arc(ax: Axes, ends: tuple[float, float], low: float, rise: float, weight: float, colour: str):
    """Draw an arc of this rise over the words, with its weight at the top."""
    along = torch.linspace(0, 1, 41)
    x, y = ends[0] + along * (ends[1] - ends[0]), low + 4 * rise * along * (1 - along)
    looks = {"marker": "o", "ms": 3 + 6 * weight} if ends[0] == ends[1] else {}
    count = 1 if looks else len(along)
    ax.plot(x[:count], y[:count], color=colour, lw=0.6 + 4 * weight, **looks)
    middle = sum(ends) / 2, low + (0.2 if looks else rise + 0.12)
    ax.text(*middle, f"{weight:.2f}", ha="center", color=colour, fontsize=10)
