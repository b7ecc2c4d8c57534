"""What the repairs of images share (chapter 03).

Features are (batch, channel, height, width); attention wants (batch, position, channel).
"""

from __future__ import annotations

from attncourse.exercises.judging import BFLOAT16, FLOAT64, STRIDED, Case


def turned(features):
    return features.flatten(2).mT


def viewed(features):
    """The mistake of many: the shape that is wanted, with the numbers in another order."""
    return features.reshape(len(features), -1, features.shape[1])


VIEW = (
    "your view gives the shape that is wanted with the numbers in another order: a row is then a "
    "mixture of channels and positions. Flatten height and width, then transpose: "
    "features.flatten(2).mT"
)
ROOT = "your scores are not divided by the root of the number of channels"
CHANNELS = (
    Case(label="as many positions as channels", sizes={"channel": 6, "height": 2, "width": 3}),
    STRIDED,
    FLOAT64,
    BFLOAT16,
)
