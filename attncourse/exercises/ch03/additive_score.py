"""An exercise of chapter 03: the additive score."""

from __future__ import annotations

import torch

from attncourse.exercises.judging import (
    BFLOAT16,
    COUNT_FROM_THE_END,
    FLOAT64,
    STRIDED,
    Case,
    Exercise,
    Input,
    Misconception,
)


def additive_score(query, key, query_weight, key_weight, output_weight):
    query = (query @ query_weight.mT).unsqueeze(-2)  # (..., query, 1, hidden)
    key = (key @ key_weight.mT).unsqueeze(-3)  # (..., 1, key, hidden)
    return torch.tanh(query + key) @ output_weight


def _additive(combine):
    def function(query, key, query_weight, key_weight, output_weight):
        query = (query @ query_weight.mT).unsqueeze(-2)
        key = (key @ key_weight.mT).unsqueeze(-3)
        return combine(query, key, output_weight)

    return function


def _key_by_query_weight(query, key, query_weight, key_weight, output_weight):
    return additive_score(query, key, query_weight, query_weight, output_weight)


def _untransposed(query, key, query_weight, key_weight, output_weight):
    return additive_score(query, key, query_weight.mT, key_weight.mT, output_weight)


def _unpaired(query, key, query_weight, key_weight, output_weight):
    return torch.tanh(query @ query_weight.mT + key @ key_weight.mT) @ output_weight


EXERCISE = Exercise(
    name="additive_score",
    chapter="03",
    signature="additive_score(query, key, query_weight, key_weight, output_weight) "
    "-> (..., query, key)",
    inputs=(
        Input("query", "... query query_dim"),
        Input("key", "... key key_dim"),
        Input("query_weight", "hidden query_dim"),
        Input("key_weight", "hidden key_dim"),
        Input("output_weight", "hidden"),
    ),
    sizes={"query": 5, "key": 7, "query_dim": 3, "key_dim": 2, "hidden": 11},
    cases=(
        Case(label="queries and keys of two widths"),
        Case(label="all widths equal", sizes={"query_dim": 3, "key_dim": 3, "hidden": 3}),
        Case(label="as many queries as keys", sizes={"query": 5, "key": 5}),
        Case(label="a large output weight", scale={"output_weight": 1000.0}),
        Case(
            label="more leading axes",
            lead=(2, 3),
            sizes={"query_dim": 13, "key_dim": 17},  # no length twice
            hint=COUNT_FROM_THE_END,
        ),
        STRIDED,
        FLOAT64,
        BFLOAT16,
    ),
    misconceptions=(
        Misconception(
            "the tanh is missing. Without it the query adds the same number to the score of "
            "every key, and softmax cancels that",
            (_additive(lambda q, k, w: (q + k) @ w),),
        ),
        Misconception(
            "the tanh comes after the output weight; it belongs around the sum, before. Outside "
            "it caps every score at 1 and cannot change their order",
            (_additive(lambda q, k, w: torch.tanh((q + k) @ w)),),
        ),
        Misconception(
            "each part has a tanh of its own; add the projections first, then take one tanh. "
            "Else the query cannot change which key is ahead",
            (_additive(lambda q, k, w: (torch.tanh(q) + torch.tanh(k)) @ w),),
        ),
        Misconception(
            "the projections are multiplied; an additive score adds them",
            (
                _additive(lambda q, k, w: torch.tanh(q * k) @ w),
                _additive(lambda q, k, w: (q * k) @ w),
            ),
        ),
        Misconception(
            "the key goes through the query's weight; it has its own, key_weight",
            (_key_by_query_weight,),
        ),
        Misconception(
            "the weights are not transposed: they are (hidden, width), so it is "
            "query @ query_weight.mT",
            (_untransposed,),
        ),
        Misconception(
            "the hidden units are summed; they are weighted by output_weight",
            (
                _additive(lambda q, k, w: torch.tanh(q + k).sum(-1)),
                _additive(lambda q, k, w: torch.tanh(q + k).mean(-1)),
            ),
        ),
        Misconception(
            "query and key are added place by place; every query meets every key. Give them an "
            "axis each: (..., query, 1, hidden) and (..., 1, key, hidden)",
            (_unpaired,),
        ),
        Misconception(
            "your scores are (..., key, query); wanted is a row a query, a column a key",
            (_additive(lambda q, k, w: (torch.tanh(q + k) @ w).mT),),
        ),
        Misconception(
            "you return weights; scores were asked, before any softmax",
            (_additive(lambda q, k, w: (torch.tanh(q + k) @ w).softmax(-1)),),
        ),
        Misconception(
            "the answer keeps an axis of length one: (..., query, key, 1)",
            (_additive(lambda q, k, w: torch.tanh(q + k) @ w[:, None]),),
        ),
    ),
    hint="Project query and key to the hidden width, then let them meet: (..., query, 1, hidden) "
    "+ (..., 1, key, hidden). After the tanh, output_weight makes one number of each pair.",
    solution=additive_score,
)
