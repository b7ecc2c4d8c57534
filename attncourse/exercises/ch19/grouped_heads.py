"""Find the bug (chapter 19): the heads of keys repeated in the wrong order."""

from __future__ import annotations

import math

import torch

from attncourse.exercises.ch19 import _broken
from attncourse.exercises.judging import (
    BFLOAT16,
    FLOAT64,
    STRIDED,
    Case,
    Exercise,
    Input,
    Misconception,
)


def grouped_heads(query, key, value):
    shared = query.shape[1] // key.shape[1]  # query heads to a key head
    key = key.repeat_interleave(shared, dim=1)  # (batch, heads, key, width)
    value = value.repeat_interleave(shared, dim=1)
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    return torch.softmax(scores, dim=-1) @ value


def _heads(keys=torch.repeat_interleave, values=torch.repeat_interleave, axis=-1, scale=math.sqrt):
    """Grouped heads with keys or values brought to the queries in another way."""

    def function(query, key, value):
        shared = query.shape[1] // key.shape[1]
        scores = query @ keys(key, shared, 1).mT / scale(query.shape[-1])
        return scores.softmax(axis) @ values(value, shared, 1)

    return function


def _in_turn(x, shared, axis):
    return x.repeat(1, shared, 1, 1)


def _first(x, shared, axis):
    return x[:, :1].expand(-1, shared * x.shape[1], -1, -1)


def _mean(x, shared, axis):
    return x.mean(1, keepdim=True).expand(-1, shared * x.shape[1], -1, -1)


EXERCISE = Exercise(
    name="grouped_heads",
    chapter="19",
    signature="grouped_heads(query, key, value) -> (batch, heads, query, width)",
    inputs=(
        Input("query", "batch heads query width"),
        Input("key", "batch shared key width"),
        Input("value", "batch shared key width"),
    ),
    sizes={"batch": 3, "shared": 2, "query": 5, "key": 7, "width": 11},
    tied={"heads": lambda lengths: 2 * lengths["shared"]},
    cases=(
        Case(label="four heads of queries and two of keys"),
        Case(label="one head of keys for all", sizes={"shared": 1}),
        Case(label="six heads of queries and three of keys", sizes={"shared": 3, "batch": 2}),
        Case(label="one sequence", sizes={"batch": 1}),
        Case(label="one query", sizes={"query": 1}),
        Case(label="as many queries as keys", sizes={"query": 7}),
        Case(label="large scores", scale={"query": 10.0}),
        STRIDED,
        FLOAT64,
        BFLOAT16,
    ),
    misconceptions=(
        Misconception(
            "the heads of keys go round: 0, 1, 0, 1. Heads of queries that stand side by side "
            "share a head, so the order is 0, 0, 1, 1",
            (_broken.grouped_heads,),
        ),
        Misconception(
            "only one of the two stands in the right order: keys and values belong together",
            (_heads(keys=_in_turn), _heads(values=_in_turn)),
        ),
        Misconception(
            "all heads of queries read the first head of keys; there are more of them",
            (_heads(keys=_first, values=_first),),
        ),
        Misconception(
            "the heads of keys and values are averaged into one; each group has one of its own",
            (_heads(keys=_mean, values=_mean),),
        ),
        Misconception(
            "your softmax runs over the queries; the weights of each query must sum to one over "
            "the keys, the last axis",
            (_heads(axis=-2),),
        ),
        Misconception(
            "the scores are not divided by the root of the width",
            (_heads(scale=lambda width: 1), _heads(scale=lambda width: width)),
        ),
    ),
    hint="Take four heads of queries and two of keys, and write down which head of keys stands "
    "beside which head of queries.",
    solution=grouped_heads,
    broken=_broken.grouped_heads,
)
