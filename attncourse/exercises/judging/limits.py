"""Stopping a function that does not end (every chapter): it computes, sleeps or waits for ever.

In the main thread a signal stops it, even out of a sleep or a wait. Elsewhere, and on Windows, it
runs in a thread of its own and is stopped at its next line of Python; a call that sleeps or waits
on and on has no next line, so it is left behind until it ends by itself.
"""

from __future__ import annotations

import ctypes
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import TypeVar

COMPUTING = 10.0  # seconds that a check may compute, all its calls together
LASTING = 60.0  # seconds that it may last: what sleeps computes nothing
BEAT = 0.2  # seconds between two looks at the clock, and between two attempts to stop
ATTEMPTS = 10

T = TypeVar("T")


class Endless(SystemExit):
    """The function was stopped, or left behind; the argument says which, and why.

    Not an `Exception`, so that no student's `except Exception` catches it; a thread that ends by
    a `SystemExit` ends quietly.
    """


def in_time(call: Callable[[], T]) -> T:
    """Call a function, and raise `Endless` if it does not end in time."""
    clock = _Clock()
    if hasattr(signal, "pthread_kill") and (threading.current_thread() is threading.main_thread()):
        try:
            with _alarm(clock):
                return call()
        except Endless:
            raise Endless(f"was stopped after {clock.reading}") from None
    return _in_a_thread(call, clock)


class _Clock:
    """Counts its own beats. Where the machine is busy, asleep or halted by a debugger, they are
    late, and so is the limit."""

    def __init__(self) -> None:
        self.beats, self.start = 0, time.process_time()
        self.reading = ""

    def is_up(self) -> bool:
        """Whether the time is up; asked once a beat."""
        self.beats += 1
        if time.process_time() - self.start >= COMPUTING:
            self.reading = f"{COMPUTING:g} seconds of computing"
        elif self.beats * BEAT >= LASTING:
            self.reading = f"{LASTING:g} seconds"
        return bool(self.reading)


@contextmanager
def _alarm(clock: _Clock) -> Iterator[None]:
    """Raise `Endless` in the main thread when the time is up."""
    over, main = threading.Event(), threading.main_thread().ident

    def stop(signum, frame):
        if not over.is_set():  # else it comes too late
            raise Endless

    def watch():
        late = False
        while not over.wait(BEAT):
            late = late or clock.is_up()
            if late:  # again at every beat, in case the function catches even this
                signal.pthread_kill(main, signal.SIGVTALRM)

    watcher = threading.Thread(target=watch, daemon=True)
    # A signal that nobody else uses: test runners set timers of wall time, by SIGALRM.
    before = signal.signal(signal.SIGVTALRM, stop)
    try:
        try:
            watcher.start()
            yield
        finally:
            over.set()
    finally:
        over.set()  # the alarm may have stopped the line above
        if watcher.is_alive():
            watcher.join()
        signal.signal(signal.SIGVTALRM, before)


def _in_a_thread(call: Callable[[], T], clock: _Clock) -> T:
    """Call a function in a thread of its own, which can be left behind."""
    over, values, errors = threading.Event(), [], []

    def work():
        try:
            values.append(call())
        except BaseException as error:
            errors.append(error)
        finally:
            over.set()

    worker = threading.Thread(target=copy_context().run, args=(work,), daemon=True)
    try:
        worker.start()
        while not over.wait(BEAT) and not clock.is_up():
            pass
    finally:  # also when the reader interrupts the check
        stopped = over.is_set() or _stop(worker, over)
    if not stopped:
        raise Endless(
            f"did not end within {clock.reading}. It cannot be stopped either: it goes on in the "
            "background until it ends by itself"
        )
    if values:
        return values[0]
    if isinstance(errors[0], Endless):
        raise Endless(f"was stopped after {clock.reading}")
    raise errors[0]


def _stop(worker: threading.Thread, over: threading.Event) -> bool:
    """Raise `Endless` in a thread until it ends, and say whether it did."""
    for _ in range(ATTEMPTS if worker.is_alive() else 0):
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(worker.ident), ctypes.py_object(Endless)
        )
        if over.wait(BEAT):
            return True
    return False
