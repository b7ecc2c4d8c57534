"""Figures of scenes (chapter 16): boxes on a picture, and where a query looks."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from torch import Tensor

from attncourse.figures.looks import BLACK, BLUE, GREEN


def scene(
    image: Tensor,
    boxes: Tensor | Sequence[Sequence[float]] = (),
    *,
    labels: Sequence[str] | None = None,
    colours: Sequence[str] | None = None,
    truth: Tensor | Sequence[Sequence[float]] = (),
    weights: Tensor | None = None,
    anchor: Tensor | Sequence[float] | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw a picture with boxes, and in green where a query looks, with the picture in grey.

    Args:
        image: (3, height, width), as bytes or from 0 to 1.
        boxes: (box, 4), corners as shares of the sides.
        labels: what stands at each box, in its colour.
        colours: of the boxes, by default all blue.
        truth: (object, 4), the objects' own boxes, drawn thin and white below the others.
        weights: (rows, columns), of the positions of a map, each a square; the greater, the
            greener.
        anchor: (4,), the box at which a layer starts, drawn dashed.
        title: above the picture.
        ax: where to draw, by default a new figure.

    Returns:
        The axes.

    Raises:
        ValueError: if labels or colours are not one a box, or the weights have not two axes.

    Example:
        >>> ax = scene(torch.rand(3, 6, 6), [[0.1, 0.2, 0.5, 0.9]], labels=["triangle"])
        >>> [text.get_text() for text in ax.texts]
        ['triangle']
    """
    boxes = [list(map(float, box)) for box in boxes]
    for name, given in (("labels", labels), ("colours", colours)):
        if given is not None and len(given) != len(boxes):
            raise ValueError(f"{name} must be one for each of {len(boxes)} boxes, got {len(given)}")
    if weights is not None and weights.dim() != 2:
        raise ValueError(f"weights must be (rows, columns), got shape {tuple(weights.shape)}")
    if ax is None:
        _, ax = plt.subplots(figsize=(3, 3))
    around = {"extent": (0, 1, 1, 0)}
    if weights is None:
        ax.imshow(image.movedim(0, -1).numpy(), **around)
    else:
        grey = image.float().mean(0) / (1 if image.is_floating_point() else 255)
        ax.imshow((0.4 + 0.6 * grey).numpy(), cmap="gray", vmin=0, vmax=1, **around)
        shade = torch.tensor(to_rgba(GREEN)).repeat(*weights.shape, 1)
        shade[..., 3] = 0.85 * weights / weights.max()
        ax.imshow(shade.numpy(), interpolation="nearest", **around)
    for box in truth:
        _frame(ax, box, edgecolor="white", lw=1)
    if anchor is not None:
        _frame(ax, anchor, edgecolor=BLACK, ls=(0, (3, 2)), lw=1.5)
    for i, box in enumerate(boxes):
        colour = BLUE if colours is None else colours[i]
        _frame(ax, box, edgecolor=colour, lw=2)
        if labels is not None:
            ground = {"facecolor": "black", "edgecolor": "none", "pad": 1}
            look = {"color": colour, "fontsize": 9, "va": "bottom", "bbox": ground}
            ax.text(box[0], max(box[1], 0.09), labels[i], **look)
    ax.set(xlim=(0, 1), ylim=(1, 0), xticks=[], yticks=[], title=title)
    return ax


def _frame(ax: Axes, box: Tensor | Sequence[float], **look) -> None:
    left, top, right, bottom = map(float, box)
    ax.add_patch(plt.Rectangle((left, top), right - left, bottom - top, fill=False, **look))
