"""Find the bug (chapter 03): a decoder's context, for summarisation with padding."""

from __future__ import annotations

from dataclasses import replace

import torch

from attncourse.exercises.ch03 import _broken
from attncourse.exercises.ch03._sentences import (
    ANOTHER,
    BATCH,
    OUTERMOST,
    SIZES,
    STATES,
    TIED,
    context_by,
    contexts_by,
    inside,
    other_sentences,
    outside,
)
from attncourse.exercises.judging import STRIDED, Case, Exercise, Input, Misconception, allowed


def padded_context(state, encoded, matrix, vector, mask):
    pairs = torch.cat([state.expand_as(encoded), encoded], dim=-1)
    scores = torch.tanh(pairs @ matrix.mT) @ vector  # (key, batch)
    scores = scores.masked_fill(~mask.mT, -torch.inf)
    weights = torch.softmax(scores, dim=0)
    return (weights.unsqueeze(-1) * encoded).sum(0, keepdim=True)


def _hide(fill=-torch.inf, turn=True, invert=False):
    def masked(scores, mask):
        mask = mask.mT if turn else mask
        return scores.masked_fill(mask if invert else ~mask, fill)

    return masked


def _after(state, encoded, matrix, vector, mask):
    pairs = torch.cat([state.expand_as(encoded), encoded], dim=-1)
    weights = torch.softmax(inside(pairs, matrix, vector), dim=0) * mask.mT
    return (weights.unsqueeze(-1) * encoded).sum(0, keepdim=True)


EXERCISE = Exercise(
    name="repair_summarisation",
    chapter="03",
    signature="padded_context(state, encoded, matrix, vector, mask) -> (1, batch, hidden)",
    inputs=(*STATES, Input("mask", "batch key", draw=allowed)),
    sizes=SIZES,
    tied=TIED,
    cases=(
        Case(label="a batch with padding", mask="random"),
        Case(label="one article", mask="random", sizes={"batch": 1}),
        Case(label="articles of one token", mask="random", sizes={"key": 1}),
        Case(label="as many articles as tokens", mask="random", sizes={"batch": 3, "key": 3}),
        replace(STRIDED, mask="random"),
        Case(label="float64", mask="random", dtype=torch.float64),
        Case(label="bfloat16", mask="random", dtype=torch.bfloat16),
    ),
    misconceptions=(
        Misconception(
            BATCH,
            (
                _broken.padded_context,
                *contexts_by(
                    score=[inside, outside],
                    normalise=[1],
                    total=[0, 1],
                    masked=[None, _hide(), _hide(-1e9)],
                ),
            ),
        ),
        Misconception(
            "padding is read: the mask is not used. Masked tokens get a score of minus infinity",
            contexts_by(score=[inside, outside], masked=[None]),
        ),
        Misconception(
            "the mask is not turned: it is (batch, key), your scores are (key, batch)",
            contexts_by(
                score=[inside, outside], masked=[_hide(turn=False), _hide(-1e9, turn=False)]
            ),
        ),
        Misconception(
            'your mask is the other way round: True means "may attend"',
            contexts_by(score=[inside], masked=[_hide(invert=True), _hide(-1e9, invert=True)]),
        ),
        Misconception(
            "the mask comes after the softmax, so the weights that are left do not sum to one. "
            "Mask the scores, before",
            (_after,),
        ),
        Misconception(OUTERMOST, contexts_by(score=[outside], masked=[_hide(), _hide(-1e9)])),
        Misconception(
            ANOTHER,
            (
                context_by(
                    masked=lambda scores, mask: scores - scores.mean(1, keepdim=True).square()
                ),
            ),
            shows=other_sentences(1),
        ),
    ),
    hint="No error shows this time. Follow the shapes: the scores are (key, batch), the mask is "
    "(batch, key). Which axis is one article's?",
    solution=padded_context,
    broken=_broken.padded_context,
)
