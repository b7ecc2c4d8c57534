"""Figures that more than one chapter draws, and the style of all of them (every chapter)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from torch import Tensor

# Okabe and Ito's palette, which colour-blind readers can tell apart; yellow is left out because
# it fades on white.
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, BLACK = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#222222",
)
COLOURS = (BLUE, RED, GREEN, ORANGE, PURPLE, SKY, BLACK)


def style() -> None:
    """Set Matplotlib's defaults for the book: white ground, large type, one palette.

    Example:
        >>> with plt.rc_context():  # the settings end with the block
        ...     style()
        ...     plt.rcParams["figure.dpi"]
        110.0
    """
    plt.rcParams.update(
        {
            "figure.figsize": (6.4, 3.6),
            "figure.dpi": 110,
            "figure.facecolor": "white",
            "figure.constrained_layout.use": True,
            "savefig.facecolor": "white",
            "font.size": 11,
            "axes.titlesize": 11,
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.prop_cycle": plt.cycler(color=COLOURS),
            "legend.frameon": False,
            "lines.linewidth": 2,
        }
    )


def heatmap(
    weights: Tensor,
    *,
    queries: Sequence[str] | None = None,
    keys: Sequence[str] | None = None,
    ax: Axes | None = None,
    numbers: bool | None = None,
    maximum: float = 1.0,
) -> Axes:
    """Draw attention weights: a row a query, a column a key, darker for more weight.

    Args:
        weights: (query, key).
        queries, keys: labels of the rows and columns, by default none.
        ax: where to draw, by default a new figure.
        numbers: whether to print each weight in its cell, by default where there are up to 80.
        maximum: the weight drawn darkest. Keep it equal in maps to be compared.

    Returns:
        The axes.

    Raises:
        TypeError: if `weights` is not a tensor.
        ValueError: if `weights` has not two axes, or a label is missing or too many.

    Example:
        >>> ax = heatmap(torch.eye(2), queries=["a", "b"], keys=["x", "y"])
        >>> [label.get_text() for label in ax.get_yticklabels()]
        ['a', 'b']
    """
    _require_tensors(weights=weights)
    if weights.dim() != 2:
        raise ValueError(f"weights must be (query, key), got shape {tuple(weights.shape)}")
    for name, labels, size in zip(("queries", "keys"), (queries, keys), weights.shape, strict=True):
        if labels is not None and len(labels) != size:
            raise ValueError(f"{name} must have {size} labels, got {len(labels)}")
    weights = weights.detach().to("cpu", torch.float32)
    if ax is None:
        height = 0.9 + 0.36 * weights.shape[0]
        _, ax = plt.subplots(figsize=(1.6 + 0.5 * weights.shape[1], height))
    ax.imshow(weights.numpy(), cmap="Blues", vmin=0, vmax=maximum, aspect="auto")
    ax.set_xticks(range(weights.shape[1]) if keys is not None else [], keys)
    ax.set_yticks(range(weights.shape[0]) if queries is not None else [], queries)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    if numbers if numbers is not None else weights.numel() <= 80:
        for row, line in enumerate(weights.tolist()):
            for column, weight in enumerate(line):
                colour = "white" if weight > 0.55 * maximum else BLACK
                ax.text(
                    column, row, f"{weight:.2f}", ha="center", va="center", color=colour, fontsize=9
                )
    return ax


def bands(ax: Axes, x: Tensor, samples: Tensor, *, label: str, colour: str | None = None) -> None:
    """Draw the median of repeated measurements as a line, and their quartiles as a band.

    Args:
        ax: where to draw.
        x: (point,), the horizontal positions.
        samples: (repetition, point), the measurements.
        label: the line's name in the legend.
        colour: by default the next of the palette.

    Raises:
        TypeError: if `x` or `samples` is not a tensor.
        ValueError: if the shapes disagree.

    Example:
        >>> _, ax = plt.subplots()
        >>> bands(ax, torch.arange(3), torch.rand(5, 3), label="five runs")
        >>> len(ax.lines)
        1
    """
    _require_tensors(x=x, samples=samples)
    if samples.dim() != 2 or x.shape != samples.shape[1:]:
        raise ValueError(
            "samples must be (repetition, point) with a point for each x, "
            f"got {tuple(samples.shape)} and x {tuple(x.shape)}"
        )
    quarters = torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)
    low, middle, high = samples.detach().cpu().double().quantile(quarters, dim=0).numpy()
    x = x.detach().cpu().double().numpy()
    (line,) = ax.plot(x, middle, label=label, color=colour)
    ax.fill_between(x, low, high, color=line.get_color(), alpha=0.2, linewidth=0)


def spotlight(ax: Axes, image: Tensor, weights: Tensor, title: str = "") -> None:
    """Draw a picture lit by attention: patches with weight are bright, the others dark.

    Args:
        ax: where to draw.
        image: (height, width, 3), colours from 0 to 1.
        weights: (rows, columns), a weight for each patch; the heaviest is fully lit.
        title: above the picture.

    Raises:
        TypeError: if `image` or `weights` is not a tensor.
        ValueError: if the patches do not divide the picture.

    Example:
        >>> _, ax = plt.subplots()
        >>> spotlight(ax, torch.rand(4, 6, 3), torch.ones(2, 3))
        >>> ax.get_images()[0].get_array().shape
        (4, 6, 3)
    """
    _require_tensors(image=image, weights=weights)
    if (
        image.dim() != 3
        or weights.dim() != 2
        or weights.numel() == 0
        or any(side % patches for side, patches in zip(image.shape[:2], weights.shape, strict=True))
    ):
        raise ValueError(
            f"weights {tuple(weights.shape)} must divide the image {tuple(image.shape)} in patches"
        )
    patch = [side // patches for side, patches in zip(image.shape[:2], weights.shape, strict=True)]
    image, weights = image.detach().cpu().double(), weights.detach().cpu().double()
    light = (weights / weights.max().clamp(min=1e-12)).sqrt()  # the root shows small weights too
    light = light.repeat_interleave(patch[0], 0).repeat_interleave(patch[1], 1)
    ax.imshow((image * (0.25 + 0.75 * light[..., None])).numpy())
    ax.set(title=title, xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def crossing(above: Sequence[str], below: Sequence[str], links: Iterable[tuple[int, int]]) -> Axes:
    """Draw a sentence above its translation, with a line between words that belong together.

    Args:
        above, below: the words of both.
        links: pairs (word above, word below); those past the end of a row are left out.

    Returns:
        The axes.

    Example:
        >>> ax = crossing(["green", "doors"], ["portes", "vertes"], [(0, 1), (1, 0), (7, 7)])
        >>> len(ax.lines), [text.get_text() for text in ax.texts]
        (2, ['green', 'doors', 'portes', 'vertes'])
    """
    _, ax = plt.subplots(figsize=(8.4, 2.2))
    places = []
    for words, height in ((above, 1), (below, 0)):
        widths = [len(word) + 2.5 for word in words]
        places.append([sum(widths[:i]) + widths[i] / 2 for i in range(len(words))])
        for word, x in zip(words, places[-1], strict=True):
            ax.text(x, height, word, ha="center", va="center")
    for i, j in links:
        if i < len(above) and j < len(below):
            ax.plot([places[0][i], places[1][j]], [0.85, 0.15], color=BLUE, lw=1.2)
    ax.set(xlim=(-1, max(map(max, places)) + 5), ylim=(-0.2, 1.2))
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
    _, ax = plt.subplots(figsize=(8.4, 2.8))
    for i, word in enumerate(source):
        _box(ax, i, 0, BLUE, below=word)
        _arrow(ax, (i + 0.7, 0.35), (i + 1 if i + 1 < len(source) else i + 1.2, 0.35))
    middle, first = len(source) + 0.2, len(source) + 1.4
    _box(ax, middle, 0, RED, above="context", arrows=False)
    for i, (read, written) in enumerate(zip(["<bos>", *target], target, strict=False)):
        _arrow(ax, (first + i - 0.3 - 0.2 * (i == 0), 0.35), (first + i, 0.35))
        _box(ax, first + i, 0, GREEN, below=read, above=written)
    ax.text(0, 1.5, "encoder", color=BLUE)
    ax.text(first + len(target) - 0.3, 1.9, "decoder", color=GREEN, ha="right")
    ax.set(xlim=(-0.2, first + len(target)), ylim=(-1, 2.2), aspect="equal")
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
    _, ax = plt.subplots(figsize=(8.4, 3.4))
    middle, right = 0.6 * len(source), 1.2 * len(source) + 0.9
    for i, (word, weight) in enumerate(zip(source, weights, strict=True)):
        _box(ax, 1.2 * i, 0, BLUE, inside=f"$h_{{{i + 1}}}$", below=word)
        ax.plot([1.2 * i + 0.35, middle + 0.35], [0.7, 1.9], color=RED, lw=0.5 + 7 * weight)
        ax.text(1.2 * i + 0.45, 0.75, f"{weight:.2f}", fontsize=8, zorder=4)
    _box(ax, middle, 1.9, RED, inside="$c_3$")
    for i in range(2):
        state = f"$s_{i + 2}$"
        _box(ax, right + 1.6 * i, 0.7, GREEN, state, below=target[i], above=target[i + 1])
    _arrow(ax, (right + 0.7, 1.05), (right + 1.6, 1.05))
    _arrow(ax, (middle + 0.75, 2.25), (right + 1.6, 1.4))
    _arrow(ax, (right, 1.05), (1.2 * len(source) - 0.45, 0.45), linestyle="--")
    ax.text(right - 0.75, 0.35, "asks")
    ax.set(xlim=(-0.3, right + 2.6), ylim=(-1, 2.8), aspect="equal")
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


def _box(ax, x, y, colour, inside="", *, below="", above="", arrows=True) -> None:
    """Draw a box 0.7 wide, with what goes into it from below and what comes out above."""
    ax.add_patch(plt.Rectangle((x, y), 0.7, 0.7, color=colour, zorder=3))
    ax.text(x + 0.35, y + 0.35, inside, ha="center", va="center", color="white", zorder=4)
    ax.text(x + 0.35, y - 0.75, below, ha="center", va="center")
    ax.text(x + 0.35, y + (1.4 if arrows else 0.95), above, ha="center", va="center")
    if below:
        _arrow(ax, (x + 0.35, y - 0.5), (x + 0.35, y))
    if above and arrows:
        _arrow(ax, (x + 0.35, y + 0.7), (x + 0.35, y + 1.2))


def _arrow(ax, start, end, **line) -> None:
    looks = {"arrowstyle": "->", "color": BLACK, "shrinkA": 0, "shrinkB": 0, **line}
    ax.annotate("", end, start, arrowprops=looks)


def _require_tensors(**tensors: object) -> None:
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name} must be a tensor, got {type(tensor).__name__}")
