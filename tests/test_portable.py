"""The gate names the cell that has no margin, and lets the others pass."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tools import portable

TRAINED = """\
import torch

weights = torch.tensor({weights}, requires_grad=True)
optimiser = torch.optim.SGD([weights], lr=0.1)
weights.sum().backward()
optimiser.step()
print(weights.argmax().item())
"""
SHIPPED = """\
from attncourse.recipes import shipped

weights, again = (next(shipped().model.parameters()) for _ in range(2))
print(weights.equal(again), weights.equal(weights.half().float()))
"""
NUDGE = "1e-4-4"  # whose noise makes the second of two equal weights the larger


def write(path: Path, *cells: tuple[str, str]) -> Path:
    """Write a notebook of cells, each with what it prints."""
    code = [
        new_code_cell(
            source, execution_count=1, outputs=[new_output("stream", text=f"{printed}\n")]
        )
        for source, printed in cells
    ]
    nbformat.write(new_notebook(cells=code), path)
    return path


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A chapter that trains in two runs, and one that does not in one."""
    folder = tmp_path_factory.mktemp("chapters")
    trained = write(
        folder / "trained.ipynb",
        (TRAINED.format(weights=[1.0, 1.0]), "0"),
        (TRAINED.format(weights=[1.1, 1.0]), "0"),
        (SHIPPED, "True True"),
        ("assert (weights - again).abs().max() < 1e-3\nprint(1 / 3)", 1 / 3),
    )
    still = write(folder / "still.ipynb", ("print(2 + 3)", "5"))
    return {
        "trained": portable.run_all(trained, ["own", NUDGE]),
        "still": {"own": portable.Outcome()} | portable.run_all(still, [NUDGE]),
    }


def test_what_holds_passes_where_nothing_is_nudged(found):
    assert found["trained"]["own"].failures == {}


def test_a_claim_without_margin_is_named_and_one_with_margin_passes(found):
    failures = found["trained"][NUDGE].failures
    assert 1 in failures
    assert 2 not in failures
    assert {"  - 1", "  + 0"} <= set(failures[1].splitlines())  # found and stored


def test_shipped_weights_are_nudged_and_equal_models_equally(found):
    failures = found["trained"][NUDGE].failures
    assert set(failures) == {1, 3}
    assert "- True False" in failures[3]


def test_a_chapter_without_a_model_is_known_by_its_first_nudge(found):
    assert found["trained"][NUDGE].nudged
    assert not found["still"][NUDGE].nudged
    rows = [line.split() for line in portable.table(found).splitlines()]
    assert rows == [["own", NUDGE], ["trained", "ok", "[1],[3]"], ["still", "ok", "-"]]
    assert not found["still"][NUDGE].failures


def test_one_failure_fails_the_gate(monkeypatch, capsys, tmp_path):
    asked = []

    def run(chapter, name):
        asked.append((chapter.stem, name))
        failures = {7: "Traceback"} if (chapter.stem, name) == ("b", "1e-4-5") else {}
        return portable.Outcome(failures, nudged=chapter.stem == "b")

    monkeypatch.setattr(portable, "run", run)
    assert portable.main(["a", "b", "--runs", "own", "1e-4*"]) == 1
    said = capsys.readouterr().out
    assert "b, code cell 7, run 1e-4-5:\n    Traceback" in said
    nudges = [name for name in portable.RUNS if name.startswith("1e-4")]
    assert len(nudges) == 5
    assert sorted(asked) == sorted(
        [("a", "own"), ("a", nudges[0]), ("b", "own"), *(("b", name) for name in nudges)]
    )
    assert portable.main(["a", "b", "--runs", "own"]) == 0


def test_a_run_that_is_not_there_is_refused(capsys):
    with pytest.raises(SystemExit) as refusal:
        portable.main(["a", "--runs", "sse2"])
    assert refusal.value.code == 2
    said = capsys.readouterr().err
    assert "sse2" in said
    assert "compatible" in said
