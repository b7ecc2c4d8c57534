"""Find the bug (chapter 17): what attention found, put back into the map in the wrong order."""

from __future__ import annotations

import math

import torch

from attncourse.exercises.ch17 import _broken
from attncourse.exercises.judging import (
    BFLOAT16,
    FLOAT64,
    STRIDED,
    Case,
    Exercise,
    Input,
    Misconception,
)


def gated_map(x, gate):
    positions = x.flatten(2).mT  # (batch, position, channels)
    scores = positions @ positions.mT / math.sqrt(x.shape[1])
    found = torch.softmax(scores, dim=-1) @ positions  # (batch, position, channels)
    return x + gate * found.mT.reshape(x.shape)


def _halves(shape, case, generator):
    """Draw a gate that is neither closed nor wide open."""
    return torch.tensor(0.5)


def _gated(axis=-1, add=lambda x, gate, found: x + gate * found, scale=math.sqrt):
    """The layer with another softmax, another sum at its end, or another scale."""

    def function(x, gate):
        positions = x.flatten(2).mT
        scores = positions @ positions.mT / scale(x.shape[1])
        found = scores.softmax(axis) @ positions
        return add(x, gate, found.mT.reshape(x.shape))

    return function


def _rows_and_columns_swapped(x, gate):
    return x + gate * (gated_map(x, 1.0) - x).mT.reshape(x.shape)


EXERCISE = Exercise(
    name="gated_map",
    chapter="17",
    signature="gated_map(x, gate) -> (batch, channels, rows, columns)",
    inputs=(Input("x", "batch channels rows columns"), Input("gate", draw=_halves)),
    sizes={"batch": 2, "channels": 3, "rows": 5, "columns": 7},
    cases=(
        Case(label="maps of 5 x 7"),
        Case(label="one map", sizes={"batch": 1}),
        Case(label="square maps", sizes={"rows": 3, "columns": 3}),
        Case(label="as many channels as positions", sizes={"channels": 6, "rows": 2, "columns": 3}),
        Case(label="a closed gate", given={"gate": torch.tensor(0.0)}),
        Case(label="an open gate", given={"gate": torch.tensor(1.0)}),
        Case(label="large scores", scale={"x": 5.0}),
        STRIDED,
        FLOAT64,
        BFLOAT16,
    ),
    misconceptions=(
        Misconception(
            "what was found is (batch, position, channels), and a reshape deals it out as if the "
            "channels came first: the picture is torn. Transpose before you reshape. (While the "
            "gate is closed nobody notices)",
            (_broken.gated_map,),
        ),
        Misconception(
            "rows and columns have changed places in what was found",
            (_rows_and_columns_swapped,),
        ),
        Misconception(
            "the gate mixes the two; it should only scale what is added, so that the map itself "
            "stays whole",
            (
                _gated(add=lambda x, gate, found: (1 - gate) * x + gate * found),
                _gated(add=lambda x, gate, found: gate * x + (1 - gate) * found),
            ),
        ),
        Misconception(
            "the map itself is lost: what was found is added to it",
            (_gated(add=lambda x, gate, found: gate * found),),
        ),
        Misconception(
            "the gate stands at the map, not at what was found",
            (_gated(add=lambda x, gate, found: gate * x + found),),
        ),
        Misconception(
            "there is no gate: what was found is added whole",
            (_gated(add=lambda x, gate, found: x + found),),
        ),
        Misconception(
            "the gate is squashed before it is used: at 0 it would be half open",
            (
                _gated(add=lambda x, gate, found: x + torch.sigmoid(gate) * found),
                _gated(add=lambda x, gate, found: x + torch.tanh(gate) * found),
            ),
        ),
        Misconception(
            "your softmax runs over the queries; each position's weights must sum to one over the "
            "positions that it looks at, the last axis",
            (_gated(axis=-2),),
        ),
        Misconception(
            "your softmax runs over the batch, so one picture changes another",
            (_gated(axis=0),),
        ),
        Misconception(
            "the scores are not divided by the root of the number of channels",
            (_gated(scale=lambda channels: 1), _gated(scale=lambda channels: channels)),
        ),
    ),
    hint="Write down the shape of `found`, axis by axis, and then the shape that it is given. "
    "Which axis do both have last?",
    solution=gated_map,
    broken=_broken.gated_map,
)
