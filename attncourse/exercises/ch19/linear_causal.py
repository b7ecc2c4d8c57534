"""An exercise of chapter 19: linear attention, word by word, from two running sums."""

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


def linear_causal(query, key, value):
    state = key[..., :, None] * value[..., None, :]  # (..., word, width, value_width)
    above = query[..., None, :] @ state.cumsum(-3)  # (..., word, 1, value_width)
    below = (query * key.cumsum(-2)).sum(-1, keepdim=True)  # (..., word, 1)
    return above.squeeze(-2) / below


def _positive(shape, case, generator):
    """Draw features: positive, as phi makes them."""
    return torch.randint(1, 9, shape, generator=generator) / 4


def _weighed(weigh):
    """Attention by all pairs, with the weights that `weigh` makes of the products."""
    return lambda query, key, value: weigh(query @ key.mT) @ value


def _share(weights):
    return weights / weights.sum(-1, keepdim=True)


def _own_left_out(products):
    weights = products.tril(-1)
    return weights / weights.sum(-1, keepdim=True)


def _by_count(products):
    count = torch.arange(1, products.shape[-1] + 1)
    return products.tril() / count[:, None]


def _state_at_the_end(query, key, value):
    return query @ (key.mT @ value) / (query * key.cumsum(-2)).sum(-1, keepdim=True)


def _all_keys_below(query, key, value):
    above = (query @ key.mT).tril() @ value
    return above / (query @ key.sum(-2)[..., None])


EXERCISE = Exercise(
    name="linear_causal",
    chapter="19",
    signature="linear_causal(query, key, value) -> (..., word, value_width)",
    inputs=(
        Input("query", "... word width", draw=_positive),
        Input("key", "... word width", draw=_positive),
        Input("value", "... word value_width"),
    ),
    sizes={"word": 5, "width": 3, "value_width": 7},
    cases=(
        Case(label="five words"),
        Case(label="one word", sizes={"word": 1}),
        Case(label="keys of width one", sizes={"width": 1}),
        Case(label="as many words as features", sizes={"word": 3}),
        Case(label="values as wide as keys", sizes={"value_width": 3}),
        Case(label="as many words as features of a value", sizes={"word": 7}),
        Case(label="more leading axes", lead=(2, 11), hint=COUNT_FROM_THE_END),
        STRIDED,
        FLOAT64,
        BFLOAT16,
    ),
    misconceptions=(
        Misconception(
            "each word sees the words after it as well: take running sums, not whole ones",
            (_weighed(_share),),
        ),
        Misconception(
            "the weights are never divided by their sum",
            (_weighed(torch.tril),),
        ),
        Misconception(
            "the weights are divided by how many they are, not by their sum",
            (_weighed(_by_count),),
        ),
        Misconception(
            "a word's own key and value come too late: they belong to the sums that it reads",
            (
                _weighed(_own_left_out),
                _weighed(lambda products: _own_left_out(products).nan_to_num(0.0)),
            ),
        ),
        Misconception(
            "only one of the two sums runs; the other is over all words",
            (_state_at_the_end, _all_keys_below),
        ),
        Misconception(
            "there is a softmax in it. The products of positive features are weights already, but "
            "for their sum",
            (
                _weighed(lambda p: p.masked_fill(~p.ne(torch.inf).tril(), -torch.inf).softmax(-1)),
                _weighed(lambda p: p.softmax(-1)),
            ),
        ),
        Misconception(
            "this is the running mean of the values: the query has no say",
            (_weighed(lambda products: _share(torch.ones_like(products).tril())),),
        ),
    ),
    hint="Two sums run along the words: that of key times value, a matrix for each word, and that "
    "of the keys, a vector. The query is multiplied with both.",
    solution=linear_causal,
)
