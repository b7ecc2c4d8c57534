"""For teachers: the page's commands print what stands below them, and its plan fits the book."""

from __future__ import annotations

import csv
import math
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from homework import CHAPTER, RIGHT, hand_in

from attncourse import cli
from attncourse.exercises import EXERCISES, Verdict
from attncourse.exercises.judging import limits
from attncourse.teaching import Mark, supervision
from attncourse.teaching.marking import COLUMNS, NOT_JUDGED, SECONDS
from tools.budget import stated_minutes

PAGE = CHAPTER.parent / "for_teachers.md"
TEXT = PAGE.read_text(encoding="utf-8")

IN_MEMORY = "def merge_heads(x):\n    b, h, n, d = x.shape\n    return x.reshape(b, n, h * d)"
STUB = "def multi_head(query, key, value, num_heads, mask):\n    return None"


def commands() -> list[tuple[str, str]]:
    """The commands of the page that have an output below them, with it."""
    return re.findall(r"```bash\n(attncourse .*?)\n```\n\n```text\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture(scope="module")
def marked(tmp_path_factory) -> tuple[list[tuple[str, str]], list[dict[str, str]]]:
    """Run the page's commands: each with what it printed, and the table."""
    folder = tmp_path_factory.mktemp("class")
    shutil.copy(CHAPTER, folder)
    printed = []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for command, _ in commands():
            if " mark " in command:
                _returned(folder)
            said = patch_output(patch)
            assert cli.main(shlex.split(command)[1:]) == 0
            printed.append((command, said()))
        with open("marks.csv", encoding="utf-8-sig", newline="") as table:
            return printed, list(csv.DictReader(table))


def patch_output(patch: pytest.MonkeyPatch):
    """Catch what is printed: `capsys` lasts for one test only."""
    lines: list[str] = []

    def write(*values: object, sep: str = " ", end: str = "\n", flush: bool = False) -> None:
        lines.append(sep.join(map(str, values)) + end)

    patch.setattr("builtins.print", write)
    return lambda: "".join(lines)


def _returned(folder: Path) -> None:
    given, place = folder / "homework.ipynb", folder / "returned"
    wrong = {**RIGHT, "merge_heads": IN_MEMORY, "multi_head": STUB}
    (place / "chen_7").mkdir(parents=True)
    hand_in(place / "ada.ipynb", given, "Ada", RIGHT)
    hand_in(place / "ben.ipynb", given, "Ben", wrong)
    renamed = {**RIGHT, "attend_heads": RIGHT["attend_heads"].replace("attend_heads", "attend")}
    hand_in(place / "chen_7" / "homework.ipynb", given, "Chen", renamed)
    (place / "dora.ipynb").write_text("Dear teacher", encoding="utf-8")
    # What Jupyter keeps for itself is not returned.
    (place / ".ipynb_checkpoints").mkdir()
    (place / ".ipynb_checkpoints" / "ada-checkpoint.ipynb").write_text("no", encoding="utf-8")


@pytest.mark.parametrize("number", range(3))
def test_what_a_command_prints_stands_below_it(marked, number):
    assert len(commands()) == 3
    assert marked[0][number] == commands()[number]


def test_the_table_has_a_row_for_each_student_and_exercise(marked):
    rows = marked[1]
    assert len(rows) == 4 * 4
    assert {tuple(row) for row in rows} == {COLUMNS}
    assert {row["file"] for row in rows} == {
        "ada.ipynb",
        "ben.ipynb",
        "chen_7/homework.ipynb",
        "dora.ipynb",
    }
    found = {(row["name"], row["exercise"]): row for row in rows}
    assert found["Ada", "multi_head"]["passed"] == "1"
    assert "in memory" in found["Ben", "merge_heads"]["message"]
    assert found["Ben", "merge_heads"]["passed"] == "0"
    assert "No function attend_heads" in found["Chen", "padded_heads"]["message"]
    assert found["dora", "split_heads"]["verdict"] == "unreadable"
    assert {row["passed"] for row in rows if row["name"] == "dora"} == {""}


def test_the_page_names_every_kind_of_verdict_and_every_column():
    told = set(re.findall(r"^\| `([\w ]+)` \|", TEXT, re.MULTILINE))
    judged = re.findall(r'`"([\w ]+)"`', Verdict.__doc__ or "")
    ours = re.findall(r'`"([\w ]+)"`', Mark.__doc__ or "")
    assert told == {*judged, *ours, *COLUMNS}
    assert len(ours) == 7
    table = TEXT.split("| not marked |")[1].split("\n\n")[0]
    assert re.findall(r"^\| `([\w ]+)`", table, re.MULTILINE) == list(NOT_JUDGED)
    assert f"{SECONDS:g} seconds" in TEXT
    assert f"{supervision.PRINTED // 10**6} MB" in TEXT
    assert f"{limits.COMPUTING:g} seconds of computing, or {limits.LASTING:g} seconds" in TEXT
    assert f"well above {limits.LASTING:g}." in TEXT


def weeks() -> Iterator[tuple[str, float, list[str]]]:
    for row in re.findall(r"^\| \d+ \| .*$", TEXT, re.MULTILINE):
        _, read, hours, homework, _ = (cell.strip() for cell in row.strip("|").split("|"))
        yield read, float(hours.replace("½", ".5")), re.findall(r"`(\w+)`", homework)


def test_the_plan_of_the_term_has_all_chapters_and_gives_their_exercises():
    plan = list(weeks())
    assert len(plan) == 10
    named = [number for read, _, _ in plan for number in re.findall(r"\b(\d\d) [A-Z]", read)]
    assert named == [f"{number:02}" for number in range(1, 21)]
    given = [name for _, _, homework in plan for name in homework]
    assert len(set(given)) == len(given)
    for read, _, homework in plan:
        for name in homework:
            assert f"{EXERCISES[name].chapter} " in read


def test_the_plan_says_for_which_chapters_to_name_the_exercises():
    given = {name for _, _, homework in weeks() for name in homework}
    more = {exercise.chapter for name, exercise in EXERCISES.items() if name not in given}
    (told,) = re.findall(r"Chapters ([\d, and]+) have more\s+exercises than the plan", TEXT)
    assert re.findall(r"\d\d", told) == sorted(more)


def test_the_hours_of_the_plan_are_those_of_its_pages_rounded_up_to_half_an_hour():
    for read, hours, _ in weeks():
        minutes = 0
        for name in re.findall(r"\]\((\d\d_\w+\.ipynb)\)", read):
            minutes += stated_minutes(nbformat.read(CHAPTER.parent / name, as_version=4))[0]
        assert hours == math.ceil(minutes / 30) / 2, read
