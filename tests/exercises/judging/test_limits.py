"""`check` on functions that never end: they compute, sleep or wait, in whichever thread."""

from __future__ import annotations

import _thread
import contextlib
import os
import queue
import signal
import sys
import threading
import time

import pytest
import torch

from attncourse.exercises import EXERCISES, check
from attncourse.exercises.judging import limits

LOCK = threading.Lock()


def computes(n):
    while True:
        sum(range(100))


def sleeps(n):
    time.sleep(1000)


def naps(n):
    while True:
        time.sleep(0.01)


def naps_and_catches(n):
    while True:
        with contextlib.suppress(Exception):
            time.sleep(0.01)


def waits_for_a_lock(n):
    with LOCK:
        return n


def waits_for_a_queue(n):
    return queue.Queue().get()


def waits_for_input(n):
    reading, writing = os.pipe()
    try:
        os.read(reading, 1)  # as input() does, whose words pytest keeps to itself
    finally:
        os.close(reading), os.close(writing)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Seconds become tenths, and nothing may be left: no thread, no handler, no other output."""
    monkeypatch.setattr(limits, "LASTING", 0.5)
    monkeypatch.setattr(limits, "BEAT", 0.05)
    before = threading.enumerate(), signal.getsignal(signal.SIGVTALRM), sys.stdout, sys.stderr
    yield
    for thread in threading.enumerate():
        if thread not in before[0]:
            thread.join(10)
    assert before[0] == threading.enumerate()
    assert before[1:] == (signal.getsignal(signal.SIGVTALRM), sys.stdout, sys.stderr)


@pytest.fixture(params=["main thread", "another thread", "no signals"])
def checked(request, monkeypatch):
    """`check`, as it is called in a notebook, in a thread, and on Windows."""
    if request.param == "another thread":
        return elsewhere
    if request.param == "no signals":
        monkeypatch.delattr(signal, "pthread_kill")
    return check


def elsewhere(name, function):
    verdicts = []
    thread = threading.Thread(target=lambda: verdicts.append(check(name, function)))
    thread.start()
    thread.join()
    return verdicts[0]


@pytest.mark.parametrize("function", [computes, naps, naps_and_catches])
def test_what_goes_on_for_ever_is_stopped(checked, function, capsys):
    verdict = checked("leave_one_out", function)
    assert verdict.kind == "endless"
    assert not verdict
    assert verdict.message.startswith("Not yet: your function was stopped after 0.5 seconds")
    assert capsys.readouterr() == ("", "")


def test_computing_is_stopped_before_the_time_that_sleeping_has(monkeypatch):
    monkeypatch.setattr(limits, "COMPUTING", 0.1)
    monkeypatch.setattr(limits, "LASTING", 100.0)
    assert "stopped after 0.1 seconds of computing" in check("leave_one_out", computes).message


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="Windows cannot wake a thread")
@pytest.mark.parametrize("function", [sleeps, waits_for_a_lock, waits_for_a_queue, waits_for_input])
def test_in_the_main_thread_a_sleep_and_a_wait_are_cut_short(function):
    with LOCK:
        verdict = check("leave_one_out", function)
    assert verdict.kind == "endless"
    assert "was stopped after 0.5 seconds" in verdict.message


@pytest.mark.parametrize("windows", [False, True])
def test_elsewhere_what_waits_is_left_behind_and_said_to_be(windows, monkeypatch, capsys):
    if windows:
        monkeypatch.delattr(signal, "pthread_kill")
    with LOCK:
        verdict = (check if windows else elsewhere)("leave_one_out", waits_for_a_lock)
        assert verdict.kind == "endless"
        assert "did not end within 0.5 seconds" in verdict.message
        assert "it goes on in the background" in verdict.message.replace("\n", " ")
        assert torch.get_default_dtype() is torch.float32
        print("heard")  # outputs are the reader's again
    assert capsys.readouterr() == ("heard\n", "")


def test_a_function_with_several_results_has_one_limit_for_all():
    start = time.monotonic()
    assert check("teacher_forcing", sleeps).kind == "endless"
    assert time.monotonic() - start < 15 * limits.LASTING  # room for a busy machine


def test_what_ends_in_time_is_judged_as_ever(checked):
    def slow(n):
        time.sleep(0.02)
        return EXERCISES["leave_one_out"].solution(n)

    assert checked("leave_one_out", slow).passed
    assert checked("leave_one_out", lambda n: torch.eye(n)).kind == "misconception"
    assert checked("leave_one_out", lambda n: n / 0).kind == "raised"
    cut = checked("soft_lookup", lambda q, k, v: ((k @ q).softmax(0) @ v).detach())
    assert cut.kind == "gradient"


def test_the_clock_counts_its_own_beats_which_are_late_where_the_machine_is():
    clock = limits._Clock()
    time.sleep(2 * limits.LASTING)  # as if the watching thread had had no turn
    assert not clock.is_up()
    assert [clock.is_up() for _ in range(9)] == [False] * 8 + [True]


def test_the_readers_interrupt_ends_a_check_in_a_thread(monkeypatch):
    def interrupted(n):
        _thread.interrupt_main()
        naps(n)

    monkeypatch.delattr(signal, "pthread_kill")
    monkeypatch.setattr(limits, "LASTING", 100.0)
    # Tests in the background of a shell begin with the interrupt switched off.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            check("leave_one_out", interrupted)
    finally:
        signal.signal(signal.SIGINT, before)
