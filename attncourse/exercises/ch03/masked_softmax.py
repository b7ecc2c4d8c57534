"""An exercise of chapter 03: the softmax that obeys a mask."""

from __future__ import annotations

from dataclasses import replace

import torch

import attncourse
from attncourse.exercises.judging import (
    COUNT_FROM_THE_END,
    STRIDED,
    Case,
    Exercise,
    Input,
    Misconception,
    allowed,
)


def masked_softmax(scores, mask):
    scores = scores.masked_fill(~mask, -torch.inf)
    empty = ~mask.any(-1, keepdim=True)  # rows with nothing to attend to
    weights = torch.softmax(scores.masked_fill(empty, 0.0), dim=-1)
    return weights.masked_fill(empty, 0.0)


def _filled(fill=-torch.inf, dim=-1, empty=None):
    """Softmax over `dim` with masked scores set to `fill`; NaN becomes `empty`, if given."""

    def function(scores, mask):
        weights = scores.masked_fill(~mask, fill).softmax(dim)
        return weights if empty is None else weights.nan_to_num(empty)

    return function


def _front(dim):
    return tuple(_filled(dim=dim, empty=empty) for empty in (0.0, None))


def _by_hand(divide):
    def function(scores, mask):
        raised = scores.exp() * mask
        return divide(raised, raised.sum(-1, keepdim=True))

    return function


def _inverted(scores, mask):
    return attncourse.masked_softmax(scores, ~mask)


EMPTY = (
    "A query that may attend to nothing gets zeros. Find such rows with mask.any(-1, keepdim=True)."
)

EXERCISE = Exercise(
    name="masked_softmax",
    chapter="03",
    signature="masked_softmax(scores, mask) -> weights of the scores' shape",
    inputs=(
        Input("scores", "... query key"),
        Input("mask", "... query key", draw=allowed),
    ),
    sizes={"query": 5, "key": 7},
    cases=(
        Case(label="a random mask", mask="random"),
        Case(label="a causal mask", mask="causal", sizes={"query": 5, "key": 5}),
        Case(
            label="a padding mask of one row",
            mask="padding",
            hint="The mask broadcasts: it may have fewer rows than the scores.",
        ),
        Case(label="an empty row", mask="empty row", hint=EMPTY),
        Case(
            label="scores in the thousands",
            mask="random",
            scale={"scores": 1000.0},
            hint="e to the power of 1000 is more than a float can hold. Softmax does not change "
            "when the largest allowed score of a row is subtracted first.",
        ),
        Case(label="more leading axes", mask="empty row", lead=(2, 3), hint=COUNT_FROM_THE_END),
        replace(STRIDED, mask="random"),
        Case(label="float64", mask="empty row", dtype=torch.float64),
        Case(label="bfloat16", mask="empty row", dtype=torch.bfloat16),
        Case(
            label="float16",
            mask="empty row",
            dtype=torch.float16,
            hint="float16 is narrow: -1e9 does not fit into it, though minus infinity does; and "
            "1e-9 is rounded to zero, so it keeps no sum from being zero.",
        ),
    ),
    misconceptions=(
        Misconception(
            "your softmax runs over the queries; the weights of each query must sum to one over "
            "the keys, the last axis",
            (*_front(-2), *_front(0), _filled(fill=-1e9, dim=-2)),
        ),
        Misconception(
            "your softmax counts its axis from the front; with more leading axes it is another "
            "one. The keys are always the last: dim=-1",
            (*_front(1), _filled(fill=-1e9, dim=1)),
        ),
        Misconception(
            "the mask comes after the softmax, so the weights that are left do not sum to one. "
            "Mask the scores, before",
            (lambda scores, mask: scores.softmax(-1) * mask,),
        ),
        Misconception(
            "you mask after the softmax and divide again. Where a masked score was far the "
            "largest, nothing is left to divide: mask the scores, before",
            (
                lambda scores, mask: _renormalised(scores, mask),
                lambda scores, mask: _renormalised(scores, mask).nan_to_num(0.0),
            ),
        ),
        Misconception(
            'your mask is the other way round: True means "may attend"',
            (
                _inverted,
                lambda scores, mask: scores.masked_fill(mask, -torch.inf).softmax(-1),
                lambda scores, mask: scores.masked_fill(mask, -1e9).softmax(-1),
            ),
        ),
        Misconception(
            "masked scores get a large negative number, and an empty row is then uniform: all of "
            "its keys are equally bad. Its weights must be zero",
            (_filled(fill=-1e9), _filled(fill=-1e30)),
        ),
        Misconception(
            "a row with nothing to attend to is NaN: the softmax of nothing but minus infinity "
            "is 0/0. Its weights must be zero",
            (_filled(),),
        ),
        Misconception(
            "your exp overflows: e to the power of 1000 is more than a float can hold. Subtract "
            "the largest score of each row first, or use torch.softmax",
            (
                _by_hand(lambda raised, total: raised / total),
                _by_hand(lambda raised, total: (raised / total).nan_to_num(0.0)),
                _by_hand(lambda raised, total: raised / total.clamp(min=1e-9)),
                _by_hand(lambda raised, total: (raised / total).masked_fill(total == 0, 0.0)),
                _by_hand(lambda raised, total: (raised / total).masked_fill(~(total > 0), 0.0)),
                lambda scores, mask: _exp_of_filled(scores, mask),
            ),
        ),
        Misconception(
            "your weights are the scores divided by their sum; a score may be negative, so the "
            "exponential is needed",
            (
                lambda scores, mask: scores * mask / (scores * mask).sum(-1, keepdim=True),
                lambda scores, mask: (
                    scores * mask / (scores * mask).sum(-1, keepdim=True)
                ).nan_to_num(0.0),
            ),
        ),
        Misconception(
            "masked scores are set to 0, but exp(0) is 1: a score that means never is minus "
            "infinity",
            (lambda scores, mask: (scores * mask).softmax(-1),),
        ),
        Misconception(
            "the mask is added to the scores, where True counts as 1. A mask that is boolean takes "
            "away: scores.masked_fill(~mask, -torch.inf)",
            (lambda scores, mask: (scores + mask).softmax(-1),),
        ),
        Misconception(
            "the mask has no effect",
            (lambda scores, mask: scores.softmax(-1),),
        ),
    ),
    hint="Give masked scores minus infinity, then take the softmax over the last axis. What does "
    "a row become in which every score is minus infinity?",
    solution=masked_softmax,
)


def _renormalised(scores, mask):
    weights = scores.softmax(-1) * mask
    return weights / weights.sum(-1, keepdim=True)


def _exp_of_filled(scores, mask):
    raised = scores.masked_fill(~mask, -torch.inf).exp()
    return raised / raised.sum(-1, keepdim=True)
