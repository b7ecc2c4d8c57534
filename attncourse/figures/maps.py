"""Figures of numbers (every chapter): weights as a map, as light, and measurements as bands."""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from torch import Tensor

from attncourse.figures.looks import BLACK


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

    Many or long labels stay readable: they shrink a little, then stand upright. One of more than
    18 characters is cut, and where there is no room for all, every second or third is shown.

    Args:
        weights: (query, key).
        queries, keys: labels of the rows and columns, by default none.
        ax: where to draw, by default a new figure, made as large as the labels need.
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
    if numbers is None:
        numbers = weights.numel() <= 80
    rows, columns = weights.shape
    figure = None
    if ax is None:
        figure, ax = plt.subplots(layout="constrained")
        width = 0.5 if numbers else min(0.5, max(0.15, 4.5 / max(columns, 1)))  # of a cell
        height = min(0.36, max(0.15, 4.5 / max(rows, 1)))
    else:
        inches = ax.get_window_extent().transformed(ax.figure.dpi_scale_trans.inverted())
        width, height = inches.width / max(columns, 1), inches.height / max(rows, 1)
    ax.imshow(weights.numpy(), cmap="Blues", vmin=0, vmax=maximum, aspect="auto")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    beside = _write_labels(ax, "y", queries, height)
    below = _write_labels(ax, "x", keys, width)
    if figure is not None:
        figure.set_size_inches(columns * width + beside + 0.2, rows * height + below + 0.2)
    if numbers:
        for row, line in enumerate(weights.tolist()):
            for column, weight in enumerate(line):
                look = {"color": "white" if weight > 0.55 * maximum else BLACK, "fontsize": 10}
                ax.text(column, row, f"{weight:.2f}", ha="center", va="center", **look)
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


def _write_labels(ax: Axes, side: str, labels: Sequence[str] | None, cell: float) -> float:
    """Label the cells along x or y, each so many inches wide; return the inches that it takes."""
    axis = {"x": ax.xaxis, "y": ax.yaxis}[side]
    texts = [str(label) for label in ([] if labels is None else labels)]
    if not any(texts):  # empty ones have no size to fit
        axis.set_ticks([])
        return 0.0
    short = [text if len(text) <= 18 else f"{text[:17]}…" for text in texts]
    # A dollar in a text is no formula.
    axis.set_ticks(range(len(short)), short, parse_math=False)
    drawn = axis.get_ticklabels()
    if not drawn:  # a neighbour with the same axis shows them
        return 0.0

    def extent() -> tuple[float, float]:
        boxes = [label.get_window_extent() for label in axis.get_ticklabels()]
        dpi = ax.figure.dpi
        return max(box.width for box in boxes) / dpi, max(box.height for box in boxes) / dpi

    size = drawn[0].get_size()
    widest, line = extent()
    flat = side == "x" and widest * min(1, 10 / size) + 0.05 <= cell
    fitting = size * ((cell - 0.05) / widest if flat else 0.93 * cell / line)
    smallest = 6.0
    ax.tick_params(axis=side, labelsize=min(size, max(fitting, smallest)))
    if side == "x" and not flat:
        ax.tick_params(axis="x", rotation=90)
    if fitting < smallest:
        step = math.ceil(smallest / fitting)
        axis.set_ticks(range(0, len(short), step), short[::step], parse_math=False)
    return extent()[side == "x"]


def _require_tensors(**tensors: object) -> None:
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name} must be a tensor, got {type(tensor).__name__}")
