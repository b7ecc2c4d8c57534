"""Using the package: every program of the page runs as it stands there, and prints what it says."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from attncourse.data.translation import detokenise, translation_pairs

PAGE = Path(__file__).parents[1] / "chapters" / "using_the_package.md"
TEXT = PAGE.read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^\((using-[\w-]+)\)=\n(.*?)(?=^\(using-|\Z)", TEXT, re.M | re.S))


def program(section: str) -> str:
    (code,) = re.findall(r"```python\n(.*?)```", SECTIONS[section], re.DOTALL)
    return code


def run(section: str, folder: Path) -> str:
    """Run the program of a section in a folder and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program(section)],
        cwd=folder,
        env={**os.environ, "MPLBACKEND": "Agg", "CUDA_VISIBLE_DEVICES": "", "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def said(section: str) -> str:
    (printed,) = re.findall(r"```text\n(.*?)```", SECTIONS[section], re.DOTALL)
    return printed


def test_programs_are_short_and_fit_a_page():
    for section in SECTIONS:
        lines = [line for line in program(section).splitlines() if line]
        assert len(lines) <= 36, section
        assert max(map(len, lines)) <= 76, section


@pytest.mark.parametrize(
    ("section", "picture"), [("using-attention", "attention.png"), ("using-shipped", "looks.png")]
)
def test_what_a_program_prints_stands_below_it(section, picture, tmp_path):
    assert run(section, tmp_path) == said(section)
    assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")


def test_the_tagger_learns_its_tags(tmp_path):
    share = re.fullmatch(r"(\d+)% of the tags are right\n", run("using-tagger", tmp_path))[1]
    assert int(share) >= 95  # 99 on most machines; those that stood before are a fifth


def test_a_file_of_pairs_makes_a_translator(tmp_path):
    parts = {"train": 600, "validation": 0, "composition": 0, "length": 0}
    pairs = translation_pairs(**parts, max_words=6).train
    lines = (f"{detokenise(p.source)}\t{detokenise(p.target, 'fr')}\n" for p in pairs)
    (tmp_path / "pairs.tsv").write_text("".join(lines), encoding="utf-8")
    *progress, last = run("using-translator", tmp_path).splitlines()
    (text,) = ast.literal_eval(last)
    # Where the weights begin is drawn anew in each run, so what it writes is another sentence.
    assert text[:1] == text[:1].upper()
    losses = re.findall(r"validation loss (\d+\.\d+)", "\n".join(progress))
    assert len(losses) == 10
    assert float(losses[-1]) < float(losses[0])
    assert list((tmp_path / "runs" / "mine").glob("*.safetensors"))


@pytest.fixture
def story(tmp_path) -> Path:
    """Write a text of short sentences, which no two runs differ in."""
    parts = {"train": 400, "validation": 0, "composition": 0, "length": 0}
    pairs = translation_pairs(**parts, max_words=6).train
    path = tmp_path / "story.txt"
    path.write_text(" ".join(detokenise(pair.source) for pair in pairs), encoding="utf-8")
    return path


def test_a_text_file_makes_a_language_model(story):
    *progress, last = run("using-language-model", story.parent).splitlines()
    (text,) = ast.literal_eval(last)
    assert text.startswith("The dog")  # where the weights begin is drawn anew in each run
    losses = re.findall(r"validation loss (\d+\.\d+)", "\n".join(progress))
    assert len(losses) == 20
    assert float(losses[-1]) < float(losses[0]) - 1
    assert [path.name for path in story.parent.iterdir()] == ["story.txt"]


def test_a_language_model_is_ten_statements():
    parts = ast.parse(program("using-language-model")).body
    assert len([part for part in parts if not isinstance(part, ast.ImportFrom | ast.Import)]) == 10


def test_an_empty_text_file_is_named(tmp_path):
    (tmp_path / "story.txt").touch()
    with pytest.raises(AssertionError, match=r"ValueError: story.txt must hold text"):
        run("using-language-model", tmp_path)
