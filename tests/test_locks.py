"""attncourse.training.locks: two trainings in one folder, which could lose each other's files."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from small_training import small_model, train
from support import refused

from attncourse.training import CheckpointError, read_checkpoint
from attncourse.training.locks import held

ROOT = Path(__file__).parents[1]
HOLDER = """
import sys, time
from pathlib import Path
from attncourse.training.locks import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "checkpoint.safetensors"


@pytest.fixture
def holder(file):
    """Another process that holds the file."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(file)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_training_in_a_folder_is_refused_and_the_first_goes_on(tmp_path):
    refusals = []

    def callback(step, model, history):
        if step == 5:
            before = (tmp_path / "checkpoint.safetensors").read_bytes()
            words = str(tmp_path), str(os.getpid()), socket.gethostname(), "since 2"
            with refused(CheckpointError, *words):
                train(tmp_path, small_model(7, tied=True))
            assert (tmp_path / "checkpoint.safetensors").read_bytes() == before
            refusals.append(step)

    history = train(tmp_path, callbacks=[callback])
    assert refusals == [5]
    assert read_checkpoint(tmp_path).step == history.step[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.safetensors"]


def test_the_holder_is_told_and_when_it_was_killed_its_lock_is_taken_over(file, holder):
    with refused(CheckpointError, str(file), str(holder.pid), socket.gethostname()), held(file):
        pass
    holder.kill()
    holder.wait()
    assert json.loads((file.parent / f".{file.name}.lock").read_text())["process"] == holder.pid
    with held(file):
        told = json.loads((file.parent / f".{file.name}.lock").read_text())
        assert told["process"] == os.getpid()
    assert list(file.parent.iterdir()) == []


def test_a_lock_of_another_machine_is_respected(file):
    lock = file.parent / f".{file.name}.lock"
    text = json.dumps({"host": "elsewhere", "process": 7, "since": "2026-01-02 03:04:05"})
    lock.write_text(text)
    words = "process 7 on elsewhere", "2026-01-02", f"delete {lock}"
    with refused(CheckpointError, *words), held(file):
        pass
    assert lock.read_text() == text


@pytest.mark.parametrize("text", ["somebody's", "[1]", '{"host": "here"}'])
def test_a_file_of_somebody_elses_is_never_deleted(file, text):
    lock = file.parent / f".{file.name}.lock"
    lock.write_text(text)
    with refused(CheckpointError, str(lock), "left alone"):
        train(file.parent)
    assert lock.read_text() == text
    assert list(file.parent.iterdir()) == [lock]


def test_other_files_in_a_folder_are_held_apart(tmp_path):
    (tmp_path / "poetry.lock").write_text("somebody's")
    with held(tmp_path / "a.safetensors"):
        train(tmp_path / "poetry.safetensors", steps=3)
    assert (tmp_path / "poetry.lock").read_text() == "somebody's"
    assert {path.name for path in tmp_path.iterdir()} == {"poetry.lock", "poetry.safetensors"}


def test_a_folder_that_stays_empty_goes_again(tmp_path):
    with held(tmp_path / "new" / "a.safetensors"):
        assert (tmp_path / "new").exists()
    assert not (tmp_path / "new").exists()
    with held(tmp_path / "used" / "a.safetensors"):
        (tmp_path / "used" / "a.safetensors").write_text("kept")
    assert (tmp_path / "used" / "a.safetensors").read_text() == "kept"
