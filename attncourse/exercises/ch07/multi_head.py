"""An exercise of chapter 07: attention with several heads."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

import attncourse
from attncourse.exercises.ch03.scaled_dot_product_attention import MASKS, NORMALISE
from attncourse.exercises.ch07.split_heads import TIED
from attncourse.exercises.judging import STRIDED, Case, Exercise, Input, Misconception, allowed
from attncourse.exercises.judging import size as length_of


def multi_head(query, key, value, num_heads, mask):
    query, key, value = (
        x.unflatten(-1, (num_heads, -1)).transpose(1, 2)  # (batch, heads, length, head_dim)
        for x in (query, key, value)
    )
    scores = query @ key.mT / math.sqrt(query.shape[-1])  # (batch, heads, query, key)
    weights = attncourse.masked_softmax(scores, mask[:, None])
    return (weights @ value).transpose(1, 2).flatten(2)


# -- the ways to go wrong --------------------------------------------------------------------------


def _split(x, heads):
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def _merge(x):
    return x.transpose(1, 2).flatten(2)


def _read_off(x, heads):
    return x.reshape(len(x), heads, x.shape[1], -1)


def _put_back(x):
    return x.reshape(len(x), x.shape[2], -1)


def _dots(query, key):
    return query @ key.mT


def scaled(query, key):
    return query @ key.mT / math.sqrt(query.shape[-1])


def _for_heads(mask):
    return mask[:, None]


def _multi(
    score=scaled,
    split=_split,
    merge=_merge,
    place=_for_heads,
    normalise=NORMALISE,
    scale=lambda width, heads: 1.0,
):
    """Attention in heads, each choice open to be wrong: one function for each normalisation."""

    def build(weigh):
        def function(query, key, value, num_heads, mask):
            factor = scale(query.shape[-1], num_heads)
            query, key, value = (split(x, num_heads) for x in (query, key, value))
            return merge(weigh(score(query, key) * factor, place(mask)) @ value)

        return function

    return tuple(build(weigh) for weigh in normalise)


def _along(dim):
    """Softmax over another axis, with any treatment of what is masked there from end to end."""

    def over(scores, mask, fill=-torch.inf):
        return scores.masked_fill(~mask, fill).softmax(dim)

    return _multi(
        normalise=(
            over,
            lambda scores, mask: over(scores, mask).nan_to_num(0.0),
            lambda scores, mask: over(scores, mask, -1e9),
            lambda scores, mask: over(scores, mask, -1e9) * mask,
        )
    )


def _folded(query, key, value, num_heads, mask):
    """Heads in the batch, sentence by sentence, but the mask repeated batch by batch."""
    query, key, value = (_split(x, num_heads).flatten(0, 1) for x in (query, key, value))
    weights = attncourse.masked_softmax(scaled(query, key), mask.repeat(num_heads, 1, 1))
    return _merge((weights @ value).unflatten(0, (-1, num_heads)))


def _by_attend(query, key, value, num_heads, mask):
    return _merge(attncourse.attend(*(_split(x, num_heads) for x in (query, key, value)), mask))


def late(scores, mask):
    return scores.softmax(-1) * mask


def _too_late(scores, mask):
    weights = scores.softmax(-1) * mask
    return weights / weights.sum(-1, keepdim=True)


INVERTED = (
    'your mask is the other way round: True means "may attend", as in '
    "F.scaled_dot_product_attention. In nn.MultiheadAttention it means the opposite"
)

EXERCISE = Exercise(
    name="multi_head",
    chapter="07",
    signature="multi_head(query, key, value, num_heads, mask) -> (batch, query, embed)",
    inputs=(
        Input("query", "batch query embed"),
        Input("key", "batch key embed"),
        Input("value", "batch key embed"),
        Input("num_heads", "heads", draw=length_of),
        Input("mask", "batch query key", draw=allowed),
    ),
    sizes={"batch": 2, "query": 5, "key": 7, "heads": 3, "head_dim": 11},
    tied=TIED,
    cases=(
        Case(label="a random mask", mask="random"),
        Case(label="one head", mask="random", sizes={"heads": 1}),
        Case(label="heads of a single feature", mask="random", sizes={"head_dim": 1}),
        Case(
            label="as many sentences as heads",
            mask="random",
            sizes={"batch": 3, "heads": 3},
            hint="The mask has no axis for the heads; where there are as many sentences, torch "
            "takes the one for the other. Give it one: mask[:, None].",
        ),
        Case(
            label="as many heads as a head is wide",
            mask="random",
            sizes={"heads": 3, "head_dim": 3},
        ),
        *MASKS,
        replace(STRIDED, mask="random"),
        Case(label="float64", mask="empty row", dtype=torch.float64),
        Case(label="bfloat16", mask="empty row", dtype=torch.bfloat16),
    ),
    misconceptions=(
        Misconception(
            "your scores are divided by the root of embed_dim; a score sums head_dim products, so "
            "it is the root of that. With eight heads every score is nearly three times too small",
            _multi(_dots, scale=lambda width, heads: 1 / math.sqrt(width)),
        ),
        Misconception(
            "your scores are not divided by the root of the head's width",
            _multi(_dots),
        ),
        Misconception(
            "your scores are divided by the root of the number of heads; it is the root of their "
            "width",
            _multi(_dots, scale=lambda width, heads: 1 / math.sqrt(heads)),
        ),
        Misconception(
            "your scores are divided by the head's width itself; it is its root",
            _multi(_dots, scale=lambda width, heads: heads / width),
        ),
        Misconception(
            INVERTED,
            _multi(place=lambda mask: ~mask[:, None]),
        ),
        Misconception(
            "the mask comes after the softmax, so the weights that are left do not sum to one. "
            "Mask the scores, before",
            _multi(normalise=(late,)),
        ),
        Misconception(
            "you mask after the softmax and divide again. Where a masked score was far the "
            "largest, nothing is left to divide: mask the scores, before",
            _multi(
                normalise=(_too_late, lambda scores, mask: _too_late(scores, mask).nan_to_num(0.0))
            ),
        ),
        Misconception(
            "the mask has no effect",
            _multi(normalise=(lambda scores, mask: scores.softmax(-1),)),
        ),
        Misconception(
            "the mask has no axis for the heads in its place, so its sentences meet the heads: an "
            "error, or, where there are as many, the wrong mask. It is mask[:, None]",
            (
                *_multi(place=lambda mask: mask),
                *_multi(place=lambda mask: mask[:, :, None]),
                _by_attend,
            ),
        ),
        Misconception(
            "the heads are folded into the batch, and the mask is repeated in another order: a "
            "sentence's heads stand together, so it is repeat_interleave(num_heads, dim=0)",
            (_folded,),
        ),
        Misconception(
            "your heads are read straight off the memory, so a head gets whole words and scraps of "
            "words. Cut the last axis first, then bring the heads forward with transpose",
            (*_multi(split=_read_off), *_multi(split=_read_off, merge=_put_back)),
        ),
        Misconception(
            "the heads are joined as they come in memory, so what one word found is given to "
            "another. Bring the words before the heads, then join",
            _multi(merge=_put_back),
        ),
        Misconception(
            "the heads take turns among the features; a head is a slice of them, side by side",
            (
                *_multi(
                    split=lambda x, heads: x.unflatten(-1, (-1, heads)).permute(0, 3, 1, 2),
                    merge=lambda x: x.permute(0, 2, 3, 1).flatten(2),
                ),
                *_multi(split=lambda x, heads: x.unflatten(-1, (-1, heads)).permute(0, 3, 1, 2)),
                *_multi(merge=lambda x: x.permute(0, 2, 3, 1).flatten(2)),
            ),
        ),
        Misconception(
            "your softmax runs over the heads, so they compete for a word. Each head has weights "
            "of its own that sum to one over the keys",
            _along(1),
        ),
        Misconception(
            "your softmax runs over the queries; the weights of each query must sum to one over "
            "the keys, the last axis",
            _along(-2),
        ),
        Misconception(
            "there is one softmax for all heads: their scores are put together first, so all look "
            "at the same words. Each head has scores and weights of its own",
            (
                *_multi(lambda query, key: scaled(query, key).mean(1, keepdim=True)),
                *_multi(lambda query, key: scaled(query, key).sum(1, keepdim=True)),
                *_multi(
                    lambda query, key: _dots(query, key).sum(1, keepdim=True),
                    scale=lambda width, heads: 1 / math.sqrt(width),
                ),
            ),
        ),
        Misconception(
            "the heads' weights are averaged, so all heads read the same words. The average is for "
            "a picture at most; each head reads by its own",
            tuple(
                function
                for weigh in NORMALISE
                for function in _multi(
                    normalise=(
                        lambda scores, mask, weigh=weigh: weigh(scores, mask).mean(1, keepdim=True),
                    )
                )
            ),
        ),
        Misconception(
            "the heads are averaged or summed at the end; they are put side by side",
            (*_multi(merge=lambda x: x.mean(1)), *_multi(merge=lambda x: x.sum(1))),
        ),
        Misconception(
            "the heads are not merged: the answer is (batch, query, embed)",
            (*_multi(merge=lambda x: x), *_multi(merge=lambda x: x.transpose(1, 2))),
        ),
        Misconception(
            "masked scores get a large negative number, and a query that may attend to nothing "
            "then averages everything. It must get zeros",
            _multi(normalise=NORMALISE[2:]),
        ),
        Misconception(
            "a query that may attend to nothing gets NaN: the softmax of nothing but minus "
            "infinity is 0/0. It must get zeros",
            _multi(normalise=NORMALISE[1:2]),
        ),
    ),
    hint="Split all three into (batch, heads, length, head_dim), attend as ever, merge. "
    "attncourse.masked_softmax knows empty rows; which axis does the mask lack?",
    solution=multi_head,
)
