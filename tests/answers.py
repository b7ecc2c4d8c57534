"""Answers to an exercise as readers write them, none taken from the package, and their verdicts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from attncourse.exercises import EXERCISES, check
from attncourse.exercises.judging.verdict import Verdict


def solve(name: str, *arguments: object) -> object:
    """What the exercise's own solution gives."""
    return EXERCISES[name].solution(*arguments)


def normal(*shape: int) -> torch.Tensor:
    """Draw normally distributed numbers in float64."""
    return torch.randn(shape, dtype=torch.float64)


def right_answers(name: str, answers: list[Callable]) -> Callable:
    """Make the test that right answers in other words pass."""

    @pytest.mark.parametrize("answer", answers)
    def test(answer):
        verdict = check(name, answer)
        assert verdict.passed, verdict

    return test


def wrong_answers(name: str, answers: list[tuple[Callable, str]]) -> Callable:
    """Make the test that each wrong answer gets its right name, before any example."""

    @pytest.mark.parametrize(("answer", "says"), answers, ids=[says for _, says in answers])
    def test(answer, says):
        verdict = check(name, answer)
        assert verdict.kind == "misconception", verdict
        assert says in verdict.message.partition("\nA small case")[0]

    return test


def unknown_answers(name: str, answers: list[Callable]) -> Callable:
    """Make the test that mistakes nobody foresaw get no name but a counterexample."""

    @pytest.mark.parametrize("answer", answers)
    def test(answer):
        verdict = check(name, answer)
        assert verdict.kind == "wrong", verdict
        assert verdict.message.startswith("Not yet: it first fails with ")
        assert "\n  got " in verdict.message
        assert "\n  wanted " in verdict.message

    return test


def said(verdict: Verdict) -> str:
    """The mistake that a verdict names."""
    assert verdict.kind == "misconception", verdict
    return verdict.message.removeprefix("Not yet: ")
