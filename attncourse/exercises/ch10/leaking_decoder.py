"""Find the bug (chapter 10): a decoder that sees the future once training is over."""

from __future__ import annotations

from dataclasses import replace

import torch

import attncourse
from attncourse.exercises.ch10 import _broken
from attncourse.exercises.judging import STRIDED, Case, Exercise, Input, Misconception


def look_back(query, key, value, training):
    new, length = query.shape[1], key.shape[1]
    mask = torch.ones(new, length, dtype=torch.bool).tril(length - new)
    return attncourse.attend(query, key, value, mask)


def _end(query, key):
    return torch.ones(query, key, dtype=torch.bool).tril(key - query)


def _start(query, key):
    return torch.ones(query, key, dtype=torch.bool).tril()


def _nothing(query, key):
    return torch.ones(query, key, dtype=torch.bool)


def _looking(training=_end, evaluation=_end):
    """A decoder's self-attention with a mask in training and another one after it."""

    def function(query, key, value, is_training):
        make = training if is_training else evaluation
        return attncourse.attend(query, key, value, make(query.shape[1], key.shape[1]))

    return function


def _off(by):
    return lambda query, key: torch.ones(query, key, dtype=torch.bool).tril(key - query + by)


def _turned(query, key):
    return torch.ones(query, key, dtype=torch.bool).triu(key - query)


def _after(query, key):
    return ~_end(query, key)


WHOLE = {"before": 0, "query": 5}
EVALUATION = {"training": False}

EXERCISE = Exercise(
    name="leaking_decoder",
    chapter="10",
    signature="look_back(query, key, value, training) -> (batch, query, value)",
    inputs=(
        Input("query", "batch query width"),
        Input("key", "batch key width"),
        Input("value", "batch key value"),
        Input("training", draw=lambda shape, case, generator: True),
    ),
    sizes={"batch": 7, "query": 2, "before": 3, "width": 5, "value": 11},
    tied={"key": lambda sizes: sizes["before"] + sizes["query"]},
    cases=(
        Case(label="a sentence in training", sizes=WHOLE),
        Case(
            label="a sentence after training",
            sizes=WHOLE,
            given=EVALUATION,
            hint="Whether a model trains or not, a word may not read those that come after it.",
        ),
        Case(label="one word that follows three", sizes={"query": 1}, given=EVALUATION),
        Case(
            label="two words that follow three",
            given=EVALUATION,
            hint="The keys of three earlier words are kept. The last query stands at the last "
            "key: its row of the mask is true throughout.",
        ),
        Case(label="one sentence", sizes={"batch": 1}, given=EVALUATION),
        Case(label="as many sentences as words", sizes={**WHOLE, "batch": 5}, given=EVALUATION),
        replace(STRIDED, sizes=WHOLE, given=EVALUATION),
        Case(label="float64", given=EVALUATION, dtype=torch.float64),
        Case(label="bfloat16", given=EVALUATION, dtype=torch.bfloat16),
    ),
    misconceptions=(
        Misconception(
            "the future is hidden in training only. After it, a sentence that comes whole is read "
            "to its end: each place sees the very word that it is to predict, and the loss on "
            "held-out text is that of another model",
            (
                _broken.look_back,
                _looking(evaluation=_nothing),
            ),
        ),
        Misconception(
            "the mask begins at the first key, as a plain tril() or is_causal=True has it. When "
            "earlier keys were kept, the queries are the last words: the ends must meet, "
            "tril(keys - queries)",
            (_looking(_start, _start), _looking(_end, _start)),
        ),
        Misconception(
            "the future is hidden after training only; in training it matters most",
            (_looking(training=_nothing), _looking(_nothing, _start)),
        ),
        Misconception(
            "nothing is hidden, in training or after it",
            (_looking(_nothing, _nothing),),
        ),
        Misconception(
            "your mask is the other way round: each word sees its future and not its past. True "
            "means that a word may be looked at",
            (_looking(_turned, _turned), _looking(_after, _after)),
        ),
        Misconception(
            "your mask is off by one: a word sees itself and those before it, and no other",
            (_looking(_off(-1), _off(-1)), _looking(_off(1), _off(1))),
        ),
        Misconception(
            "several new words come without a mask: only a single one needs none, as all keys are "
            "in its past",
            (
                lambda query, key, value, training: _looking(
                    evaluation=_end if query.shape[1] == key.shape[1] else _nothing
                )(query, key, value, training),
            ),
        ),
    ),
    hint="Print the mask for two queries and five keys, where three words were written before. "
    "Which word does each row belong to, and what may it see?",
    solution=look_back,
    broken=_broken.look_back,
)
