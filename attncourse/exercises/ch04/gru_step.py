"""An exercise of chapter 04: one step of a GRU."""

from __future__ import annotations

import torch

from attncourse.exercises.judging import (
    BFLOAT16,
    FLOAT64,
    STRIDED,
    Case,
    Exercise,
    Input,
    Misconception,
)


def gru_step(word, state, word_weight, state_weight):
    word_reset, word_update, word_new = (word @ word_weight.mT).chunk(3, dim=-1)
    state_reset, state_update, state_new = (state @ state_weight.mT).chunk(3, dim=-1)
    reset = torch.sigmoid(word_reset + state_reset)
    update = torch.sigmoid(word_update + state_update)
    proposal = torch.tanh(word_new + reset * state_new)
    return (1 - update) * proposal + update * state


def _mixed(update, proposal, state):
    return (1 - update) * proposal + update * state


def _proposed(word, state, reset):
    return torch.tanh(word + reset * state)


def _step(order=(0, 1, 2), gate=torch.sigmoid, propose=_proposed, mix=_mixed):
    """A step with its thirds in another order, or another gate, proposal or mixture."""

    def function(word, state, word_weight, state_weight):
        words = (word @ word_weight.mT).chunk(3, dim=-1)
        states = (state @ state_weight.mT).chunk(3, dim=-1)
        first, second, third = order
        reset, update = (gate(words[i] + states[i]) for i in (first, second))
        return mix(update, propose(words[third], states[third], reset), state)

    return function


def _reset_first(word, state, word_weight, state_weight):
    words = (word @ word_weight.mT).chunk(3, dim=-1)
    matrices = state_weight.chunk(3, dim=0)
    reset, update = (torch.sigmoid(words[i] + state @ matrices[i].mT) for i in (0, 1))
    return _mixed(update, torch.tanh(words[2] + (reset * state) @ matrices[2].mT), state)


def _untransposed(word, state, word_weight, state_weight):
    return gru_step(word, state, word_weight.mT, state_weight.mT)


EXERCISE = Exercise(
    name="gru_step",
    chapter="04",
    signature="gru_step(word, state, word_weight, state_weight) -> (batch, hidden)",
    inputs=(
        Input("word", "batch embed"),
        Input("state", "batch hidden"),
        Input("word_weight", "gates embed"),
        Input("state_weight", "gates hidden"),
    ),
    sizes={"batch": 2, "embed": 5, "hidden": 3},
    tied={"gates": lambda sizes: 3 * sizes["hidden"]},
    cases=(
        Case(label="two sentences"),
        Case(label="one sentence", sizes={"batch": 1}),
        Case(label="words and states of one width", sizes={"embed": 3, "hidden": 3}),
        Case(label="as many sentences as numbers in a state", sizes={"batch": 3, "hidden": 3}),
        Case(label="small weights", scale={"word_weight": 0.1, "state_weight": 0.1}),
        STRIDED,
        FLOAT64,
        BFLOAT16,
    ),
    misconceptions=(
        Misconception(
            "the update gate is turned round: here z keeps the old state and 1 - z takes the "
            "proposal. Bahdanau et al. write it your way, and training does not mind; but weights "
            "learned in one form do not fit the other",
            (_step(mix=lambda z, new, old: z * new + (1 - z) * old),),
        ),
        Misconception(
            "the reset gate multiplies the state before its matrix. So do the papers, and it "
            "learns as well. Here it multiplies after the matrix, as in PyTorch, whose weights "
            "fit that form only",
            (_reset_first,),
        ),
        Misconception(
            "the thirds are mixed up: the rows of both matrices are the reset gate's, then the "
            "update gate's, then the proposal's",
            tuple(_step(order=order) for order in ((1, 0, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1))),
        ),
        Misconception(
            "the proposal goes through a sigmoid, so no number of the state can ever fall below "
            "0. It takes tanh",
            (_step(propose=lambda x, u, r: torch.sigmoid(x + r * u)),),
        ),
        Misconception(
            "the proposal has no tanh, so the state may grow from word to word without end",
            (_step(propose=lambda x, u, r: x + r * u),),
        ),
        Misconception(
            "the reset gate is not used: it multiplies what the state says to the proposal",
            (_step(propose=lambda x, u, r: torch.tanh(x + u)),),
        ),
        Misconception(
            "the reset gate multiplies the word's part too; it is the old state that it can hide",
            (
                _step(propose=lambda x, u, r: torch.tanh(r * (x + u))),
                _step(propose=lambda x, u, r: torch.tanh(r * x + u)),
            ),
        ),
        Misconception(
            "the reset gate is turned round: at 1 the proposal sees all of the old state",
            (_step(propose=lambda x, u, r: torch.tanh(x + (1 - r) * u)),),
        ),
        Misconception(
            "the proposal does not see the old state",
            (_step(propose=lambda x, u, r: torch.tanh(x)),),
        ),
        Misconception(
            "the gates are not between 0 and 1: they take a sigmoid",
            (_step(gate=torch.tanh), _step(gate=lambda numbers: numbers)),
        ),
        Misconception(
            "you return the proposal. The new state mixes it with the old one",
            (_step(mix=lambda z, new, old: new),),
        ),
        Misconception(
            "the mixture lacks a part: it is (1 - z) times the proposal plus z times the old state",
            (
                _step(mix=lambda z, new, old: new + z * old),
                _step(mix=lambda z, new, old: (1 - z) * new + old),
                _step(mix=lambda z, new, old: (1 - z) * new),
                _step(mix=lambda z, new, old: z * old),
            ),
        ),
        Misconception(
            "the weights are not transposed: they are (3 * hidden, width), so it is "
            "word @ word_weight.mT",
            (_untransposed,),
        ),
    ),
    hint="Multiply by both matrices first, (batch, 3 * hidden) each, and cut both into thirds "
    "with chunk(3, dim=-1). Of the last third the state's part meets the reset gate.",
    solution=gru_step,
)
