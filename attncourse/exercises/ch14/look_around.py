"""Find the bug (chapter 14): a tagger's attention in which one text reads another."""

from __future__ import annotations

import math

import torch

from attncourse.exercises.ch14 import _broken
from attncourse.exercises.judging import BFLOAT16, FLOAT64, STRIDED, Case, Exercise, Input
from attncourse.exercises.judging import Misconception as Mistake


def look_around(states):
    x = states.transpose(0, 1)  # (batch, length, width)
    scores = x @ x.mT / math.sqrt(x.shape[-1])
    return (scores.softmax(-1) @ x).transpose(0, 1)


def _pooled(axis, expand, weigh=lambda states: torch.tanh(states.mean(-1, keepdim=True))):
    """One set of weights for all words, along an axis of (length, batch, width)."""

    def function(states):
        found = (weigh(states).softmax(axis) * states).sum(axis, keepdim=expand)
        return found.expand_as(states) if expand else found

    return function


WEIGH = (
    lambda states: torch.tanh(states.mean(-1, keepdim=True)),
    lambda states: torch.tanh(states.sum(-1, keepdim=True)),
    lambda states: states.mean(-1, keepdim=True),
    lambda states: states.sum(-1, keepdim=True),
    lambda states: torch.zeros_like(states[..., :1]),
)


def _pools(axis):
    return tuple(_pooled(axis, expand, weigh) for weigh in WEIGH for expand in (False, True))


def _attention(axis=-1, scale=math.sqrt, back=lambda found: found.transpose(0, 1)):
    def function(states):
        x = states.transpose(0, 1)
        scores = x @ x.mT / scale(x.shape[-1])
        return back(scores.softmax(axis) @ x)

    return function


def _over_texts(states):
    scores = states @ states.mT / math.sqrt(states.shape[-1])  # (length, batch, batch)
    return scores.softmax(-1) @ states


def _all_in_one(states):
    x = states.flatten(0, 1)
    scores = x @ x.mT / math.sqrt(x.shape[-1])
    return (scores.softmax(-1) @ x).view_as(states)


EXERCISE = Exercise(
    name="look_around",
    chapter="14",
    signature="look_around(states) -> (length, batch, width)",
    inputs=(Input("states", "length batch width"),),
    sizes={"length": 5, "batch": 3, "width": 7},
    cases=(
        Case(label="three texts"),
        Case(label="one text", sizes={"batch": 1}),
        Case(label="texts of one word", sizes={"length": 1}),
        Case(label="as many texts as words", sizes={"length": 3, "batch": 3}),
        Case(label="as many words as a state is wide", sizes={"length": 7, "width": 7}),
        Case(label="large scores", scale={"states": 5.0}),
        STRIDED,
        FLOAT64,
        BFLOAT16,
    ),
    misconceptions=(
        Mistake(
            "the softmax and the sum run over the batch: the states are (length, batch, width), so "
            "axis 1 holds the texts, and one text reads another",
            (_broken.look_around, *_pools(1)),
        ),
        Mistake(
            "all words of a text get the same, so they will get the same tag. A score must depend "
            "on who asks: each word is a query, and each word is a key",
            _pools(0),
        ),
        Mistake(
            "each word looks at the words at its own place in the other texts: bring the batch to "
            "the front before @, which works on the last two axes",
            (_over_texts,),
        ),
        Mistake(
            "the words of all texts are thrown together, so one text reads another. Keep the batch "
            "as an axis in front",
            (_all_in_one,),
        ),
        Mistake(
            "your softmax runs over the queries; the weights of each query must sum to one over "
            "the keys, the last axis",
            (_attention(axis=-2),),
        ),
        Mistake(
            "the softmax runs over the batch: after the transposition that is axis 0",
            (_attention(axis=0),),
        ),
        Mistake(
            "the scores are not divided by the root of the width",
            (_attention(scale=lambda width: 1), _attention(scale=lambda width: width)),
        ),
        Mistake(
            "the answer is (batch, length, width); the states came as (length, batch, width)",
            (_attention(back=lambda found: found),),
        ),
    ),
    hint="Write the axes of the states beside their numbers. Which one does dim=1 name? Then: of "
    "what do the scores depend on the word that asks?",
    solution=look_around,
    broken=_broken.look_around,
)
