"""Figures of numbers (every chapter): weights as a map, as light, and measurements as bands."""

from __future__ import annotations

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


def _require_tensors(**tensors: object) -> None:
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name} must be a tensor, got {type(tensor).__name__}")
