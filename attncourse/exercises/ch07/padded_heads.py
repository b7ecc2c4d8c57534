"""Find the bug (chapter 07): attention with several heads, whose mask lies along the wrong axis."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import torch

from attncourse.exercises.ch07 import _broken
from attncourse.exercises.ch07.multi_head import INVERTED, late, scaled
from attncourse.exercises.judging import STRIDED, Case, Exercise, Input, Misconception, allowed


def attend_heads(query, key, value, mask):
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    scores = scores.masked_fill(~mask[:, None, None], -torch.inf)
    return torch.softmax(scores, dim=-1) @ value


def _heads(place, weigh=lambda scores, mask: _fill(scores, mask)):
    """Attention in heads with the mask put elsewhere, or used in another way."""

    def function(query, key, value, mask):
        return weigh(scaled(query, key), place(mask)) @ value

    return function


def _fill(scores, mask, fill=-torch.inf):
    return scores.masked_fill(~mask, fill).softmax(-1)


FILLS = (
    _fill,
    lambda scores, mask: _fill(scores, mask, -1e9),
    lambda scores, mask: _fill(scores, mask).nan_to_num(0.0),
)


def _placed(*places):
    return tuple(_heads(place, weigh) for place, weigh in product(places, FILLS))


def _keys(mask):
    return mask[:, None, None]


EXERCISE = Exercise(
    name="padded_heads",
    chapter="07",
    signature="attend_heads(query, key, value, mask) -> (batch, heads, length, head_dim)",
    inputs=(
        *(Input(name, "batch heads length head_dim") for name in ("query", "key", "value")),
        Input("mask", "batch length", draw=allowed),
    ),
    sizes={"batch": 2, "heads": 3, "length": 5, "head_dim": 7},
    cases=(
        Case(label="a padded batch", mask="random"),
        Case(label="one sentence", mask="random", sizes={"batch": 1}),
        Case(label="one head", mask="random", sizes={"heads": 1}),
        Case(label="as many sentences as words", mask="random", sizes={"batch": 5, "length": 5}),
        Case(label="as many sentences as heads", mask="random", sizes={"batch": 3, "heads": 3}),
        Case(label="as many heads as words", mask="random", sizes={"heads": 5, "length": 5}),
        Case(label="scores in the thousands", mask="random", scale={"query": 1000.0}),
        replace(STRIDED, mask="random"),
        Case(label="float64", mask="random", dtype=torch.float64),
        Case(label="bfloat16", mask="random", dtype=torch.bfloat16),
    ),
    misconceptions=(
        Misconception(
            "the mask lies along the queries: it spoils the rows of padding, which nobody reads, "
            "and real words still read padding. It must hide who is looked at: the keys, the last "
            "axis",
            (_broken.attend_heads, *_placed(lambda mask: mask[:, None, :, None])),
        ),
        Misconception(
            "the mask hides padding both as key and as query. Only the keys must be hidden: a row "
            "in which nothing is left is uniform or NaN, and nobody reads it anyway",
            _placed(lambda mask: mask[:, None, :, None] & mask[:, None, None]),
        ),
        Misconception(
            INVERTED,
            _placed(lambda mask: ~_keys(mask)),
        ),
        Misconception(
            "the mask is turned round and still lies along the queries: True means that a word may "
            "be looked at, and the keys are the last axis",
            _placed(lambda mask: ~mask[:, None, :, None]),
        ),
        Misconception(
            "the sentences of the mask meet another axis of the scores. It is (batch, length); "
            "heads and queries need an axis of length one each: mask[:, None, None, :]",
            _placed(
                lambda mask: mask,
                lambda mask: mask[:, None],
                lambda mask: mask[:, :, None],
                lambda mask: mask[None, None],
                lambda mask: mask[..., None, None],
            ),
        ),
        Misconception(
            "padding is read: the mask has no effect",
            (_heads(_keys, lambda scores, mask: scores.softmax(-1)),),
        ),
        Misconception(
            "the mask comes after the softmax, so the weights that are left do not sum to one. "
            "Mask the scores, before",
            (_heads(_keys, late),),
        ),
        Misconception(
            "masked scores are set to 0, but exp(0) is 1: a score that means never is minus "
            "infinity",
            (_heads(_keys, lambda scores, mask: (scores * mask).softmax(-1)),),
        ),
    ),
    hint="Write the four axes of the scores in a row, and under each the axis of the mask that "
    "meets it. Which of the four holds the words that are looked at?",
    solution=attend_heads,
    broken=_broken.attend_heads,
)
