"""Judging a function (every chapter): it runs on all cases, and a verdict comes of it.

In this order: nothing to check; contract broken; the misconception that explains all outputs; the
first case that fails, with a small counterexample; gradients.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

import torch
from torch import Tensor

from attncourse.exercises.judging import show
from attncourse.exercises.judging.bench import HALF, Bench, Run
from attncourse.exercises.judging.compare import TOLERANCE, gradient, gradient_fault, same
from attncourse.exercises.judging.exercise import Exercise
from attncourse.exercises.judging.probe import Probe
from attncourse.exercises.judging.verdict import Verdict, stub


class Judge:
    """Takes the steps in their order. Each gives a verdict, or None to go on; a verdict of
    failure is false, so steps are asked for None."""

    def __init__(self, exercise: Exercise, function: Callable):
        self.exercise, self.function = exercise, function
        self.bench = Bench(exercise, function)
        name = getattr(function, "__name__", "your function")
        self.call = str(name).replace("<lambda>", "the lambda")
        self.compared_gradients = False

    def verdict(self) -> Verdict:
        """Run all cases, then take the steps."""
        wrong = self._signature()
        if wrong is not None:
            return wrong
        runs = []
        for seed, case in enumerate(self.exercise.cases):
            runs.append(self.bench.run(case, self.exercise.arguments(case, seed)))
            if seed == 0 and (stub := self._nothing(runs[0])) is not None:
                return stub
        due = [run for run in runs if not run.case.bonus]
        steps = (
            self._errors,
            self._mutation,
            self._contract,
            self._luck,
            self._values,
            self._gradients,
        )
        for step in steps:
            if (verdict := step(due)) is not None:
                return verdict
        return self._passed(runs)

    # -- nothing to check ------------------------------------------------------------------------

    def _signature(self) -> Verdict | None:
        try:
            signature = inspect.signature(self.function)
        except (TypeError, ValueError):
            return None  # some built-in functions have none
        for seed, case in enumerate(self.exercise.cases):
            arguments = self.exercise.arguments(case, seed)
            try:
                signature.bind(*arguments)
            except TypeError:
                called = ", ".join(self.bench.names[: len(arguments)])
                message = f"your function takes {signature}, but is called with ({called})."
                return self._no("signature", message, f"Wanted: {self.exercise.signature}")
        return None

    def _nothing(self, run: Run) -> Verdict | None:
        if isinstance(run.got.error, NotImplementedError):
            return stub(self.exercise, f"{self.call} raises NotImplementedError")
        if run.got.error is None and (run.got.value is None or run.got.value is ...):
            if self.bench.probe.operations(run.arguments):
                return self._no("contract", f"{self.call} computes, but returns {run.got.value}.")
            return stub(self.exercise, f"{self.call} returns {run.got.value}")
        return None

    def _errors(self, runs: list[Run]) -> Verdict | None:
        for run in runs:
            got = run.got
            if got.error is not None:
                named = self._named(runs)
                if named is not None:
                    return named
                where = f"It arose in {got.line}." if got.line else ""
                return self._no(
                    "raised",
                    f"with {run.case.label} your function raises\n  {got.complaint}",
                    where,
                    f"Its arguments were {show.shapes(self.exercise, run.arguments)}.",
                    show.axes(self.exercise.lengths(run.case), got.complaint),
                    run.case.hint,
                )
            if not isinstance(got.value, Tensor):
                wanted = f"Wanted: {self.exercise.signature}"
                message = f"with {run.case.label} {_not_a_tensor(got.value)}"
                return self._no("contract", message, wanted)
            if got.value.layout is not torch.strided or got.value.is_nested:
                return self._no("contract", "your function returns a tensor that is not dense.")
        return None

    # -- the contract ----------------------------------------------------------------------------

    def _mutation(self, runs: list[Run]) -> Verdict | None:
        for run in runs:
            if run.got.mutated:
                message = (
                    f"your function changes its argument {run.got.mutated}. Whoever passed it "
                    "still needs it: make a new tensor instead (masked_fill, not masked_fill_; "
                    "x = x + y, not x += y)."
                )
                return self._no("contract", message)
        return None

    def _contract(self, runs: list[Run]) -> Verdict | None:
        for run in runs:
            value, wanted = run.got.value, run.wanted
            if value.device != wanted.device:
                message = f"the inputs are on {wanted.device}, your result on {value.device}."
            elif value.shape != wanted.shape:
                message = (
                    f"with {run.case.label} your result has shape {tuple(value.shape)}, "
                    f"wanted {tuple(wanted.shape)}.\n"
                    f"The arguments were {show.shapes(self.exercise, run.arguments)}."
                )
            elif value.dtype != run.due:
                message = (
                    f"with {run.case.label} your result is {show.dtype(value.dtype)}, "
                    f"wanted {show.dtype(run.due)}."
                )
                read = any(isinstance(a, Tensor) and a.is_floating_point() for a in run.arguments)
                if read and run.due.is_floating_point:
                    message += " Take the dtype from the inputs."
            else:
                continue
            named = self._named(runs)
            return self._no("contract", message) if named is None else named
        return None

    def _luck(self, runs: list[Run]) -> Verdict | None:
        if same(self.bench.probe(runs[0].arguments), runs[0].got, 0.0):
            return None
        return self._no("contract", "called twice on the same input, it answers differently.")

    # -- the values ------------------------------------------------------------------------------

    def _values(self, runs: list[Run]) -> Verdict | None:
        failing = [run for run in runs if not run.right]
        if not failing:
            return None
        named = self._named(runs)
        if named is not None:
            return named
        first, partly = failing[0], ""
        idea = self.bench.part_of_an_explanation(first)
        if idea is not None:
            partly = (
                f"There, the answer is what comes out if {idea.says}; but that does not explain "
                "the other cases."
            )
        message = f"it first fails with {first.case.label}."
        return self._no("wrong", message, partly, first.case.hint, self._example(first))

    def _named(self, runs: list[Run]) -> Verdict | None:
        found = self.bench.explanation(runs)
        if found is None:
            return None
        idea, run = found
        return self._no("misconception", f"{idea.says}.", self._example(run))

    def _example(self, run: Run) -> str:
        run = self.bench.smallest(run)
        if run.got.error is not None:
            # Why is said already, and torch's words for it change from version to version.
            where = f" in {run.got.line}" if run.got.line else ""
            arguments = show.shapes(self.exercise, run.arguments)
            return f"With {arguments} it raises {type(run.got.error).__name__}{where}."
        note, dtype = "", run.got.value.dtype
        if dtype != run.due:
            note = f" ({show.dtype(dtype)}, wanted {show.dtype(run.due)})"
        text = show.counterexample(self.exercise, run.arguments, run.got.value, run.wanted, note)
        return f"A small case that shows it:\n{text}"

    # -- the gradients ---------------------------------------------------------------------------

    def _gradients(self, runs: list[Run]) -> Verdict | None:
        for run in runs:
            if run.case.dtype in HALF:
                continue
            wanted = gradient(lambda given: self.exercise.solution(*given), run.arguments)
            if wanted is None:
                continue
            self.compared_gradients = True
            outcome = Probe(self._gradient).quietly(run.arguments)
            if outcome.error is not None:
                message = f"its gradient cannot be computed: {outcome.complaint}"
                return self._no("gradient", message, IN_PLACE if "inplace" in message else "")
            got = outcome.value
            if got is None:
                message = (
                    "the values are right, but no gradient comes back: the result is cut off from "
                    "the inputs (by detach, item, tolist, numpy, no_grad or torch.tensor)."
                )
                return self._no("gradient", message)
            for name, mine, due in zip(self.bench.names, got, wanted, strict=False):
                message = gradient_fault(mine, due, TOLERANCE[run.case.dtype])
                if message:
                    where = f"the values are right, but with {run.case.label} the gradient of"
                    return self._no("gradient", f"{where} {name} {message}")
        return None

    def _gradient(self, *arguments: object) -> list[Tensor | None] | None:
        return gradient(lambda given: self.bench.probe.quietly(given).value, arguments)

    # -- the verdict -----------------------------------------------------------------------------

    def _no(self, kind: str, *parts: str) -> Verdict:
        lines = ["Not yet: " + parts[0], *(part for part in parts[1:] if part)]
        if self.bench.probe.printed:
            lines.append(PRINTED)
        lines.append(f'hint("{self.exercise.name}") helps one step further.')
        return Verdict(self.exercise.name, False, kind, "\n".join(lines))

    def _passed(self, runs: list[Run]) -> Verdict:
        name = self.exercise.name
        count = sum(not run.case.bonus for run in runs)
        gradients = ", and so are its gradients" if self.compared_gradients else ""
        lines = [f"Passed: {name} is right in all {count} cases{gradients}."]
        for run in runs:
            if run.case.bonus and not run.right:
                lines.append(f"To know: with {run.case.label} it fails. {run.case.hint}")
        if self.bench.loops():
            lines.append(
                "To know: it loops in Python over its input. That is right, and slow on long "
                f'inputs; solution("{name}") works on whole tensors.'
            )
        if self.bench.probe.printed:
            lines.append(PRINTED)
        return Verdict(name, True, "passed", "\n".join(lines))


PRINTED = "(What your function prints is left out here.)"
IN_PLACE = (
    "What is changed in place is gone on the way back: use masked_fill or torch.where, which make "
    "a new tensor."
)


def _not_a_tensor(value: object) -> str:
    if value is None:
        return "your function returns nothing: is a return missing?"
    kind = f"{type(value).__module__}.{type(value).__name__}".removeprefix("builtins.")
    message = f"your function returns a {kind}, not a tensor."
    if isinstance(value, (tuple, list)) and any(isinstance(v, Tensor) for v in value):
        message += f" It holds {len(value)} values; return the one that is asked for."
    elif kind.startswith("numpy."):
        message += " Compute with torch from the start: numpy cuts the gradient off."
    elif isinstance(value, (bool, int, float, list)):
        message += " torch.tensor(...) makes one."
    return message
