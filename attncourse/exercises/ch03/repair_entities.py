"""Find the bug (chapter 03): what a tagger reads of its sentence."""

from __future__ import annotations

import torch

from attncourse.exercises.ch03 import _broken
from attncourse.exercises.ch03._sentences import (
    ANOTHER,
    other_sentences,
)
from attncourse.exercises.judging import (
    BFLOAT16,
    FLOAT64,
    STRIDED,
    Case,
    Exercise,
    Input,
    Misconception,
)


def read_own_sentence(encoded, vector):
    states = encoded.transpose(0, 1)  # (sentence, token, hidden)
    pairs = states.unsqueeze(2) + states.unsqueeze(1)  # (sentence, token, token, hidden)
    weights = torch.softmax(torch.tanh(pairs) @ vector, dim=-1)
    return (weights @ states).transpose(0, 1)


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

EXERCISE = Exercise(
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
        FLOAT64,
        BFLOAT16,
    ),
    misconceptions=(
        Misconception(
            "your softmax runs over the sentences, so one sentence reads another, and a position "
            "gets one vector for all of them",
            (
                _broken.read_own_sentence,
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
            shows=other_sentences(0),
        ),
    ),
    hint="Bring the sentences to the front, so that each is a (token, hidden) table of its own. "
    "Then every token asks every token: unsqueeze(2) and unsqueeze(1).",
    solution=read_own_sentence,
    broken=_broken.read_own_sentence,
)
