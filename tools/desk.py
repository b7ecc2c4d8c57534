"""The desk of the front page: a figure that answers, and a picture to share.

    python -m tools.desk

draws the picture, which social cards and the README show: the same desk twice, lit by the weights
of two queries. The build puts the figure into the page.
"""

from __future__ import annotations

import io

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
import yaml
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from attncourse.data.desk import THINGS, Desk, draw_desk
from attncourse.figures import BLUE, style
from attncourse.figures.live_desk import (
    COLUMNS,
    ROWS,
    coverage,
    red_and_light,
    turned,
    turned_query,
)
from tools.project import ROOT

MARKER = "<!--desk-->"  # where the figure stands in a page's source
CARD = ROOT / "_static" / "card.png"
WIDTH, HEIGHT = 1200, 630  # pixels, as those who show social cards ask for
QUERIES = {  # what is asked: where the query points, in degrees, and what answers
    "What stands out?": (330, "cup"),  # to red
    "I want to read.": (210, "book"),  # to neither red nor light
}
DARK = 0.45  # what is left of the light where there is no weight


def desk() -> Desk:
    return draw_desk(torch.Generator().manual_seed(9))


def figure() -> str:
    """Return the figure as HTML."""
    return turned_query(desk())._repr_html_()


def weights_of(degrees: float) -> Float[Tensor, "patch"]:
    """Return the weights of the patches, for a query that points so."""
    return (red_and_light(desk()) @ turned(degrees)).softmax(0)


def draw() -> None:
    """Draw the picture on a new figure of Matplotlib."""
    title = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["title"]
    shown = desk()
    picture, axes = plt.subplots(1, 2, figsize=(WIDTH / 100, HEIGHT / 100), layout="none")
    picture.subplots_adjust(left=0.03, right=0.97, top=0.8, bottom=0.16, wspace=0.04)
    picture.text(0.03, 0.85, title, fontsize=44, weight="bold")
    for ax, (asked, (degrees, thing)) in zip(axes, QUERIES.items(), strict=True):
        weights = weights_of(degrees)
        light = (weights / weights.max()).sqrt().view(1, 1, ROWS, COLUMNS)
        light = F.interpolate(light, shown.labels.shape, mode="bicubic").clamp(0, 1)[0, 0]
        lit = shown.image * (DARK + (1 - DARK) * light[..., None])
        ax.imshow(lit.numpy(), interpolation="bilinear")
        ax.set_axis_off()
        below = {"transform": ax.transAxes, "va": "top", "fontsize": 28}
        ax.text(0, -0.05, asked, **below)
        share = weights @ coverage(shown)[:, THINGS.index(thing)]
        ax.text(1, -0.05, f"{thing} {share:.0%}", **below, ha="right", color=BLUE, weight="bold")


def drawn() -> bytes:
    """Return the picture as PNG, in 256 colours to be small."""
    whole, small = io.BytesIO(), io.BytesIO()
    with plt.rc_context():
        style()
        draw()
        plt.savefig(whole, format="png", dpi=100)
        plt.close()
    Image.open(whole).convert("RGB").quantize(256).save(small, format="png", optimize=True)
    return small.getvalue()


if __name__ == "__main__":
    CARD.write_bytes(drawn())
    print(f"{CARD.relative_to(ROOT).as_posix()}: {CARD.stat().st_size / 1000:.0f} kB")
