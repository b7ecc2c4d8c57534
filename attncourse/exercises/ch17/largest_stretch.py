"""An exercise of chapter 17: how far a matrix can stretch a vector, by power iteration."""

from __future__ import annotations

import torch

from attncourse.exercises.judging import FLOAT64, STRIDED, Case, Exercise, Input, Misconception


def largest_stretch(weight, vector, rounds):
    v = vector / vector.norm()
    for _ in range(rounds):
        u = weight @ v
        u = u / u.norm()
        v = weight.mT @ u
        v = v / v.norm()
    return (weight @ v).norm()


def _rounds(shape, case, generator):
    return 2


def _positive(shape, case, generator):
    """Draw numbers above zero: no round ends in a vector of zeros."""
    return torch.randint(1, 9, shape, generator=generator) / 4


def _last(measure):
    """What is measured at the end, in another way."""

    def function(weight, vector, rounds):
        v = vector / vector.norm()
        for _ in range(rounds):
            u = weight @ v
            u = u / u.norm()
            v = weight.mT @ u
            v = v / v.norm()
        return measure(weight, u, v)

    return function


def _never_normalised(weight, vector, rounds):
    v = vector
    for _ in range(rounds):
        v = weight.mT @ (weight @ v)
    return (weight @ v).norm()


def _one_round_too_few(weight, vector, rounds):
    return largest_stretch(weight, vector, rounds - 1)


EXERCISE = Exercise(
    name="largest_stretch",
    chapter="17",
    signature="largest_stretch(weight, vector, rounds) -> a tensor without axes",
    inputs=(
        Input("weight", "out in", draw=_positive),
        Input("vector", "in", draw=_positive),
        Input("rounds", draw=_rounds),
    ),
    sizes={"out": 3, "in": 5},
    cases=(
        Case(label="two rounds"),
        Case(label="one round", given={"rounds": 1}),
        Case(label="more rows than columns", sizes={"out": 7}),
        Case(label="as many rows as columns", sizes={"out": 5}),
        Case(label="one row", sizes={"out": 1}),
        Case(
            label="a matrix that stretches one way more",
            given={
                "weight": torch.tensor([[3.0, 0.0], [0.0, 1.0]]),
                "vector": torch.tensor([1.0, 1.0]),
                "rounds": 1,
            },
            hint="v becomes (9, 1) / root of 82. What does the matrix make of it?",
        ),
        Case(label="many rounds", given={"rounds": 20}),
        Case(label="small weights", scale={"weight": 1e-3}, given={"rounds": 20}),
        STRIDED,
        FLOAT64,
    ),
    misconceptions=(
        Misconception(
            "this is the Frobenius norm, the root of the sum of all squares. It counts all "
            "directions together, and the largest stretch is that of one",
            (
                lambda weight, vector, rounds: weight.norm(),
                lambda weight, vector, rounds: weight.square().sum().sqrt(),
            ),
        ),
        Misconception(
            "this is the exact value, or so many rounds more; asked is what so many rounds from "
            "this vector give, as the layers compute it",
            (lambda weight, vector, rounds: torch.linalg.matrix_norm(weight, 2),),
        ),
        Misconception(
            "the vectors grow from round to round: divide each by its length, or the result is a "
            "high power of the stretch",
            (_never_normalised,),
        ),
        Misconception(
            "this is the square of the stretch: the matrix and its transpose were both applied",
            (
                _last(lambda weight, u, v: (weight @ v).square().sum()),
                _last(lambda weight, u, v: (weight.mT @ (weight @ v)).norm()),
            ),
        ),
        Misconception(
            "the last step of the last round is not used: measure how far the new v is stretched, "
            "not the vector before it",
            (_last(lambda weight, u, v: (weight.mT @ u).norm()), _one_round_too_few),
        ),
        Misconception(
            "this is the largest number in the matrix",
            (lambda weight, vector, rounds: weight.abs().max(),),
        ),
        Misconception(
            "this is the matrix divided by the stretch, the next step. Asked is the stretch",
            (lambda weight, vector, rounds: weight / largest_stretch(weight, vector, rounds),),
        ),
    ),
    hint="One round is u = W v, divided by its length, and then v = W^T u, divided by its length. "
    "After the rounds, how long is W v?",
    solution=largest_stretch,
)
