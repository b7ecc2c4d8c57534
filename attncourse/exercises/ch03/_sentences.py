"""The decoder's context (chapter 03), each choice open to be wrong.

`nn.LSTM` without `batch_first` puts tokens first, so what it encoded is (key, batch, hidden).
"""

from __future__ import annotations

from itertools import product

import torch

from attncourse.exercises.judging import Input, reads


def inside(pairs, matrix, vector):
    return torch.tanh(pairs @ matrix.mT) @ vector


def outside(pairs, matrix, vector):
    return torch.tanh(pairs @ matrix.mT @ vector)


def context_by(expand=True, score=inside, normalise=0, total=0, order=1, masked=None):
    """The decoder's context, each choice open to be wrong."""

    def function(state, encoded, matrix, vector, mask=None):
        parts = [state.expand_as(encoded) if expand else state, encoded][::order]
        scores = score(torch.cat(parts, dim=-1), matrix, vector)
        if masked is not None:
            scores = masked(scores, mask)
        weights = torch.softmax(scores, dim=normalise)
        return (weights.unsqueeze(-1) * encoded).sum(total, keepdim=True)

    return function


def contexts_by(**choices):
    """All functions that combine the given choices."""
    return tuple(
        context_by(**dict(zip(choices, values, strict=True)))
        for values in product(*choices.values())
    )


def other_sentences(index):
    """Whether a change of the other sentences in argument `index` reaches the first's answer."""
    return reads(
        index,
        lambda encoded: torch.cat([encoded[:, :1], 1.5 - encoded[:, 1:].flip(-1)], dim=1),
        lambda answer: answer[:, 0],
    )


BATCH = (
    "your softmax runs over the batch, so one sentence takes weight from another; normalise over "
    "the keys, which come first here: dim=0"
)
OUTERMOST = (
    "the tanh is outermost. There it caps every score, and the state adds the same number to all "
    "keys, so it cannot change which one is ahead; put it before the vector"
)
ANOTHER = "one sentence reads another: a change in the second changes the first one's answer"

STATES = (
    Input("state", "one batch hidden"),
    Input("encoded", "key batch hidden"),
    Input("matrix", "attention pair"),
    Input("vector", "attention"),
)


SIZES = {"key": 5, "batch": 3, "hidden": 2, "attention": 7}
TIED = {"one": lambda sizes: 1, "pair": lambda sizes: 2 * sizes["hidden"]}
