"""How numbers, tensors and counterexamples are printed."""

from __future__ import annotations

import math

import pytest
import torch

from attncourse.exercises.judging.exercise import Exercise
from attncourse.exercises.judging.show import Text, axes, counterexample, number, tensor

NO_INPUTS = Exercise(
    name="demo",
    chapter="00",
    signature="",
    inputs=(),
    sizes={},
    cases=(),
    misconceptions=(),
    hint="",
    solution=lambda: None,
)


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
    assert counterexample(NO_INPUTS, (), got, wanted).splitlines()[2] == f"  at      {says}"


def test_what_prints_differently_speaks_for_itself():
    text = counterexample(NO_INPUTS, (), torch.tensor([1.0]), torch.tensor([2.0]))
    assert text == "  got     [1]\n  wanted  [2]"


def test_text_shows_without_quotes():
    assert repr(Text("a\nb")) == "a\nb"


@pytest.mark.parametrize(
    ("complaint", "says"),
    [
        ("size of tensor a (3) must match the size of tensor b (5)", "3 is batch, 5 is source"),
        ("mat1 and mat2 shapes cannot be multiplied (3x5 and 7x5)", "3 is batch, 5 is source"),
        ("index 5 is out of bounds for dimension 3 with size 3", "3 is batch"),
        ("Dimension out of range (expected [-2, 1], but got 3)", ""),
        ("the size of tensor a (2) must match that of b (11)", ""),
    ],
)
def test_the_axes_of_an_error_are_named_where_their_lengths_tell_them(complaint, says):
    named = axes({"batch": 3, "source": 5, "key": 2, "width": 2}, complaint)
    assert named == (f"Here {says}." if says else "")
