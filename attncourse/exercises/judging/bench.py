"""An exercise and a student's function, side by side on one case after another (every chapter)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from attncourse.exercises.judging.compare import TOLERANCE, close, double, same
from attncourse.exercises.judging.exercise import Case, Exercise, Misconception, Shows
from attncourse.exercises.judging.probe import Outcome, Probe

HALF = (torch.bfloat16, torch.float16)


@dataclass
class Run:
    """A case, its arguments, what the reference gave and what the student's function gave."""

    case: Case
    arguments: tuple
    wanted: Tensor
    got: Outcome

    @property
    def due(self) -> torch.dtype:
        """The dtype that the result should have."""
        return self.case.dtype if self.wanted.is_floating_point() else self.wanted.dtype

    @property
    def right(self) -> bool:
        """Whether the values are right."""
        return close(self.got.value, self.wanted, TOLERANCE[self.case.dtype])


class Bench:
    """Runs both functions, and finds the misconception that explains what it saw."""

    def __init__(self, exercise: Exercise, function: Callable):
        self.exercise, self.function = exercise, function
        self.names = tuple(argument.name for argument in exercise.inputs)
        self.probe = Probe(function, self.names)

    def run(self, case: Case, arguments: tuple) -> Run:
        """Run both on a case. The reference computes in float64."""
        exact = self.exercise.solution(*(double(a) for a in arguments))
        return Run(case, arguments, exact, self.probe(arguments))

    def smallest(self, run: Run) -> Run:
        """Find the smallest sizes at which the function fails in the same way."""
        lead = run.case.lead
        for shorter in dict.fromkeys([(), (2,) * len(lead), lead]):  # some mistakes need it
            case = replace(run.case, lead=shorter)
            for sizes in self.exercise.smaller(case):
                small = self.run(case, self.exercise.arguments(case, 0, sizes))
                if self._fails_alike(small, run):
                    return small
        return run

    def _fails_alike(self, small: Run, run: Run) -> bool:
        """Whether a smaller run shows the same kind of failure, and more than rounding."""
        if small.right or (small.got.error is None) != (run.got.error is None):
            return False
        if isinstance(small.got.value, Tensor) != isinstance(run.got.value, Tensor):
            return False
        ours = self.exercise.solution(*small.arguments)
        return close(ours, small.wanted, TOLERANCE[small.case.dtype])

    def loops(self) -> bool:
        """Whether the function makes more calls of torch for a longer input."""
        case, counts = self.exercise.cases[0], []
        has_lead = any(case.lead for case in self.exercise.cases)
        for length in (2, 4):
            longer = replace(case, lead=(length,) if has_lead else ())
            sizes = {axis: length * size for axis, size in self.exercise.sizes.items()}
            counts.append(self.probe.operations(self.exercise.arguments(longer, 0, sizes)))
        return counts[0] < counts[1]

    # -- misconceptions --------------------------------------------------------------------------

    def explanation(self, runs: list[Run]) -> tuple[Misconception, Run] | None:
        """Find the misconception that explains every run, and a run in which it shows."""
        # Rounding blurs half precision, and a view() that another order in memory refuses is a
        # mistake of its own: neither speaks for an explanation or against it.
        clear = [
            run
            for run in runs
            if run.case.dtype not in HALF and not (run.case.strided and run.got.error is not None)
        ]
        failing = [run for run in clear if not run.right]
        if not failing:
            return None
        ideas = self.exercise.misconceptions
        for idea in ideas:
            if any(_explains(bug, clear) for bug in idea.does):
                return idea, failing[0]
        for idea in ideas:
            if idea.shows and self._is_shown(idea.shows, clear):
                return idea, failing[0]
        return None

    def part_of_an_explanation(self, run: Run) -> Misconception | None:
        """Find the misconception that explains one run, though not the others."""
        if run.case.dtype in HALF:
            return None
        for idea in self.exercise.misconceptions:
            if any(_explains(bug, [run]) for bug in idea.does):
                return idea
        return None

    def _is_shown(self, shows: Shows, runs: list[Run]) -> bool:
        """Whether the function shows a mistake wherever it can be told from the reference."""
        told = [
            shows(self._value, run.arguments)
            for run in runs
            if shows(lambda given: self.exercise.solution(*given), run.arguments) is False
        ]
        told = [answer for answer in told if answer is not None]
        return bool(told) and all(told)

    def _value(self, arguments: tuple) -> Tensor | None:
        value = self.probe(arguments).value
        plain = isinstance(value, Tensor) and not value.is_meta and not value.is_complex()
        return value if plain else None


def _explains(bug: Callable, runs: list[Run]) -> bool:
    probe = Probe(bug)
    return all(same(probe(run.arguments), run.got, TOLERANCE[run.case.dtype]) for run in runs)
