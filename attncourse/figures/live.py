"""Figures that answer when a reader moves something, in book and notebook alike (every chapter).

Python draws a picture and hands over data; a small module of `attncourse/browser/figures/` puts
sliders below the picture and moves its parts. Where no script runs, the picture stands alone.
Script, style and picture are parts of the output: nothing is loaded.
"""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from torch import Tensor

MODULES = Path(__file__).parents[1] / "browser" / "figures"
SHARED = {"live", "buttons", "discs", "numbers", "scale"}  # modules that the figures' own import
_IMPORT = re.compile(r'^import .*? from "\./(\w+)\.js";\n', re.MULTILINE)
_LEFT_OUT = re.compile(r"^export |^ *(//.*|/\*\*.*\*/)\n|(?<=;) // .*$|^ +|^\n", re.MULTILINE)
_AS_IT_IS = " '/:;,.=()-"  # in the address of a picture: no sign with a meaning in HTML
_SPACED = re.compile(r'("[^"]*"|`[^`]*`)| ?([^\w\s"`$]+) ?')  # strings stay as they are


@dataclass(frozen=True)
class LiveFigure:
    """A picture whose parts move where scripts run, and that is whole where they do not.

    Attributes:
        name: of its module in `attncourse/browser/figures/`.
        data: what the module needs: numbers, texts, tensors, and lists and mappings of them.
        picture: SVG, with a `data-at` on each part that moves.
        alt: what the picture shows, for readers who do not see it.

    Raises:
        ValueError: if no module has this name, or the data hold a number that is not finite.
        TypeError: if the data hold something else.

    Example:
        >>> from attncourse.figures.live_svg import svg, tag
        >>> picture = svg(20, 20, tag("circle", at="point", cx=10, cy=10, r=5))
        >>> LiveFigure("desk", {"radius": 5}, picture, alt="A round point.")
        <LiveFigure desk: A round point.>
    """

    name: str
    data: Mapping[str, object]
    picture: str
    alt: str

    def __post_init__(self) -> None:
        known = sorted({path.stem for path in MODULES.glob("*.js")} - SHARED)
        if self.name not in known:
            raise ValueError(f"no figure is called {self.name!r}; there are: {', '.join(known)}")
        object.__setattr__(self, "data", _plain(self.data, "data"))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {self.alt}>"

    def _repr_html_(self) -> str:
        picture = quote(self.picture.replace('"', "'"), safe=_AS_IT_IS)
        data = json.dumps(self.data, separators=(",", ":"))
        data = data.replace("<", "\\u003c")  # it could end the element around it
        return (
            f'<div class="live" data-name="{self.name}">\n<style>{style(self.picture)}</style>\n'
            f'<img alt="{html.escape(self.alt)}" src="data:image/svg+xml,{picture}">\n'
            f'<script type="application/json">{data}</script>\n'
            f'<script type="module">\n{script(self.name)}</script>\n</div>'
        )


def style(picture: str) -> str:
    """Return the style of all figures, with rules for those colours only that the picture has."""
    lines = (MODULES / "live.css").read_text(encoding="utf-8").splitlines()
    colours = {line: re.search(r'="(#\w+)"', line) for line in lines}
    kept = [line for line, colour in colours.items() if not colour or colour[1] in picture]
    return re.sub(r"\s*([{};])\s*", r"\1", "".join(kept))


def script(name: str) -> str:
    """Return a module and what it imports as one script, without comments and needless spaces."""
    parts: dict[str, str] = {}

    def collect(name: str) -> None:
        text = (MODULES / f"{name}.js").read_text(encoding="utf-8")
        for imported in _IMPORT.findall(text):
            collect(imported)
        text = _LEFT_OUT.sub("", _IMPORT.sub("", text))
        parts.setdefault(name, _SPACED.sub(lambda found: found[1] or found[2], text))

    collect(name)
    return "".join(parts.values())


def _plain(value: object, where: str) -> object:
    """Return what JSON can write, with numbers of six digits."""
    if isinstance(value, Tensor):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(inner, f"{where}[{key!r}]") for key, inner in value.items()}
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{where} is {value}; a figure shows finite numbers only")
        short = float(f"{value:.6g}")
        return int(short) if short.is_integer() else short
    if isinstance(value, str | int):
        return value
    if isinstance(value, Sequence):
        return [_plain(inner, f"{where}[{place}]") for place, inner in enumerate(value)]
    raise TypeError(f"{where} is of the type {type(value).__name__}, which no figure can show")
