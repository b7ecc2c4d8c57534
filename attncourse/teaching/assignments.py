"""An assignment from a chapter (every chapter): questions, stubs and checks, without solutions."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from attncourse.exercises import EXERCISES
from attncourse.teaching.notebooks import (
    CHECK,
    Cell,
    read_cells,
    require_folder_for,
    require_notebook,
    write_cells,
)

BOOK = "https://attncourse.github.io/attncourse/chapters/"
START = re.compile(r"^:::+\{exercise-start\} *(.*)\n(?::\w+:.*\n)*:::+ *$", re.MULTILINE)
END = re.compile(r"^:::+\{exercise-end\}.*\n:::+ *$", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)([^)\s]*)\)")
EQUATION = re.compile(r"\{eq\}`([^`]+)`")
DIRECTIVE = re.compile(r"\{[\w:-]+\}`|^(?::::+|```+) *\{[\w:-]+\}", re.MULTILINE)

NAME_CELL = 'student = ""  # your name, between the quotes'
IMPORTS = """\
import math

import attncourse as ac
import torch
from attncourse.exercises import check, hint
from torch.nn import functional as F"""
HEAD = """\
# {title}: homework

Exercises from [{title}]({page}) of *Attention, from the Ground Up*.

1. Write your name in the cell `student = ""`, between the quotes.
2. Run all cells once. Then write each function where its stub is, and run the two cells again: \
`check` says what is wrong, if anything; `hint("...")` with the exercise's name helps one step.
3. Save this notebook and hand it in. The marking calls your functions by name, so keep the names \
that the stubs have.

"Above" in a question means the chapter."""
MENDED = "*Find the bug: the function below runs, or nearly, and is wrong. Mend it.*"


@dataclass
class _Question:
    """An exercise as it stands in a chapter; one without a stub is answered in words."""

    title: str
    text: list[str] = field(default_factory=list)
    complete: bool = False
    exercise: str = ""
    stub: str = ""
    check: str = ""


def write_assignment(
    chapter: str | os.PathLike,
    path: str | os.PathLike | None = None,
    *,
    only: Sequence[str] | None = None,
) -> tuple[Path, list[str]]:
    """Write a chapter's exercises as an assignment, without solutions (every chapter).

    Exercises that are answered in words have no check, and are left out.

    Args:
        chapter: the chapter's notebook, as the book or its repository has it.
        path: where the assignment goes; by default the chapter's name with `_homework`, in the
            current folder. A file that is there already is not written over, and no folder made.
        only: the exercises to give, as `check` names them; by default all.

    Returns:
        The path and the names of the exercises, in the order of the chapter.

    Raises:
        ValueError: if `chapter` is no notebook of the book, if it lacks an exercise of `only`, or
            if a question has markup that plain Markdown has not; the message names it.
        OSError: if the chapter cannot be read or the assignment not be written.
    """
    chapter = Path(chapter)
    path = Path(f"{chapter.stem}_homework.ipynb" if path is None else path)
    require_notebook("chapter", chapter)
    require_folder_for(path)
    cells = read_cells(chapter)
    questions = [question for question in _questions(cells) if question.stub]
    if not questions:
        raise ValueError(f"{chapter} has no exercises with a check: give a chapter of the book")
    names = [question.exercise for question in questions]
    if only is not None:
        unknown = [name for name in only if name not in names]
        if unknown or not only:
            wrong = ", ".join(unknown) or "no exercise"
            raise ValueError(f"only names {wrong}; {chapter} has {', '.join(names)}")
        questions = [question for question in questions if question.exercise in only]
    written = [*_first_cells(cells, chapter)]
    for number, question in enumerate(questions, 1):
        written += _cells(question, number, chapter)
    if path.exists():
        raise FileExistsError(f"{path} is there already: name another file")
    write_cells(path, written)
    return path, [question.exercise for question in questions]


def _questions(cells: Sequence[Cell]) -> Iterator[_Question]:
    """Find the exercises between their fences, and the first check behind each."""
    question = None
    for cell in cells:
        if cell.kind == "markdown":
            rest = cell.source
            while True:
                if question is not None and not question.complete:
                    text, end, rest = _cut(END, rest)
                    question.text.append(text)
                    question.complete = end is not None
                _, start, rest = _cut(START, rest)
                if start is None:
                    break
                if question is not None:
                    yield question
                question = _Question(start[1])
        elif question is not None and question.complete and not question.stub:
            _take_stub(question, cell)
    if question is not None:
        yield question


def _cut(mark: re.Pattern, text: str) -> tuple[str, re.Match | None, str]:
    """Divide a text at a mark: what is before it, the mark, and what is behind it."""
    found = mark.search(text)
    return (
        (text, None, "") if found is None else (text[: found.start()], found, text[found.end() :])
    )


def _take_stub(question: _Question, cell: Cell) -> None:
    found = CHECK.search(cell.source)
    if found is None or "solution" in str(cell.metadata.get("mystnb", "")):
        return
    lines = cell.source[: found.start()].strip().splitlines()
    stub = "\n".join(line for line in lines if line != "from attncourse.exercises import check")
    question.exercise, question.stub, question.check = found[1], stub.strip(), found[0]


def _first_cells(cells: Sequence[Cell], chapter: Path) -> Iterator[Cell]:
    """The head of an assignment: what to do, the package, the name, the imports."""
    title = re.match(r"# (.+)", cells[0].source)
    page = f"{BOOK}{chapter.stem}.html"
    yield Cell("markdown", HEAD.format(title=title[1] if title else chapter.stem, page=page))
    yield from (
        Cell("code", cell.source) for cell in cells if "bootstrap" in cell.metadata.get("tags", [])
    )
    yield Cell("code", NAME_CELL)
    yield Cell("code", IMPORTS)


def _cells(question: _Question, number: int, chapter: Path) -> Iterator[Cell]:
    text = _plain("\n\n".join(part.strip() for part in question.text if part.strip()), chapter)
    if EXERCISES[question.exercise].broken is not None:
        text = f"{text}\n\n{MENDED}"
    yield Cell("markdown", f"## {number}. {question.title}\n\n{text}")
    yield Cell("code", question.stub)
    yield Cell("code", question.check)


def _plain(text: str, chapter: Path) -> str:
    """Write out in plain Markdown what only the book understands: its links and its roles."""
    page = f"{BOOK}{chapter.stem}.html"

    def link(found: re.Match) -> str:
        target, _, anchor = found[1].partition("#")
        if not target:
            target = "glossary.md" if anchor.startswith("term-") else chapter.name
        target = re.sub(r"\.(ipynb|md)$", ".html", target)
        return f"]({BOOK}{target}{f'#{anchor}' if anchor else ''})"

    text = EQUATION.sub(rf"[this equation]({page}#equation-\1)", text)
    text = LINK.sub(link, text)
    if found := DIRECTIVE.search(text):
        raise ValueError(f"{chapter}: a question holds {found[0]}, which plain Markdown has not")
    return text
