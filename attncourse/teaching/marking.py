"""The marks of a folder of returned notebooks, and their table (every chapter)."""

from __future__ import annotations

import codecs
import csv
import io
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from attncourse.checks import require_number
from attncourse.data.files import write_atomically
from attncourse.exercises import EXERCISES
from attncourse.teaching.notebooks import (
    Cell,
    checked_exercises,
    read_cells,
    require_folder_for,
    require_notebook,
    student_name,
)
from attncourse.teaching.supervision import supervise

SECONDS = 120.0  # that a notebook may take
COLUMNS = ("name", "file", "exercise", "passed", "verdict", "message")
NOT_JUDGED = ("another assignment", "time", "output", "ended", "replaced", "unreadable")


@dataclass(frozen=True)
class Mark:
    """What became of one exercise in one returned notebook (every chapter).

    Attributes:
        name: the student's, as it stands in the notebook; without one, the file's with its folder.
        file: the notebook, within the folder.
        exercise: as `check` names it.
        passed: whether the function is right.
        verdict: the kind of verdict that `check` gave, or `"missing"` where there was nothing to
            check, or, where nothing was judged, `"another assignment"`, `"time"`, `"output"`,
            `"ended"`, `"replaced"` or `"unreadable"`.
        message: the verdict in words.
    """

    name: str
    file: str
    exercise: str
    passed: bool
    verdict: str
    message: str

    @property
    def judged(self) -> bool:
        """Whether the verdict is on the exercise, and not on the notebook as a whole."""
        return self.verdict not in NOT_JUDGED


def mark_folder(
    assignment: str | os.PathLike, folder: str | os.PathLike, *, seconds: float = SECONDS
) -> Iterator[list[Mark]]:
    """Mark the notebooks of a folder, each in a process of its own (every chapter).

    What is marked, and by which function, stands in the assignment; of a returned notebook only
    its cells are run and its functions taken, and the package's own check judges them.

    Args:
        assignment: the assignment, as it was given out.
        folder: where the returned notebooks are; folders in it are searched too.
        seconds: that a notebook may take, without the time in which its process starts.

    Yields:
        The marks of one notebook after another, one for each exercise.

    Raises:
        ValueError: if the assignment is no notebook or checks no exercise, if the folder holds no
            notebook, or if `seconds` is not positive.
        OSError: if a file or the folder is not there.
        ChildProcessError: if no process can be started.
    """
    require_number("seconds", seconds)
    if not 0 < seconds < math.inf:
        raise ValueError(f"seconds must be positive, got {seconds}")
    require_notebook("assignment", assignment)
    given = read_cells(assignment)
    exercises = _asked_exercises(given, assignment)
    folder = Path(folder)
    for path in returned_notebooks(folder, assignment):
        file = path.relative_to(folder).as_posix()
        yield _mark(path, file, exercises, _sources(given), seconds)


def _asked_exercises(given: Iterable[Cell], assignment: str | os.PathLike) -> dict[str, str]:
    """Give the exercises of an assignment, each with the name of its function."""
    exercises = checked_exercises(given)
    if not exercises:
        raise ValueError(f"{assignment} checks no exercise, so there is nothing to mark")
    for name in exercises:
        if name not in EXERCISES:
            raise ValueError(f"{assignment} checks {name!r}, which is no exercise")
    return exercises


def returned_notebooks(folder: Path, assignment: str | os.PathLike) -> list[Path]:
    """Find the notebooks in a folder, but for the assignment and what Jupyter keeps for itself."""
    if not folder.is_dir():
        came = f"got the file {folder}" if folder.exists() else f"but there is none: {folder}"
        raise NotADirectoryError(f"folder must be the folder of the returned notebooks, {came}")
    given = Path(assignment).resolve()
    found = [path for path in _files(folder) if _is_notebook(path) and path.resolve() != given]
    if not found:
        raise ValueError(f"the folder {folder} holds no notebook (.ipynb)")
    return found


def other_files(folder: str | os.PathLike) -> list[Path]:
    """Find what is in the folder and is not marked, since it is no notebook: archives, scripts."""
    return [path for path in _files(Path(folder)) if not _is_notebook(path)]


def _files(folder: Path) -> list[Path]:
    """All files of a folder and of those in it, but for hidden ones."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def _is_notebook(path: Path) -> bool:
    return path.suffix.lower() == ".ipynb"


def _mark(
    path: Path, file: str, exercises: dict[str, str], given: list[str], seconds: float
) -> list[Mark]:
    """Mark one notebook. Whatever is wrong with it, there is a mark for each exercise."""
    name, found = "", {}
    try:
        cells = read_cells(path)
    except (OSError, ValueError) as error:
        reason = "unreadable", str(error)
    else:
        name, checked = student_name(cells), checked_exercises(cells)
        if checked and checked.keys().isdisjoint(exercises):
            reason = "another assignment", f"It checks {', '.join(checked)}, none of those asked."
        else:
            found, reason = supervise(_sources(cells), exercises, given, seconds)
    marks = []
    for exercise in exercises:
        verdict = found.get(exercise)
        kind, message = (verdict["verdict"], verdict["message"]) if verdict else reason
        passed = bool(verdict and verdict["passed"])
        # Without a name: "12_ada/homework", since files of one name are told apart by the folder.
        called = name or str(PurePosixPath(file).with_suffix(""))
        marks.append(Mark(called, file, exercise, passed, kind, message))
    return marks


def _sources(cells: Iterable[Cell]) -> list[str]:
    return [cell.source for cell in cells if cell.kind == "code"]


def require_marks_path(path: str | os.PathLike) -> None:
    """Refuse a place for the table where something else would be lost (every chapter).

    Raises:
        ValueError: if there is a folder, or a file that is no table of marks, or if the name is a
            notebook's.
        FileNotFoundError: if the folder for it is not there.

    Example:
        >>> require_marks_path("homework.ipynb")
        Traceback (most recent call last):
        ...
        ValueError: output must be a table such as marks.csv, got the notebook homework.ipynb
    """
    path = Path(path)
    require_folder_for(path)
    if path.is_dir():
        raise ValueError(f"output must be a file, got the folder {path}")
    if _is_notebook(path):
        raise ValueError(f"output must be a table such as marks.csv, got the notebook {path}")
    header = ",".join(COLUMNS).encode()
    if path.is_file() and path.stat().st_size:
        with path.open("rb") as file:
            if not file.readline().removeprefix(codecs.BOM_UTF8).startswith(header):
                raise ValueError(f"output must be a new file or a table of marks, got {path}")


def write_marks(path: str | os.PathLike, marks: Iterable[Mark]) -> None:
    """Write marks as a table, CSV in UTF-8, whole or not at all (every chapter).

    Args:
        path: the file; what stands there is replaced.
        marks: a row each; `passed` is written as 1 or 0, so that a spreadsheet can sum it, and is
            empty where nothing was judged.

    Raises:
        OSError: if the file cannot be written.

    Example:
        >>> import tempfile
        >>> mark = Mark("Ada", "ada.ipynb", "merge_heads", True, "passed", "Passed.")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_marks(Path(folder) / "marks.csv", [mark])
        ...     print((Path(folder) / "marks.csv").read_text(encoding="utf-8-sig"))
        name,file,exercise,passed,verdict,message
        Ada,ada.ipynb,merge_heads,1,passed,Passed.
    """
    table = io.StringIO()
    rows = csv.writer(table)
    rows.writerow(COLUMNS)
    for mark in marks:
        passed = int(mark.passed) if mark.judged else ""
        texts = (mark.name, mark.file, mark.exercise, passed, mark.verdict, mark.message)
        rows.writerow(_inert(value) for value in texts)
    write_atomically(path, table.getvalue().encode("utf-8-sig"))  # the mark that Excel looks for


def _inert(value: object) -> object:
    """Keep a spreadsheet from running what a student wrote as a formula."""
    text = isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r")
    return f"'{value}" if text else value
