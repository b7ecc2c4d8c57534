"""What came when: dates along a column of years, to scale, each with a text (chapter 20)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from matplotlib.axes import Axes

from attncourse.figures.looks import BLACK, BLUE


class Event(NamedTuple):
    """A date and what happened then."""

    date: float  # in years
    what: str


def preprint_date(arxiv: str) -> float:
    """Say when a preprint came out, from its number at arXiv (chapter 20).

    Args:
        arxiv: the number, such as "1706.03762": two digits of the year, two of the month. Numbers
            have been given so since April 2007.

    Returns:
        The middle of that month, in years.

    Raises:
        ValueError: if it is no such number.

    Example:
        >>> round(preprint_date("1706.03762"), 2)  # the middle of June 2017
        2017.46
    """
    found = re.fullmatch(r"(\d\d)(0[1-9]|1[0-2])\.\d{4,5}", arxiv)
    if not found:
        raise ValueError(f"arxiv must be a number such as 1706.03762, got {arxiv!r}")
    year, month = map(int, found.groups())
    return 2000 + year + (month - 0.5) / 12


def spread_out(places: Sequence[float], apart: float) -> list[float]:
    """Move places that stand too close away from each other, as little as need be (chapter 20).

    Args:
        places: in rising order.
        apart: the least distance that two neighbours are to have.

    Returns:
        As many places, in the same order.

    Raises:
        ValueError: if `apart` is not positive, or the places do not rise.

    Example:
        >>> spread_out([0.0, 0.0, 4.0], apart=1.0)
        [-0.5, 0.5, 4.0]
    """
    if not apart > 0:
        raise ValueError(f"apart must be positive, got {apart}")
    if any(later < earlier for earlier, later in pairwise(places)):
        raise ValueError(f"places must rise, got {list(places)}")
    # Neighbours that touch form a group, which stands where its members would on average.
    groups: list[list[float]] = []  # of each: how many, and the mean of where they begin
    for i, place in enumerate(places):
        groups.append([1, place - i * apart])
        while len(groups) > 1 and groups[-2][1] > groups[-1][1]:
            (n, one), (m, other) = groups[-2:]
            groups[-2:] = [[n + m, (n * one + m * other) / (n + m)]]
    starts = [start for count, start in groups for _ in range(count)]
    return [start + i * apart for i, start in enumerate(starts)]


def timeline(ax: Axes, events: Sequence[Event], *, apart: float, ticks: Sequence[int]) -> None:
    """Draw a column of years with a text at each event, the latest below (chapter 20).

    Args:
        ax: the axes to draw on.
        events: in the order of their dates.
        apart: the least distance between two texts, in years.
        ticks: the years to be written at the column.

    Example:
        >>> import matplotlib.pyplot as plt
        >>> _, ax = plt.subplots()
        >>> timeline(ax, [Event(1964.5, "a mean with weights")], apart=1.0, ticks=[1964, 1965])
        >>> ax.texts[0].get_text()
        'a mean with weights'
        >>> plt.close()
    """
    heights = spread_out([event.date for event in events], apart)
    for event, height in zip(events, heights, strict=True):
        ax.plot([0, 0.35, 0.8], [event.date, event.date, height], color="#999999", lw=0.8)
        ax.plot(0, event.date, "o", color=BLUE, ms=5)
        ax.text(1, height, event.what, va="center", fontsize=10)
    ax.plot([0, 0], [min(ticks), max(ticks)], color=BLACK, lw=1, zorder=0)
    ax.set(xlim=(-0.4, 11), yticks=ticks, xticks=[])
    ax.set_ylim(max(*ticks, *heights) + apart / 2, min(*ticks, *heights) - apart / 2)
    ax.spines[:].set_visible(False)
    ax.tick_params(left=False, labelsize=10)
