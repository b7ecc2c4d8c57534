"""What `check` answers (every chapter)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from attncourse.exercises.judging import show
from attncourse.exercises.judging.exercise import Exercise


@dataclass(frozen=True, repr=False)
class Verdict:
    """What `check` found: true only if the exercise is passed; shown as its message.

    Attributes:
        name: the exercise.
        passed: whether the function is right.
        kind: `"passed"`, `"stub"`, `"not a function"`, `"signature"`, `"raised"`, `"endless"`,
            `"contract"`, `"misconception"`, `"wrong"` or `"gradient"`.
        message: the verdict in words.
    """

    name: str
    passed: bool
    kind: str
    message: str

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return show.wrapped(self.message)


def not_a_function(exercise: Exercise, function: object) -> Verdict | None:
    if function is None or function is ...:
        return stub(exercise, f"there is no function yet, only {function}")
    if isinstance(function, type):
        wrong = f"{function.__name__} is a class. Pass a function, or an instance of the class"
    elif isinstance(function, Tensor):
        wrong = "this is a tensor, not a function. Pass the function itself, without calling it"
    elif not callable(function):
        wrong = f"this is of type {type(function).__name__}, not a function"
    else:
        return None
    call = f'check("{exercise.name}", your_function)'
    return Verdict(exercise.name, False, "not a function", f"Not yet: {wrong}: {call}.")


def stub(exercise: Exercise, what: str) -> Verdict:
    message = (
        f"Nothing to check yet: {what}.\n"
        f"Wanted: {exercise.signature}\n"
        f'Stuck? hint("{exercise.name}"), then solution("{exercise.name}").'
    )
    return Verdict(exercise.name, False, "stub", message)


def endless(exercise: Exercise, what: str) -> Verdict:
    """Say that the function had to be stopped: `what` became of it."""
    message = (
        f"Not yet: your function {what}. The cases are tiny; does a loop never end, or does "
        "something sleep, or wait for an input?"
    )
    return Verdict(exercise.name, False, "endless", message)
