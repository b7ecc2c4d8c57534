"""Figures of scenes (chapter 16): boxes on a picture, and where a query looks."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from torch import Tensor

from attncourse.figures.looks import SKY


def scene(
    image: Tensor,
    boxes: Tensor | Sequence[Sequence[float]] = (),
    *,
    labels: Sequence[str] | None = None,
    colours: Sequence[str] | None = None,
    weights: Tensor | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw a picture with boxes, and with where a query looks: the rest is darkened.

    Args:
        image: (3, height, width), as bytes or from 0 to 1.
        boxes: (box, 4), corners as shares of the sides.
        labels: what stands at each box.
        colours: of the boxes, by default all light blue.
        weights: (rows, columns), of the positions of a map; where they are greatest the picture is
            as bright as it is.
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
    ax.imshow(image.movedim(0, -1).numpy(), extent=(0, 1, 1, 0))
    if weights is not None:
        shade = torch.zeros(*weights.shape, 4)  # black, more or less of it
        shade[..., 3] = 0.85 * (1 - weights / weights.max())
        ax.imshow(shade.numpy(), extent=(0, 1, 1, 0), interpolation="bilinear")
    for i, (left, top, right, bottom) in enumerate(boxes):
        colour = SKY if colours is None else colours[i]
        size = {"width": right - left, "height": bottom - top}
        ax.add_patch(plt.Rectangle((left, top), **size, fill=False, edgecolor=colour, lw=2))
        if labels is not None:
            ground = {"facecolor": "black", "edgecolor": "none", "pad": 1}
            look = {"color": "white", "fontsize": 9, "va": "bottom", "bbox": ground}
            ax.text(left, max(top, 0.09), labels[i], **look)
    ax.set(xlim=(0, 1), ylim=(1, 0), xticks=[], yticks=[], title=title)
    return ax
