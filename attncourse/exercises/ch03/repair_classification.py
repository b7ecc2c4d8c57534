"""Find the bug (chapter 03): what a classifier reads of an image."""

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
from attncourse.exercises.judging import Case, Exercise, Input, Misconception, blind_to


def pool_image(query, features):
    spots = features.flatten(2).mT  # (batch, position, channel)
    scores = spots @ query.unsqueeze(-1) / math.sqrt(query.shape[-1])
    weights = torch.softmax(scores, dim=1)  # (batch, position, 1)
    return (weights * spots).sum(1)


def _pooled(spots=turned, dim=1, root=True):
    def function(query, features):
        rows = spots(features)
        scores = rows @ query.unsqueeze(-1)
        scores = scores / math.sqrt(query.shape[-1]) if root else scores
        return (torch.softmax(scores, dim=dim) * rows).sum(1)

    return function


def _flat(dim, root=True):
    """As the broken one: channels where positions are due."""

    def function(query, features):
        spots = features.flatten(2)
        scores = spots @ query.unsqueeze(-1)
        scores = scores / math.sqrt(query.shape[-1]) if root else scores
        return (torch.softmax(scores, dim=dim) * spots).sum(2)

    return function


EXERCISE = Exercise(
    name="repair_classification",
    chapter="03",
    signature="pool_image(query, features) -> (batch, channel)",
    inputs=(Input("query", "batch channel"), Input("features", "batch channel height width")),
    sizes={"batch": 2, "channel": 5, "height": 3, "width": 7},
    cases=(
        Case(label="two images"),
        Case(label="one position", sizes={"height": 1, "width": 1}),
        *CHANNELS,
    ),
    misconceptions=(
        Misconception(
            "channels meet positions: the query has a number for each channel, but the last axis "
            "of your features is the positions. It runs only where they happen to be equally "
            "many: transpose before you multiply",
            (_broken.pool_image, *(_flat(dim, root) for dim in (2, 1) for root in (True, False))),
        ),
        Misconception(
            "every weight is 1: your softmax runs over an axis of length one, so the answer is "
            "the plain sum. Normalise over the positions",
            (_pooled(dim=-1), lambda query, features: features.sum((2, 3))),
        ),
        Misconception(VIEW, (_pooled(viewed), _pooled(viewed, root=False))),
        Misconception(ROOT, (_pooled(root=False),)),
        Misconception(
            "your softmax runs over the batch, so one image takes weight from another",
            (_pooled(dim=0),),
        ),
        Misconception(
            "your scores never see the query: another question gets the same answer",
            (lambda query, features: features.mean((2, 3)),),
            shows=blind_to(0),
        ),
    ),
    hint="Print the shapes of spots, scores and weights. Which axis of spots has a number for "
    "each number of the query? How long is the axis that softmax runs over?",
    solution=pool_image,
    broken=_broken.pool_image,
)
