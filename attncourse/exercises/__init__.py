"""Exercises that answer back (every chapter).

`check(name, function)` runs a function and says what is wrong with it, if anything; `hint(name)`
gives one step, `solution(name)` the whole way, and `broken(name)` the function to be mended in
"find the bug".

A chapter's exercises stand in a room of their own, `ch01` and so on, a module each, where the
`catalogue` finds them. `judging` holds what an exercise is, and what runs an answer and judges it.
"""

from __future__ import annotations

import difflib
import inspect
import sys
from collections.abc import Callable, Mapping

from attncourse.exercises.catalogue import Catalogue
from attncourse.exercises.judging.exercise import Exercise
from attncourse.exercises.judging.judge import judge
from attncourse.exercises.judging.show import Text
from attncourse.exercises.judging.verdict import Verdict

__all__ = ["EXERCISES", "Verdict", "broken", "check", "exercises", "hint", "solution"]

EXERCISES: Mapping[str, Exercise] = Catalogue(sys.modules[__name__])


def check(name: str, function: object) -> Verdict:
    """Run a function on the cases of an exercise and say what is wrong with it, if anything.

    Args:
        name: the exercise; `exercises()` lists them.
        function: the function, or a module, to check. Whatever it does, a verdict comes back.

    Returns:
        The verdict: true only if the exercise is passed, and shown as text in a notebook.

    Raises:
        TypeError: if `name` is not a string.
        ValueError: if there is no such exercise.

    Example:
        >>> check("leave_one_out", lambda n: None)
        Nothing to check yet: the lambda returns None.
        Wanted: leave_one_out(n) -> (n, n), boolean
        Stuck? hint("leave_one_out"), then solution("leave_one_out").
    """
    return judge(_find(name), function)


def hint(name: str) -> Text:
    """Give the hint of an exercise: one step, not the whole way.

    Args:
        name: the exercise.

    Returns:
        The hint, a string that a notebook shows without quotes.

    Raises:
        TypeError: if `name` is not a string.
        ValueError: if there is no such exercise.

    Example:
        >>> hint("leave_one_out")
        The identity matrix is true just where a point meets itself.
    """
    return Text(_find(name).hint)


def solution(name: str) -> Text:
    """Give the source of an exercise's solution.

    Args:
        name: the exercise.

    Returns:
        The source, a string that a notebook shows as code.

    Raises:
        TypeError: if `name` is not a string.
        ValueError: if there is no such exercise.

    Example:
        >>> solution("leave_one_out")
        def leave_one_out(n):
            return ~torch.eye(n, dtype=torch.bool)
    """
    return Text(inspect.getsource(_find(name).solution).rstrip())


def broken(name: str) -> Callable:
    """Give the function that a "find the bug" exercise asks to mend.

    Args:
        name: the exercise.

    Returns:
        The function, bug and all; `inspect.getsource` shows it.

    Raises:
        TypeError: if `name` is not a string.
        ValueError: if there is no such exercise, or nothing in it is broken.

    Example:
        >>> check("repair_pooling", broken("repair_pooling")).passed
        False
    """
    function = _find(name).broken
    if function is None:
        names = ", ".join(n for n, exercise in EXERCISES.items() if exercise.broken)
        raise ValueError(f"exercise {name!r} has nothing to repair; these have: {names}")
    return function


def exercises() -> Text:
    """List the exercises by chapter.

    Returns:
        A line an exercise: chapter, name, and how the function is called.

    Example:
        >>> exercises().splitlines()[0]
        '01  repair_pooling: pool(query, key, value) -> (value_width,)'
    """
    lines = (f"{e.chapter}  {name}: {e.signature}" for name, e in EXERCISES.items())
    return Text("\n".join(lines))


def _find(name: str) -> Exercise:
    if not isinstance(name, str):
        raise TypeError(f"name must be an exercise's name, got {type(name).__name__}")
    if name not in EXERCISES:
        near = difflib.get_close_matches(name, EXERCISES, cutoff=0.3) or list(EXERCISES)
        raise ValueError(f"no exercise is named {name!r}; nearest: {', '.join(near)}")
    return EXERCISES[name]
