"""Exercises whose function returns several things (chapters 04 and 05): judged one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from attncourse.exercises.judging.bench import HALF
from attncourse.exercises.judging.compare import TOLERANCE, same
from attncourse.exercises.judging.engine import Judge
from attncourse.exercises.judging.exercise import Case, Exercise, Misconception
from attncourse.exercises.judging.probe import Outcome, Probe
from attncourse.exercises.judging.verdict import Verdict


@dataclass(frozen=True, kw_only=True)
class Several(Exercise):
    """An exercise whose function returns several tensors or numbers.

    Attributes:
        parts: what they are called, in order.
    """

    parts: tuple[str, ...]

    def arguments(self, case: Case, seed: int, sizes: Mapping[str, int] | None = None) -> tuple:
        """Draw the arguments of a case. A list is a new one each time, as it may be changed."""
        drawn = super().arguments(case, seed, sizes)
        return tuple(list(a) if isinstance(a, list) else a for a in drawn)

    def part(self, index: int, likely: list[Misconception]) -> Exercise:
        """Ask for one of the things alone, its likely misconceptions first."""
        ideas = sorted(self.misconceptions, key=lambda idea: idea not in likely)
        return replace(
            self,
            solution=_Part(self.solution, index),
            misconceptions=tuple(
                replace(idea, does=tuple(_Part(bug, index) for bug in idea.does)) for idea in ideas
            ),
        )


class _Part:
    """A function of which one result is wanted. Inspected, it is the function itself."""

    def __init__(self, function: Callable, index: int):
        self.__wrapped__, self.index = function, index
        if hasattr(function, "__name__"):
            self.__name__ = function.__name__

    def __call__(self, *arguments: object) -> object:
        value = self.__wrapped__(*arguments)
        if isinstance(value, (tuple, list)) and self.index < len(value):
            value = value[self.index]
        return _tensor(value)


def verdict_on_parts(exercise: Several, function: Callable) -> Verdict:
    """Judge what a function returns part by part: the first that is wrong is named."""
    outcomes = _run(exercise, function)
    likely = [
        idea
        for idea in exercise.misconceptions
        if any(_explains(exercise, bug, outcomes) for bug in idea.does)
    ]
    wrong = _wrong_form(exercise, outcomes)
    if wrong:
        return Verdict(exercise.name, False, "contract", wrong)
    passed = []
    for index, part in enumerate(exercise.parts):
        verdict = Judge(exercise.part(index, likely), _Part(function, index)).verdict()
        if not verdict:
            return replace(verdict, message=_of_part(verdict.message, part))
        passed += verdict.message.split("\n")
    return replace(verdict, message="\n".join(dict.fromkeys(passed)))  # each remark once


def _run(exercise: Several, function: Callable) -> list[Outcome]:
    """Run a function on all cases, and see whether it changed a list."""
    probe, outcomes = Probe(function), []
    for seed, case in enumerate(exercise.cases):
        given, before = exercise.arguments(case, seed), exercise.arguments(case, seed)
        outcome = probe(given)
        for argument, one, other in zip(exercise.inputs, given, before, strict=False):
            if isinstance(one, list) and one != other:
                outcome.mutated = argument.name
        outcomes.append(outcome)
    return outcomes


def _wrong_form(exercise: Several, outcomes: list[Outcome]) -> str:
    """Say what is wrong with what came back as a whole, or nothing."""
    for outcome in outcomes:
        if outcome.mutated:
            return (
                f"Not yet: your function changes its argument {outcome.mutated}. Whoever passed "
                "it still needs it: make a copy and change that.\n"
                f'hint("{exercise.name}") helps one step further.'
            )
        value, names = outcome.value, exercise.parts
        if outcome.error is not None or value is None or value is ...:
            continue  # told by the engine
        if not isinstance(value, (tuple, list)):
            what = "one tensor" if isinstance(value, Tensor) else f"one {type(value).__name__}"
        elif len(value) != len(names):
            what = f"{len(value)} value{'s' * (len(value) != 1)}"
        else:
            continue
        return (
            f"Not yet: your function returns {what}, wanted {len(names)}: "
            f"return {', '.join(names)}\n"
            f"Wanted: {exercise.signature}\n"
            f'hint("{exercise.name}") helps one step further.'
        )
    return ""


def _explains(exercise: Several, bug: Callable, outcomes: list[Outcome]) -> bool:
    """Whether a misconception gives all the things that the function gave, in all cases."""
    return all(
        _alike(one, other, TOLERANCE[case.dtype])
        for case, one, other in zip(exercise.cases, _run(exercise, bug), outcomes, strict=True)
        if case.dtype not in HALF
    )


def _alike(one: Outcome, other: Outcome, tolerance: float) -> bool:
    if not isinstance(one.value, tuple) or not isinstance(other.value, (tuple, list)):
        return same(one, other, tolerance)
    return len(one.value) == len(other.value) and all(
        same(Outcome(_tensor(a)), Outcome(_tensor(b)), tolerance)
        for a, b in zip(one.value, other.value, strict=True)
    )


def _tensor(value: object) -> object:
    """Make a number a tensor, which is what the engine compares; leave the rest alone."""
    if isinstance(value, np.generic):
        value = value.item()
    return torch.tensor(value) if isinstance(value, (int, float)) else value


def _of_part(message: str, part: str) -> str:
    """Say which of the things a message is about."""
    message = message.replace("your result", f"what you return as {part}", 1)
    message = message.replace("your function returns", f"as {part} your function returns", 1)
    message = message.replace("the values are right", f"the values of {part} are right", 1)
    return message.replace("A small case that shows it:", f"A small case that shows it in {part}:")
