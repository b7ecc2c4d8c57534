"""Drawing the arguments of a case, and of smaller ones."""

from __future__ import annotations

import torch

from attncourse.exercises.judging.exercise import Case, Exercise, Input

EXERCISE = Exercise(
    name="demo",
    chapter="00",
    signature="demo(x, y) -> (...)",
    inputs=(Input("x", "... a b"), Input("y", "twice")),
    sizes={"a": 5, "b": 7},
    tied={"twice": lambda sizes: 2 * sizes["a"]},
    cases=(Case(label="one"),),
    misconceptions=(),
    hint="",
    solution=lambda x, y: x,
)


def test_arguments_have_the_axes_of_their_inputs():
    case = Case(label="one", lead=(2, 3), sizes={"b": 1}, dtype=torch.float64)
    x, y = EXERCISE.arguments(case, 0)
    assert x.shape == (2, 3, 5, 1)
    assert y.shape == (10,)
    assert x.dtype is torch.float64


def test_counterexamples_are_looked_for_from_the_smallest():
    sizes = list(EXERCISE.smaller(Case(label="one")))
    assert sizes[:3] == [{"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 2, "b": 1}]
    assert len(sizes) == 9


def test_counterexamples_keep_what_a_case_is_about():
    equal = EXERCISE.smaller(Case(label="square", sizes={"a": 5, "b": 5}))
    assert list(equal) == [{"a": n, "b": n} for n in (1, 2, 3)]
