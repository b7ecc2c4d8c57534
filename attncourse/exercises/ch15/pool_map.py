"""Find the bug (chapter 15): a softmax that runs over an axis of length one."""

from __future__ import annotations

import torch

from attncourse.exercises.ch15 import _broken
from attncourse.exercises.judging import (
    BFLOAT16,
    FLOAT64,
    STRIDED,
    Case,
    Exercise,
    Input,
    Misconception,
)


def pool_map(question, features):
    positions = features.flatten(2)  # (batch, width, position)
    scores = (question[:, :, None] * positions).sum(1, keepdim=True)
    weights = torch.softmax(scores, dim=2)  # (batch, 1, position)
    return (weights * positions).sum(2)


def _pooled(weigh):
    """The function with its scores, (batch, 1, position), turned into weights in another way."""

    def function(question, features):
        positions = features.flatten(2)
        scores = (question[:, :, None] * positions).sum(1, keepdim=True)
        return (weigh(scores) * positions).sum(2)

    return function


def _score_summed_over_positions(question, features):
    positions = features.flatten(2)
    scores = (question[:, :, None] * positions).sum(2, keepdim=True)
    return (scores.softmax(1) * positions).sum(2)


def _a_weight_for_every_feature(question, features):
    positions = features.flatten(2)
    weights = (question[:, :, None] * positions).softmax(2)
    return (weights * positions).sum(2)


EXERCISE = Exercise(
    name="pool_map",
    chapter="15",
    signature="pool_map(question, features) -> (batch, width)",
    inputs=(
        Input("question", "batch width"),
        Input("features", "batch width rows columns"),
    ),
    sizes={"batch": 2, "width": 3, "rows": 5, "columns": 7},
    cases=(
        Case(label="maps of 5 x 7"),
        Case(label="one picture", sizes={"batch": 1}),
        Case(label="as many pictures as features", sizes={"batch": 3, "width": 3}),
        Case(label="as many pictures as positions", sizes={"batch": 6, "rows": 2, "columns": 3}),
        Case(label="a map of one row", sizes={"rows": 1}),
        Case(label="large questions", scale={"question": 30.0}),
        STRIDED,
        FLOAT64,
        BFLOAT16,
    ),
    misconceptions=(
        Misconception(
            "every position still gets the weight one: the softmax runs over the axis of length "
            "one that the sum has left, and a single number's share is one. It must run over the "
            "positions",
            (_broken.pool_map, lambda question, features: features.sum((2, 3))),
        ),
        Misconception(
            "this is a plain mean: every position gets the same weight, whatever is asked",
            (
                lambda question, features: features.mean((2, 3)),
                lambda question, features: features.flatten(2).mean(2),
            ),
        ),
        Misconception(
            "your softmax runs over the batch: one picture's weights depend on the others, and a "
            "position's weights sum to one over the pictures",
            (_pooled(lambda scores: scores.softmax(0)),),
        ),
        Misconception(
            "your scores are not turned into weights: they do not sum to one. The softmax is "
            "missing",
            (_pooled(lambda scores: scores),),
        ),
        Misconception(
            "your softmax runs over positions and pictures together, so the weights of one "
            "picture do not sum to one",
            (_pooled(lambda scores: scores.flatten().softmax(0).view_as(scores)),),
        ),
        Misconception(
            "the score is summed over the positions: there is one for each feature. Sum over the "
            "features, so that there is one for each position",
            (_score_summed_over_positions,),
        ),
        Misconception(
            "each feature has weights of its own: products are not yet a score. Sum them over the "
            "features first",
            (_a_weight_for_every_feature,),
        ),
        Misconception(
            "the scores pass through tanh, so they lie between -1 and 1, and no position can get "
            "more than e^2 times another's weight",
            (_pooled(lambda scores: scores.tanh().softmax(2)),),
        ),
    ),
    hint="Write down the shape of the scores. Which of its axes holds what is weighed against each "
    "other?",
    solution=pool_map,
    broken=_broken.pool_map,
)
