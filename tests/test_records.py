"""attncourse.recipes.records: what is kept of a training, and the pages that show it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from attncourse.recipes import (
    RECIPES,
    Recipe,
    environment,
    records,
)
from benchmarks import captions_pace, encoder_depth, several_processes, tune_captions

ROOT = Path(__file__).parents[1]
RECORDS = sorted((ROOT / "results").glob("*.json"))
# By no recipe, but by a script:
DEPTH = [path for path in RECORDS if path.stem.startswith("encoder-depth-")]
SEVERAL = ROOT / "results/several-processes-seed0.json"
TUNING = ROOT / "results/captions-tuning-seed0.json"
PACE = ROOT / "results/captions-pace-seed0.json"
SPEED = [path for path in RECORDS if path.stem.startswith(("transformer-", "greedy-decoding-"))]
# What comes of a script holds no recipe.
RECORDS = [path for path in RECORDS if "recipe" in json.loads(path.read_text(encoding="utf-8"))]


def test_the_environment_is_told_and_no_place_is():
    told = environment()
    assert told["torch"] == torch.__version__
    assert "/" not in json.dumps(told).replace("\\/", "").replace("http://", "")


def test_an_installed_package_has_no_commit_of_its_neighbours(tmp_path):
    """It may lie in somebody's own checkout, which ignores it."""
    shutil.copytree(ROOT / "attncourse", tmp_path / "site/attncourse")
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org"]
    (tmp_path / ".gitignore").write_text("site\n")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "mine"]):
        subprocess.run([*git, *command], cwd=tmp_path, check=True)
    script = "from attncourse.recipes import environment; print(environment()['commit'])"
    paths = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    command = [sys.executable, "-c", script]
    told = subprocess.run(
        command, cwd=tmp_path, env=paths, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "None"


@pytest.mark.parametrize("path", DEPTH, ids=lambda path: path.stem)
def test_a_record_of_depths_is_of_the_script_as_it_stands(path):
    record = json.loads(path.read_text(encoding="utf-8"))
    assert path.stem == f"{record['name']}-seed{record['seed']}"
    settings = record["settings"]
    assert (settings["steps"], settings["embed_dim"]) == (encoder_depth.STEPS, encoder_depth.WIDTH)
    assert {run["depth"] for run in record["runs"]} == set(encoder_depth.DEPTHS)
    assert {run["learning_rate"] for run in record["runs"]} == set(encoder_depth.RATES)
    assert {"commit", "torch", "python", "processor", "threads"} <= set(record["environment"])


@pytest.mark.parametrize("name", tune_captions.TRIALS)
def test_the_three_of_chapter_11_have_the_best_of_their_trials(name):
    record = json.loads(TUNING.read_text(encoding="utf-8"))
    runs = [run for run in record["runs"] if run["recipe"] == name]
    losses = {(run["learning_rate"], run["dropout"]): run["validation_loss"] for run in runs}
    assert tuple(losses) == tune_captions.TRIALS[name]
    best = min(losses, key=losses.get)
    assert best == (RECIPES[name].learning_rate, RECIPES[name].sizes["dropout"])
    (own,) = [run for run in records(name) if run["seed"] == record["seed"]]
    assert own["training"]["curve"]["validation_loss"][-1] == losses[best]


def test_the_pace_of_chapter_11_is_of_its_three():
    record = json.loads(PACE.read_text(encoding="utf-8"))
    assert tuple(record["seconds"]) == captions_pace.NAMES == tuple(tune_captions.TRIALS)
    assert {"commit", "torch", "processor", "threads"} <= set(record["environment"])


@pytest.mark.parametrize("path", SPEED, ids=lambda path: path.stem)
def test_the_benchmarks_page_has_the_figures_of_the_record(path):
    record = json.loads(path.read_text(encoding="utf-8"))
    assert {"commit", "torch", "python", "processor", "threads"} <= set(record["environment"])
    page = (ROOT / "benchmarks/README.md").read_text(encoding="utf-8")
    if record["name"] == "transformer-step":
        ours, *peers = record["models"]
        figures = [f"{peer['time_over_ours'][0]:.2f}" for peer in peers]
        figures.append(f"{ours['share_of_peak']:.0%}")
    elif record["name"] == "transformer-memory":
        ours, *peers = record["megabytes"].values()
        figures = [f"{peer / ours:.2f}" for peer in peers] + [f"{ours} MB"]
    else:
        figures = [f"{over:.2f}" for over in record["time_over_ours"].values()]
        tokens = record["milliseconds_a_token"].values()
        figures += [f"{each['early']} to {each['late']} ms" for each in tokens]
    assert f"| `{path.name}` | {' | '.join(figures)} |" in page


def test_the_page_on_several_gpus_has_the_figures_of_the_record():
    record = json.loads(SEVERAL.read_text(encoding="utf-8"))
    assert record["settings"]["steps"] == several_processes.STEPS == 100
    assert [run["processes"] for run in record["runs"]] == list(several_processes.PROCESSES)
    page = (ROOT / "chapters/several_gpus.md").read_text(encoding="utf-8")
    for run in record["runs"]:
        assert run["difference"] < 1e-6
        difference = f"{run['difference']:.1e}" if run["difference"] else "0"
        row = f"| {run['processes']} | {difference} | {run['milliseconds_a_step']} |"
        assert row in page


def test_the_page_on_several_gpus_counts_right():
    d, f, vocabulary, layers, tokens = 512, 2048, 37_000, 6, 25_000 * 100_000
    weights = layers * (4 * d * d + 2 * d * f), layers * (8 * d * d + 2 * d * f), d * vocabulary
    assert [round(number / 1e6, 1) for number in weights] == [18.9, 25.2, 18.9]
    operations = 6 * tokens * sum(weights)
    assert f"{operations:.1e}" == "9.4e+17"
    by_time = 12 * 3600 * 8 * 9.5e12
    assert f"{by_time:.1e}" == "3.3e+18"
    assert round(operations / by_time, 2) == 0.29
    minutes = [operations / (989e12 * share) / 60 for share in (0.3, 0.4)]
    assert [round(number) for number in minutes] == [53, 40]


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_is_of_the_recipe_as_it_stands(path):
    record = json.loads(path.read_text(encoding="utf-8"))
    recipe = RECIPES[record["name"]]
    assert path.stem == f"{record['name']}-seed{record['seed']}"
    assert Recipe.from_dict(record["recipe"]) == recipe
    assert record["training"]["curve"]["validation_step"][-1] == recipe.steps
    assert {"commit", "torch", "python", "processor", "threads"} <= set(record["environment"])
    assert record["environment"]["commit"]
    assert record["scores"]
