"""Find the bug (chapter 03): classification, detection and generation with broken attention.

The functions to mend are in `broken`; here are their solutions, and what else can go wrong on the
way. Features are (batch, channel, height, width); attention wants (batch, position, channel).
"""

from __future__ import annotations

import math

import torch

from attncourse.exercises import broken
from attncourse.exercises.judging.exercise import STRIDED, Case, Exercise, Input, Misconception
from attncourse.exercises.judging.faults import alike, blind_to


def pool_image(query, features):
    spots = features.flatten(2).mT  # (batch, position, channel)
    scores = spots @ query.unsqueeze(-1) / math.sqrt(query.shape[-1])
    weights = torch.softmax(scores, dim=1)  # (batch, position, 1)
    return (weights * spots).sum(1)


def look(query, features):
    spots = features.flatten(2).mT  # (batch, position, channel)
    scores = query @ spots.mT / math.sqrt(query.shape[-1])  # (batch, box, position)
    return torch.softmax(scores, dim=-1) @ spots


def mix(features):
    spots = features.flatten(2).mT  # (batch, position, channel)
    scores = spots @ spots.mT / math.sqrt(spots.shape[-1])
    attended = torch.softmax(scores, dim=-1) @ spots
    return attended.mT.reshape(features.shape)


def _turned(features):
    return features.flatten(2).mT


def _viewed(features):
    """The mistake of many: the shape that is wanted, with the numbers in another order."""
    return features.reshape(len(features), -1, features.shape[1])


def _pooled(spots=_turned, dim=1, root=True):
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


VIEW = (
    "your view gives the shape that is wanted with the numbers in another order: a row is then a "
    "mixture of channels and positions. Flatten height and width, then transpose: "
    "features.flatten(2).mT"
)
ROOT = "your scores are not divided by the root of the number of channels"
CHANNELS = (
    Case(label="as many positions as channels", sizes={"channel": 6, "height": 2, "width": 3}),
    STRIDED,
    Case(label="float64", dtype=torch.float64),
    Case(label="bfloat16", dtype=torch.bfloat16),
)

CLASSIFICATION = Exercise(
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
            (broken.pool_image, *(_flat(dim, root) for dim in (2, 1) for root in (True, False))),
        ),
        Misconception(
            "every weight is 1: your softmax runs over an axis of length one, so the answer is "
            "the plain sum. Normalise over the positions",
            (_pooled(dim=-1), lambda query, features: features.sum((2, 3))),
        ),
        Misconception(VIEW, (_pooled(_viewed), _pooled(_viewed, root=False))),
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
    broken=broken.pool_image,
)


def _looked(spots=_turned, dim=-1, root=True):
    def function(query, features):
        rows = spots(features)
        scores = query @ rows.mT
        scores = scores / math.sqrt(query.shape[-1]) if root else scores
        return torch.softmax(scores, dim=dim) @ rows

    return function


DETECTION = Exercise(
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
        Misconception(VIEW, (_looked(_viewed), _looked(_viewed, root=False))),
        Misconception(ROOT, (_looked(root=False),)),
        Misconception(
            "all boxes get one vector: the image is summed up once, so no box can look at a "
            "place of its own. Let each box's query weigh the positions",
            (broken.look, lambda query, features: features.mean((2, 3))[:, None].expand_as(query)),
            shows=alike(1),
        ),
        Misconception(
            "your answer has lost the boxes: (batch, channel), wanted (batch, box, channel)",
            (lambda query, features: pool_image(query.mean(1), features),),
        ),
    ),
    hint="How many queries does the softmax see for one image, and how many boxes are there?",
    solution=look,
    broken=broken.look,
)


def _mixed(spots=_turned, back=lambda attended, shape: attended.mT.reshape(shape), dim=-1, root=1):
    def function(features):
        rows = spots(features)
        scores = rows @ rows.mT / math.sqrt(rows.shape[-1]) ** root
        return back(torch.softmax(scores, dim=dim) @ rows, features.shape)

    return function


def _summed(keep):
    def function(features):
        spots = _turned(features)
        pooled = (torch.softmax(spots.sum(-1, keepdim=True), dim=1) * spots).sum(1)
        pooled = pooled[..., None, None]
        return pooled.expand_as(features) if keep else pooled

    return function


GENERATION = Exercise(
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
            (broken.mix, _summed(False), _summed(True)),
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
                _mixed(_viewed),
                _mixed(_viewed, lambda attended, shape: attended.reshape(shape)),
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
    broken=broken.mix,
)


def _flattened(value):
    """(batch, position, channel) of a map, or nothing of what is no map."""
    return value.flatten(2).mT if value is not None and value.dim() == 4 else None


EXERCISES = (CLASSIFICATION, DETECTION, GENERATION)
