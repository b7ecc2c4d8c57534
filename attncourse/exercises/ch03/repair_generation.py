"""Find the bug (chapter 03): a map whose positions attend to each other."""

from __future__ import annotations

import math

import torch

from attncourse.exercises.ch03 import _broken
from attncourse.exercises.ch03._images import (
    CHANNELS,
    ROOT,
    VIEW,
    turned,
    viewed,
)
from attncourse.exercises.judging import Case, Exercise, Input, Misconception, alike


def mix(features):
    spots = features.flatten(2).mT  # (batch, position, channel)
    scores = spots @ spots.mT / math.sqrt(spots.shape[-1])
    attended = torch.softmax(scores, dim=-1) @ spots
    return attended.mT.reshape(features.shape)


def _mixed(spots=turned, back=lambda attended, shape: attended.mT.reshape(shape), dim=-1, root=1):
    def function(features):
        rows = spots(features)
        scores = rows @ rows.mT / math.sqrt(rows.shape[-1]) ** root
        return back(torch.softmax(scores, dim=dim) @ rows, features.shape)

    return function


def _summed(keep):
    def function(features):
        spots = turned(features)
        pooled = (torch.softmax(spots.sum(-1, keepdim=True), dim=1) * spots).sum(1)
        pooled = pooled[..., None, None]
        return pooled.expand_as(features) if keep else pooled

    return function


def _flattened(value):
    """(batch, position, channel) of a map, or nothing of what is no map."""
    return value.flatten(2).mT if value is not None and value.dim() == 4 else None


EXERCISE = Exercise(
    name="repair_generation",
    chapter="03",
    signature="mix(features) -> (batch, channel, height, width)",
    inputs=(Input("features", "batch channel height width"),),
    sizes={"batch": 2, "channel": 5, "height": 3, "width": 7},
    cases=(
        Case(label="two maps"),
        Case(label="one position", sizes={"height": 1, "width": 1}),
        *CHANNELS,
    ),
    misconceptions=(
        Misconception(
            "the sum over the positions leaves no map: the next layer needs height and width, "
            "and a map of one by one has lost them. Let each position ask, and keep its answer",
            (_broken.mix, _summed(False), _summed(True)),
        ),
        Misconception(
            "the way back is missing a transpose: what is attended is (batch, position, channel), "
            "and the map wants the channels first",
            (
                _mixed(back=lambda attended, shape: attended.reshape(shape)),
                _mixed(back=lambda attended, shape: attended.reshape(shape), root=0),
            ),
        ),
        Misconception(
            VIEW,
            (
                _mixed(viewed),
                _mixed(viewed, lambda attended, shape: attended.reshape(shape)),
            ),
        ),
        Misconception(
            "the channels attend to each other: rows are channels, not positions. Transpose "
            "after flatten(2)",
            (
                _mixed(lambda f: f.flatten(2), lambda attended, shape: attended.reshape(shape)),
                _mixed(
                    lambda f: f.flatten(2), lambda attended, shape: attended.reshape(shape), root=0
                ),
            ),
        ),
        Misconception(
            "your softmax runs over the positions that ask; the weights of each must sum to one "
            "over the positions that answer, the last axis",
            (_mixed(dim=1),),
        ),
        Misconception(ROOT, (_mixed(root=0),)),
        Misconception(
            "every position gets the same vector: nobody asks",
            (lambda features: features.mean((2, 3), keepdim=True).expand_as(features),),
            shows=lambda run, arguments: alike(1)(lambda given: _flattened(run(given)), arguments),
        ),
    ),
    hint="Before: how many positions has the map? After: how many are left? Self-attention gives "
    "each position an answer of its own; then the way back is the way in, reversed.",
    solution=mix,
    broken=_broken.mix,
)
