"""attncourse.cli.translating: sentences, lines and files, whatever stands at the other end."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from attncourse import cli
from attncourse.cli import translating
from attncourse.translator import Translator


@pytest.fixture
def echo(monkeypatch):
    """A translator that gives back what it is given, in capitals, and refuses what is too long."""
    asked: list[list[str]] = []

    def translate(self, texts, **search):
        asked.append(list(texts))
        if any("long" in text for text in texts):
            raise ValueError("one of 97 tokens")
        return [text.strip().upper() for text in texts]

    monkeypatch.setattr(Translator, "__call__", translate)
    return asked


def test_many_lines_go_in_batches_and_come_in_their_order(echo, capsys, monkeypatch):
    """Kind: one by one, many lines took four times as long."""
    lines = [f"dog {number}" for number in range(2 * translating.BATCH + 3)]
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(lines)))
    assert cli.main(["translate"]) == 0
    assert capsys.readouterr().out.splitlines() == [line.upper() for line in lines]
    assert [len(texts) for texts in echo] == [translating.BATCH, translating.BATCH, 3]


def test_who_types_is_answered_line_by_line(echo, capsys, monkeypatch):
    typed = io.StringIO("a dog\na cat\n")
    typed.isatty = lambda: True
    monkeypatch.setattr(sys, "stdin", typed)
    assert cli.main(["translate"]) == 0
    assert [len(texts) for texts in echo] == [1, 1]


def test_the_lines_that_are_too_long_are_named_and_cost_no_other(echo, capsys):
    lines = [f"dog {number}" for number in range(83)]
    for number in (7, 8, 71):
        lines[number - 1] = "too long"
    assert cli.main(["translate", *lines]) == 1
    told = capsys.readouterr()
    expected = ["" if "long" in line else line.upper() for line in lines]
    assert told.out.splitlines() == expected
    named = [line.split(" stays")[0] for line in told.err.splitlines()]
    assert named == [f"attncourse: sentence {number}" for number in (7, 8, 71)]


def test_a_file_is_translated_to_a_file(echo, tmp_path, capsys):
    source, target = tmp_path / "en.txt", tmp_path / "new" / "fr.txt"
    source.write_bytes("\ufeffété\r\n\nchat".encode() + b" caf\xe9")  # a byte that is no UTF-8
    assert cli.main(["translate", "--input", str(source), "--output", str(target)]) == 0
    assert target.read_bytes().decode().lstrip("\ufeff") == "ÉTÉ\n\nCHAT CAF\ufffd\n"
    assert capsys.readouterr().out == ""
    assert cli.main(["translate", "--input", str(source), "--output", str(source)]) == 0
    assert source.read_bytes() == target.read_bytes()


def test_an_output_is_written_whole_or_not_at_all(echo, tmp_path, monkeypatch, capsys):
    """Kind: half-written files."""
    target = tmp_path / "fr.txt"
    target.write_text("old")
    monkeypatch.setattr(translating, "BATCH", 2)

    def stop(self, texts, **search):
        if texts == ["c", "d"]:
            raise KeyboardInterrupt
        return texts

    monkeypatch.setattr(Translator, "__call__", stop)
    assert cli.main(["translate", "--output", str(target), *"abcde"]) == cli.INTERRUPTED
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["fr.txt"]
    assert cli.main(["translate", "--output", str(tmp_path), "a"]) == 1
    assert f"--output must be a file, got the folder {tmp_path}" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipe has a name here")
def test_an_output_that_is_no_file_is_refused_and_left_alone(echo, tmp_path, capsys):
    """Kind: lost. A file took the place of a pipe, as of /dev/null."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert cli.main(["translate", "--output", str(pipe), "a"]) == 1
    assert f"--output must be a file, got the pipe or device {pipe}" in capsys.readouterr().err
    assert pipe.is_fifo()
    assert not echo


def test_an_output_may_be_a_link(echo, tmp_path):
    """Kind: lost. A file took the place of the link, and what it led to stayed old."""
    link, file = tmp_path / "link.txt", tmp_path / "fr.txt"
    link.symlink_to(file)
    assert cli.main(["translate", "--output", str(link), "a"]) == 0
    assert link.is_symlink()
    assert file.read_text() == "A\n"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--beam", "0", "a"], "--beam: must be 1 or more, got 0"),
        (["--beam", "two", "a"], "--beam: must be an integer, got two"),
        (["--beam", "3", "--greedy", "a"], "--greedy"),
        (["--input", "en.txt", "a"], "--input"),
        (["--input", "nowhere.txt"], "nowhere.txt"),
    ],
)
def test_what_makes_no_sense_is_refused(echo, capsys, options, told):
    try:
        status = cli.main(["translate", *options])
    except SystemExit as stopped:
        status = stopped.code
    assert status in (1, 2)
    written = capsys.readouterr()
    assert told in written.err
    assert written.out == ""
    assert not echo


# With the model of the package


def test_the_size_of_the_beam_is_asked_for(capsys, monkeypatch):
    asked = []

    def spy(self, texts, **search):
        asked.append(search)
        return ["Oui."]

    monkeypatch.setattr(Translator, "__call__", spy)
    assert cli.main(["translate", "A dog."]) == 0
    assert cli.main(["translate", "--greedy", "A dog."]) == 0
    assert cli.main(["translate", "--beam", "3", "A dog."]) == 0
    assert asked == [{"beam_size": 5}, {"beam_size": 1}, {"beam_size": 3}]


def test_a_line_that_is_too_long_stays_empty_and_the_others_are_translated(capsys, monkeypatch):
    lines = ["A dog runs.", "dog " * 2000, "A cat sleeps."]
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(lines)))
    assert cli.main(["translate", "--greedy"]) == 1
    told = capsys.readouterr()
    first, empty, last, end = told.out.split("\n")
    assert first
    assert last
    assert empty == end == ""
    assert "sentence 2 stays empty" in told.err
    assert "2000 tokens, but the model has room for" in told.err


@pytest.mark.parametrize("option", ["--seed=1", "--runs=elsewhere"])
def test_a_seed_or_folder_without_a_recipe_is_not_ignored(capsys, option):
    assert cli.main(["translate", option, "A dog sleeps."]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "--recipe" in told.err


def test_ctrl_c_while_translating_says_so(capsys, monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(translating, "shipped", interrupt)
    assert cli.main(["translate", "A dog."]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_byte_that_is_no_utf8_costs_a_word_and_no_line(tmp_path):
    text = b"a dog sleeps .\na dog in a caf\xe9 sleeps .\na cat sleeps .\n"
    environment = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}
    for argument in ([], ["a dog sleeps .", b"a dog in a caf\xe9 sleeps .", "a cat sleeps ."]):
        command = [sys.executable, "-m", "attncourse", "translate", "--greedy", *argument]
        done = subprocess.run(
            command, input=text, capture_output=True, cwd=tmp_path, env=environment, check=True
        )
        lines = done.stdout.decode().splitlines()
        assert len(lines) == 3
        assert all(lines)
