"""attncourse.cli.streams: the command in a shell, whatever its streams are connected with."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="these pipes are a Unix shell's")

COMMAND = f"{shlex.quote(sys.executable)} -m attncourse"
ECHO = """
import sys
from attncourse import cli
from attncourse.translator import Translator
Translator.__call__ = lambda self, texts, **search: [text.strip() for text in texts]
sys.exit(cli.main({arguments!r}))
"""


def shell(line: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line in which `attncourse` is the command, and report every exit status of a pipe."""
    environment = os.environ | {"OMP_WAIT_POLICY": "passive"} | variables
    environment.pop("PYTHONUNBUFFERED", None)
    environment["PYTHONPATH"] = str(Path(__file__).parents[1])
    line = f'attncourse() {{ {COMMAND} "$@"; }}; {line}; echo "${{PIPESTATUS[@]}}" >&2'
    return subprocess.run(["bash", "-c", line], capture_output=True, env=environment)


def echo(*arguments: str) -> str:
    """The command with a translator that gives back what it was given."""
    code = ECHO.format(arguments=["translate", *arguments])
    return f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}"


@pytest.mark.parametrize(
    "command", ["recipes", "--help", "translate --help"], ids=lambda each: each.replace(" ", "_")
)
def test_a_reader_that_leaves_early_is_no_error(command):
    """Kind: `| head` and `| true` ended in "Broken pipe"."""
    done = shell(f"attncourse {command} | true")
    assert done.stderr.decode().split() == ["141", "0"]


def test_a_translation_that_nobody_reads_ends_quietly():
    done = shell(f"yes A dog runs. | {echo()} | head -1")
    assert done.stdout == b"A dog runs.\n"
    assert done.stderr.decode().split() == ["141", "141", "0"]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_a_letter_that_the_output_lacks_costs_no_line(encoding):
    """Kind: a letter that the encoding of the output lacks lost this line and all behind it."""
    done = shell(echo("un", "été 犬", "deux"), PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert done.stderr.split() == [b"0"]
    expected = "un\nété 犬\ndeux\n".encode(encoding, errors="replace")
    assert done.stdout == expected


def test_a_closed_input_is_said_to_be_closed():
    """Kind: `translate <&-` ended in a traceback."""
    done = shell("attncourse translate <&-")
    assert done.stdout == b""
    told, status = done.stderr.decode().splitlines()
    assert "standard input is closed" in told
    assert status == "1"


def test_a_closed_output_loses_nothing_in_silence():
    done = shell("attncourse translate 'A dog.' >&-")
    told, status = done.stderr.decode().splitlines()
    assert "standard output is closed" in told
    assert status == "1"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_told_in_one_line():
    done = shell("attncourse recipes > /dev/full")
    told, status = done.stderr.decode().splitlines()
    assert "No space left" in told
    assert status == "1"
