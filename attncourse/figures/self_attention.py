"""Figures of self-attention (chapter 06): a word that asks, and who hears whom after some steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from torch import Tensor

from attncourse.attention import attend, attention_weights
from attncourse.figures.looks import BLACK, BLUE, GREEN, RED, arrow


def chain_and_web(words: Sequence[str], asking: int) -> list[Axes]:
    """Draw a sentence as a recurrent network reads it, and as one word of it asks all (chapter 06).

    Args:
        words: the words.
        asking: the place of the word that asks.

    Returns:
        Both axes, the chain on the left.

    Example:
        >>> chain, web = chain_and_web(["dogs", "sleep", "here"], asking=2)
        >>> len(chain.patches), len(web.lines)
        (3, 3)
    """
    size = (4.8, 0.33 * len(words) + 0.7)
    _, axes = plt.subplots(1, 2, figsize=size, width_ratios=(1, 1.4), sharey=True)
    titles = "recurrent: each\nhands on to the next", "self-attention:\na word asks them all"
    for ax, title in zip(axes, titles, strict=True):
        for i, word in enumerate(words):
            colour = GREEN if i == asking else BLUE
            ax.add_patch(plt.Rectangle((-0.3, i - 0.3), 0.6, 0.6, color=colour, zorder=3))
            ax.text(-0.5, i, word, ha="right", va="center")
        ax.set(ylim=(len(words) - 0.5, -0.5), title=title)
        ax.axis("off")
    for i in range(len(words) - 1):
        arrow(axes[0], (0, i + 0.3), (0, i + 0.7))
    along = np.linspace(0, 1, 41)
    for i in range(len(words)):
        bulge = 0.5 + 0.22 * abs(i - asking)
        y = asking + (i - asking) * along
        if i == asking:
            y = asking + 0.22 * np.sin(2 * np.pi * along)
        axes[1].plot(0.3 + 4 * bulge * along * (1 - along), y, color=RED, lw=1.4)
    axes[0].set_xlim(-2.2, 0.8)
    axes[1].set_xlim(-2.2, 0.9 + 0.22 * max(asking, len(words) - 1 - asking))
    return list(axes)


def one_word_asks(
    words: Sequence[str], x: Tensor, query: Tensor, key: Tensor, value: Tensor, *, asking: int
) -> Axes:
    """Draw, with its numbers, how one word gets its new vector (chapter 06).

    Args:
        words: the words.
        x: (word, width), their vectors.
        query: (word, width); that of the asking word is drawn.
        key: (word, width).
        value: (word, width).
        asking: the place of the word that asks.

    Returns:
        The axes.

    Raises:
        ValueError: if there are not as many rows as words, or no such word.

    Example:
        >>> import torch
        >>> x = torch.eye(2)
        >>> ax = one_word_asks(["dogs", "sleep"], x, x, x, x, asking=0)
        >>> ax.texts[-1].get_text()
        '0.67  0.33'
    """
    for name, given in {"x": x, "query": query, "key": key, "value": value}.items():
        if len(given) != len(words):
            raise ValueError(f"{name} must have {len(words)} rows, got {len(given)}")
    if not 0 <= asking < len(words):
        raise ValueError(f"asking must be from 0 to {len(words) - 1}, got {asking}")
    asks = query[asking, None]
    scores = (asks @ key.mT / query.shape[-1] ** 0.5)[0]
    weights, z = attention_weights(asks, key)[0], attend(asks, key, value)[0]

    _, ax = plt.subplots(figsize=(1.35 * len(words) + 1.2, 5.4))
    sides = "x", "q", "k", "score", "weight", "v", "z"
    heights = {side: -1.3 * row for row, side in enumerate(sides)}
    for side, height in heights.items():
        ax.text(-0.7, height, side, ha="right", va="center")
    for i, (word, weight) in enumerate(zip(words, weights.tolist(), strict=True)):
        ax.text(i, 0.7, word, ha="center", va="center", weight="bold" if i == asking else "normal")
        for side, vector, colour in (("x", x, BLACK), ("k", key, BLUE), ("v", value, BLUE)):
            _vector(ax, (float(i), heights[side]), vector[i], colour)
        ax.plot([asking, i], [heights["q"] - 0.35, heights["k"] + 0.35], color=GREEN, lw=1.4)
        ax.text(i, heights["score"], f"{scores[i]:.2f}", ha="center", va="center")
        ax.text(i, heights["weight"], f"{weight:.2f}", ha="center", va="center", color=RED)
        ends = [heights["v"] - 0.35, heights["z"] + 0.35]
        ax.plot([i, asking], ends, color=RED, lw=0.6 + 5 * weight)
    _vector(ax, (float(asking), heights["q"]), query[asking], GREEN)
    _vector(ax, (float(asking), heights["z"]), z, RED)
    ax.set(xlim=(-1.5, len(words) - 0.5), ylim=(heights["z"] - 0.5, 1.0))
    ax.axis("off")
    return ax


def _vector(ax: Axes, middle: tuple[float, float], numbers: Tensor, colour: str) -> None:
    """Draw a box with the numbers of a vector: whole ones as they are, others to two digits."""
    texts = [f"{n:.0f}" if n == round(n) else f"{n:.2f}" for n in numbers.tolist()]
    left, low = middle[0] - 0.42, middle[1] - 0.35
    ax.add_patch(plt.Rectangle((left, low), 0.84, 0.7, color=colour, zorder=3))
    looks = {"ha": "center", "va": "center", "color": "white", "zorder": 4}
    ax.text(*middle, "  ".join(texts), **looks)


def reached(
    maps: Mapping[str, Mapping[int, Tensor]],
    words: Sequence[str],
    asking: int,
    named: Sequence[int] | None = None,
) -> list[list[Axes]]:
    """Draw which outputs depend on which inputs, a row for each layer (chapter 06).

    Args:
        maps: by the layer's name and the number of steps, (output, input), true where the output
            depends on the input. All have the same steps.
        words: the words, from which the columns are named.
        asking: the place of the word whose row is marked.
        named: the places of the words that are written beside the maps, by default all.

    Returns:
        The axes, (layer, steps).

    Raises:
        ValueError: if there is nothing to draw, or no such word.

    Example:
        >>> import torch
        >>> axes = reached({"none": {1: torch.eye(2).bool()}}, ["a", "b"], asking=1)
        >>> axes[0][0].get_title()
        '1 step'
    """
    if not maps:
        raise ValueError("maps must hold at least one layer, got none")
    if not 0 <= asking < len(words):
        raise ValueError(f"asking must be from 0 to {len(words) - 1}, got {asking}")
    steps = list(next(iter(maps.values())))
    places = range(len(words)) if named is None else named
    labels = [words[place] for place in places]
    size = {"figsize": (1.35 * len(steps) + 0.9, 1.4 * len(maps) + 0.9), "squeeze": False}
    _, axes = plt.subplots(len(maps), len(steps), sharex=True, sharey=True, **size)
    colours = ListedColormap(["white", BLUE])
    for row, (name, found) in zip(axes, maps.items(), strict=True):
        row[0].set_ylabel(name)
        for ax, depends in zip(row, found.values(), strict=True):
            ax.imshow(depends.cpu().numpy(), cmap=colours, vmin=0, vmax=1)
            ax.set_xticks(places, labels, rotation=90)
            ax.set_yticks(places, labels)
            ax.tick_params(length=0)
            box = plt.Rectangle((-0.5, asking - 0.5), len(words), 1, fill=False, ec=RED, lw=2)
            ax.add_patch(box)
            ax.spines[:].set_visible(True)
            ax.spines[:].set_color(BLACK)
    for ax, step in zip(axes[0], steps, strict=True):
        ax.set_title(f"{step} step" + "s" * (step > 1))
    return [list(row) for row in axes]
