"""The command `attncourse`: train by a recipe, evaluate, translate (chapters 04 and 05); homework.

| module | what it holds |
|---|---|
| `parser` | what the command line takes |
| `training` | the commands `recipes`, `train` and `evaluate` |
| `translating` | the command `translate` |
| `teaching` | the commands `assignment` and `mark` |
| `streams` | standard output and error, whatever stands at their other end |
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from attncourse.cli.parser import build_parser
from attncourse.cli.streams import flush, let_no_sign_stop_a_line, say
from attncourse.data.downloads import DataError
from attncourse.training import CheckpointError, WorkerError

INTERRUPTED, NO_READER = 130, 141  # what a shell reports for Ctrl-C and for a closed pipe


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: what stands behind `attncourse`; by default what the shell gave.

    Returns:
        The exit status: 0; 1 where something went wrong; 130 after Ctrl-C; 141 where nobody reads
        the output any more, as after `| head`.
    """
    if arguments is None:
        _let_threads_sleep()
    let_no_sign_stop_a_line()
    try:
        try:
            asked = build_parser().parse_args(arguments)
            return asked.run(asked)
        finally:  # also after --help, which leaves by SystemExit
            flush()
    except BrokenPipeError:
        return NO_READER
    except KeyboardInterrupt as interruption:
        say(str(interruption) or "interrupted")
        return INTERRUPTED
    except (
        CheckpointError,
        DataError,
        FloatingPointError,
        ImportError,
        OSError,
        ValueError,
        WorkerError,
    ) as error:
        say(f"attncourse: {error}")
        return 1


def _let_threads_sleep() -> None:
    """Start again with PyTorch's idle threads asleep: spinning, they starve each other beside any
    other job. The variable is read when PyTorch is imported, which has happened by now."""
    if "OMP_WAIT_POLICY" not in os.environ and os.name == "posix":
        os.environ["OMP_WAIT_POLICY"] = "passive"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
