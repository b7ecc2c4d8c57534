"""Figures of positions (chapter 08): a counter beside the waves."""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
import numpy as np

from attncourse.positions import SinusoidalPositions


def counting(length: int, width: int) -> np.ndarray:
    """Draw positions as binary numbers, and beside them the sines of their codes (chapter 08).

    Both have their fastest column on the left.

    Args:
        length: number of positions, 0 to length - 1.
        width: of the code, twice the number of sines.

    Returns:
        Both axes.

    Raises:
        ValueError: if there are not two positions to compare.

    Example:
        >>> left, right = counting(8, 6)
        >>> left.get_images()[0].get_array().shape, right.get_images()[0].get_array().shape
        ((8, 3), (8, 3))
    """
    if length < 2:
        raise ValueError(f"length must be 2 or more, got {length}")
    _, axes = plt.subplots(1, 2, figsize=(5.2, 4.6), sharey=True, width_ratios=(4, 5))
    digits = 2 ** np.arange((length - 1).bit_length())
    bits = np.arange(length)[:, None] // digits % 2
    sines = SinusoidalPositions(width).code(length)[:, ::2].numpy()
    waves = [2 * math.pi * 10_000 ** (i / width) for i in range(0, width, 2)]
    shaded = {"aspect": "auto", "interpolation": "nearest"}
    axes[0].imshow(bits, cmap="Blues", vmin=0, vmax=1.3, **shaded)
    axes[0].set(title="bits", xlabel="worth of the bit", ylabel="position")
    axes[0].set_xticks(range(len(digits)), digits)
    image = axes[1].imshow(sines, cmap="RdBu", vmin=-1.2, vmax=1.2, **shaded)
    axes[1].set(title="sines of its code", xlabel="tokens once round")
    axes[1].set_xticks(range(0, len(waves), 5), [f"{wave:,.0f}" for wave in waves[::5]])
    plt.colorbar(image, ax=axes[1], label="sine", ticks=[-1, 0, 1])
    for ax in axes:
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    return axes
