"""The commands `recipes`, `train` and `evaluate`."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path

from attncourse import recipes as trainings
from attncourse import runtime
from attncourse.recipes import RECIPES, Recipe, Run
from attncourse.recipes.scores import require_scorer
from attncourse.training import working_together

SEED, RUNS, RESULTS = 0, Path("runs"), Path("results")


def recipes(asked: argparse.Namespace) -> int:
    """List the recipes."""
    for name, recipe in RECIPES.items():
        print(f"{name:28} {_described(recipe)}")
    return 0


def _described(recipe: Recipe) -> str:
    languages = f"{recipe.source} to {recipe.target}"
    return f"{recipe.corpus}, {languages}, {recipe.model}, {recipe.steps:,} steps"


def train(asked: argparse.Namespace) -> int:
    """Train by a recipe, or go on, and record what came of it."""
    name, folder, recipe = _run_name(asked), asked.runs / _run_name(asked), RECIPES[asked.recipe]
    _require_device(asked.device)
    require_scorer(recipe)  # not after hours of training
    with working_together(asked.device) as workers:
        if asked.sharded and workers.size == 1:
            raise ValueError("--sharded is for several processes: start them with torchrun")
        if workers.first:
            print(f"{name}: {_described(recipe)}, in {folder}. Reading the corpus.", flush=True)
        try:
            run, training = trainings.train(
                recipe, folder, seed=asked.seed, device=asked.device, sharded=asked.sharded
            )
        except KeyboardInterrupt as interruption:
            if not _is_unfinished(folder):
                raise
            raise KeyboardInterrupt(f"{interruption}\n{_how_to_go_on(asked)}") from None
    if not workers.first:
        return 0
    record = {
        "name": asked.recipe,
        "seed": asked.seed,
        "recipe": run.recipe.to_dict(),
        "environment": trainings.environment(),
        "training": training,
        "scores": trainings.evaluate(run),
    }
    path = asked.results / f"{name}.json"
    trainings.write_record(path, record)
    print(f"recorded in {path}")
    return 0


def evaluate(asked: argparse.Namespace) -> int:
    """Judge a trained model on the tests of its corpus."""
    scores = trainings.evaluate(trained(asked))
    print(json.dumps(scores, indent=1, ensure_ascii=False))
    return 0


def trained(asked: argparse.Namespace) -> Run:
    """Read the model that was trained; of a training that was stopped, say how it goes on."""
    folder = asked.runs / _run_name(asked)
    if _is_unfinished(folder):
        raise ValueError(_how_to_go_on(asked))
    return trainings.load(folder)


def _is_unfinished(folder: Path) -> bool:
    return (folder / "recipe.json").exists() and not (folder / "model.safetensors").exists()


def _how_to_go_on(asked: argparse.Namespace) -> str:
    command = ["attncourse", "train", asked.recipe]
    command += ["--seed", str(asked.seed)] if asked.seed != SEED else []
    command += ["--runs", str(asked.runs)] if asked.runs != RUNS else []
    results = getattr(asked, "results", RESULTS)  # only `train` is asked for it
    command += ["--results", str(results)] if results != RESULTS else []
    return (
        f"the training in {asked.runs / _run_name(asked)} is unfinished; it goes on with: "
        + shlex.join(command)
    )


def _run_name(asked: argparse.Namespace) -> str:
    return f"{asked.recipe}-seed{asked.seed}"


def _require_device(name: str | None) -> None:
    try:
        runtime.device(name)
    except ValueError as error:
        raise ValueError(f"--device {name}: {error}") from None
