"""The parts of `check`: comparing, printing, drawing."""

from __future__ import annotations

import math

import pytest
import torch

from attncourse.exercises.judging.compare import close, gradient, same
from attncourse.exercises.judging.exercise import Case, Exercise, Input
from attncourse.exercises.judging.faults import alike, blind_to, reads
from attncourse.exercises.judging.probe import Outcome
from attncourse.exercises.judging.show import Text, counterexample, number, tensor


def test_errors_are_the_same_if_type_and_message_are():
    one = Outcome(error=ValueError("a"))
    assert same(one, Outcome(error=ValueError("a")), 0.0)
    assert not same(one, Outcome(error=ValueError("b")), 0.0)
    assert not same(one, Outcome(error=TypeError("a")), 0.0)
    assert not same(one, Outcome(value=torch.ones(1)), 0.0)


def test_values_are_the_same_if_shape_dtype_and_numbers_are():
    one = Outcome(value=torch.tensor([1.0, math.nan]))
    assert same(one, Outcome(value=torch.tensor([1.0, math.nan])), 0.0)
    assert not same(one, Outcome(value=torch.tensor([1.0, math.nan]).double()), 0.1)
    assert not same(one, Outcome(value=torch.tensor([[1.0, math.nan]])), 0.1)
    assert not same(one, Outcome(value=torch.tensor([math.nan, 1.0])), 0.1)


def test_a_mask_is_close_only_to_the_same_mask():
    mask = torch.tensor([True, False])
    assert close(mask, mask.clone(), 1.0)
    assert not close(mask.int(), mask, 1.0)
    assert not close(~mask, mask, 1.0)


def test_a_gradient_by_hand():
    # value 2xy, weighted with -1.5 and -0.5: at x these times 2y, at y times 2x
    x, y = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 5.0])
    at_x, at_y, at_n = gradient(lambda given: 2 * given[0] * given[1], (x, y, 7))
    assert at_x.tolist() == [-9.0, -5.0]
    assert at_y.tolist() == [-3.0, -2.0]
    assert at_n is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (-0.0, "0"),
        (-0.00001, "0"),
        (0.5, "0.5"),
        (2 / 3, "0.667"),
        (0.0625, "0.063"),
        (0.06249999, "0.063"),  # rounding noise on a tie
        (-0.0625, "-0.063"),
        (1234.5, "1234.5"),
        (2.5e6, "2.5e+06"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (True, "True"),
        (3, "3"),
    ],
)
def test_numbers_have_few_digits(value, text):
    assert number(value) == text


def test_small_tensors_are_printed_and_large_ones_described():
    assert tensor(torch.tensor([[1.0, 0.25], [-2.0, 3.0]])) == "[[1, 0.25], [-2, 3]]"
    assert tensor(torch.tensor([True, False])) == "[True, False]"
    assert tensor(torch.ones(5, 5)) == "shape (5, 5)"
    assert tensor(0.5) == "0.5"


@pytest.mark.parametrize(
    ("got", "wanted", "says"),
    [
        ([0.5, 0.5], [0.5, 0.50002], "[1]: got 0.5, wanted 0.50002"),
        ([math.nan, 2e6], [math.nan, 2.00001e6], "[1]: got 2e+06, wanted 2.00001e+06"),
        ([1.0] * 25, [1.0] * 23 + [math.nan, 0.0], "[23]: got 1, wanted nan"),
        ([1.0] * 25, [1.0] * 24 + [3.0], "[24]: got 1, wanted 3"),
    ],
)
def test_what_prints_alike_is_told_apart(got, wanted, says):
    got, wanted = torch.tensor(got).double(), torch.tensor(wanted).double()
    assert counterexample(EXERCISE, (), got, wanted).splitlines()[2] == f"  at      {says}"


def test_what_prints_differently_speaks_for_itself():
    text = counterexample(EXERCISE, (), torch.tensor([1.0]), torch.tensor([2.0]))
    assert text == "  got     [1]\n  wanted  [2]"


def test_text_shows_without_quotes():
    assert repr(Text("a\nb")) == "a\nb"


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


def test_faults_are_told_by_what_a_change_does():
    x, y = torch.tensor([[1.0, 2.0]]), torch.tensor([3.0])
    assert blind_to(1)(lambda given: given[0], (x, y)) is True
    assert blind_to(0)(lambda given: given[0], (x, y)) is False
    assert blind_to(0)(lambda given: None, (x, y)) is None
    assert alike(1)(lambda given: torch.ones(1, 3), (x, y)) is True
    assert alike(1)(lambda given: x, (x, y)) is False
    assert alike(0)(lambda given: x, (x, y)) is None

    leaks = reads(0, lambda x: torch.cat([x[:1], x[1:] + 1]), lambda answer: answer[0])
    rows = torch.tensor([[1.0], [2.0]])
    assert leaks(lambda given: given[0] * given[0].sum(), (rows,)) is True
    assert leaks(lambda given: given[0] * 2, (rows,)) is False
    assert leaks(lambda given: given[0], (rows[:1],)) is None
    assert leaks(lambda given: None, (rows,)) is None
