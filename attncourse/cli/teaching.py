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
    try:
        for of_one in mark_folder(asked.assignment, asked.folder, seconds=asked.seconds):
            write_marks(asked.output, [*marks, *of_one])  # now: what is told below is kept
            marks += of_one
            print(_line(of_one), flush=True)
    except KeyboardInterrupt:
        kept = f"the lines above are in {asked.output}" if marks else "nothing was marked"
        raise KeyboardInterrupt(f"interrupted: {kept}") from None
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
    """Count what was passed of what was judged, and what was not: '1 of 2 passed, 1 not marked'."""
    judged = [mark.passed for mark in marks if mark.judged]
    counts = [f"{sum(judged)} of {len(judged)} passed"] if judged else []
    if len(judged) < len(marks):
        counts.append(f"{len(marks) - len(judged)} not marked")
    return ", ".join(counts)


def _shared_names(marks: list[Mark]) -> dict[str, list[str]]:
    """The names that stand in more than one notebook, in whatever case, with these."""
    files = defaultdict(dict)
    for mark in marks:
        files[mark.name.casefold()][mark.file] = mark.name
    return {next(iter(found.values())): list(found) for found in files.values() if len(found) > 1}
