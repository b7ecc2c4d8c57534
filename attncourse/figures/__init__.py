"""Figures that are long, or that more than one chapter draws, and the style of all (every chapter).

| module | what it holds |
|---|---|
| `looks` | style, colours, boxes and arrows |
| `maps` | heatmaps, lit pictures, bands of measurements |
| `sentences` | sentences, and the recurrent translators (chapters 04 and 05) |
"""

from attncourse.figures.looks import (
    BLACK,
    BLUE,
    COLOURS,
    GREEN,
    ORANGE,
    PURPLE,
    RED,
    SKY,
    style,
)
from attncourse.figures.maps import bands, heatmap, spotlight
from attncourse.figures.sentences import crossing, encoder_decoder, length_curve, looking_back

__all__ = [
    "BLACK",
    "BLUE",
    "COLOURS",
    "GREEN",
    "ORANGE",
    "PURPLE",
    "RED",
    "SKY",
    "bands",
    "crossing",
    "encoder_decoder",
    "heatmap",
    "length_curve",
    "looking_back",
    "spotlight",
    "style",
]
