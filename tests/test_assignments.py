"""attncourse.teaching: an assignment has a chapter's questions, stubs and checks, no solutions."""

from __future__ import annotations

import builtins
import dis
import inspect
import json
import re
from pathlib import Path

import nbformat
import pytest
from homework import CHAPTER, give
from support import refused

from attncourse import cli
from attncourse.exercises import EXERCISES
from attncourse.teaching import notebooks, write_assignment
from attncourse.teaching.assignments import BOOK, IMPORTS, _plain
from attncourse.teaching.notebooks import Cell, checked_exercises, read_cells, write_cells
from tools.project import bootstrap_source, pages_url, repository

PAGES = sorted(CHAPTER.parent.glob("[0-9]*.ipynb"))  # of the chapters, and the deeper ones
CHAPTERS = [path for path in PAGES if checked_exercises(read_cells(path))]
EACH = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)


def solution_lines(chapter: Path, exercises: list[str]) -> set[str]:
    """The lines of a chapter's solutions and of the package's, but for those that a stub has."""
    cells = read_cells(chapter)
    folded = [c.source for c in cells if "solution" in str(c.metadata.get("mystnb", "")).lower()]
    sources = folded + [inspect.getsource(EXERCISES[name].solution) for name in exercises]
    lines = {line.strip() for source in sources for line in source.splitlines()}
    checked = [c.source for c in cells if c.kind == "code" and "check(" in c.source]
    given = "\n".join(source for source in checked if source not in folded)
    signatures = re.compile(r"def |check\(|[)\]}]*:?$|return None")
    return {line for line in lines if not signatures.match(line) and line not in given}


@EACH
def test_an_assignment_has_each_check_and_no_solution(chapter, tmp_path):
    path, exercises = write_assignment(chapter, tmp_path / "homework.ipynb")
    cells = read_cells(path)
    assert {EXERCISES[name].chapter for name in exercises} == {chapter.name[:2]}
    assert list(checked_exercises(cells)) == exercises
    text = "\n".join(cell.source for cell in cells)
    lines = solution_lines(chapter, exercises)
    assert len(lines) > len(exercises)
    assert [line for line in lines if line in text] == []


def test_the_pages_together_give_each_exercise_once(tmp_path):
    given = []
    for number, page in enumerate(CHAPTERS):
        given += write_assignment(page, tmp_path / f"homework-{number}.ipynb")[1]
    assert sorted(given) == sorted(EXERCISES)


@EACH
def test_what_is_written_is_a_plain_notebook_without_outputs(chapter, tmp_path):
    path, exercises = write_assignment(chapter, tmp_path / "homework.ipynb")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert all(not cell.get("outputs") for cell in notebook.cells)
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert not re.search(r"^:::|\{[\w:-]+\}`|^```\{", prose, re.MULTILINE)
    for target in re.findall(r"\]\(([^)]*)\)", prose):
        assert target.startswith("https://"), target
    questions = re.findall(r"^## \d+\. .+\n\n\S", prose, re.MULTILINE)
    assert len(questions) == len(exercises)
    assert bootstrap_source() in [cell.source for cell in notebook.cells]


@EACH
def test_a_stub_stands_behind_all_that_it_needs(chapter, tmp_path):
    path, exercises = write_assignment(chapter, tmp_path / "homework.ipynb")
    cells = read_cells(path)
    functions = list(checked_exercises(cells).values())
    assert len(functions) == len(exercises) == len(set(functions))
    stubs = [cell.source for cell in cells if cell.kind == "code"][3::2]
    space: dict = {}
    exec(IMPORTS, space)
    for stub, function in zip(stubs, functions, strict=True):
        exec(stub, space)
        used = [
            i.argval for i in dis.get_instructions(space[function]) if i.opname == "LOAD_GLOBAL"
        ]
        assert [name for name in used if name not in space and not hasattr(builtins, name)] == []


def test_only_some_exercises_can_be_given(tmp_path):
    path = give(tmp_path, only=["multi_head", "split_heads"])
    assert list(checked_exercises(read_cells(path))) == ["split_heads", "multi_head"]


@pytest.mark.parametrize("only", [["split_head"], []])
def test_an_exercise_that_the_chapter_lacks_is_answered_with_those_it_has(tmp_path, only):
    with refused(ValueError, "only", "split_heads", *only):
        give(tmp_path, only=only)
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_there_is_left_alone(tmp_path):
    (tmp_path / "homework.ipynb").write_text("mine")
    with refused(FileExistsError, "homework.ipynb"):
        give(tmp_path)
    assert (tmp_path / "homework.ipynb").read_text() == "mine"


def test_the_command_writes_beside_what_the_teacher_works_on(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["assignment", str(CHAPTER)]) == 0
    assert capsys.readouterr().out.startswith("07_multi_head_attention_homework.ipynb: split_heads")
    assert [path.name for path in tmp_path.iterdir()] == ["07_multi_head_attention_homework.ipynb"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("no JSON", "is not JSON (Expecting value: line 1 column 1"),
        (b"\xff\xfe\x00", "is no notebook"),
        ("[" * 100_000, "is no notebook"),
        ("[1, 2]", "has no cells"),
        ('{"cells": {}}', "has no cells"),
        ('{"nbformat": 3, "worksheets": []}', "its format is 3, wanted 4"),
        ('{"cells": [7]}', "cell 1 of"),
        ('{"cells": [{"cell_type": "code", "source": [1]}]}', "cell 1 of"),
        ('{"cells": []}', "has no exercises with a check"),
    ],
)
def test_what_is_no_chapter_is_refused_by_its_name(tmp_path, monkeypatch, capsys, content, said):
    path = tmp_path / "chapter.ipynb"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    monkeypatch.chdir(tmp_path)
    assert cli.main(["assignment", str(path)]) == 1
    told = capsys.readouterr().err
    assert "chapter.ipynb" in told
    assert said in told
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_of_a_hundred_megabytes_is_not_read(tmp_path, monkeypatch):
    path = give(tmp_path)
    monkeypatch.setattr(notebooks, "MOST_MEGABYTES", 0.001)
    with refused(ValueError, "homework.ipynb", "MB"):
        read_cells(path)


def test_a_chapter_that_is_not_there_is_named(tmp_path, capsys):
    assert cli.main(["assignment", str(tmp_path / "moon.ipynb")]) == 1
    said = capsys.readouterr().err
    assert "chapter must be a notebook" in said
    assert "moon.ipynb" in said
    assert cli.main(["assignment", str(tmp_path)]) == 1
    assert f"chapter must be a notebook, got the folder {tmp_path}" in capsys.readouterr().err


def test_no_folder_is_made_for_an_assignment(tmp_path):
    """Kind: silent. A misspelt folder was made."""
    with refused(FileNotFoundError, "hoemwork", "07.ipynb"):
        write_assignment(CHAPTER, tmp_path / "hoemwork" / "07.ipynb")
    assert not list(tmp_path.iterdir())


def test_links_and_equations_lead_to_the_book():
    page = f"{BOOK}07_multi_head_attention.html"
    for written, wanted in [
        ("[a](03_attention_scores.ipynb)", f"[a]({BOOK}03_attention_scores.html)"),
        ("[a](notation.md#shapes)", f"[a]({BOOK}notation.html#shapes)"),
        ("[query](#term-query)", f"[query]({BOOK}glossary.html#term-query)"),
        ("[above](#fig-heads)", f"[above]({page}#fig-heads)"),
        ("[a](https://a.b/c)", "[a](https://a.b/c)"),
        ("{eq}`eq-heads`", f"[this equation]({page}#equation-eq-heads)"),
    ]:
        assert _plain(written, CHAPTER) == wanted


def test_markup_that_only_the_book_understands_is_named():
    for text in [
        "see {cite:p}`vaswani2017attention`",
        ":::{note}\nhear\n:::",
        "```{figure} a\n```",
    ]:
        with refused(ValueError, "07_multi_head_attention.ipynb", "plain Markdown"):
            _plain(text, CHAPTER)


def test_the_address_is_that_of_the_book():
    assert f"{pages_url(repository())}chapters/" == BOOK


def test_a_notebook_is_read_as_it_was_written(tmp_path):
    cells = [Cell("markdown", "# É\n\n汉"), Cell("code", "a = 1\nb", {"tags": ["kept"]})]
    write_cells(tmp_path / "a.ipynb", cells)
    assert read_cells(tmp_path / "a.ipynb") == cells
    text = (tmp_path / "a.ipynb").read_text(encoding="utf-8")
    (tmp_path / "a.ipynb").write_text(json.dumps(json.loads(text)), encoding="utf-8-sig")
    assert read_cells(tmp_path / "a.ipynb") == cells  # also with a mark at its beginning
