"""An exercise of chapter 06: self-attention."""

from __future__ import annotations

import math

import torch

from attncourse.exercises.judging import (
    FLOAT64,
    STRIDED,
    Case,
    Exercise,
    Input,
    Misconception,
    numbers,
)


def self_attention(x, query_weight, key_weight, value_weight):
    query = x @ query_weight.mT  # (batch, length, head)
    key = x @ key_weight.mT  # (batch, length, head)
    value = x @ value_weight.mT  # (batch, length, value)
    scores = query @ key.mT / math.sqrt(query.shape[-1])  # (batch, length, length)
    return torch.softmax(scores, dim=-1) @ value


# -- the ways to go wrong --------------------------------------------------------------------------


def project(x, query_weight, key_weight, value_weight):
    return x @ query_weight.mT, x @ key_weight.mT, x @ value_weight.mT


def _over(width):
    """A score divided by the root of something."""
    return lambda query, key, x: query @ key.mT / math.sqrt(width(query, x))


scaled = _over(lambda query, x: query.shape[-1])
by_embedding = _over(lambda query, x: x.shape[-1])
unscaled = _over(lambda query, x: 1)


def _softmax(scores, mask=None):
    return hidden(scores, None if mask is None else mask[:, None])


def hidden(scores, mask, fill=-torch.inf):
    return (scores if mask is None else scores.masked_fill(~mask, fill)).softmax(-1)


def _read(weights, value, x):
    return weights @ value


def layer(project=project, score=scaled, weigh=_softmax, read=_read):
    """A layer, each choice open to be wrong; a mask stands second among its arguments, if any."""

    def function(x, *given):
        *mask, query_weight, key_weight, value_weight = given
        query, key, value = project(x, query_weight, key_weight, value_weight)
        return read(weigh(score(query, key, x), *mask), value, x)

    return function


def unprojected(x, query_weight, key_weight, value_weight):
    return x, x, x @ value_weight.mT


def scaled_unprojected(x, query_weight, key_weight, value_weight):
    return x / math.sqrt(len(query_weight)), x, x @ value_weight.mT


def _nothing_projected(x, query_weight, key_weight, value_weight):
    return x, x, x


def one(first):
    """Query and key by the same weight."""

    def project(x, query_weight, key_weight, value_weight):
        shared = x @ (query_weight if first else key_weight).mT
        return shared, shared, x @ value_weight.mT

    return project


def half(first):
    """The query projected and the key not, or the other way round."""

    def project(x, query_weight, key_weight, value_weight):
        query = x @ query_weight.mT if first else x
        return query, x if first else x @ key_weight.mT, x @ value_weight.mT

    return project


def exchanged(x, query_weight, key_weight, value_weight):
    return project(x, key_weight, query_weight, value_weight)


def untransposed(x, query_weight, key_weight, value_weight):
    return x @ query_weight, x @ key_weight, x @ value_weight


def _untransposed_key(score):
    def function(query, key, x):
        return score(query, key.mT, x)

    return function


def _scaled_late(x, query_weight, key_weight, value_weight):
    query, key, value = project(x, query_weight, key_weight, value_weight)
    return (query @ key.mT).softmax(-1) / math.sqrt(query.shape[-1]) @ value


SYMMETRIC_TWICE = (
    "one weight makes the query and the key, so the scores stay symmetric: what a word asks is "
    "what it answers. query_weight is for the query, key_weight for the key"
)
EXCHANGED = (
    "query and key are exchanged: query_weight makes what a word asks, key_weight what it is found "
    "by"
)
UNSCALED = "your scores are not divided by the root of the head's width"
UNTRANSPOSED = (
    "the weights are not transposed: they are (width, embed), so it is x @ query_weight.mT"
)

WEIGHTS = (
    Input("query_weight", "head embed", draw=lambda *given: numbers(*given) / 2),
    Input("key_weight", "head embed", draw=lambda *given: numbers(*given) / 2),
    Input("value_weight", "value embed"),
)

EXERCISE = Exercise(
    name="self_attention",
    chapter="06",
    signature="self_attention(x, query_weight, key_weight, value_weight) -> (batch, length, value)",
    inputs=(Input("x", "batch length embed"), *WEIGHTS),
    sizes={"batch": 2, "length": 5, "embed": 7, "head": 3, "value": 11},
    cases=(
        Case(label="three widths"),
        Case(label="one sentence", sizes={"batch": 1}),
        Case(label="sentences of one word", sizes={"length": 1}),
        Case(label="all widths equal", sizes={"embed": 3, "head": 3, "value": 3}),
        Case(label="values as wide as the embeddings", sizes={"embed": 7, "value": 7}),
        Case(label="as many words as the embeddings are wide", sizes={"length": 7, "embed": 7}),
        Case(label="as many words as a head is wide", sizes={"length": 3, "head": 3}),
        Case(
            label="as many sentences as words",
            sizes={"batch": 5, "length": 5},
            hint="Ask of each axis whether it is sentences or words: their numbers agree here, so "
            "torch cannot tell them apart.",
        ),
        Case(
            label="scores in the thousands",
            scale={"query_weight": 1000.0},
            hint="Leave exp to torch.softmax, which subtracts the largest score first.",
        ),
        STRIDED,
        FLOAT64,
        Case(label="bfloat16", dtype=torch.bfloat16, scale={"query_weight": 0.25}),
    ),
    misconceptions=(
        Misconception(UNSCALED, (layer(score=unscaled),)),
        Misconception(
            "your scores are divided by the root of the embedding's width; a score sums as many "
            "products as a head is wide, so it is the root of that",
            (layer(score=by_embedding),),
        ),
        Misconception(
            "your scores are divided by the root of the number of words; it is the root of the "
            "head's width, the number of products that a score sums",
            (layer(score=_over(lambda query, x: x.shape[1])),),
        ),
        Misconception(
            "your scores are divided by the head's width itself; it is its root",
            (layer(score=_over(lambda query, x: query.shape[-1] ** 2)),),
        ),
        Misconception(
            "your scores are multiplied by the root of the width; divide by it",
            (layer(score=_over(lambda query, x: 1 / query.shape[-1])),),
        ),
        Misconception(
            "your weights are divided by the root of the width; divide the scores, before the "
            "softmax",
            (_scaled_late,),
        ),
        Misconception(
            "your softmax runs over the queries: what the words together want of a word sums to "
            "one. The weights of each query must, so it is the last axis",
            (layer(weigh=lambda scores: scores.softmax(1)),),
        ),
        Misconception(
            "your softmax runs over the batch, so one sentence takes weight from another; the "
            "weights of each query sum to one over the words of its sentence, the last axis",
            (layer(weigh=lambda scores: scores.softmax(0)),),
        ),
        Misconception(
            "no weight is used: query, key and value are the input itself. Each word then scores "
            "itself by its own length squared, and the scores are symmetric",
            (layer(_nothing_projected), layer(_nothing_projected, score=unscaled)),
        ),
        Misconception(
            "query and key are the input itself, so the scores are symmetric: what a word wants of "
            "another is what that one wants of it. Each goes through a weight of its own",
            (
                layer(unprojected),
                layer(unprojected, score=unscaled),
                layer(scaled_unprojected, score=unscaled),
            ),
        ),
        Misconception(
            "the values are not projected: you average the input itself. value_weight decides what "
            "a word hands over",
            tuple(
                layer(score=score, read=lambda weights, value, x: weights @ x)
                for score in (scaled, unscaled)
            ),
        ),
        Misconception(SYMMETRIC_TWICE, (layer(one(True)), layer(one(False)))),
        Misconception(
            "one of query and key is the input itself; both are projected, each by its own weight",
            (layer(half(True)), layer(half(False))),
        ),
        Misconception(EXCHANGED, (layer(exchanged),)),
        Misconception(
            "the values go through the key's weight; they have their own, value_weight",
            (layer(lambda x, q, k, v: (x @ q.mT, x @ k.mT, x @ k.mT)),),
        ),
        Misconception(
            "key and value are exchanged: the query is compared with the keys, and the values are "
            "averaged",
            (
                layer(lambda x, q, k, v: (x @ q.mT, x @ v.mT, x @ k.mT)),
                layer(lambda x, q, k, v: (x @ v.mT, x @ k.mT, x @ q.mT)),
            ),
        ),
        Misconception(
            UNTRANSPOSED,
            (
                layer(untransposed),
                lambda x, q, k, v: self_attention(x, q.mT, k.mT, v),
                lambda x, q, k, v: self_attention(x, q, k, v.mT),
            ),
        ),
        Misconception(
            "the key is not transposed: a score needs query @ key.mT",
            (layer(score=_untransposed_key(scaled)),),
        ),
        Misconception(
            "you hide the future. Nothing is hidden here: a word may look at what stands after it",
            (layer(weigh=lambda scores: hidden(scores, torch.ones_like(scores).tril().bool())),),
        ),
        Misconception(
            "you return the weights; the answer is the average of the values under them",
            (layer(read=lambda weights, value, x: weights),),
        ),
    ),
    hint="The sentence plays three parts: x @ query_weight.mT asks, x @ key_weight.mT is asked, "
    "x @ value_weight.mT answers. How many products does one score sum?",
    solution=self_attention,
)
