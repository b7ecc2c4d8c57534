"""Find the bug (chapter 01): a lookup that forgot who asked."""

from __future__ import annotations

import torch

from attncourse.exercises.ch01 import _broken
from attncourse.exercises.ch01.soft_lookup import CASES, INPUTS, KEYS, SIZES, SOFTMAX, average
from attncourse.exercises.judging import Exercise, Misconception, blind_to


def pool(query, key, value):
    scores = key @ query  # the query decides which keys count
    weights = torch.softmax(scores, dim=-1)
    return weights @ value


EXERCISE = Exercise(
    name="repair_pooling",
    chapter="01",
    signature="pool(query, key, value) -> (value_width,)",
    inputs=INPUTS,
    sizes=SIZES,
    cases=CASES,
    misconceptions=(
        Misconception(
            "your scores never see the query: the keys are compared with themselves",
            (_broken.pool, lambda query, key, value: average(key.norm(dim=-1), value)),
        ),
        SOFTMAX,
        KEYS,
        Misconception(
            "your scores are the query's own length: it is compared with itself, so all keys "
            "score the same",
            (lambda query, key, value: value.mean(0),),
        ),
        Misconception(
            "your scores never see the query: another question gets the same answer",
            (lambda query, key, value: average(-key.square().sum(-1), value),),
            shows=blind_to(0),
        ),
    ),
    hint="Ask the function two different questions. Which line should have noticed?",
    solution=pool,
    broken=_broken.pool,
)
