"""Exercises that answer back (every chapter).

`check(name, function)` runs a function and says what is wrong with it, if anything; `hint(name)`
gives one step, `solution(name)` the whole way, and `broken(name)` the function to be mended in
"find the bug".

| chapter | exercises in |
|---|---|
| 01 | `cues` |
| 02 | `pooling` |
| 03 | `masked`, `scaled`, `additive`, `sequences`, `images` |
| 04 | `forcing`, `losses`, `recurrence` |
| 05 | `alignment`, `ngrams` |
| 06 | `words`, `symmetric` |
| 07 | `heads`, `multihead`, `padded` |
| 08 | `waves`, `rotary` |
| 09 | `norms`, `network`, `blocks` |
| 10 | `decoders`, `parameters`, `leaking` |
| 11 | `warmup`, `smoothing`, `accumulated`, `stepped` |
| 12 | `cached`, `beams`, `stepping` |

Below them: `exercise` (what an exercise is), `probe` and `bench` (which run it), `engine` (which
judges it), `several` (the same for functions that return several things), `compare`, `faults` and
`show` (their tools), `broken` (what there is to mend).
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable

from attncourse.exercises import (
    accumulated,
    additive,
    alignment,
    beams,
    blocks,
    cached,
    cues,
    decoders,
    forcing,
    heads,
    images,
    leaking,
    losses,
    masked,
    multihead,
    network,
    ngrams,
    norms,
    padded,
    parameters,
    pooling,
    recurrence,
    rotary,
    scaled,
    sequences,
    smoothing,
    stepped,
    stepping,
    symmetric,
    warmup,
    waves,
    words,
)
from attncourse.exercises.engine import Verdict
from attncourse.exercises.exercise import Exercise
from attncourse.exercises.several import judge
from attncourse.exercises.show import Text

__all__ = ["EXERCISES", "Verdict", "broken", "check", "exercises", "hint", "solution"]

EXERCISES: dict[str, Exercise] = {
    exercise.name: exercise
    for module in (
        *(cues, pooling, masked, scaled, additive, sequences, images),  # chapters 01 to 03
        *(forcing, losses, recurrence),  # chapter 04
        *(alignment, ngrams),  # chapter 05
        *(words, symmetric),  # chapter 06
        *(heads, multihead, padded),  # chapter 07
        *(waves, rotary),  # chapter 08
        *(norms, network, blocks),  # chapter 09
        *(decoders, parameters, leaking),  # chapter 10
        *(warmup, smoothing, accumulated, stepped),  # chapter 11
        *(cached, beams, stepping),  # chapter 12
    )
    for exercise in module.EXERCISES
}


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
        '01  soft_lookup: soft_lookup(query, key, value) -> (value_width,)'
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
