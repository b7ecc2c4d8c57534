"""Pictures in SVG, for the figures that answer (every chapter): the same bytes on every machine."""

from __future__ import annotations

import html
from collections.abc import Iterable

from attncourse.figures.looks import BLACK

Number = int | float


def svg(width: Number, height: Number, *parts: str) -> str:
    """Put parts together: dark on white as an image, in the page's own colours once inside it.

    Example:
        >>> svg(20, 10, label(10, 8, "n"))[-34:]
        '<text x="10" y="8">n</text>\\n</svg>'
    """
    opening = tag(
        "svg",
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_short(width)} {_short(height)}",
        font_size=13,
        fill="currentColor",
        style=f"background:#fff;color:{BLACK};font-family:sans-serif",
    ).removesuffix("/>")
    return "\n".join([opening + ">", *parts, "</svg>"])


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


def _short(value: object) -> str:
    """Write a number with one digit behind the point, and anything else as it is."""
    if not isinstance(value, (int, float)):
        return str(value)
    return f"{round(value, 1) + 0.0:.1f}".removesuffix(".0")  # adding 0.0 turns -0.0 into 0.0
