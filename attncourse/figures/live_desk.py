"""A query that is turned over a desk, and where its attention goes (chapter 01)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from attncourse.data.desk import HEIGHT, THINGS, WIDTH, Desk
from attncourse.figures.live import LiveFigure
from attncourse.figures.live_svg import Number, discs, label, svg, tag
from attncourse.figures.looks import BLACK, BLUE, ORANGE

PATCH, SIDE = 16, 24  # of a patch, on the desk and in the picture
ROWS, COLUMNS = HEIGHT // PATCH, WIDTH // PATCH
TURN, LENGTH = 330, 2.0  # the query at the start: degrees, and standard deviations of the keys
ORIGIN, UNIT = (78, 326), 18  # of the plane in which the query turns
FULL = 54  # the length of a bar that has the whole weight
SPOT = 40  # the radius of a patch that has the whole weight
COLOURS = {"cup": "#d62621", "book": "#808ca3", "paper": "#e8e6e0", "pencil": "#4d4f4a"}
ALT = (
    "A desk from above, with a spot of weight on the red cup. Below it an arrow, the query, points "
    "to red and dark; of four bars, only that of the cup is long."
)


def turned_query(desk: Desk) -> LiveFigure:
    """Show a desk, and which patches of it a query finds that can be turned (chapter 01).

    The key of a patch has two of the chapter's four numbers: how red it is, and how light. The
    weights are those of `attention_weights` with the dot product as the score.

    Args:
        desk: the picture, and what lies where on it.

    Returns:
        A figure with two sliders, for the direction and the length of the query.

    Example:
        >>> from attncourse.data.desk import draw_desk
        >>> turned_query(draw_desk(torch.Generator().manual_seed(0))).name
        'desk'
    """
    key, cover = red_and_light(desk), coverage(desk)
    query = turned(TURN)
    weights = (key @ query).softmax(0)
    tenths = (10 * key).round().long().tolist()
    pixels = (PATCH**2 * cover).round().long().tolist()
    bare = max(tenths, key=tenths.count)
    data = {
        "columns": COLUMNS,
        "side": SIDE,
        "origin": ORIGIN,
        "unit": UNIT,
        "full": FULL,
        "spot": SPOT,
        "turn": TURN,
        "length": LENGTH,
        "things": THINGS[1:],
        "patches": ROWS * COLUMNS,
        "bare": bare,
        # All other patches: which it is, its key, and which things cover how many of its pixels.
        "others": [
            [place, *key, *(n for thing in enumerate(covered) if thing[1] for n in thing)]
            for place, (key, (desk, *covered)) in enumerate(zip(tenths, pixels, strict=True))
            if key != bare or desk < PATCH**2
        ],
    }
    parts = [*_desk(desk), *_spots(weights), *_plane(key, cover, query), *_bars(weights @ cover)]
    return LiveFigure("desk", data, svg(360, 404, *parts), ALT)


def turned(degrees: Number) -> Float[Tensor, "2"]:
    """Give the query that points so: red is 0 degrees, light is 90 (chapter 01)."""
    angle = math.radians(degrees)
    return LENGTH * torch.tensor([math.cos(angle), math.sin(angle)], dtype=torch.float64)


def red_and_light(desk: Desk) -> Float[Tensor, "patch 2"]:
    """Describe each patch by two numbers, in standard deviations, to one digit (chapter 01)."""
    red, green, blue = _patches(desk.image).mean(1).unbind(-1)
    numbers = torch.stack([red - green, (red + green + blue) / 3], 1)
    return ((numbers - numbers.mean(0)) / numbers.std(0)).round(decimals=1)


def coverage(desk: Desk) -> Float[Tensor, "patch thing"]:
    """Say which share of each patch each thing covers (chapter 01)."""
    return F.one_hot(_patches(desk.labels), len(THINGS)).double().mean(1)


def _patches(pixels: Tensor) -> Tensor:  # (height, width, ...) -> (patch, pixel, ...)
    tiles = pixels.unflatten(0, (ROWS, PATCH)).unflatten(2, (COLUMNS, PATCH))
    return tiles.movedim(2, 1).flatten(0, 1).flatten(1, 2)


def _desk(desk: Desk) -> list[str]:
    lines = "".join(f"M-28 {y}h56" for y in range(-16, 17, 8)) + "M0-24v48"
    drawn = {
        "paper": [tag("path", d="M-30-22h60v44h-60z")],
        "book": [
            tag("path", d="M-32-24h64v48h-64z"),
            tag("path", d=lines, stroke="#bcc6d4", stroke_width=2, stroke_dasharray="24 8"),
        ],
        "pencil": [tag("path", d="M-30-3h52l8 3l-8 3h-52z")],
        "cup": [
            tag("circle", cx=16, r=5, fill="none", stroke=COLOURS["cup"], stroke_width=3),
            tag("circle", r=14),
            tag("circle", r=10.5, fill="#851714"),
        ],
    }
    things = [
        tag(
            "g",
            *drawn[name],
            fill=COLOURS[name],
            transform=f"translate({column:.1f} {row:.1f})rotate({math.degrees(angle):.0f})",
        )
        for name, row, column, angle in desk.places
    ]
    ground = tag("rect", width=WIDTH, height=HEIGHT, fill="#ccc4ba")
    return [tag("g", ground, *things, transform=f"scale({SIDE / PATCH})")]


def _spots(weights: Tensor) -> list[str]:
    """Put a spot on each patch, its area the weight of the patch."""
    places = [
        (SIDE * (n % COLUMNS + 0.5), SIDE * (n // COLUMNS + 0.5)) for n in range(len(weights))
    ]
    radii = (SPOT * weights.sqrt()).tolist()
    drawn = discs((x, y, r) for (x, y), r in zip(places, radii, strict=True))
    return [
        tag(
            "path",
            at="spots",
            d=drawn,
            fill=ORANGE,
            fill_opacity=0.35,
            stroke=BLACK,
            stroke_width=0.5,
        )
    ]


def _plane(key: Tensor, cover: Tensor, query: Tensor) -> list[str]:
    """Draw the plane of keys: red to the right, light upwards, the query as a line."""
    (x, y), reach = ORIGIN, 4 * UNIT
    things = []
    for thing, parts in zip(THINGS[1:], cover.T[1:], strict=True):
        red, light = ((parts @ key) / parts.sum()).tolist()
        place = {"cx": x + UNIT * red, "cy": y - UNIT * light}
        things.append(tag("circle", **place, r=6, fill=COLOURS[thing]))
    red, light = query.tolist()
    tip = (x + UNIT * red, y - UNIT * light)
    arrow = [
        tag("line", at="query", x1=x, y1=y, x2=tip[0], y2=tip[1], stroke_width=4),
        tag("circle", at="end", cx=tip[0], cy=tip[1], r=7),
    ]
    return [
        tag("path", d=f"M6 {y}h186M{x} {y - reach}v{2 * reach}", stroke="#888"),
        label(192, y - 5, "red", text_anchor="end"),
        label(x + 5, y - reach + 9, "light"),
        tag("g", *things, stroke="currentColor"),
        tag("g", *arrow, color=BLUE, fill="currentColor", stroke="currentColor"),
        tag("path", at="plane", d=f"M0 {y - reach}h192v{2 * reach}H0z", opacity=0),
    ]


def _bars(shares: Tensor) -> list[str]:
    names, dots, bars, texts = [], [], [], []
    for row, (thing, share) in enumerate(zip(THINGS[1:], shares[1:].tolist(), strict=True)):
        y = ORIGIN[1] - 45 + 30 * row
        size = {"width": FULL * share, "height": 15}
        names.append(label(220, y, thing))
        dots.append(tag("circle", cx=211, cy=y - 5, r=5, fill=COLOURS[thing]))
        bars.append(tag("rect", at=f"{thing}-bar", x=266, y=y - 12, **size))
        texts.append(label(360, y, f"{share:.0%}", at=f"{thing}-share"))
    return [*names, *dots, tag("g", *bars, fill=ORANGE), tag("g", *texts, text_anchor="end")]
