"""Standard output and error, whatever stands at their other end."""

from __future__ import annotations

import os
import sys


def say(message: str) -> None:
    """Tell the person at the command line, if there is a place to: results go elsewhere."""
    if sys.stderr is not None:  # closed; to print there would print among the results
        print(message, file=sys.stderr)


def let_no_sign_stop_a_line() -> None:
    """Write `?` for a sign that the output's encoding lacks: better than to lose all lines."""
    if not hasattr(sys.stdout, "reconfigure"):  # closed, or no file, as in a notebook
        return
    if sys.stdout.errors in ("strict", "surrogateescape"):
        sys.stdout.reconfigure(errors="replace")


def flush() -> None:
    """Write what waits to be written, so that an error shows now and not when Python ends."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        # What cannot be written would be tried again at the end, and complained about.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        raise
