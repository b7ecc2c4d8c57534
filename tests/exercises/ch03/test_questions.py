"""The questions of chapter 03 name the functions as the stubs do: marking finds them by name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from attncourse.exercises import EXERCISES
from attncourse.teaching import write_assignment
from attncourse.teaching.notebooks import checked_exercises, read_cells

PAGES = sorted((Path(__file__).parents[3] / "chapters").glob("03_*.ipynb"))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_a_question_calls_the_function_what_its_stub_and_the_marking_call_it(page, tmp_path):
    path, _ = write_assignment(page, tmp_path / "homework.ipynb")
    cells = read_cells(path)
    questions = [cell.source for cell in cells if re.match(r"## \d+\. ", cell.source)]
    functions = checked_exercises(cells)
    for question, (exercise, function) in zip(questions, functions.items(), strict=True):
        assert f"`{function}(" in question
        if EXERCISES[exercise].broken is None:  # the verdicts call it so, too
            assert function == exercise
