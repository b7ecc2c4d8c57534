"""attncourse.teaching: every returned notebook has its marks, whatever it does."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence

import pytest
import torch
from homework import CHAPTER, RIGHT, give, hand_in
from support import refused
from torch.nn import functional

from attncourse import cli
from attncourse.exercises.judging import engine, limits
from attncourse.teaching import (
    Mark,
    mark_folder,
    supervision,
    worker,
    write_assignment,
    write_marks,
)
from attncourse.teaching.guards import Bindings
from attncourse.teaching.marking import require_marks_path
from attncourse.teaching.notebooks import Cell, student_name

# Notebooks that misbehave, each in its process

MISCHIEF = {
    "exits": ({}, ["import os\nos._exit(7)"]),
    "prints": ({}, ["import sys\nfor _ in range(12):\n    print('x' * 10**6)"]),
    "reaches out": (
        {
            "split_heads": "import os, socket, subprocess, sys\ndef split_heads(x, num_heads):\n"
            "    socket.create_connection(('127.0.0.1', 9), timeout=1)",
            "merge_heads": "def merge_heads(x):\n    subprocess.run([sys.executable, '-V'])",
            "multi_head": "def multi_head(query, key, value, num_heads, mask):\n"
            "    raise RuntimeError(os.environ.get('A_KEY', 'no key'))",
            "attend_heads": "def attend_heads(query, key, value, mask):\n"
            "    open('inside.txt', 'w').close()\n    open(OUTSIDE, 'w')",
        },
        ["import torch._dynamo"],  # which replaces torch.manual_seed, and is no trick
    ),
}


@pytest.fixture(scope="module")
def misbehaved(tmp_path_factory) -> dict[str, list[Mark]]:
    """Mark the notebooks of `MISCHIEF`, and give their marks by name."""
    folder = tmp_path_factory.mktemp("mischief")
    assignment = give(folder)
    (folder / "returned").mkdir()
    for name, (answers, last) in MISCHIEF.items():
        outside = repr(str(folder / "outside.txt"))
        answers = {f: code.replace("OUTSIDE", outside) for f, code in answers.items()}
        hand_in(folder / "returned" / f"{name}.ipynb", assignment, name, answers, last)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("A_KEY", "secret")
        found = {marks[0].name: marks for marks in mark_folder(assignment, folder / "returned")}
    assert not (folder / "outside.txt").exists()
    return found


def test_a_notebook_that_ends_its_process_does_not_end_the_marking(misbehaved):
    assert {mark.verdict for mark in misbehaved["exits"]} == {"ended"}
    assert "status 7" in misbehaved["exits"][0].message
    assert len(misbehaved) == len(MISCHIEF)


def test_megabytes_of_output_are_named(misbehaved):
    assert {mark.verdict for mark in misbehaved["prints"]} == {"output"}
    assert not any(mark.passed for mark in misbehaved["prints"])


@pytest.mark.parametrize(
    ("exercise", "said"),
    [
        ("split_heads", "PermissionError: a notebook that is marked has no network"),
        ("merge_heads", "PermissionError: a notebook that is marked may not start"),
        ("multi_head", "RuntimeError: no key"),
        ("padded_heads", "PermissionError: a notebook that is marked may not write to"),
    ],
)
def test_what_a_notebook_may_not_do_is_refused(misbehaved, exercise, said):
    (mark,) = [mark for mark in misbehaved["reaches out"] if mark.exercise == exercise]
    assert mark.verdict == "raised"
    assert said in mark.message


def test_one_that_runs_for_ever_is_stopped_and_what_was_judged_before_stands(tmp_path):
    assignment = give(tmp_path, only=["split_heads", "merge_heads"])
    (tmp_path / "returned").mkdir()
    # It cannot be interrupted from within: one call that holds on to everything.
    stuck = "def merge_heads(x):\n    sum(range(10**18))"
    answers = {**RIGHT, "merge_heads": stuck}
    hand_in(tmp_path / "returned" / "a.ipynb", assignment, "Ada", answers)
    ((first, second),) = mark_folder(assignment, tmp_path / "returned", seconds=3.0)
    assert first.passed
    assert (second.verdict, second.passed) == ("time", False)
    assert "3 seconds" in second.message


def test_a_marking_that_cannot_start_is_no_mark_of_a_student(tmp_path, monkeypatch):
    assignment = give(tmp_path, only=["split_heads"])
    monkeypatch.setattr(supervision, "_environment", lambda folder: {"PYTHONHOME": folder})
    hand_in(tmp_path / "a.ipynb", assignment, "Ada", RIGHT)
    with pytest.raises(ChildProcessError, match="did not start"):
        next(mark_folder(assignment, tmp_path))


# What happens inside of the process, in this one

SPLIT = {"split_heads": "split_heads"}
IMPORTS = "import attncourse as ac\nfrom attncourse.exercises import check"


@pytest.fixture
def main_stays(monkeypatch):
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


def judged(*cells: str, exercises: dict[str, str] = SPLIT, given: Sequence[str] = ()) -> list[dict]:
    return list(worker.examine([IMPORTS, *cells], exercises, given, worker.prepare(exercises)))


@pytest.mark.usefixtures("main_stays")
class TestInside:
    def test_a_check_of_ones_own_gains_nothing(self):
        wrong = "def split_heads(x, num_heads):\n    return x"
        own = "def check(name, function):\n    return True\ncheck('split_heads', split_heads)"
        (verdict,) = judged(wrong, own)
        assert not verdict["passed"]
        (verdict,) = judged(RIGHT["split_heads"], own)
        assert verdict["passed"]

    @pytest.mark.parametrize(
        ("cell", "named"),
        [
            ("from attncourse.exercises.judging import engine\n"
             "engine.Judge.verdict = lambda self: None", "engine.Judge.verdict"),
            ("from torch.nn import functional as F\n"
             "F.layer_norm.__code__ = (lambda *a, **k: None).__code__", "functional.layer_norm"),
            ("import attncourse.teaching.worker as w\nw.check = None", "worker.check"),
            ("import torch\ntorch.allclose = lambda *a, **k: True", "torch.allclose"),
            ("import torch\ntorch.Tensor.__eq__ = lambda a, b: True", "torch.Tensor.__eq__"),
        ],
    )  # fmt: skip
    def test_who_replaces_a_part_of_the_judging_is_not_judged(self, monkeypatch, cell, named):
        self.keep(monkeypatch)
        (verdict,) = judged(cell, "def split_heads(x, num_heads):\n    return x")
        assert (verdict["verdict"], verdict["passed"]) == ("replaced", False)
        assert named in verdict["message"]

    def test_also_who_does_it_while_being_judged(self, monkeypatch):
        self.keep(monkeypatch)
        (verdict,) = judged(
            "import torch\ndef split_heads(x, num_heads):\n"
            "    torch.allclose = lambda *a, **k: True\n    return None"
        )
        assert verdict["verdict"] == "replaced"

    @staticmethod
    def keep(monkeypatch: pytest.MonkeyPatch) -> None:
        """Put back, after the test, whatever its cells replace."""
        for owner, name in [
            (engine.Judge, "verdict"),
            (functional.layer_norm, "__code__"),
            (worker, "check"),
            (torch, "allclose"),
            (torch.Tensor, "__eq__"),
        ]:
            monkeypatch.setattr(owner, name, getattr(owner, name))

    def test_a_cell_that_fails_is_passed_over_and_named_where_it_matters(self):
        broken = "def split_heads(x, num_heads:\n    return x"
        first, second = judged(
            "1 / 0",
            broken,
            "raise SystemExit",
            "check('split_heads', split_heads)",
            RIGHT["merge_heads"],
            exercises={**SPLIT, "merge_heads": "merge_heads"},
        )
        assert first["verdict"] == "missing"
        assert "'def split_heads(x, num_heads:': SyntaxError" in first["message"]
        assert "NameError" not in first["message"]  # what follows from it is no news
        assert second["passed"]

    def test_a_bug_that_nobody_has_looked_for_is_not_begun(self):
        """Kind: misjudged. The untouched function to mend was a misconception of the student's."""
        bug = "def split_heads(x, num_heads):\n    return x.unflatten(-1, (num_heads, -1))"
        for cells, verdict in [
            ([bug], "stub"),
            ([bug.replace("unflatten", "flatten"), bug], "stub"),
            ([bug, f"{bug} * 2"], "contract"),  # the name stands for something else in the end
            ([f"{bug}.flip(0)"], "contract"),
        ]:
            (found,) = judged(*cells, given=["not Python", "x = 1", bug])
            assert found["verdict"] == verdict, cells
            assert ("as it was given" in found["message"]) == (verdict == "stub")

    def test_who_returns_the_right_function_of_the_assignment_has_passed(self):
        """A teacher may mark by a notebook in which he has solved the exercises."""
        (verdict,) = judged(RIGHT["split_heads"], given=[RIGHT["split_heads"]])
        assert verdict["passed"]

    def test_the_last_definition_counts(self):
        (verdict,) = judged("def split_heads(x, num_heads):\n    pass", RIGHT["split_heads"])
        assert verdict["passed"]

    def test_what_is_no_function_has_a_verdict(self):
        (verdict,) = judged("split_heads = 7")
        assert verdict["verdict"] == "not a function"

    def test_a_cell_without_end_is_left_behind(self, monkeypatch):
        monkeypatch.setattr(limits, "COMPUTING", 0.3)
        (verdict,) = judged("while True:\n    pass", RIGHT["split_heads"])
        assert verdict["verdict"] in ("passed", "endless")  # the latter on a machine that is busy

    def test_lines_for_notebooks_only_do_not_spoil_a_cell(self):
        magic = "%matplotlib inline\n!ls\nac.attend?\nif True:\n    %time\n"
        (verdict,) = judged(magic + RIGHT["split_heads"] + "\ndisplay(1)")
        assert verdict["passed"]

    def test_a_modulo_at_the_beginning_of_a_line_is_one(self):
        shift = "shift = (7\n% 4)\n"
        (verdict,) = judged(shift + RIGHT["split_heads"].replace("(1, 2)", "(1, shift - 1)"))
        assert verdict["passed"]


def test_nothing_has_changed_where_nothing_was_replaced():
    before = Bindings()
    assert before.changed() == ""


# Folders, assignments, names, tables


def test_what_cannot_be_marked_is_named(tmp_path, capsys):
    assignment = give(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "no.ipynb").write_text('{"cells": []}')
    made_up = {"cell_type": "code", "source": 'check("moon", f)', "metadata": {}}
    (tmp_path / "moon.ipynb").write_text(json.dumps({"cells": [made_up]}))
    for given, folder, said in [
        (assignment, tmp_path / "missing", "folder"),
        (assignment, tmp_path / "missing", "missing"),
        (tmp_path, assignment, f"assignment must be a notebook, got the folder {tmp_path}"),
        (assignment, assignment, f"got the file {assignment}"),
        (assignment, tmp_path / "empty", "empty"),
        (tmp_path / "no.ipynb", tmp_path, "checks no exercise"),
        (tmp_path / "moon.ipynb", tmp_path, "'moon'"),
        (tmp_path / "nowhere.ipynb", tmp_path, "assignment must be a notebook"),
        (tmp_path / "nowhere.ipynb", tmp_path, "nowhere.ipynb"),
    ]:
        output = tmp_path / "marks.csv"
        assert cli.main(["mark", str(given), str(folder), "-o", str(output)]) == 1
        assert said in capsys.readouterr().err
        assert not output.exists()
    assert cli.main(["mark", str(assignment), str(tmp_path), "-o", str(tmp_path)]) == 1
    assert "output" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["homework.ipynb", "returned.IPYNB", "notes.csv"])
def test_a_table_takes_no_other_files_place(tmp_path, capsys, name):
    """Kind: lost. The table took the place of the assignment, or of a student's work."""
    assignment = give(tmp_path, only=["split_heads"])
    for other in ("returned.IPYNB", "notes.csv"):
        (tmp_path / other).write_text("name,remark\n")
    before = (tmp_path / name).read_bytes()
    assert cli.main(["mark", str(assignment), str(tmp_path), "-o", str(tmp_path / name)]) == 1
    assert name in capsys.readouterr().err
    assert (tmp_path / name).read_bytes() == before
    write_marks(tmp_path / "marks.csv", [])
    require_marks_path(tmp_path / "marks.csv")  # an older table may go
    require_marks_path(tmp_path / "new.csv")


def test_no_folder_is_made_for_a_table(tmp_path, capsys):
    """Kind: silent. A misspelt folder was made."""
    assignment = give(tmp_path, only=["split_heads"])
    output = tmp_path / "mraks" / "marks.csv"
    assert cli.main(["mark", str(assignment), str(tmp_path), "-o", str(output)]) == 1
    assert str(output.parent) in capsys.readouterr().err
    assert not output.parent.exists()


@pytest.mark.parametrize("seconds", [0, -1.0, float("inf"), float("nan")])
def test_a_time_that_is_none_is_refused(tmp_path, own_errors, seconds):
    with refused(ValueError, "seconds", str(seconds)):
        next(mark_folder(tmp_path, tmp_path, seconds=seconds))


def test_two_of_one_name_are_pointed_out(tmp_path, capsys, monkeypatch):
    assignment = give(tmp_path, only=["split_heads"])
    monkeypatch.chdir(tmp_path)
    for file, name in (("a.ipynb", "Ada"), ("b.IPYNB", "ada")):
        hand_in(tmp_path / file, assignment, name, {})
    (tmp_path / "c.zip").write_bytes(b"PK")
    verdict = {"verdict": "stub", "message": "", "passed": False}
    monkeypatch.setattr(
        "attncourse.teaching.marking.supervise", lambda *_: ({"split_heads": verdict}, ("", ""))
    )
    assert cli.main(["mark", str(assignment), "."]) == 0
    said = capsys.readouterr().out
    assert "The name Ada stands in 2 notebooks: a.ipynb, b.IPYNB" in said
    assert "no notebooks: c.zip\n" in said


def test_who_gives_no_name_is_told_apart_by_the_folder(tmp_path, capsys, monkeypatch):
    """Kind: misread. Both lines began with "homework"."""
    assignment = give(tmp_path, only=["split_heads"])
    monkeypatch.chdir(tmp_path)
    for folder in ("12_ada.b", "13_ben"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "homework.ipynb").write_text("")
    assert cli.main(["mark", str(assignment), "."]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("12_ada.b/homework: 1 not marked; unreadable: ")
    assert said[1].startswith("13_ben/homework: 1 not marked; unreadable: ")
    assert not any("stands in" in line for line in said)


def test_the_homework_of_another_chapter_is_named_and_not_marked(tmp_path, capsys, monkeypatch):
    """Kind: misread. All of it was "missing", without a hint."""
    monkeypatch.chdir(tmp_path)
    give(tmp_path, only=["split_heads", "merge_heads"]).rename("short.ipynb")
    other, _ = write_assignment(CHAPTER, "other.ipynb", only=["multi_head", "padded_heads"])
    (tmp_path / "returned").mkdir()
    hand_in(tmp_path / "returned" / "a.ipynb", other, "Ada", RIGHT)
    monkeypatch.setattr("attncourse.teaching.marking.supervise", None)  # no cell runs
    assert cli.main(["mark", "short.ipynb", "returned"]) == 0
    first, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("Ada: 2 not marked; another assignment: ")
    assert "multi_head, padded_heads" in first


def test_what_was_not_judged_is_left_out_of_the_counts(tmp_path, capsys, monkeypatch):
    """Kind: misread. A file that nobody could open lowered the share of a question."""
    assignment = give(tmp_path, only=["split_heads", "merge_heads"])
    monkeypatch.chdir(tmp_path)
    for file in ("a", "b", "c"):
        hand_in(tmp_path / f"{file}.ipynb", assignment, file, {})
    done = {"verdict": "passed", "message": "", "passed": True}
    late = "time", "Stopped."
    answers = iter([({"split_heads": done}, late), ({}, late), ({"split_heads": done}, late)])
    monkeypatch.setattr("attncourse.teaching.marking.supervise", lambda *_: next(answers))
    assert cli.main(["mark", str(assignment), "."]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == [
        "a: 1 of 1 passed, 1 not marked; merge_heads time",
        "b: 2 not marked; time: Stopped.",
    ]
    assert said[4:6] == ["split_heads: 2 of 2 passed, 1 not marked", "merge_heads: 3 not marked"]
    rows = list(csv.DictReader((tmp_path / "marks.csv").read_text("utf-8-sig").splitlines()))
    assert [row["passed"] for row in rows] == ["1", "", "", "", "1", ""]


def test_what_was_marked_before_a_ctrl_c_is_in_the_table(tmp_path, capsys, monkeypatch):
    assignment = give(tmp_path, only=["split_heads"])
    monkeypatch.chdir(tmp_path)
    for file in ("a", "b"):
        hand_in(tmp_path / f"{file}.ipynb", assignment, file, {})
    reasons = iter([("stub", "Nothing.")])

    def supervise(*_):
        for reason in reasons:
            return {}, reason
        raise KeyboardInterrupt

    monkeypatch.setattr("attncourse.teaching.marking.supervise", supervise)
    assert cli.main(["mark", str(assignment), "."]) == 130
    said = capsys.readouterr()
    assert said.out.startswith("a: 0 of 1 passed; stub")
    assert "interrupted" in said.err
    assert "marks.csv" in said.err
    (row,) = csv.DictReader((tmp_path / "marks.csv").read_text("utf-8-sig").splitlines())
    assert (row["name"], row["verdict"]) == ("a", "stub")
    assert cli.main(["mark", str(assignment), ".", "-o", "none.csv"]) == 130
    assert "nothing was marked" in capsys.readouterr().err
    assert not (tmp_path / "none.csv").exists()


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ('student = "Ada Lovelace"  # your name', "Ada Lovelace"),
        ("student='  李  雷 '", "李 雷"),
        ('student = "O\'Neill"', "O'Neill"),
        ('student = ""  # your name, between the quotes', ""),
        ("student = Ada Lovelace  # me", "Ada Lovelace"),  # no Python, but clear
        ("student = 2023", "2023"),
        (r'student = "Ada \"Lady\" L."', 'Ada "Lady" L.'),
        (r'student = "\u674e \ud800 \d"', r"李 \d"),
        ('student = "Ada', '"Ada'),
        ("student = None", ""),
        ('student == "x"', ""),
        (f"student = {'(' * 10**6}", "(" * 80),
        ('student = ""\nstudent = "Ada"', "Ada"),
        ("student = print('no')", "print('no')"),
        ('student = "\x1b[2JAda\x07"', "[2JAda"),
        (f'student = "{"A" * 1000}"', "A" * 80),
        ('# student = "x"', ""),
    ],
)
def test_the_name_is_read_and_nothing_run(source, name):
    assert student_name([Cell("markdown", 'student = "no"'), Cell("code", source)]) == name


def test_a_spreadsheet_runs_nothing_that_a_student_wrote(tmp_path):
    mark = Mark("=1+1", "a.ipynb", "split_heads", True, "passed", "@b\nsecond line")
    write_marks(tmp_path / "marks.csv", [mark])
    content = (tmp_path / "marks.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbfname,")
    (row,) = csv.reader(content.decode("utf-8-sig").splitlines(keepends=True)[1:])
    assert row == ["'=1+1", "a.ipynb", "split_heads", "1", "passed", "'@b\nsecond line"]
