"""Notebooks as files (every chapter): their cells, the exercises they check, the student's name.

A notebook is JSON, and little of it is needed here, so no library reads it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from attncourse.data.files import write_atomically

MOST_MEGABYTES = 20  # of a notebook; one with all its figures has less than one
CHECK = re.compile(r"""^check\(\s*["'](\w+)["'],\s*(\w+)\s*,?\s*\)""", re.MULTILINE)
NAME = re.compile(r"""^student\s*=\s*(["'])(.*)\1""", re.MULTILINE)
LONGEST_NAME = 80


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
    if size > MOST_MEGABYTES * 10**6:
        raise ValueError(f"{name} has {size // 10**6} MB, more than {MOST_MEGABYTES}")
    try:
        notebook = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError):  # no UTF-8, no JSON, or brackets without end
        raise ValueError(f"{name} is no notebook") from None
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise ValueError(f"{name} is no notebook: it has no cells")
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


def student_name(cells: Iterable[Cell]) -> str:
    """Give the name that the student wrote, or nothing. No code runs, and none is parsed."""
    for cell in cells:
        if cell.kind == "code" and (found := NAME.search(cell.source)):
            return " ".join(printable(found[2]).split())[:LONGEST_NAME]
    return ""


def printable(text: str) -> str:
    """Replace what a terminal would take for a command."""
    return "".join(sign if sign.isprintable() else " " for sign in text)
