"""`check` (every chapter): whatever it is given, a verdict comes back."""

from __future__ import annotations

from collections.abc import Callable

import torch

from attncourse.exercises.judging.engine import Judge
from attncourse.exercises.judging.exercise import Exercise
from attncourse.exercises.judging.limits import Endless, in_time
from attncourse.exercises.judging.probe import undisturbed
from attncourse.exercises.judging.several import Several, verdict_on_parts
from attncourse.exercises.judging.verdict import Verdict, endless, not_a_function


def judge(exercise: Exercise, function: object) -> Verdict:
    """Check a function against an exercise."""
    verdict = not_a_function(exercise, function)
    if verdict is not None:
        return verdict
    with undisturbed():
        try:
            return in_time(lambda: _verdict(exercise, function))
        except Endless as stopped:
            return endless(exercise, str(stopped))


def _verdict(exercise: Exercise, function: Callable) -> Verdict:
    with torch.enable_grad(), torch.device("cpu"):  # whatever the notebook's defaults are
        if isinstance(exercise, Several):
            return verdict_on_parts(exercise, function)
        return Judge(exercise, function).verdict()
