"""The page "How this course was checked": its tables are those of the tests and of the records."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from tools import checked, recorded
from tools.project import ROOT

MACHINE = {"processor": "P(R) 7, 2 cores", "threads": 1, "gpu": None}


def test_the_page_is_what_the_tool_writes():
    command = [sys.executable, "-m", "tools.checked", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


# What equals what


def item(*arguments, fixtures=("same",), **options):
    """What pytest collects of a marked test."""
    marks = [SimpleNamespace(args=arguments, kwargs=options)]
    return SimpleNamespace(
        nodeid="tests/test_a.py::test_it_agrees",
        path=ROOT / "tests/test_a.py",
        originalname="test_it_agrees",
        fixturenames=fixtures,
        iter_markers=lambda name: marks,
    )


def test_a_test_compares_to_the_tolerance_of_its_mark(request):
    within = {torch.float64: 1e-10, torch.float32: 1e-5}
    request.node.add_marker(pytest.mark.equals("a", "b", within=within))
    same = request.getfixturevalue("same")
    one = torch.ones(3, dtype=torch.float64)
    same(one + 9e-11, one)
    same(one.float() + 9e-6, one)  # a formula in float64 is the reference of both
    same(one.float() + 9e-6, one.float())
    for ours, theirs in [
        (one + 2e-10, one),
        (one.float() + 2e-5, one),
        (one.float() + 2e-5, one.float()),
        (one, one.float()),
        (one, torch.ones(2, dtype=torch.float64)),
    ]:
        with pytest.raises(AssertionError):
            same(ours, theirs)


def test_a_mark_makes_one_row_however_many_cases_it_has():
    marked = [item("attend", "d2l.torch.Attend", within={torch.float64: 1e-12})] * 3
    (row,) = checked.equalities(marked)
    assert (row.ours, row.theirs, row.module) == ("attend", "d2l.torch.Attend", "d2l")
    assert row.file == "test_a.py"
    table = checked.equalities_tables([row]).splitlines()
    assert table[-3:] == [
        "| ours | theirs | float64 | test |",
        "|---|---|--:|---|",
        "| `attend` | `Attend` | 1e-12 | `test_a.py` |",
    ]


def test_a_mark_without_the_comparison_is_refused():
    with pytest.raises(SystemExit, match="test_it_agrees has the mark `equals`"):
        checked.equalities([item("attend", "the formula", within=0, fixtures=())])


def test_a_tolerance_stands_below_its_dtype():
    within = {torch.float64: 1e-12, torch.float32: 1e-5}
    items = [item("attend", "the formula", within=number) for number in (within, 2e-9, 0)]
    assert checked.equalities_tables(checked.equalities(items)).splitlines()[-5:] == [
        "| ours | theirs | float64 | float32 | test |",
        "|---|---|--:|--:|---|",
        "| `attend` | the formula | 1e-12 | 1e-5 | `test_a.py` |",
        "| `attend` | the formula | 2e-9 |  | `test_a.py` |",
        "| `attend` | the formula | 0 |  | `test_a.py` |",
    ]


def test_smaller_dtypes_share_the_last_column():
    within = {torch.float64: 1e-12, torch.float32: 1e-5, torch.float16: 6e-3}
    (row,) = checked.equalities([item("attend", "the formula", within=within)])
    cells = "| `attend` | the formula | 1e-12 | 1e-5, float16 6e-3 | `test_a.py` |"
    assert checked.row_of(row, checked.DTYPES) == cells


def test_a_library_without_a_title_is_named():
    rows = checked.equalities([item("attend", "unheard.of", within=0)])
    with pytest.raises(SystemExit, match="unheard"):
        checked.equalities_tables(rows)


def test_only_what_stands_between_the_marks_is_written():
    page = "before\n% written: a\nold\n% end\nbetween\n% written: b\n% end\nafter\n"
    found = checked.write(page, {"a": "new", "b": "| x |"})
    new, other = (f"\n::::{{div}} dense\n{text}\n::::\n\n" for text in ("new", "| x |"))
    assert found == (
        f"before\n% written: a\n{new}% end\nbetween\n% written: b\n{other}% end\nafter\n"
    )
    assert checked.write(found, {"a": "new", "b": "| x |"}) == found
    with pytest.raises(SystemExit, match="'% written: c'"):
        checked.write(page, {"c": "new"})


def test_what_is_not_there_is_no_side_of_an_equality():
    checked.there_must_be("attend, transformer.Encoder", "torch.nn.GRU")
    checked.there_must_be("attend", "the formula")
    for names in [("attended", "torch.nn.GRU"), ("attend", "torch.nn.GRUU")]:
        with pytest.raises(AttributeError, match=r"attended|GRUU"):
            checked.there_must_be(*names)


# What was measured


@pytest.fixture
def folder(tmp_path):
    """Records of one experiment: two seeds, and a trial that the first alone made."""
    for seed, accuracy in enumerate([0.5, 0.75]):
        runs = [
            {"model": "mean", "learning_rate": 0.1, "accuracy": accuracy, "curve": [1, 2]},
            {"model": "attention", "learning_rate": 0.1, "accuracy": [0.9, 0.8, 1.0]},
            {"model": "mean", "learning_rate": 0.3, "accuracy": 0.25, "cpu_seconds": 120},
        ]
        keep(tmp_path, f"trial-seed{seed}", {"seed": seed, "runs": runs[: 3 - seed]})
    (tmp_path / "about.toml").write_text('trial = { page = "glossary", asked = "What is it" }\n')
    return tmp_path


def keep(folder, stem: str, record: dict) -> None:
    record = {"name": stem.rpartition("-seed")[0] or stem, "environment": MACHINE} | record
    (folder / f"{stem}.json").write_text(json.dumps(record))


def test_a_row_has_the_mean_and_the_extremes_of_its_seeds(folder):
    table = recorded.figures_table("trial", *recorded.read_records(folder).values(), {})
    assert table.splitlines()[-3:] == [
        "| mean, learning rate 0.1 | accuracy | 2 | 0.625 | 0.5 | 0.75 |",
        "| attention, learning rate 0.1 | accuracy | 2 | 0.9 | 0.9 | 0.9 |",
        "| mean, learning rate 0.3 | accuracy | 1 | 0.25 |  |  |",
    ]


def test_a_section_has_the_experiment_its_hardware_and_its_minutes(folder):
    text = recorded.tables(folder)
    assert text.startswith("### Glossary\n\nThese are the figures of [Glossary](glossary.md).")
    assert "| `trial` | What is it | 2 | P 7, 2 cores, 1 thread | 2.0 |" in text
    keep(folder, "trial-seed1", {"seed": 1, "minutes": 31.4, "runs": [{"model": "a", "loss": 2}]})
    assert "| 2.0 to 31 |" in recorded.tables(folder)
    runs = [{"model": "a", "cpu_seconds": 120}, {"model": "b", "cpu_seconds": None}]
    parts = {"final": {"cpu_seconds": 60}, "runs": runs}
    keep(folder, "trial-seed1", {"seed": 1, "loss": 2} | parts)
    assert "| 2.0 to 3.0 |" in recorded.tables(folder)
    keep(folder, "trial-seed1", {"seed": 1, "loss": 2, "environment": MACHINE | {"gpu": "G 9"}})
    assert "| P 7, 2 cores, 1 thread; G 9 |" in recorded.tables(folder)


def test_a_record_that_nothing_describes_is_named(folder):
    keep(folder, "stray-seed0", {"seed": 0, "loss": 1.0})
    with pytest.raises(ValueError, match=r"results/stray-seed0\.json .* 'stray' .*about\.toml"):
        recorded.tables(folder)


def test_figures_that_a_record_has_not_are_named(folder):
    records = recorded.read_records(folder)["trial"]
    with pytest.raises(ValueError, match=r"'trial' .*'bleu'"):
        recorded.figures(records, {"figures": ["bleu"]})


def test_runs_that_nothing_tells_apart_are_refused(folder):
    keep(
        folder, "trial-seed0", {"seed": 0, "runs": [{"keys": 2, "loss": 1}, {"keys": 4, "loss": 2}]}
    )
    records = recorded.read_records(folder)["trial"][:1]
    with pytest.raises(ValueError, match="cannot be told apart"):
        recorded.figures(records, {})
    found = recorded.figures(records, {"by": ["keys"]})
    assert found == {("keys 2", "loss"): [1], ("keys 4", "loss"): [2]}


def test_settings_curves_and_costs_are_no_figures():
    run = {"model": "a", "parameters": 7, "steps": 3, "curve": [1.0, 2.0], "cpu_seconds": 5}
    run["layers"] = [{"bleu_13a": 1.5}, {"bleu_13a": 2.5}]  # nothing tells them apart
    record = {"name": "x", "seed": 0, "settings": {"width": 2}, "runs": [run | {"bleu_13a": 3.5}]}
    assert recorded.figures([record], {}) == {("a", "BLEU 13a"): [3.5]}


def test_a_heading_has_the_title_of_its_page():
    heading = recorded.heading("05_bahdanau_attention")
    assert heading.startswith("### Chapter 05: Bahdanau attention\n")
    assert "[Bahdanau attention](05_bahdanau_attention.ipynb)" in heading
    with pytest.raises(ValueError, match="'77_nowhere'"):
        recorded.heading("77_nowhere")


def test_every_description_says_what_was_asked():
    for name, about in recorded.descriptions().items():
        assert about["asked"][0].isupper(), name
        assert not about["asked"].endswith("."), name
        assert set(about) <= {"page", "asked", "by", "figures"}, name
