"""The process in which one returned notebook is marked: run its cells, then check its functions.

It is told on its standard input what to do, and answers on its standard output, a line of JSON a
verdict, each with the token that it was given. What the notebook prints goes to the standard error.
"""

from __future__ import annotations

import io
import json
import linecache
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from types import CodeType, FunctionType, ModuleType

import attncourse.exercises
from attncourse.exercises import EXERCISES, Verdict, check
from attncourse.exercises.judging.limits import in_time
from attncourse.teaching.guards import Bindings, limit_resources, refuse_harm

# Lines that only a notebook understands: %timeit, !ls, torch.softmax?
SPECIAL = re.compile(r"^([ \t]*)(?:[%!].*|[\w.]+\?\??[ \t]*)$", re.MULTILINE)


def main() -> None:
    """Mark the notebook that the standard input describes."""
    asked = json.loads(sys.stdin.buffer.read().decode("utf-8"))
    answers = _take_standard_output()

    def answer(**content: object) -> None:
        answers.write((json.dumps({"token": asked["token"], **content}) + "\n").encode())
        answers.flush()

    # The notebook's own checks would run everything twice.
    attncourse.exercises.check = lambda name, function: Verdict(str(name), False, "", "")
    bindings = prepare(asked["exercises"])
    limit_resources(asked["seconds"])
    refuse_harm(os.getcwd())
    answer(ready=True)
    for verdict in examine(asked["cells"], asked["exercises"], asked["given"], bindings):
        answer(**verdict)
    os._exit(0)  # whatever the notebook left running


def _take_standard_output() -> io.BufferedWriter:
    """Keep the standard output for the answers; whoever prints from now on prints errors."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def prepare(exercises: Mapping[str, str]) -> Bindings:
    """Import the exercises, and note what all names stand for before the notebook runs."""
    for exercise in exercises:
        EXERCISES[exercise]
    return Bindings()


def examine(
    cells: Sequence[str], exercises: Mapping[str, str], given: Sequence[str], bindings: Bindings
) -> Iterator[dict]:
    """Run a notebook's code cells, then check its functions by the package's own check.

    Args:
        cells: the source of each code cell.
        exercises: the exercises, each with the name of the function that answers it.
        given: the source of each code cell of the assignment.
        bindings: what names stood for before.

    Yields:
        For each exercise its name, whether it is passed, the kind of verdict and the message.
    """
    untouched = _functions(given)
    space, errors = _run(cells)
    changed = bindings.changed()
    for exercise, function in exercises.items():
        if changed:
            pass  # nothing that is said from now on can be trusted
        elif function not in space:
            yield _missing(exercise, function, errors)
            continue
        else:
            verdict = check(exercise, space[function])
            changed = bindings.changed()
        if changed:
            message = f"Not judged: the notebook replaced {changed}. Read it yourself."
            yield _verdict(exercise, False, "replaced", message)
        elif not verdict.passed and verdict.kind != "stub" and untouched(space[function]):
            message = f"Nothing to check yet: {function} is as it was given."
            yield _verdict(exercise, False, "stub", message)
        else:
            yield _verdict(exercise, verdict.passed, verdict.kind, verdict.message)


def _verdict(exercise: str, passed: bool, kind: str, message: str) -> dict:
    return {"exercise": exercise, "passed": passed, "verdict": kind, "message": message}


def _functions(given: Sequence[str]) -> Callable[[object], bool]:
    """Make a test of whether a function is one of the assignment's, to the letter."""
    codes = []
    for source in given:
        with suppress(SyntaxError, ValueError):  # the teacher's own cells need not be Python
            codes += _compiled(source, "<given>").co_consts
    return lambda function: isinstance(function, FunctionType) and function.__code__ in codes


def _missing(exercise: str, function: str, errors: Sequence[tuple[str, str]]) -> dict:
    """Say that there is no such function; where a cell that names it failed, why."""
    unknown = f"name {function!r} is not defined"  # of a cell that calls it, such as its check
    named = [
        error
        for source, error in errors
        if re.search(rf"\b{function}\b", source) and unknown not in error
    ]
    message = "; ".join([f"No function {function} in the notebook", *named])
    return _verdict(exercise, False, "missing", message)


def _run(cells: Sequence[str]) -> tuple[dict, list[tuple[str, str]]]:
    """Run code cells as a notebook does, but go on behind one that fails or does not end.

    Returns:
        The names that they define, and the sources that failed, each with what happened.
    """
    module = ModuleType("__main__")
    sys.modules["__main__"] = module
    space, errors = vars(module), []
    space["display"] = print
    for number, source in enumerate(cells, 1):
        name = f"<code cell {number}>"  # unique; Jupyter and Colab number cells otherwise
        try:
            code = _compiled(source, name)
            in_time(lambda code=code: exec(code, space))
        except BaseException as error:  # also SystemExit, and what is no Exception
            with suppress(Exception):
                said = traceback.format_exception_only(type(error), error)[-1].strip()
                errors.append((source, f"the cell that begins {_beginning(source)!r}: {said}"))
    return space, errors


def _beginning(source: str) -> str:
    """A cell's first line, by which the student finds it."""
    first = next(iter(source.strip().splitlines()), "")
    return first if len(first) <= 60 else f"{first[:57]}..."


def _compiled(source: str, name: str) -> CodeType:
    """Compile a cell; where that fails, without what only a notebook understands."""
    # From here tracebacks and verdicts have the lines of the cell.
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    try:
        return compile(source, name, "exec")
    except SyntaxError:
        return compile(SPECIAL.sub(r"\1pass", source), name, "exec")
