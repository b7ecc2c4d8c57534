"""Running a student's function (every chapter): whatever it computes, an outcome comes back."""

from __future__ import annotations

import inspect
import io
import linecache
import random
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from attncourse.exercises.judging.limits import Endless


@dataclass
class Outcome:
    """What one call gave: a value, or an error and the line of the function that raised it."""

    value: object = None
    error: BaseException | None = None
    line: str = ""
    mutated: str = ""  # the name of the argument that the call changed

    @property
    def complaint(self) -> str:
        """The error's type and first line, without anything that changes from run to run."""
        try:
            first = (str(self.error).strip().splitlines() or [""])[0]
        except Exception:  # there are errors that cannot say what they are
            first = ""
        first = re.sub(r" at 0x[0-9a-fA-F]+", "", first)
        if len(first) > 200:
            first = first[:197] + "..."
        kind = type(self.error).__name__
        return f"{kind}: {first}" if first else kind


class Probe:
    """Calls a function on copies of its arguments, quietly, and remembers whether it printed."""

    def __init__(self, function: Callable, names: tuple[str, ...] = ()):
        self.function, self.names = function, names
        self.printed = False

    def __call__(self, arguments: tuple) -> Outcome:
        """Call it, and see whether it changed what it was given."""
        given = tuple(_copy(a) for a in arguments)
        outcome = self.quietly(given)
        for name, before, after in zip(self.names, arguments, given, strict=False):
            if isinstance(before, Tensor) and not _equal(before, after):
                outcome.mutated = name
                break
        return outcome

    def quietly(self, arguments: tuple) -> Outcome:
        """Call it on these very arguments; what it prints is dropped."""
        outcome, sink, gradients = Outcome(), _Sink(), torch.is_grad_enabled()
        try:
            with _heard_by(sink):
                outcome.value = self.function(*arguments)
        except (KeyboardInterrupt, Endless):  # not the function's own doing
            raise
        except BaseException as error:
            outcome.error, outcome.line = error, _line(self.function, error)
        if torch.is_grad_enabled() != gradients:  # the function has switched them
            torch.set_grad_enabled(gradients)
        self.printed |= sink.used
        return outcome

    def operations(self, arguments: tuple) -> int:
        """Count the calls of torch that one call of the function makes."""
        given = tuple(_copy(a) for a in arguments)
        with _Count() as count:
            self.quietly(given)
        return count.calls


@contextmanager
def undisturbed() -> Iterator[None]:
    """Leave random states, default dtype and outputs as they were, and drop warnings."""
    states = random.getstate(), np.random.get_state()
    dtype = torch.get_default_dtype()
    devices = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
    with (
        torch.random.fork_rng(devices),
        redirect_stdout(sys.stdout),  # a call may have been stopped where it would restore them
        redirect_stderr(sys.stderr),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        torch.set_default_dtype(torch.float32)  # whatever the notebook's is
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)
            random.setstate(states[0])
            np.random.set_state(states[1])


class _Sink(io.TextIOBase):
    used = False

    def write(self, text: str) -> int:
        self.used = True
        return len(text)


@contextmanager
def _heard_by(sink: _Sink) -> Iterator[None]:
    """Send what is printed to `sink`."""
    outputs = sys.stdout, sys.stderr
    sys.stdout = sys.stderr = sink
    try:
        yield
    finally:
        if sys.stdout is sink:  # else the check has left this call behind, and gone on
            sys.stdout, sys.stderr = outputs


class _Count(TorchFunctionMode):
    calls = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.calls += 1
        return function(*args, **(kwargs or {}))


def _copy(value: object) -> object:
    if not isinstance(value, Tensor):
        return value
    # clone() would lay out an expanded or strided tensor anew.
    copy = torch.empty_strided(value.shape, value.stride(), dtype=value.dtype)
    if 0 in value.stride():
        return value.clone()
    return copy.copy_(value)


def _equal(before: Tensor, after: Tensor) -> bool:
    try:
        return before.shape == after.shape and torch.equal(before, after)
    except RuntimeError:
        return False


def code_of(function: Callable) -> object | None:
    """The code object behind a function, a method, a partial or a module, if there is one."""
    if isinstance(function, torch.nn.Module):
        function = function.forward
    function = inspect.unwrap(getattr(function, "func", function))
    return getattr(getattr(function, "__func__", function), "__code__", None)


def _line(function: Callable, error: BaseException) -> str:
    """Say where in the student's own function an error arose: 'line 3, `weights = ...`'."""
    code, trace, number = code_of(function), error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code is code:
            number = trace.tb_lineno
        trace = trace.tb_next
    if number is None:
        return ""
    text = linecache.getline(code.co_filename, number).strip()
    text = text if len(text) <= 80 else text[:77] + "..."
    where = f"line {number - code.co_firstlineno + 1} of your function"
    return f"{where}, `{text}`" if text else where
