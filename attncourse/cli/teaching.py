"""The commands `assignment` and `mark`."""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

from attncourse.teaching import Mark, mark_folder, write_assignment, write_marks
from attncourse.teaching.marking import other_files, require_marks_path
from attncourse.teaching.notebooks import printable

MARKS = Path("marks.csv")


def assignment(asked: argparse.Namespace) -> int:
    """Write a homework notebook from a chapter."""
    path, exercises = write_assignment(asked.chapter, asked.output, only=asked.only)
    print(f"{path}: {', '.join(exercises)}")
    return 0


def mark(asked: argparse.Namespace) -> int:
    """Mark a folder of returned notebooks: a line each, then the exercises, then the table."""
    require_marks_path(asked.output)  # else known only when all is done
    marks: list[Mark] = []
    for of_one in mark_folder(asked.assignment, asked.folder, seconds=asked.seconds):
        print(_line(of_one), flush=True)
        marks += of_one
        write_marks(asked.output, marks)  # so that a Ctrl-C, or a full disk, loses none of them
    print()
    for exercise in dict.fromkeys(mark.exercise for mark in marks):
        print(f"{exercise}: {_passed([mark for mark in marks if mark.exercise == exercise])}")
    for name, files in _shared_names(marks).items():
        print(printable(f"The name {name} stands in {len(files)} notebooks: {', '.join(files)}"))
    if others := [
        path for path in other_files(asked.folder) if path.resolve() != asked.output.resolve()
    ]:
        names = ", ".join(path.relative_to(asked.folder).as_posix() for path in others)
        print(printable(f"not marked, since they are no notebooks: {names}"))
    print(f"written to {asked.output}")
    return 0


def _line(marks: list[Mark]) -> str:
    """Say what became of a notebook: 'Ada: 1 of 2 passed; merge_heads stub'."""
    failed = [mark for mark in marks if not mark.passed]
    if len({(mark.verdict, mark.message) for mark in marks}) == 1 and failed:
        # The same of all: the notebook as a whole is at fault.
        what = [f"{failed[0].verdict}: {failed[0].message}"]
    else:
        what = [f"{mark.exercise} {mark.verdict}" for mark in failed]
    told = [f"{marks[0].name}: {_passed(marks)}", *([", ".join(what)] if what else [])]
    return printable("; ".join(told))


def _passed(marks: list[Mark]) -> str:
    return f"{sum(mark.passed for mark in marks)} of {len(marks)} passed"


def _shared_names(marks: list[Mark]) -> dict[str, list[str]]:
    """The names that stand in more than one notebook, in whatever case, with these."""
    files = defaultdict(dict)
    for mark in marks:
        files[mark.name.casefold()][mark.file] = mark.name
    return {next(iter(found.values())): list(found) for found in files.values() if len(found) > 1}
