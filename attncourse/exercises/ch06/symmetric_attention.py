"""Find the bug (chapter 06): a self-attention whose scores are symmetric."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from attncourse.exercises.ch06 import _broken
from attncourse.exercises.ch06.self_attention import (
    EXCHANGED,
    SYMMETRIC_TWICE,
    UNSCALED,
    UNTRANSPOSED,
    WEIGHTS,
    by_embedding,
    exchanged,
    half,
    hidden,
    layer,
    one,
    project,
    scaled,
    scaled_unprojected,
    unprojected,
    unscaled,
    untransposed,
)
from attncourse.exercises.judging import STRIDED, Case, Exercise, Input, Misconception, allowed


def look_around(x, mask, query_weight, key_weight, value_weight):
    query, key = x @ query_weight.mT, x @ key_weight.mT
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    scores = scores.masked_fill(~mask[:, None], -torch.inf)
    return torch.softmax(scores, dim=-1) @ (x @ value_weight.mT)


INVERTED = 'your mask is the other way round: True means "may attend"'

EXERCISE = Exercise(
    name="symmetric_attention",
    chapter="06",
    signature="look_around(x, mask, query_weight, key_weight, value_weight) "
    "-> (batch, length, value)",
    inputs=(
        Input("x", "batch length embed"),
        Input("mask", "batch length", draw=allowed),
        *WEIGHTS,
    ),
    sizes={"batch": 2, "length": 5, "embed": 7, "head": 3, "value": 11},
    cases=(
        Case(label="a padded batch", mask="random"),
        Case(label="one sentence", mask="random", sizes={"batch": 1}),
        Case(label="all widths equal", mask="random", sizes={"embed": 3, "head": 3, "value": 3}),
        Case(label="as many sentences as words", mask="random", sizes={"batch": 5, "length": 5}),
        Case(label="scores in the thousands", mask="random", scale={"query_weight": 1000.0}),
        replace(STRIDED, mask="random"),
        Case(label="float64", mask="random", dtype=torch.float64),
        Case(label="bfloat16", mask="random", dtype=torch.bfloat16, scale={"query_weight": 0.25}),
    ),
    misconceptions=(
        Misconception(
            "query and key are the input itself, so the scores are symmetric, and a word's score "
            "with itself is its own length squared, which few others reach. Two weights are passed "
            "and not used",
            (
                _broken.look_around,
                *(layer(unprojected, score=score) for score in (scaled, unscaled)),
                layer(scaled_unprojected, score=unscaled),
            ),
        ),
        Misconception(
            "the root is still that of the embedding's width. A score now sums as many products as "
            "a head is wide",
            (layer(score=by_embedding),),
        ),
        Misconception(
            SYMMETRIC_TWICE,
            tuple(
                layer(one(first), score=score)
                for first in (True, False)
                for score in (scaled, by_embedding)
            ),
        ),
        Misconception(
            "one of the two is still the input itself; both are projected, each by its own weight",
            tuple(
                layer(half(first), score=score)
                for first in (True, False)
                for score in (scaled, by_embedding)
            ),
        ),
        Misconception(
            EXCHANGED,
            (layer(exchanged), layer(exchanged, score=by_embedding)),
        ),
        Misconception(UNSCALED, (layer(score=unscaled),)),
        Misconception(
            "padding is read: the mask has no effect",
            tuple(
                layer(project, score, weigh=lambda scores, mask: scores.softmax(-1))
                for project in (project, unprojected)
                for score in (scaled, by_embedding)
            ),
        ),
        Misconception(
            INVERTED,
            (
                layer(weigh=lambda scores, mask: hidden(scores, ~mask[:, None])),
                layer(weigh=lambda scores, mask: hidden(scores, ~mask[:, None], -1e9)),
            ),
        ),
        Misconception(
            "the mask lies along the queries: it hides who asks. It must hide who is asked, so it "
            "is mask[:, None]",
            tuple(
                layer(weigh=lambda scores, mask, fill=fill: hidden(scores, mask[..., None], fill))
                for fill in (-torch.inf, -1e9)
            ),
        ),
        Misconception(UNTRANSPOSED, (layer(untransposed),)),
    ),
    hint="Which arguments does nothing read? Mend that first. Then look at every number in the "
    "line of the scores again: is it still the right one?",
    solution=look_around,
    broken=_broken.look_around,
)
