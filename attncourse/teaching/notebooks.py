"""Notebooks as files (every chapter): their cells, the exercises they check, the student's name.

A notebook is JSON, and little of it is needed here, so no library reads it.
"""

from __future__ import annotations

import ast
import json
import os
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from attncourse.data.files import write_atomically

MOST_MEGABYTES = 20  # of a notebook; one with all its figures has less than one
CHECK = re.compile(r"""^check\(\s*["'](\w+)["'],\s*(\w+)\s*,?\s*\)""", re.MULTILINE)
NAME = re.compile(r"^student[ \t]*=(?!=)[ \t]*(.*)$", re.MULTILINE)
LONGEST_NAME = 80
LONGEST_LINE = 10_000  # of the line with the name


@dataclass(frozen=True)
class Cell:
    """A cell of a notebook: `"code"` or `"markdown"`, its text, what is said about it."""

    kind: str
    source: str
    metadata: dict = field(default_factory=dict)


def read_cells(path: str | os.PathLike) -> list[Cell]:
    """Read the cells of a notebook.

    Raises:
        ValueError: if the file is no notebook.
        OSError: if it cannot be read.
    """
    path, name = Path(path), Path(path).name
    size = path.stat().st_size
    if not size:
        raise ValueError(f"{name} is no notebook: the file is empty")
    if size > MOST_MEGABYTES * 10**6:
        raise ValueError(f"{name} has {size // 10**6} MB, more than {MOST_MEGABYTES}")
    try:
        notebook = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, or brackets without end
        raise ValueError(f"{name} is no notebook: it is not JSON ({error})") from None
    content = notebook if isinstance(notebook, dict) else {}
    cells, version = content.get("cells"), content.get("nbformat")
    if not isinstance(cells, list):
        why = "it has no cells"
        if isinstance(version, int) and version < 4:
            why = f"its format is {version}, wanted 4; open it in Jupyter and save it"
        raise ValueError(f"{name} is no notebook: {why}")
    return [_cell(cell, f"cell {number} of {name}") for number, cell in enumerate(cells, 1)]


def _cell(cell: object, where: str) -> Cell:
    try:
        source, metadata = cell["source"], cell.get("metadata")
        source = source if isinstance(source, str) else "".join(source)
        return Cell(str(cell["cell_type"]), source, metadata if isinstance(metadata, dict) else {})
    except (TypeError, KeyError, AttributeError):
        raise ValueError(f"{where} is no cell of a notebook") from None


def write_cells(path: str | os.PathLike, cells: Iterable[Cell]) -> None:
    """Write a notebook, whole or not at all, without outputs."""
    written = []
    for number, cell in enumerate(cells, 1):
        own = {"execution_count": None, "outputs": []} if cell.kind == "code" else {}
        written.append(
            {
                "cell_type": cell.kind,
                "id": f"cell-{number}",
                "metadata": cell.metadata,
                "source": cell.source.splitlines(keepends=True),
                **own,
            }
        )
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {
        "cells": written,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    text = json.dumps(notebook, indent=1, ensure_ascii=False)
    write_atomically(path, f"{text}\n".encode())


def checked_exercises(cells: Iterable[Cell]) -> dict[str, str]:
    """Give the exercises that the cells check, each with the name of its function."""
    found = (CHECK.findall(cell.source) for cell in cells if cell.kind == "code")
    return {exercise: function for checks in found for exercise, function in checks}


def require_notebook(argument: str, path: str | os.PathLike) -> None:
    """Refuse, by the argument's name, what is no file: folder and notebook are easily swapped."""
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{argument} must be a notebook, got the folder {path}")
    if not path.exists():
        raise FileNotFoundError(f"{argument} must be a notebook, but there is no file {path}")


def require_folder_for(path: str | os.PathLike) -> None:
    """Refuse a place in a folder that is not there: its name may be misspelt."""
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} to write {path.name} into")


def student_name(cells: Iterable[Cell]) -> str:
    """Give the name that the student wrote, or nothing. No code runs."""
    written = (NAME.findall(cell.source) for cell in cells if cell.kind == "code")
    names = (_literal(text) for texts in written for text in texts)
    tidy = (" ".join(printable(name).split())[:LONGEST_NAME] for name in names)
    return next(filter(None, tidy), "")


def _literal(text: str) -> str:
    """Give what a literal stands for; of anything else, as a name without quotes, the text."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a backslash that escapes nothing
            value = ast.literal_eval(text[:LONGEST_LINE])
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        return text.partition("#")[0]
    return "" if value is None else str(value)


def printable(text: str) -> str:
    """Replace what a terminal would take for a command."""
    return "".join(sign if sign.isprintable() else " " for sign in text)
