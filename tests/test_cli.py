"""attncourse.cli: the command trains, judges and translates, and says what went wrong."""

from __future__ import annotations

import io
import json
import os
import shlex
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import small_recipes
from support import also_calling

from attncourse import __version__, cli
from attncourse.cli.parser import TOUR, build_parser
from attncourse.recipes import RECIPES, Recipe, runs

SMALL = replace(small_recipes.SMALL, steps=5)


@pytest.fixture
def place(tmp_path, monkeypatch, small_corpus):
    """An empty folder to work in, a small corpus and a small recipe."""
    monkeypatch.setitem(RECIPES, "small", SMALL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_train_evaluate_translate(place, capsys, monkeypatch):
    assert cli.main(["train", "small", "--seed", "3", "--device", "cpu"]) == 0
    assert "recorded in results/small-seed3.json" in capsys.readouterr().out
    record = json.loads((place / "results/small-seed3.json").read_text())
    assert (record["name"], record["seed"]) == ("small", 3)
    assert record["recipe"] == SMALL.to_dict()
    assert set(record["scores"]) == {"validation", "composition", "length"}

    assert cli.main(["evaluate", "small", "--seed", "3"]) == 0
    assert json.loads(capsys.readouterr().out) == record["scores"]

    told = {}
    for name, options in (("beam", []), ("greedy", ["--greedy"])):
        command = ["translate", "--recipe", "small", "--seed", "3", *options]
        assert cli.main([*command, "The dog sleeps.", "A cat sleeps."]) == 0
        told[name] = capsys.readouterr().out
        assert told[name].count("\n") == 2
        monkeypatch.setattr(sys, "stdin", io.StringIO("The dog sleeps.\n\nA cat sleeps.\n"))
        assert cli.main(command) == 0
        first, empty, last, end = capsys.readouterr().out.split("\n")
        assert f"{first}\n{last}\n" == told[name]
        assert empty == end == ""


def test_what_the_tour_of_the_help_names_exists(capsys):
    commands = [
        shlex.split(line.split("  ")[1])[1:]
        for line in TOUR.splitlines()
        if line.startswith("  attncourse")
    ]
    assert len(commands) == 5
    for command in commands:
        assert build_parser().parse_args(command).run


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"attncourse {__version__}\n"


def test_a_second_training_changes_nothing(place, capsys):
    assert cli.main(["train", "small", "--device", "cpu"]) == 0
    first = json.loads((place / "results/small-seed0.json").read_text())
    assert cli.main(["train", "small", "--device", "cpu"]) == 0
    assert json.loads((place / "results/small-seed0.json").read_text()) == first


def test_ctrl_c_ends_with_130_and_the_same_command_goes_on(place, capsys, monkeypatch):
    def interrupt(step, model, history):
        if step == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(runs, "fit", also_calling(interrupt))
        assert cli.main(["train", "small", "--device", "cpu"]) == 130
    told = capsys.readouterr()
    assert "small-seed0: embedded, en to fr, attention, 5 steps" in told.out.splitlines()[0]
    assert "interrupted after step 2" in told.err
    assert "unfinished" in told.err
    assert told.err.endswith("attncourse train small\n")
    assert not (place / "results").exists()
    for command in (["evaluate", "small"], ["translate", "--recipe", "small", "A dog."]):
        assert cli.main(command) == 1
        told = capsys.readouterr().err
        assert "unfinished" in told
        assert told.endswith("attncourse train small\n")
    assert cli.main(["train", "small", "--device", "cpu"]) == 0
    assert "going on after step 2" in capsys.readouterr().out
    assert (place / "results/small-seed0.json").exists()


def test_how_a_training_goes_on_names_its_seed_and_its_folder(place, capsys):
    folder = place / "else where" / "small-seed3"
    folder.mkdir(parents=True)
    (folder / "recipe.json").touch()
    assert cli.main(["evaluate", "small", "--seed", "3", "--runs", "else where"]) == 1
    command = "attncourse train small --seed 3 --runs 'else where'\n"
    assert capsys.readouterr().err.endswith(command)


def test_how_a_training_goes_on_names_the_folder_of_its_record(place, capsys, monkeypatch):
    """Kind: the command that goes on put the record somewhere else."""

    def interrupt(step, model, history):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "fit", also_calling(interrupt))
    assert cli.main(["train", "small", "--device", "cpu", "--results", "else where"]) == 130
    command = "attncourse train small --results 'else where'\n"
    assert capsys.readouterr().err.endswith(command)


@pytest.mark.parametrize("name", ["moon", "cuda:97"])
def test_an_unknown_device_is_named_and_leaves_no_folder(place, capsys, name):
    """Kind: a folder is claimed before it is known that the training can begin."""
    assert cli.main(["train", "small", "--device", name]) == 1
    assert f"--device {name}" in capsys.readouterr().err
    assert not list(place.iterdir())


@pytest.mark.parametrize("library", ["sacrebleu", "sacremoses"])
def test_what_scores_captions_is_asked_for_before_they_are_trained_on(
    place, capsys, monkeypatch, library
):
    """Kind: what was missing showed when the training was over, and its record was lost."""
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setitem(sys.modules, f"{library}.metrics", None)
    monkeypatch.setattr(runs, "fit", None)
    monkeypatch.setitem(RECIPES, "captions", replace(SMALL, corpus="multi30k"))
    assert cli.main(["train", "captions", "--device", "cpu"]) == 1
    assert f"pip install {library}" in capsys.readouterr().err
    assert not list(place.iterdir())


def test_to_divide_the_weights_takes_several_processes(place, capsys):
    assert cli.main(["train", "small", "--sharded"]) == 1
    assert "--sharded is for several processes" in capsys.readouterr().err
    assert not (place / "runs").exists()


def test_a_training_that_breaks_down_is_told_in_one_line(place, capsys, monkeypatch):
    def broken(*arguments, **options):
        raise FloatingPointError("loss is nan at step 3")

    monkeypatch.setattr(runs, "fit", broken)
    assert cli.main(["train", "small", "--device", "cpu"]) == 1
    assert capsys.readouterr().err == "attncourse: loss is nan at step 3\n"


def test_the_command_runs_no_file_of_the_folder_that_it_is_called_in(tmp_path):
    (tmp_path / "random.py").write_text("raise SystemExit('the wrong file')")
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    script = Path(sys.executable).with_name("attncourse")
    done = subprocess.run(
        [script, "recipes"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_what_was_not_trained_cannot_be_judged(place, capsys):
    assert cli.main(["evaluate", "small"]) == 1
    assert "runs/small-seed0 holds no training" in capsys.readouterr().err


def test_an_unknown_recipe_is_answered_with_the_known_ones(place, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["train", "moon"])
    assert stopped.value.code == 2
    assert "small" in capsys.readouterr().err


def test_captions_that_are_not_there_are_asked_for(place, capsys, monkeypatch):
    monkeypatch.setenv("ATTNCOURSE_DATA", str(place / "data"))

    def unknown(*arguments, **options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    recipe = Recipe(corpus="multi30k", model="attention", steps=1)
    monkeypatch.setitem(RECIPES, "captions", recipe)
    assert cli.main(["train", "captions"]) == 1
    assert "attncourse: " in capsys.readouterr().err
    assert not (place / "results").exists()


def test_recipes_are_listed_from_the_shell():
    command = [sys.executable, "-m", "attncourse", "recipes"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [line.split()[0] for line in listed.stdout.splitlines()] == list(RECIPES)
