"""Find the bug (chapter 03): translation, summarisation and entities with broken attention.

The functions to mend are in `broken`; here are their solutions, and what else can go wrong on the
way. `nn.LSTM` without `batch_first` puts tokens first, so what it encoded is (key, batch, hidden).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import torch

from attncourse.exercises import broken
from attncourse.exercises.judging.exercise import (
    STRIDED,
    Case,
    Exercise,
    Input,
    Misconception,
    allowed,
)
from attncourse.exercises.judging.faults import reads


def context(state, encoded, matrix, vector):
    pairs = torch.cat([state.expand_as(encoded), encoded], dim=-1)
    scores = torch.tanh(pairs @ matrix.mT) @ vector  # (key, batch)
    weights = torch.softmax(scores, dim=0)
    return (weights.unsqueeze(-1) * encoded).sum(0, keepdim=True)


def padded_context(state, encoded, matrix, vector, mask):
    pairs = torch.cat([state.expand_as(encoded), encoded], dim=-1)
    scores = torch.tanh(pairs @ matrix.mT) @ vector  # (key, batch)
    scores = scores.masked_fill(~mask.mT, -torch.inf)
    weights = torch.softmax(scores, dim=0)
    return (weights.unsqueeze(-1) * encoded).sum(0, keepdim=True)


def read_own_sentence(encoded, vector):
    states = encoded.transpose(0, 1)  # (sentence, token, hidden)
    pairs = states.unsqueeze(2) + states.unsqueeze(1)  # (sentence, token, token, hidden)
    weights = torch.softmax(torch.tanh(pairs) @ vector, dim=-1)
    return (weights @ states).transpose(0, 1)


# -- the decoder's context -------------------------------------------------------------------------


def _inside(pairs, matrix, vector):
    return torch.tanh(pairs @ matrix.mT) @ vector


def _outside(pairs, matrix, vector):
    return torch.tanh(pairs @ matrix.mT @ vector)


def _context(expand=True, score=_inside, normalise=0, total=0, order=1, masked=None):
    """The decoder's context, each choice open to be wrong."""

    def function(state, encoded, matrix, vector, mask=None):
        parts = [state.expand_as(encoded) if expand else state, encoded][::order]
        scores = score(torch.cat(parts, dim=-1), matrix, vector)
        if masked is not None:
            scores = masked(scores, mask)
        weights = torch.softmax(scores, dim=normalise)
        return (weights.unsqueeze(-1) * encoded).sum(total, keepdim=True)

    return function


def _all(**choices):
    """All functions that combine the given choices."""
    return tuple(
        _context(**dict(zip(choices, values, strict=True))) for values in product(*choices.values())
    )


OTHER_SENTENCE = reads(
    1,
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


TRANSLATION = Exercise(
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
        Case(label="float64", dtype=torch.float64),
        Case(label="bfloat16", dtype=torch.bfloat16),
    ),
    misconceptions=(
        Misconception(
            "the state is not expanded: one state meets several tokens, and cat does not "
            "broadcast. Give each token its copy with expand_as",
            (
                broken.context,
                *_all(expand=[False], score=[_inside, _outside], normalise=[0, 1], total=[0, 1]),
            ),
        ),
        Misconception(
            BATCH,
            _all(score=[_inside, _outside], normalise=[1], total=[0, 1]),
        ),
        Misconception(
            "the weights are normalised over the keys, but the sum runs over the batch: sum over "
            "the keys as well, dim=0",
            _all(score=[_inside, _outside], total=[1]),
        ),
        Misconception(OUTERMOST, _all(score=[_outside])),
        Misconception(
            "state and token stand the other way round: the matrix reads the state first",
            _all(score=[_inside, _outside], order=[-1]),
        ),
        Misconception(
            ANOTHER,
            (
                _context(
                    score=lambda pairs, matrix, vector: _inside(
                        pairs.mean(1, True).expand_as(pairs), matrix, vector
                    )
                ),
            ),
            shows=OTHER_SENTENCE,
        ),
    ),
    hint="Mend what raises first: every token needs a copy of the state beside it. Then ask of "
    "each axis what it is: what should the weights of one sentence sum to one over?",
    solution=context,
    broken=broken.context,
)


def _hide(fill=-torch.inf, turn=True, invert=False):
    def masked(scores, mask):
        mask = mask.mT if turn else mask
        return scores.masked_fill(mask if invert else ~mask, fill)

    return masked


def _after(state, encoded, matrix, vector, mask):
    pairs = torch.cat([state.expand_as(encoded), encoded], dim=-1)
    weights = torch.softmax(_inside(pairs, matrix, vector), dim=0) * mask.mT
    return (weights.unsqueeze(-1) * encoded).sum(0, keepdim=True)


SUMMARISATION = Exercise(
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
                broken.padded_context,
                *_all(
                    score=[_inside, _outside],
                    normalise=[1],
                    total=[0, 1],
                    masked=[None, _hide(), _hide(-1e9)],
                ),
            ),
        ),
        Misconception(
            "padding is read: the mask is not used. Masked tokens get a score of minus infinity",
            _all(score=[_inside, _outside], masked=[None]),
        ),
        Misconception(
            "the mask is not turned: it is (batch, key), your scores are (key, batch)",
            _all(score=[_inside, _outside], masked=[_hide(turn=False), _hide(-1e9, turn=False)]),
        ),
        Misconception(
            'your mask is the other way round: True means "may attend"',
            _all(score=[_inside], masked=[_hide(invert=True), _hide(-1e9, invert=True)]),
        ),
        Misconception(
            "the mask comes after the softmax, so the weights that are left do not sum to one. "
            "Mask the scores, before",
            (_after,),
        ),
        Misconception(OUTERMOST, _all(score=[_outside], masked=[_hide(), _hide(-1e9)])),
        Misconception(
            ANOTHER,
            (_context(masked=lambda scores, mask: scores - scores.mean(1, keepdim=True).square()),),
            shows=OTHER_SENTENCE,
        ),
    ),
    hint="No error shows this time. Follow the shapes: the scores are (key, batch), the mask is "
    "(batch, key). Which axis is one article's?",
    solution=padded_context,
    broken=broken.padded_context,
)


# -- entities --------------------------------------------------------------------------------------


def _tokens(weigh):
    """One vector a token from (sentence, token, token, hidden) sums and the states."""

    def function(encoded, vector):
        states = encoded.transpose(0, 1)
        pairs = states.unsqueeze(2) + states.unsqueeze(1)
        return (weigh(pairs, vector) @ states).transpose(0, 1)

    return function


def _without_turning(encoded, vector):
    pairs = encoded.unsqueeze(2) + encoded.unsqueeze(1)  # (token, sentence, sentence, hidden)
    return torch.softmax(torch.tanh(pairs) @ vector, dim=-1) @ encoded


def _one_vector(dim, keepdim, score):
    def function(encoded, vector):
        weights = torch.softmax(score(encoded, vector), dim=dim)
        pooled = (weights.unsqueeze(-1) * encoded).sum(dim, keepdim=keepdim)
        return pooled.expand_as(encoded) if keepdim else pooled

    return function


SCORES = (
    lambda encoded, vector: torch.tanh(encoded @ vector),
    lambda encoded, vector: torch.tanh(encoded) @ vector,
    lambda encoded, vector: encoded @ vector,
)

ENTITIES = Exercise(
    name="repair_entities",
    chapter="03",
    signature="read_own_sentence(encoded, vector) -> (token, sentence, hidden)",
    inputs=(Input("encoded", "token sentence hidden"), Input("vector", "hidden")),
    sizes={"token": 5, "sentence": 3, "hidden": 2},
    cases=(
        Case(label="three sentences"),
        Case(label="one sentence", sizes={"sentence": 1}),
        Case(label="sentences of one token", sizes={"token": 1}),
        Case(label="as many sentences as tokens", sizes={"token": 3, "sentence": 3}),
        STRIDED,
        Case(label="float64", dtype=torch.float64),
        Case(label="bfloat16", dtype=torch.bfloat16),
    ),
    misconceptions=(
        Misconception(
            "your softmax runs over the sentences, so one sentence reads another, and a position "
            "gets one vector for all of them",
            (
                broken.read_own_sentence,
                *(_one_vector(1, keep, score) for keep in (False, True) for score in SCORES),
            ),
        ),
        Misconception(
            "each token attends to the same position of the other sentences: tokens come first "
            "here, so bring the sentences to the front with transpose(0, 1)",
            (_without_turning,),
        ),
        Misconception(
            "nobody asks: all tokens of a sentence get the same vector. Each needs its own, from "
            "a score for every pair of tokens, with the tanh around the pair's sum",
            (
                *(_one_vector(0, keep, score) for keep in (False, True) for score in SCORES),
                _tokens(lambda pairs, vector: torch.softmax(pairs @ vector, -1)),
            ),
        ),
        Misconception(
            "the tanh is outermost: there the asking token adds the same number to every score, "
            "up to the cap, and cannot change which one is ahead; put it before the vector",
            (_tokens(lambda pairs, vector: torch.softmax(torch.tanh(pairs @ vector), -1)),),
        ),
        Misconception(
            ANOTHER,
            (_tokens(lambda pairs, vector: torch.softmax(torch.tanh(pairs) @ vector, 0)),),
            shows=reads(
                0,
                lambda encoded: torch.cat([encoded[:, :1], 1.5 - encoded[:, 1:].flip(-1)], dim=1),
                lambda answer: answer[:, 0],
            ),
        ),
    ),
    hint="Bring the sentences to the front, so that each is a (token, hidden) table of its own. "
    "Then every token asks every token: unsqueeze(2) and unsqueeze(1).",
    solution=read_own_sentence,
    broken=broken.read_own_sentence,
)

EXERCISES = (TRANSLATION, SUMMARISATION, ENTITIES)
