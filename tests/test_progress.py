"""attncourse.training.progress: what is shown of a training."""

from __future__ import annotations

import io
import sys

import pytest
from small_training import small_batches, small_model

from attncourse.training import History, Validation, fit
from attncourse.training.progress import Lines


def shown(capsys, **options) -> tuple[str, str]:
    settings = {"steps": 20, "device": "cpu"} | options
    if settings.get("epochs"):
        del settings["steps"]
    fit(small_model(), small_batches(), **settings)
    return capsys.readouterr()


def test_off_a_terminal_there_are_about_ten_lines_and_nothing_on_stderr(capsys):
    out, err = shown(capsys, progress=None)
    lines = out.splitlines()
    assert err == ""
    assert len(lines) == 10
    assert lines[0].startswith("step 2 of 20: loss 3.")
    assert lines[-1].startswith("step 20 of 20: loss ")
    assert all(line.endswith(" tokens/s") for line in lines)
    assert "\r" not in out


def test_lines_tell_of_epochs_and_validations(capsys):
    out, err = shown(capsys, epochs=3, validation=small_batches())
    assert err == ""
    assert [line.split(":")[0] for line in out.splitlines()] == [
        f"step {step}" for step in (7, 7, 14, 14, 21, 21)
    ]
    assert "step 14: validation loss 3." in out


def test_there_are_no_more_than_ten_lines_and_one_for_the_last_step(capsys):
    out, _ = shown(capsys, steps=19)
    assert [line.split()[1] for line in out.splitlines()] == [*map(str, range(2, 19, 2)), "19"]


def test_few_steps_have_a_line_each(capsys):
    out, _ = shown(capsys, steps=3)
    assert [line.split(":")[0] for line in out.splitlines()] == [
        f"step {i} of 3" for i in (1, 2, 3)
    ]


def test_a_line_shows_the_mean_loss_per_token_since_the_last(capsys):
    history = History()
    lines = Lines(history, 20)  # a line every second step
    for step, (loss, tokens, seconds) in enumerate([(9, 10, 1.0), (1, 30, 2.0), (4, 5, 2.5)] * 2):
        history.step.append(step + 1)
        history.loss.append(float(loss))
        history.tokens.append(tokens)
        history.seconds.append(seconds + 2.5 * (step > 2))
        lines.step(False)
    assert capsys.readouterr().out.splitlines() == [
        "step 2 of 20: loss 3.000, 20 tokens/s",  # (9 * 10 + 1 * 30) / 40, 40 in 2 s
        "step 4 of 20: loss 7.333, 10 tokens/s",  # (4 * 5 + 9 * 10) / 15, 15 in 1.5 s
        "step 6 of 20: loss 1.429, 23 tokens/s",  # (1 * 30 + 4 * 5) / 35, 35 in 1.5 s
    ]


def test_silence(capsys):
    assert shown(capsys, progress=False, validation=small_batches()) == ("", "")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_there_is_a_bar(capsys, monkeypatch):
    pytest.importorskip("tqdm")
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    out, _ = shown(capsys, progress=None, validation=Validation(small_batches(), every=10))
    assert "20/20" in screen.getvalue()
    assert "loss=" in screen.getvalue()
    assert "\r" in screen.getvalue()
    assert [line for line in out.splitlines() if line.strip()] == [
        line for line in out.splitlines() if "validation loss" in line
    ]


def test_a_bar_that_is_asked_for_is_drawn_off_a_terminal_too(capsys):
    pytest.importorskip("tqdm")
    out, err = shown(capsys, progress=True)
    assert "20/20" in err
    assert out == ""


def test_a_terminal_without_tqdm_gets_lines(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr(sys, "stderr", Terminal())
    out, _ = shown(capsys)
    assert len(out.splitlines()) == 10
    assert sys.stderr.getvalue() == ""


def test_silence_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert shown(capsys, progress=False)[0] == ""
    assert sys.stderr.getvalue() == ""
