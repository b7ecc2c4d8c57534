"""The code of a position as clocks, and another so many tokens further (chapter 08)."""

from __future__ import annotations

import math

from attncourse.figures.live import LiveFigure
from attncourse.figures.live_svg import label, svg, tag
from attncourse.figures.looks import BLUE, RED

HANDS = 8
HAND, ARC = 34, 16  # the radius of a clock, and of the arc between its two hands
PLACES = [(46 + 89 * (hand % 4), 76 + 118 * (hand // 4)) for hand in range(HANDS)]
START, SHIFT = 0, 5
ALT = (
    "Eight clocks, each slower than the one before. A blue hand points upwards in all; an "
    "orange-red hand has turned from it by 286, 91, 29, 9, 3, 1, 0 and 0 degrees."
)


def turning_hands() -> LiveFigure:
    """Show a sinusoidal code of 16 numbers as 8 clocks, at two positions (chapter 08).

    The tip of a hand lies at (sine, cosine), so it starts at the top and goes clockwise.

    Returns:
        A figure with two sliders, for a position and for how many tokens further the other is.

    Example:
        >>> turning_hands().name
        'clocks'
    """
    speeds = [10_000 ** (-hand / HANDS) for hand in range(HANDS)]  # radians a token
    turns = [speed * SHIFT for speed in speeds]
    clocks, words = [], []
    for number, (x, y) in enumerate(PLACES):
        around, turned = 2 * math.pi / speeds[number], math.degrees(turns[number])
        clocks.append(tag("circle", cx=x, cy=y, r=HAND, fill="none", stroke="#888"))
        words.append(label(x, y - HAND - 8, f"{around:,.0f}"))
        words.append(label(x, y + HAND + 18, f"{turned:.0f}°", at=f"turn{number}"))
    arcs = "".join(
        f"M{_tip(place, 0.0, ARC)}A{ARC} {ARC} 0 {int(turn > math.pi)} 1 {_tip(place, turn, ARC)}"
        for place, turn in zip(PLACES, turns, strict=True)
    )
    parts = [
        label(0, 12, "one turn, in tokens:"),
        *clocks,
        tag("g", *words, text_anchor="middle"),
        tag("path", at="arcs", d=arcs, fill="none", stroke="#888", stroke_width=5),
        tag(
            "path",
            at="first",
            d=_hands([0.0] * HANDS),
            color=BLUE,
            stroke="currentColor",
            stroke_width=4,
        ),
        tag(
            "path", at="second", d=_hands(turns), color=RED, stroke="currentColor", stroke_width=2.5
        ),
    ]
    data = {
        "speeds": speeds,
        "places": PLACES,
        "hand": HAND,
        "arc": ARC,
        "start": START,
        "shift": SHIFT,
    }
    return LiveFigure("clocks", data, svg(360, 254, *parts), ALT)


def _hands(angles: list[float]) -> str:
    return "".join(
        f"M{place[0]} {place[1]}L{_tip(place, angle, HAND)}"
        for place, angle in zip(PLACES, angles, strict=True)
    )


def _tip(place: tuple[int, int], angle: float, radius: int) -> str:
    return f"{place[0] + radius * math.sin(angle):.1f} {place[1] - radius * math.cos(angle):.1f}"
