"""Find the bug (chapter 03): what each box reads of an image."""

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
from attncourse.exercises.ch03.repair_classification import pool_image
from attncourse.exercises.judging import Case, Exercise, Input, Misconception, alike


def look(query, features):
    spots = features.flatten(2).mT  # (batch, position, channel)
    scores = query @ spots.mT / math.sqrt(query.shape[-1])  # (batch, box, position)
    return torch.softmax(scores, dim=-1) @ spots


def _looked(spots=turned, dim=-1, root=True):
    def function(query, features):
        rows = spots(features)
        scores = query @ rows.mT
        scores = scores / math.sqrt(query.shape[-1]) if root else scores
        return torch.softmax(scores, dim=dim) @ rows

    return function


EXERCISE = Exercise(
    name="repair_detection",
    chapter="03",
    signature="look(query, features) -> (batch, box, channel)",
    inputs=(Input("query", "batch box channel"), Input("features", "batch channel height width")),
    sizes={"batch": 2, "box": 11, "channel": 5, "height": 3, "width": 7},
    cases=(
        Case(label="two boxes", sizes={"box": 2}),
        Case(label="eleven boxes"),
        Case(label="one position", sizes={"height": 1, "width": 1}),
        *CHANNELS,
    ),
    misconceptions=(
        Misconception(
            "your softmax runs over the boxes; the weights of each box must sum to one over the "
            "positions, the last axis of the scores",
            (_looked(dim=1), _looked(dim=-2, root=False)),
        ),
        Misconception(VIEW, (_looked(viewed), _looked(viewed, root=False))),
        Misconception(ROOT, (_looked(root=False),)),
        Misconception(
            "all boxes get one vector: the image is summed up once, so no box can look at a "
            "place of its own. Let each box's query weigh the positions",
            (_broken.look, lambda query, features: features.mean((2, 3))[:, None].expand_as(query)),
            shows=alike(1),
        ),
        Misconception(
            "your answer has lost the boxes: (batch, channel), wanted (batch, box, channel)",
            (lambda query, features: pool_image(query.mean(1), features),),
        ),
    ),
    hint="How many queries does the softmax see for one image, and how many boxes are there?",
    solution=look,
    broken=_broken.look,
)
