"""Figures of articles and their headlines (chapter 13): words marked, and where they came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from torch import Tensor

from attncourse.figures.looks import BLACK
from attncourse.figures.maps import heatmap

CHARACTER = 0.602  # width of a character of the monospaced font, in its size


def marked_text(
    lines: Sequence[Sequence[str]], colours: Mapping[str, str], *, width: float = 5.6
) -> Axes:
    """Write sentences one below the other, some words on a colour (chapter 13).

    Args:
        lines: the words of each.
        colours: for a word the colour that it stands on.
        width: of the figure, in inches; the letters are as large as the longest line allows.

    Returns:
        The axes.

    Raises:
        ValueError: if there is no word.

    Example:
        >>> from attncourse.figures import SKY
        >>> ax = marked_text([["rosa", "swims"], ["it", "rains"]], {"rosa": SKY})
        >>> [text.get_text() for text in ax.texts]
        ['rosa', 'swims', 'it', 'rains']
    """
    longest = max((len(" ".join(line)) for line in lines), default=0)
    if longest == 0:
        raise ValueError("lines must hold at least one word, got none")
    size = min(11.0, 72 * width / (longest + 1) / CHARACTER)
    height = 2.0 * size / 72  # of a line, in inches
    figure = plt.figure(figsize=(width, height * len(lines)), layout="none")
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(-0.5, 72 * width / size / CHARACTER - 0.5), ylim=(len(lines) - 0.5, -0.5))
    ax.set_axis_off()
    for row, line in enumerate(lines):
        column = 0
        for word in line:
            behind = {"facecolor": colours.get(word), "edgecolor": "none", "pad": 1.5, "alpha": 0.5}
            ax.text(
                column,
                row,
                word,
                family="monospace",
                size=size,
                va="center_baseline",
                color=BLACK,
                bbox=behind if word in colours else None,
                parse_math=False,
            )
            column += len(word) + 1
    return ax


def copy_map(
    weights: Tensor, gate: Tensor, *, summary: Sequence[str], article: Sequence[str]
) -> tuple[Axes, Axes]:
    """Draw how much of each word of a summary was copied, and from where (chapter 13).

    The article stands upright, so that its words can be read on a narrow screen. A weight counts
    as far as the gate is open: the map shows their product.

    Args:
        weights: (summary, article), of the copy, a column for each word that is written.
        gate: (summary,), the share of each that is copied.
        summary, article: their words.

    Returns:
        The axes of the map and those of the gate.

    Raises:
        ValueError: if the shapes disagree, or a label is missing or too many.

    Example:
        >>> import torch
        >>> axes = copy_map(torch.eye(2), torch.ones(2), summary=["a", "b"], article=["c", "d"])
        >>> [[label.get_text() for label in ax.get_yticklabels()] for ax in axes]
        [['c', 'd'], ['copied']]
    """
    if gate.shape != weights.shape[:1]:
        raise ValueError(
            f"gate must be one number for each row of weights {tuple(weights.shape)}, "
            f"got {tuple(gate.shape)}"
        )
    size = 0.45 * len(summary) + 1.2, 0.2 * len(article) + 1.6
    _, (copied, where) = plt.subplots(
        2, 1, figsize=size, layout="constrained", height_ratios=[1.5, max(len(article), 2)]
    )
    heatmap(gate[None], queries=["copied"], keys=summary, ax=copied, numbers=True)
    used = (gate[:, None] * weights).T  # (article, summary)
    heatmap(used, queries=article, keys=summary, ax=where, numbers=False)
    copied.xaxis.tick_top()
    return where, copied
