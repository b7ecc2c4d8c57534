"""An exercise of chapter 19: the weights of a causal window."""

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


def window_weights(scores, window):
    every = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device)
    near = every.tril() & every.triu(1 - window)  # (query, key)
    return scores.masked_fill(~near, -torch.inf).softmax(-1)


def _window(shape, case, generator):
    return 2


def _masked(near, axis=-1):
    """The softmax where `near(query - key, window)` holds."""

    def function(scores, window):
        places = torch.arange(scores.shape[-1])
        mask = near(places[:, None] - places, window)
        return scores.masked_fill(~mask, -torch.inf).softmax(axis)

    return function


def _past(behind, window):
    return (behind >= 0) & (behind < window)


def _after(divide):
    def function(scores, window):
        weights = scores.softmax(-1).tril().triu(1 - window)
        return divide(weights)

    return function


EXERCISE = Exercise(
    name="window_weights",
    chapter="19",
    signature="window_weights(scores, window) -> weights of the scores' shape",
    inputs=(Input("scores", "... word word"), Input("window", draw=_window)),
    sizes={"word": 5},
    cases=(
        Case(label="a window of two"),
        Case(label="a window of three", given={"window": 3}),
        Case(label="a window of one", given={"window": 1}),
        Case(label="a window as long as the sequence", given={"window": 5}),
        Case(label="a window longer than the sequence", given={"window": 9}),
        Case(label="one word", sizes={"word": 1}),
        Case(label="more leading axes", lead=(2, 3), hint=COUNT_FROM_THE_END),
        Case(label="scores in the thousands", scale={"scores": 1000.0}),
        STRIDED,
        FLOAT64,
        BFLOAT16,
    ),
    misconceptions=(
        Misconception(
            "your window is one key too wide: the query's own key counts, so a window of 2 is the "
            "own key and one before it",
            (_masked(lambda behind, window: (behind >= 0) & (behind <= window)),),
        ),
        Misconception(
            "your window reaches into the future; a query sees its own key and those before it",
            (
                _masked(lambda behind, window: behind.abs() < window),
                _masked(lambda behind, window: behind.abs() <= window),
                _masked(lambda behind, window: (behind <= 0) & (behind > -window)),
            ),
        ),
        Misconception(
            "this is the causal mask alone: what is far behind must be hidden, too",
            (_masked(lambda behind, window: behind >= 0),),
        ),
        Misconception(
            "these are blocks, each query with the keys of its own; a window moves with the query",
            (lambda scores, window: _blocks(scores, window),),
        ),
        Misconception(
            "the mask comes after the softmax. Hide the scores, before",
            (
                _after(lambda weights: weights),
                _after(lambda weights: weights / weights.sum(-1, keepdim=True)),
                _after(lambda weights: (weights / weights.sum(-1, keepdim=True)).nan_to_num(0.0)),
            ),
        ),
        Misconception(
            "hidden scores are set to 0, but exp(0) is 1: a score that means never is minus "
            "infinity",
            (lambda scores, window: scores.tril().triu(1 - window).softmax(-1),),
        ),
        Misconception(
            "your softmax runs over the queries; the weights of each query must sum to one over "
            "the keys, the last axis",
            (_masked(_past, axis=-2),),
        ),
        Misconception(
            "your mask is the other way round: it hides the window",
            (_masked(lambda behind, window: ~_past(behind, window)),),
        ),
    ),
    hint="tril() hides what is to the right of the diagonal. Which other function, and how far "
    "from the diagonal, hides what is too far to the left?",
    solution=window_weights,
)


def _blocks(scores, window):
    places = torch.arange(scores.shape[-1])
    same = places[:, None] // window == places // window
    near = same & (places <= places[:, None])
    return scores.masked_fill(~near, -torch.inf).softmax(-1)
