"""Find the bug (chapter 03): a decoder's context, for translation."""

from __future__ import annotations

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
from attncourse.exercises.judging import BFLOAT16, FLOAT64, STRIDED, Case, Exercise, Misconception


def context(state, encoded, matrix, vector):
    pairs = torch.cat([state.expand_as(encoded), encoded], dim=-1)
    scores = torch.tanh(pairs @ matrix.mT) @ vector  # (key, batch)
    weights = torch.softmax(scores, dim=0)
    return (weights.unsqueeze(-1) * encoded).sum(0, keepdim=True)


EXERCISE = Exercise(
    name="repair_translation",
    chapter="03",
    signature="context(state, encoded, matrix, vector) -> (1, batch, hidden)",
    inputs=STATES,
    sizes=SIZES,
    tied=TIED,
    cases=(
        Case(label="a batch of sentences"),
        Case(label="one sentence", sizes={"batch": 1}),
        Case(label="sentences of one token", sizes={"key": 1}),
        Case(label="as many sentences as tokens", sizes={"batch": 3, "key": 3}),
        STRIDED,
        FLOAT64,
        BFLOAT16,
    ),
    misconceptions=(
        Misconception(
            "the state is not expanded: one state meets several tokens, and cat does not "
            "broadcast. Give each token its copy with expand_as",
            (
                _broken.context,
                *contexts_by(
                    expand=[False], score=[inside, outside], normalise=[0, 1], total=[0, 1]
                ),
            ),
        ),
        Misconception(
            BATCH,
            contexts_by(score=[inside, outside], normalise=[1], total=[0, 1]),
        ),
        Misconception(
            "the weights are normalised over the keys, but the sum runs over the batch: sum over "
            "the keys as well, dim=0",
            contexts_by(score=[inside, outside], total=[1]),
        ),
        Misconception(OUTERMOST, contexts_by(score=[outside])),
        Misconception(
            "state and token stand the other way round: the matrix reads the state first",
            contexts_by(score=[inside, outside], order=[-1]),
        ),
        Misconception(
            ANOTHER,
            (
                context_by(
                    score=lambda pairs, matrix, vector: inside(
                        pairs.mean(1, True).expand_as(pairs), matrix, vector
                    )
                ),
            ),
            shows=other_sentences(1),
        ),
    ),
    hint="Mend what raises first: every token needs a copy of the state beside it. Then ask of "
    "each axis what it is: what should the weights of one sentence sum to one over?",
    solution=context,
    broken=_broken.context,
)
