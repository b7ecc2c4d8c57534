"""Pictures in SVG, for the figures that answer (every chapter): the same bytes on every machine."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from attncourse.figures.looks import BLACK

Number = int | float


def svg(width: Number, height: Number, *parts: str) -> str:
    """Put parts together: dark on white as an image, in the page's own colours once inside it.

    Example:
        >>> svg(20, 10, label(10, 8, "n"))[-33:]
        '<text x="10" y="8">n</text></svg>'
    """
    opening = tag(
        "svg",
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_short(width)} {_short(height)}",
        font_size=13,
        fill="currentColor",
        style=f"background:#fff;color:{BLACK};font-family:sans-serif",
    ).removesuffix("/>")
    return "".join([opening + ">", *parts, "</svg>"])


def tag(name: str, *inside: str, at: str = "", **attributes: object) -> str:
    """Write an element; `at` is the name by which the figure's module finds it.

    Example:
        >>> tag("line", at="query", x1=0, y1=2 / 3, stroke_width=2)
        '<line x1="0" y1="0.7" stroke-width="2" data-at="query"/>'
    """
    if at:
        attributes["data_at"] = at
    written = "".join(
        f' {key.replace("_", "-")}="{html.escape(_short(value))}"'
        for key, value in attributes.items()
    )
    return f"<{name}{written}>{''.join(inside)}</{name}>" if inside else f"<{name}{written}/>"


def label(x: Number, y: Number, text: str, **attributes: object) -> str:
    """Write a text; whatever it holds, it is text.

    Example:
        >>> label(0, 12.25, "a < b", text_anchor="end")
        '<text x="0" y="12.2" text-anchor="end">a &lt; b</text>'
    """
    return tag("text", html.escape(text), x=x, y=y, **attributes)


def line(points: Iterable[tuple[Number, Number]]) -> str:
    """Write the way through points, as the attribute `d` of a path.

    Example:
        >>> line([(0, 1), (2.55, 3), (4, -0.01)])
        'M0 1L2.5 3L4 0'
    """
    return "M" + "L".join(f"{_short(x)} {_short(y)}" for x, y in points)


def discs(places: Iterable[tuple[Number, Number, Number]]) -> str:
    """Write discs with a centre and a radius as one path; those smaller than a pixel are left out.

    Example:
        >>> discs([(5, 5, 2), (9, 5, 0.5)])
        'M3 5a2 2 0 1 0 4 0a2 2 0 1 0-4 0'
    """
    ways = []
    for x, y, r in places:
        half = f"a{_short(r)} {_short(r)} 0 1 0"
        if r > 1:
            ways.append(
                f"M{_short(x - r)} {_short(y)}{half} {_short(2 * r)} 0{half}-{_short(2 * r)} 0"
            )
    return "".join(ways)


@dataclass(frozen=True)
class Scale:
    """From what is measured to a place in the picture; the module gets the four numbers.

    Example:
        >>> hours = Scale(0, 24, start=30, end=350)
        >>> hours(12)
        190.0
        >>> hours.numbers
        [0, 24, 30, 350]
    """

    low: Number
    high: Number
    start: Number
    end: Number

    def __call__(self, value: Number) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    @property
    def numbers(self) -> list[Number]:
        return [self.low, self.high, self.start, self.end]


def axis_below(scale: Scale, y: Number, ticks: Mapping[str, Number]) -> list[str]:
    """Draw an axis from left to right, with a label at each tick."""
    marks = "".join(f"M{_short(scale(place))} {_short(y)}v4" for place in ticks.values())
    line = f"M{_short(scale.start)} {_short(y)}H{_short(scale.end)}"
    texts = [label(scale(place), y + 17, text) for text, place in ticks.items()]
    return [tag("path", d=line + marks, stroke="#888"), tag("g", *texts, text_anchor="middle")]


def axis_left(scale: Scale, x: Number, ticks: Mapping[str, Number]) -> list[str]:
    """Draw an axis from below to above, with a label at each tick."""
    marks = "".join(f"M{_short(x)} {_short(scale(place))}h-4" for place in ticks.values())
    line = f"M{_short(x)} {_short(scale.start)}V{_short(scale.end)}"
    texts = [label(x - 7, scale(place) + 4, text) for text, place in ticks.items()]
    return [tag("path", d=line + marks, stroke="#888"), tag("g", *texts, text_anchor="end")]


def _short(value: object) -> str:
    """Write a number with one digit behind the point, and anything else as it is."""
    if not isinstance(value, (int, float)):
        return str(value)
    return f"{round(value, 1) + 0.0:.1f}".removesuffix(".0")  # adding 0.0 turns -0.0 into 0.0
