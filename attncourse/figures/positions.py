"""Figures of positions (chapter 08): a counter beside the waves, the waves as hands of clocks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from attncourse.figures.looks import BLUE, RED, arrow
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


def dials(width: int, starts: Sequence[int], shift: int, hands: int = 4) -> np.ndarray:
    """Draw the first waves of a code as clocks, before and after a shift (chapter 08).

    A hand's tip lies at (sine, cosine), so it starts at the top and goes clockwise.

    Args:
        width: of the code.
        starts: positions, a row for each.
        shift: how many tokens further the second hand of each dial stands.
        hands: how many waves are drawn, a column for each.

    Returns:
        The axes, (start, hand).

    Raises:
        ValueError: if the code has fewer waves than there are hands.

    Example:
        >>> axes = dials(16, starts=[2, 30], shift=5)
        >>> axes.shape, len(axes[0, 0].texts)
        ((2, 4), 2)
    """
    if 2 * hands > width:
        raise ValueError(f"hands must be {width // 2} or fewer for a width of {width}, got {hands}")
    size = (5.2, 1.5 * len(starts) + 0.5)
    _, axes = plt.subplots(len(starts), hands, figsize=size, squeeze=False)
    speed = [10_000 ** (-2 * i / width) for i in range(hands)]  # radians a token
    for row, start in zip(axes, starts, strict=True):
        for ax, radians in zip(row, speed, strict=True):
            ax.add_patch(plt.Circle((0, 0), 1, fill=False, color="grey"))
            for position, colour in ((start, BLUE), (start + shift, RED)):
                _hand(ax, radians * position, colour)
            angles = np.linspace(radians * start, radians * (start + shift), 100)
            ax.plot(0.45 * np.sin(angles), 0.45 * np.cos(angles), color="grey", lw=4, alpha=0.5)
            ax.set(xlim=(-1.15, 1.15), ylim=(-1.15, 1.15), aspect="equal", xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
        row[0].set_ylabel(f"from {start} to {start + shift}")
    for ax, radians in zip(axes[0], speed, strict=True):
        turn = math.degrees(radians * shift)
        ax.set_title(
            f"round in {2 * math.pi / radians:,.0f}\ntokens;\nturned {turn:.0f}°", loc="center"
        )
    return axes


def _hand(ax: Axes, angle: float, colour: str) -> None:
    tip = math.sin(angle), math.cos(angle)
    arrow(ax, (0, 0), tip, color=colour, linewidth=2)
