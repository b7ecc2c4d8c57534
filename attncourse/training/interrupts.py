"""Ctrl-C waits for the end of a step (chapter 04)."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import nn

from attncourse.training.history import History
from attncourse.training.workers import Workers


@contextmanager
def interrupts_between_steps(workers: Workers) -> Iterator[threading.Event]:
    """Turn a Ctrl-C into an event, so that no step is left half made; let a second one through.

    Where several train together, so is the signal with which `torchrun` ends the others.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked  # signals go to the main thread
        return
    signals = [signal.SIGINT] if workers.size == 1 else [signal.SIGINT, signal.SIGTERM]
    before = {number: signal.getsignal(number) for number in signals}

    def restore():
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number, frame):
        asked.set()
        restore()

    for number in signals:
        signal.signal(number, note)
    try:
        yield asked
    finally:
        restore()


def call_all(
    callbacks: Iterable[Callable],
    step: int,
    model: nn.Module,
    history: History,
    interrupted: threading.Event,
) -> None:
    """Call each callback after a step, also where one of them raises KeyboardInterrupt."""
    for callback in callbacks:
        try:
            callback(step, model, history)
        except KeyboardInterrupt:
            if interrupted.is_set():  # the second Ctrl-C, perhaps within a file
                raise
            interrupted.set()  # the others have their turn before the end


def interruption(step: int, file: Path | None) -> KeyboardInterrupt:
    """Say how far a training came that was stopped, and how it goes on."""
    kept = "the weights stay in the model" if file is None else f"the same call goes on from {file}"
    return KeyboardInterrupt(f"interrupted after step {step:,}; {kept}")
