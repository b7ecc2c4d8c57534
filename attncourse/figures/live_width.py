"""The width of a kernel, and what it does to the curve and its error (chapter 02)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from attncourse.figures.live import LiveFigure
from attncourse.figures.live_svg import Scale, axis_below, axis_left, discs, label, line, svg, tag
from attncourse.figures.looks import BLUE, ORANGE, RED
from attncourse.kernels import NadarayaWatson

HOUR = 16.5  # at the start: the hour asked about
POWER = -1.0  # and the width, in doublings of one hour
POWERS = torch.arange(-5, 2.01, 0.25).tolist()  # what the slider offers
HOURS, LEVELS = Scale(0, 24, start=34, end=350), Scale(-2.1, 2.1, start=170, end=18)
ALONG, HEIGHTS = Scale(-5, 2, start=34, end=350), Scale(0, 100, start=290, end=230)
DISC = 20  # the radius of a message that has the whole weight
ALT = (
    "Water levels over a day, and a curve that follows their two waves. Discs of weight lie on the "
    "dots around 16:30. Below, the error over the width: a valley, deepest near 0.5."
)


def moving_width(
    key: Float[Tensor, "key 1"],
    value: Float[Tensor, "key 1"],
    query: Float[Tensor, "query 1"],
    truth: Float[Tensor, "query 1"],
) -> LiveFigure:
    """Show `NadarayaWatson` over a day, with an hour and a width that can be moved (chapter 02).

    Args:
        key: hours of the messages that arrived, from 0 to 24.
        value: the water levels in them, in metres.
        query: hours of the lost messages.
        truth: the true levels at these hours.

    Returns:
        A figure with two sliders, for the hour that is asked about and for the kernel's width.

    Example:
        >>> key, query = torch.tensor([[3.0], [9.0]]), torch.tensor([[6.0]])
        >>> moving_width(key, key / 10, query, query / 10).name
        'width'
    """
    key, value = key.double(), value.double()

    def estimate(query: Tensor, power: float) -> Tensor:
        return NadarayaWatson(bandwidth=2.0**power)(query.double(), key, value)[:, 0]

    errors = [  # in centimetres
        round(100 * (estimate(query, power) - truth[:, 0]).square().mean().sqrt().item(), 1)
        for power in POWERS
    ]
    data = {
        "key": key[:, 0],
        "value": value[:, 0].round(decimals=3),
        "errors": errors,
        "hour": HOUR,
        "power": POWER,
        "disc": DISC,
        "hours": HOURS.numbers,
        "levels": LEVELS.numbers,
        "powers": ALONG.numbers,
        "heights": HEIGHTS.numbers,
    }
    every = torch.arange(0, 24.1, 0.75)
    curve = zip(every.tolist(), estimate(every[:, None], POWER).tolist(), strict=True)
    drawn = line((HOURS(hour), LEVELS(level)) for hour, level in curve)
    error = errors[POWERS.index(POWER)]
    asked = torch.tensor([[HOUR]], dtype=torch.float64)
    answer = estimate(asked, POWER).item()
    weights = NadarayaWatson(bandwidth=2.0**POWER).score(asked, key)[0].softmax(0)
    parts = [
        *_axes(),
        *_messages(key[:, 0], value[:, 0], weights),
        tag("line", at="hour", x1=HOURS(HOUR), x2=HOURS(HOUR), y1=170, y2=18, stroke="#888"),
        tag(
            "g",
            tag("path", at="curve", d=drawn),
            tag("path", d=line(zip(map(ALONG, POWERS), map(HEIGHTS, errors), strict=True))),
            color=BLUE,
            stroke="currentColor",
            stroke_width=2,
            fill="none",
        ),
        tag(
            "g",
            tag("circle", at="answer", cx=HOURS(HOUR), cy=LEVELS(answer), r=6),
            tag("circle", at="error", cx=ALONG(POWER), cy=HEIGHTS(error), r=6),
            color=RED,
            fill="currentColor",
        ),
        tag("path", at="plot", d="M34 10H350V170H34z", opacity=0),
    ]
    return LiveFigure("width", data, svg(360, 326, *parts), ALT)


def _axes() -> list[str]:
    return [
        *axis_below(HOURS, 170, {str(hour): hour for hour in range(0, 25, 6)}),
        *axis_left(LEVELS, 34, {"−2": -2, "0": 0, "2": 2}),
        label(38, 14, "water level (m)"),
        label(350, 202, "hour of the day", text_anchor="end"),
        *axis_below(ALONG, 290, {"0.06": -4, "0.25": -2, "1": 0, "4": 2}),
        *axis_left(HEIGHTS, 34, {"0": 0, "100": 100}),
        label(38, 226, "error at the lost hours (cm)"),
        label(350, 322, "width (hours)", text_anchor="end"),
    ]


def _messages(hours: Tensor, levels: Tensor, weights: Tensor) -> list[str]:
    """Draw the messages as dots, with a disc around each whose area is its weight."""
    places = zip(map(HOURS, hours.tolist()), map(LEVELS, levels.tolist()), strict=True)
    around = [
        (x, y, DISC * weight**0.5) for (x, y), weight in zip(places, weights.tolist(), strict=True)
    ]
    dots = "".join(f"M{x:.0f} {y:.0f}h0" for x, y, _ in around)
    return [
        tag("path", d=dots, stroke="#888", stroke_width=4, stroke_linecap="round"),
        tag("path", at="weights", d=discs(around), fill=ORANGE, fill_opacity=0.6),
    ]
