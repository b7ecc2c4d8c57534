"""Where exercises are found: in the rooms of their chapters, without a list of them anywhere."""

from __future__ import annotations

import subprocess
import sys

import pytest

import attncourse.exercises
from attncourse.exercises import EXERCISES, check, exercises, hint, solution

DOUBLE = """
from attncourse.exercises.ch97._factor import FACTOR
from attncourse.exercises.judging.exercise import Case, Exercise, Input, Misconception


def double(x):
    return 2 * x


EXERCISE = Exercise(
    name="double",
    chapter="97",
    signature="double(x) -> (n,)",
    inputs=(Input("x", "n"),),
    sizes={"n": 3},
    cases=(Case(label="three numbers"),),
    misconceptions=(Misconception("you square", (lambda x: x**FACTOR,)),),
    hint="Add it to itself.",
    solution=double,
)
"""


@pytest.fixture
def room(tmp_path, monkeypatch):
    """A room of chapter 97 with one exercise, `double`, in a folder that is no part of the book."""
    folder = tmp_path / "ch97"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "double.py").write_text(DOUBLE)
    (folder / "_factor.py").write_text("FACTOR = 2\n")
    path = [*attncourse.exercises.__path__, str(tmp_path)]
    monkeypatch.setattr(attncourse.exercises, "__path__", path)
    yield folder
    for name in [name for name in sys.modules if ".exercises.ch97" in name]:
        del sys.modules[name]


def test_the_exercises_of_a_new_room_are_found_by_themselves(room):
    assert check("double", lambda x: x + x).passed
    assert "you square" in check("double", lambda x: x * x).message
    assert hint("double") == "Add it to itself."
    assert solution("double") == "def double(x):\n    return 2 * x"
    assert exercises().splitlines()[-1] == "97  double: double(x) -> (n,)"
    assert list(EXERCISES)[-1] == "double"


def test_what_the_exercises_of_a_room_share_is_no_exercise(room):
    assert [name for name in EXERCISES if name.startswith("_")] == []
    assert "_factor" not in EXERCISES


def test_a_name_that_two_rooms_use_is_refused(room):
    (room / "masked_softmax.py").write_text("")
    with pytest.raises(ValueError, match=r"ch03\.masked_softmax, .*ch97\.masked_softmax"):
        check("double", lambda x: x + x)


ALONE = """
import sys
from attncourse.exercises import EXERCISES, check
assert "masked_softmax" in EXERCISES and len(EXERCISES) > 30
assert not [name for name in sys.modules if ".exercises.ch" in name and name.count(".") == 3]
check("masked_softmax", None)
print(*(name for name in sys.modules if ".exercises.ch" in name and name.count(".") == 3))
"""


def test_only_the_exercise_that_is_asked_for_is_imported():
    run = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True)
    assert run.stdout.split() == ["attncourse.exercises.ch03.masked_softmax"], run.stderr
