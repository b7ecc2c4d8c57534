"""An exercise of chapter 15: a map of features pooled once for each question."""

from __future__ import annotations

import math

import torch

from attncourse.exercises.judging import (
    BFLOAT16,
    FLOAT64,
    STRIDED,
    Case,
    Exercise,
    Input,
    Misconception,
)


def attention_pool(question, features):
    positions = features.flatten(2).mT  # (batch, position, width)
    scores = question @ positions.mT / math.sqrt(question.shape[-1])
    return torch.softmax(scores, dim=-1) @ positions


def _pool(weigh, positions=lambda features: features.flatten(2).mT, scale=math.sqrt):
    """Pooling with other weights, positions or scale."""

    def function(question, features):
        x = positions(features)
        return weigh(question @ x.mT / scale(question.shape[-1])) @ x

    return function


def _softmax(scores):
    return scores.softmax(-1)


def _columns_first(features):
    """Positions of the right width by a reshape, which deals features and places out anew."""
    return features.reshape(features.shape[0], -1, features.shape[1])


EXERCISE = Exercise(
    name="attention_pool",
    chapter="15",
    signature="attention_pool(question, features) -> (batch, question, width)",
    inputs=(
        Input("question", "batch asked width"),
        Input("features", "batch width rows columns"),
    ),
    sizes={"batch": 2, "asked": 3, "width": 5, "rows": 7, "columns": 11},
    cases=(
        Case(label="three questions"),
        Case(label="one question", sizes={"asked": 1}),
        Case(label="one picture", sizes={"batch": 1}),
        Case(label="a map of one position", sizes={"rows": 1, "columns": 1}),
        Case(label="as many questions as features", sizes={"asked": 5}),
        Case(label="as many pictures as questions", sizes={"batch": 3}),
        Case(label="as many questions as positions", sizes={"asked": 6, "rows": 2, "columns": 3}),
        Case(label="as many positions as features", sizes={"width": 6, "rows": 2, "columns": 3}),
        Case(label="large questions", scale={"question": 30.0}),
        STRIDED,
        FLOAT64,
        BFLOAT16,
    ),
    misconceptions=(
        Misconception(
            "your softmax runs over the questions: they share out each position. Each question "
            "shares out its weight over the positions, the last axis of the scores",
            (_pool(lambda scores: scores.softmax(-2)), _pool(lambda scores: scores.softmax(1))),
        ),
        Misconception(
            "your softmax runs over the pictures, so one picture changes another's answer",
            (_pool(lambda scores: scores.softmax(0)),),
        ),
        Misconception(
            "the map was reshaped where it should be turned: (batch, width, rows, columns) keeps "
            "each feature's map together in memory, so reshape(batch, -1, width) tears them up. "
            "flatten the last two axes, then transpose",
            (_pool(_softmax, _columns_first),),
        ),
        Misconception(
            "the scores are not divided by the root of the width",
            (_pool(_softmax, scale=lambda width: 1),),
        ),
        Misconception(
            "the scores are divided by the width, not by its root",
            (_pool(_softmax, scale=lambda width: width),),
        ),
        Misconception(
            "this is a plain mean over the positions: the question has no say",
            (
                lambda question, features: features.flatten(2).mT.mean(1, True).expand_as(question),
                _pool(lambda scores: scores.mul(0).softmax(-1)),
            ),
        ),
        Misconception(
            "the scores are not turned into weights: the softmax is missing",
            (_pool(lambda scores: scores),),
        ),
        Misconception(
            "the features stand before the questions: (batch, width, question)",
            (lambda question, features: attention_pool(question, features).mT,),
        ),
        Misconception(
            "these are the weights; they are still to average the positions",
            (
                lambda question, features: (
                    question @ features.flatten(2) / math.sqrt(question.shape[-1])
                ).softmax(-1),
            ),
        ),
    ),
    hint="A map is a row of positions that happens to lie in two axes: bring it to "
    "(batch, position, width), and positions are both keys and values.",
    solution=attention_pool,
)
