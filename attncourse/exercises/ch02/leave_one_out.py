"""An exercise of chapter 02: a mask that hides points from themselves."""

from __future__ import annotations

import torch

from attncourse.exercises.judging import Case, Exercise, Input, Misconception, size


def leave_one_out(n):
    return ~torch.eye(n, dtype=torch.bool)


EXERCISE = Exercise(
    name="leave_one_out",
    chapter="02",
    signature="leave_one_out(n) -> (n, n), boolean",
    inputs=(Input("n", "n", draw=size),),
    sizes={"n": 3},
    cases=(
        Case(label="three points"),
        Case(label="two points", sizes={"n": 2}),
        Case(label="a single point", sizes={"n": 1}),
        Case(label="seven points", sizes={"n": 7}),
    ),
    misconceptions=(
        Misconception(
            "your mask is the other way round: it allows only the point itself. True means "
            '"may attend"',
            (
                lambda n: torch.eye(n, dtype=torch.bool),
                lambda n: torch.eye(n),
                lambda n: torch.eye(n, dtype=torch.long),
                lambda n: torch.eye(n, dtype=torch.int32),
            ),
        ),
        Misconception(
            "your mask holds numbers; a mask is boolean: compare, or use dtype=torch.bool",
            (
                lambda n: 1 - torch.eye(n),
                lambda n: 1 - torch.eye(n, dtype=torch.long),
                lambda n: 1 - torch.eye(n, dtype=torch.int32),
                lambda n: ~torch.eye(n, dtype=torch.long),
                lambda n: ~torch.eye(n, dtype=torch.int32),
            ),
        ),
        Misconception(
            "your mask is one to add to the scores; here a mask is boolean, True where "
            "attention is allowed",
            (
                lambda n: torch.zeros(n, n).masked_fill(torch.eye(n, dtype=torch.bool), -torch.inf),
                lambda n: torch.eye(n) * -1e9,
            ),
        ),
        Misconception(
            "your mask is causal: it hides the later points too. Only the own one is left out",
            (
                lambda n: torch.ones(n, n, dtype=torch.bool).tril(),
                lambda n: torch.ones(n, n, dtype=torch.bool).tril(-1),
                lambda n: torch.ones(n, n).tril(),
                lambda n: torch.ones(n, n).tril(-1),
            ),
        ),
        Misconception(
            "your mask allows the later points only; only the own one is left out",
            (
                lambda n: torch.ones(n, n, dtype=torch.bool).triu(1),
                lambda n: torch.ones(n, n, dtype=torch.bool).triu(),
            ),
        ),
        Misconception(
            "your mask allows everything, the point itself too",
            (
                lambda n: torch.ones(n, n, dtype=torch.bool),
                lambda n: torch.ones(n, n),
            ),
        ),
    ),
    hint="The identity matrix is true just where a point meets itself.",
    solution=leave_one_out,
)
