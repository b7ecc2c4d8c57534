"""An exercise of chapter 01: a lookup made soft."""

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
    not_averaging,
)


def soft_lookup(query, key, value):
    weights = torch.softmax(key @ query, dim=-1)  # (n,)
    return weights @ value


INPUTS = (Input("query", "width"), Input("key", "n width"), Input("value", "n value_width"))
SIZES = {"n": 5, "width": 3, "value_width": 2}
CASES = (
    Case(label="two keys", sizes={"n": 2, "width": 2}),
    Case(label="five keys"),
    Case(label="a single key", sizes={"n": 1}),
    Case(label="as many keys as the query has numbers", sizes={"n": 3, "width": 3}),
    Case(label="values as wide as the keys", sizes={"width": 3, "value_width": 3}),
    STRIDED,
    FLOAT64,
    BFLOAT16,
    Case(
        label="scores in the thousands",
        scale={"query": 1000.0},
        bonus=True,
        hint="e to the power of 1000 is more than a float can hold; torch.softmax subtracts the "
        "largest score first, which changes no weight.",
    ),
)

# `repair_pooling` too can go wrong in these two ways.
SOFTMAX = Misconception(
    "every weight is 1: your softmax runs over an axis of length one, not over the keys",
    (
        lambda query, key, value: value.sum(0),
        lambda query, key, value: value.sum(0, keepdim=True),
        lambda query, key, value: (key @ query[:, None]).softmax(-1) * value,
    ),
)
KEYS = Misconception(
    "you average the keys; they decide the weights, the values are what is averaged",
    (
        lambda query, key, value: torch.softmax(key @ query, 0) @ key,
        lambda query, key, value: torch.softmax(key @ query, 0)[None] @ key,
    ),
)


def average(scores, value):
    return torch.softmax(scores, 0) @ value


EXERCISE = Exercise(
    name="soft_lookup",
    chapter="01",
    signature="soft_lookup(query, key, value) -> (value_width,)",
    inputs=INPUTS,
    sizes=SIZES,
    cases=CASES,
    misconceptions=(
        Misconception(
            "you return one value, the best key's: a hard lookup. A soft one averages all values",
            (lambda query, key, value: value[(key @ query).argmax()],),
        ),
        Misconception(
            "your weights are the scores divided by their sum; a score may be negative or zero, "
            "so take the softmax",
            (
                lambda query, key, value: (key @ query) / (key @ query).sum() @ value,
                lambda query, key, value: (key @ query).abs() / (key @ query).abs().sum() @ value,
            ),
        ),
        SOFTMAX,
        Misconception(
            "your scores compare the query with the values; compare it with the keys",
            (
                lambda query, key, value: torch.softmax(value @ query, 0) @ value,
                lambda query, key, value: torch.softmax(query @ value.T, 0) @ value,
                lambda query, key, value: torch.softmax((query * value).sum(-1), 0) @ value,
            ),
        ),
        Misconception(
            "your scores are divided by the root of the width. That is the right idea, and "
            "chapter 03's; here the plain dot product was asked",
            (lambda query, key, value: average(key @ query / math.sqrt(len(query)), value),),
        ),
        Misconception(
            "your weights do not sum to one: after exp, divide by the sum",
            (lambda query, key, value: (key @ query).exp() @ value,),
            shows=not_averaging(2),
        ),
        Misconception(
            "your scores are not turned into weights: take their softmax",
            (lambda query, key, value: (key @ query) @ value,),
        ),
        Misconception(
            "the query has no say: all values count the same",
            (lambda query, key, value: value.mean(0),),
        ),
        Misconception(
            "you return the weights; the answer is the average of the values under them",
            (lambda query, key, value: torch.softmax(key @ query, 0),),
        ),
        KEYS,
        Misconception(
            "your answer has an axis too many: (1, value_width), wanted (value_width,)",
            (lambda query, key, value: average(key @ query, value)[None],),
        ),
    ),
    hint="One number for each key says how well it matches: key @ query. Softmax makes these "
    "numbers weights, and weights @ value averages.",
    solution=soft_lookup,
)
