"""A process for each returned notebook: what it is given, its time, its output, its end."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from typing import BinaryIO

PRINTED = 10**7  # bytes that a notebook may print; nobody reads them
STARTING = 300.0  # seconds until the process is ready: it imports PyTorch
BEAT = 0.05
# Of the environment a process needs no more than this to start; no keys, tokens or names.
KEPT = ("PATH", "SYSTEMROOT", "WINDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "LC_ALL")


def supervise(
    cells: Sequence[str], exercises: Mapping[str, str], given: Sequence[str], seconds: float
) -> tuple[dict[str, dict], tuple[str, str]]:
    """Mark a notebook's code cells in a process of their own, and stop it if need be.

    Returns:
        The verdicts that came, by exercise, and why the others did not: the kind of verdict and
        the message.

    Raises:
        ChildProcessError: if the process does not come to the notebook at all.
    """
    token = secrets.token_hex(16)
    asked = {"token": token, "cells": cells, "exercises": exercises, "given": given}
    asked |= {"seconds": seconds}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(
            [sys.executable, "-c", "from attncourse.teaching.worker import main; main()"],
            cwd=folder,
            env=_environment(folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **_GROUP,
        )
        answers, printed = _Reader(process.stdout), _Reader(process.stderr)
        try:
            # If it has ended already, that shows below.
            with contextlib.suppress(OSError), process.stdin as pipe:
                pipe.write(json.dumps(asked).encode())
            reason = _wait(process, answers, printed, token, seconds)
        finally:  # also after a Ctrl-C
            _kill(process)
            answers.join(1)
            printed.join(1)
    lines = answers.lines(token)
    if printed.over or answers.over:  # also where it showed at the end only
        return {}, ("output", f"Stopped: it printed more than {PRINTED // 10**6} MB.")
    if not lines:
        said = printed.text().strip().splitlines()[-3:]
        raise ChildProcessError("the process that marks did not start: " + "\n".join(said))
    return {line["exercise"]: line for line in lines if "exercise" in line}, reason


def _wait(
    process: subprocess.Popen, answers: _Reader, printed: _Reader, token: str, seconds: float
) -> tuple[str, str]:
    """Wait for the end, and say what it was."""
    end, ready = time.monotonic() + STARTING, False
    while process.poll() is None:
        if not ready and answers.lines(token):  # the notebook's time begins
            end, ready = time.monotonic() + seconds, True
        if time.monotonic() > end:
            return "time", f"Stopped: it did not end within {seconds:g} seconds."
        if printed.over or answers.over:
            break
        time.sleep(BEAT)
    return "ended", f"It ended its own process, with status {process.returncode}."


class _Reader(threading.Thread):
    """Reads a pipe to its end, and keeps what comes up to a limit."""

    def __init__(self, pipe: BinaryIO):
        super().__init__(daemon=True)
        self.pipe, self.held, self.over = pipe, bytearray(), False
        self.start()

    def run(self) -> None:
        with contextlib.suppress(OSError, ValueError), self.pipe:
            while chunk := os.read(self.pipe.fileno(), 2**16):
                self.held += chunk[: max(0, PRINTED - len(self.held))]
                self.over = self.over or len(self.held) >= PRINTED

    def text(self) -> str:
        return bytes(self.held).decode("utf-8", errors="replace")

    def lines(self, token: str) -> list[dict]:
        """The whole lines that are answers, and carry the token."""
        found = []
        for line in self.text().split("\n")[:-1]:
            with contextlib.suppress(ValueError):
                answer = json.loads(line)
                if isinstance(answer, dict) and answer.pop("token", None) == token:
                    found.append(answer)
        return found


def _environment(folder: str) -> dict[str, str]:
    """The environment of the process: what Python needs, and this folder for everything else."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    places = ("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP", "MPLCONFIGDIR", "XDG_CACHE_HOME")
    return {
        **kept,
        **dict.fromkeys(places, folder),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONUTF8": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "MPLBACKEND": "Agg",
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
    }


# A group of its own, so that what the process starts ends with it.
if os.name == "posix":
    _GROUP: dict[str, object] = {"start_new_session": True}
else:
    _GROUP = {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}


def _kill(process: subprocess.Popen) -> None:
    """End the process and what it started, whether it runs still or not."""
    if os.name == "posix":
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    elif process.poll() is None:
        tree = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
        subprocess.run(tree, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    with contextlib.suppress(OSError):
        process.kill()
    process.wait()
