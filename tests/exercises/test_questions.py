"""A question names the function as its stub does: marking finds it by name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from attncourse.exercises import EXERCISES
from attncourse.teaching import write_assignment
from attncourse.teaching.notebooks import checked_exercises, read_cells

CHAPTERS = sorted((Path(__file__).parents[2] / "chapters").glob("[0-9]*.ipynb"))
PAGES = [page for page in CHAPTERS if checked_exercises(read_cells(page))]
EACH = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)


@EACH
def test_a_question_calls_the_function_what_its_stub_and_the_marking_call_it(page, tmp_path):
    path, _ = write_assignment(page, tmp_path / "homework.ipynb")
    cells = read_cells(path)
    questions = [cell.source for cell in cells if re.match(r"## \d+\. ", cell.source)]
    functions = checked_exercises(cells).values()
    for question, function in zip(questions, functions, strict=True):
        assert f"`{function}(" in question


@EACH
def test_a_stub_has_the_name_that_the_verdicts_use_unless_the_page_needs_it(page):
    cells = read_cells(page)
    code = "\n".join(cell.source for cell in cells if cell.kind == "code")
    checks = re.findall(r'^check\("(\w+)", (\w+)\)', code, re.MULTILINE)
    for exercise, function in dict(reversed(checks)).items():  # the stub's, not the solution's
        taken = re.search(rf"^(?:def {exercise}\(|from .* import .*\b{exercise}\b)", code, re.M)
        if EXERCISES[exercise].broken is None and not taken:
            assert function.removeprefix("my_") == exercise
