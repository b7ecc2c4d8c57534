"""An exercise of chapter 03: scaled dot-product attention."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

import attncourse
from attncourse.exercises.ch03.masked_softmax import EMPTY
from attncourse.exercises.judging import (
    COUNT_FROM_THE_END,
    STRIDED,
    Case,
    Exercise,
    Input,
    Misconception,
    allowed,
)


def scaled_dot_product_attention(query, key, value, mask=None):
    scores = query @ key.mT / math.sqrt(query.shape[-1])  # (..., query, key)
    return attncourse.masked_softmax(scores, mask) @ value


def _softmax(scores, mask, dim=-1, fill=-torch.inf):
    scores = scores if mask is None else scores.masked_fill(~mask, fill)
    return scores.softmax(dim)


# Each other mistake may come with any of these treatments of a row that is masked whole.
NORMALISE = (
    attncourse.masked_softmax,
    _softmax,
    lambda scores, mask: _softmax(scores, mask, fill=-1e9),
)


def _attention(score, normalise=NORMALISE):
    """Attention with another score or normalisation: one function for each normalisation."""

    def build(weigh):
        def function(query, key, value, mask=None):
            return weigh(score(query, key, value), mask) @ value

        return function

    return tuple(build(weigh) for weigh in normalise)


def _scaled(query, key, value):
    return query @ key.mT / math.sqrt(query.shape[-1])


def _along(dim):
    return _attention(
        _scaled,
        (
            lambda scores, mask: _softmax(scores, mask, dim),
            lambda scores, mask: _softmax(scores, mask, dim).nan_to_num(0.0),
            lambda scores, mask: _softmax(scores, mask, dim, -1e9),
        ),
    )


def _swapped(weigh):
    return lambda query, key, value, mask=None: weigh(_scaled(query, value, key), mask) @ key


def _after(scores, mask):
    return scores.softmax(-1) if mask is None else scores.softmax(-1) * mask


def _added(scores, mask):
    return (scores if mask is None else scores + mask).softmax(-1)


# What every attention with a mask has to stand.
MASKS = (
    Case(label="a causal mask", mask="causal", sizes={"query": 5, "key": 5}),
    Case(
        label="a padding mask of one row",
        mask="padding",
        hint="The mask broadcasts: it may have fewer rows than there are queries.",
    ),
    Case(label="an empty row", mask="empty row", hint=EMPTY),
    Case(
        label="scores in the thousands",
        mask="random",
        scale={"query": 1000.0},
        hint="Leave exp to torch.softmax, which subtracts the largest score first.",
    ),
)

EXERCISE = Exercise(
    name="scaled_dot_product_attention",
    chapter="03",
    signature="scaled_dot_product_attention(query, key, value, mask=None) "
    "-> (..., query, value_width)",
    inputs=(
        Input("query", "... query width"),
        Input("key", "... key width"),
        Input("value", "... key value_width"),
        Input("mask", "... query key", draw=allowed),
    ),
    sizes={"query": 5, "key": 7, "width": 3, "value_width": 2},
    cases=(
        Case(label="no mask"),
        Case(label="as many keys as the query is wide", sizes={"key": 3, "width": 3}),
        Case(label="values as wide as the keys", sizes={"width": 3, "value_width": 3}),
        Case(label="a random mask", mask="random"),
        *MASKS,
        Case(
            label="more leading axes",
            mask="empty row",
            lead=(2, 3),
            sizes={"width": 11, "value_width": 13},  # no length twice
            hint=COUNT_FROM_THE_END,
        ),
        replace(STRIDED, mask="random"),
        Case(label="float64", mask="empty row", dtype=torch.float64),
        Case(label="bfloat16", mask="empty row", dtype=torch.bfloat16),
    ),
    misconceptions=(
        Misconception(
            "your scores are not divided by the root of the width",
            _attention(lambda q, k, v: q @ k.mT),
        ),
        Misconception(
            "your scores are divided by the root of the number of keys; it is the root of the "
            "width, the number of products that a score sums",
            _attention(lambda q, k, v: q @ k.mT / math.sqrt(k.shape[-2])),
        ),
        Misconception(
            "your scores are divided by the root of the number of queries; it is the root of the "
            "width, the number of products that a score sums",
            _attention(lambda q, k, v: q @ k.mT / math.sqrt(q.shape[-2])),
        ),
        Misconception(
            "your scores are divided by the root of the values' width; it is the root of the "
            "keys' width, the number of products that a score sums",
            _attention(lambda q, k, v: q @ k.mT / math.sqrt(v.shape[-1])),
        ),
        Misconception(
            "your root counts its axis from the front (shape[1] or size(1)); with more leading "
            "axes it is another one. The width is always the last: shape[-1]",
            _attention(lambda q, k, v: q @ k.mT / math.sqrt(q.shape[1])),
        ),
        Misconception(
            "your scores are divided by the width itself; it is its root",
            _attention(lambda q, k, v: q @ k.mT / q.shape[-1]),
        ),
        Misconception(
            "your scores are multiplied by the root of the width; divide by it",
            _attention(lambda q, k, v: q @ k.mT * math.sqrt(q.shape[-1])),
        ),
        Misconception(
            "your weights are divided by the root of the width; divide the scores, before the "
            "softmax",
            tuple(
                lambda q, k, v, mask=None, f=f: f(q @ k.mT, mask) / math.sqrt(q.shape[-1]) @ v
                for f in NORMALISE
            ),
        ),
        Misconception(
            "your softmax runs over the queries; the weights of each query must sum to one over "
            "the keys, the last axis",
            (*_along(-2), *_along(0)),
        ),
        Misconception(
            "your softmax counts its axis from the front; with more leading axes it is another "
            "one. The keys are always the last: dim=-1",
            _along(1),
        ),
        Misconception(
            "the mask has no effect",
            _attention(_scaled, (lambda scores, mask: scores.softmax(-1),)),
        ),
        Misconception(
            "the mask is added to the scores, where True counts as 1. A mask that is boolean takes "
            "away: scores.masked_fill(~mask, -torch.inf)",
            _attention(_scaled, (_added,)),
        ),
        Misconception(
            'your mask is the other way round: True means "may attend"',
            tuple(
                lambda q, k, v, mask=None, f=f: (
                    f(_scaled(q, k, v), None if mask is None else ~mask) @ v
                )
                for f in NORMALISE
            ),
        ),
        Misconception(
            "the mask comes after the softmax, so the weights that are left do not sum to one. "
            "Mask the scores, before",
            _attention(_scaled, (_after,)),
        ),
        Misconception(
            "key and value are swapped: the query is compared with the keys, and the values are "
            "averaged",
            tuple(_swapped(f) for f in NORMALISE),
        ),
        Misconception(
            "the key is not transposed: a score needs query @ key.mT",
            _attention(lambda q, k, v: q @ k / math.sqrt(q.shape[-1])),
        ),
        Misconception(
            "the key's axes are transposed from the front (T, t or transpose(0, 1)); with more "
            "leading axes those are others. Swap the last two: key.mT",
            (
                *_attention(lambda q, k, v: q @ k.T / math.sqrt(q.shape[-1])),
                *_attention(lambda q, k, v: q @ k.t() / math.sqrt(q.shape[-1])),
                *_attention(lambda q, k, v: q @ k.transpose(0, 1) / math.sqrt(q.shape[-1])),
            ),
        ),
        Misconception(
            "masked scores get a large negative number, and a query that may attend to nothing "
            "then averages everything. It must get zeros",
            _attention(_scaled, NORMALISE[2:]),
        ),
        Misconception(
            "a query that may attend to nothing gets NaN: the softmax of nothing but minus "
            "infinity is 0/0. It must get zeros",
            _attention(_scaled, NORMALISE[1:2]),
        ),
        Misconception(
            "you return the weights; the answer is the average of the values under them",
            tuple(lambda q, k, v, mask=None, f=f: f(_scaled(q, k, v), mask) for f in NORMALISE),
        ),
    ),
    hint="Three steps: scores = query @ key.mT divided by the root of the width, masked softmax, "
    "weights @ value. attncourse.masked_softmax knows empty rows.",
    solution=scaled_dot_product_attention,
)
