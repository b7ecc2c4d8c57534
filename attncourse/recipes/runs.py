"""A training by recipe: its folder, its end, and the record that stays (chapters 04 and 05)."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from attncourse.checks import require_integer
from attncourse.data.batches import Batches
from attncourse.data.files import write_atomically
from attncourse.data.vocabulary import BaseVocabulary, join_words, load_vocabulary
from attncourse.recipes import corpora, scores
from attncourse.recipes.recipe import Recipe
from attncourse.runtime import seed_everything
from attncourse.training import (
    History,
    KeepWeights,
    Workers,
    adam,
    average_weights,
    fit,
    load_checkpoint,
    save_checkpoint,
)
from attncourse.translator import Translator


@dataclass(frozen=True)
class Run:
    """A trained model in its folder (chapter 04).

    Attributes:
        recipe: how it was trained.
        seed: with which seed.
        model: the model, on the CPU, in evaluation mode.
        source: the vocabulary that it reads.
        target: the vocabulary that it writes.
    """

    recipe: Recipe
    seed: int
    model: nn.Module
    source: BaseVocabulary
    target: BaseVocabulary

    @property
    def translator(self) -> Translator:
        """The model as a function from texts to texts."""
        finish = partial(join_words, language=self.recipe.target)
        return Translator(self.model, self.source, self.target, finish=finish)


def train(
    recipe: Recipe,
    folder: str | os.PathLike,
    *,
    seed: int = 0,
    device: torch.device | str | None = None,
    sharded: bool = False,
    progress: bool | None = None,
) -> tuple[Run, dict[str, Any]]:
    """Train by a recipe, or go on with what is in the folder (chapter 04).

    A training that was stopped goes on when this is called again; one that is over is only read.
    Inside a process group (see `attncourse.training.working_together`) the processes train
    together, and the first one writes; only its model has the averaged weights.

    Args:
        recipe: what to train on what, and how.
        folder: gets the recipe, both vocabularies, the checkpoints and at last the model.
        seed: of the first weights, the order of the batches, and dropout.
        device: where to train; by default a GPU if there is one.
        sharded, progress: see `attncourse.training.fit`.

    Returns:
        The trained model, and how its training went, for the record.

    Raises:
        CheckpointError: if a checkpoint in the folder cannot be used.
        DataError: if the corpus cannot be had.
        KeyboardInterrupt: after Ctrl-C; the same call goes on.
        ValueError: if the folder holds a training by another recipe or seed, or one whose corpus
            had other words, or the recipe cannot be trained, see `Recipe.check`. Nothing is
            written then.
    """
    require_integer("seed", seed, least=0)
    recipe.check()
    folder, workers = Path(folder), Workers.present()
    require_own(folder, recipe, seed)
    if workers.first:
        corpus = corpora.load(recipe)
    workers.wait()
    if not workers.first:  # only now: a corpus that has to be fetched is fetched once
        corpus = corpora.load(recipe)
    require_same_words(folder, corpus)
    seed_everything(seed)
    model = recipe.build(len(corpus.source), len(corpus.target))
    batches = Batches(
        corpus.train,
        sentences=recipe.sentences,
        tokens=recipe.tokens,
        bucket=recipe.bucket,
        generator=torch.Generator(),
    )
    if workers.first:  # only now: what cannot be trained leaves no folder behind
        claim(folder, recipe, seed)
        corpus.source.save(folder / "source.json")
        corpus.target.save(folder / "target.json")
    every = max(1, recipe.steps // recipe.validations)
    keep = KeepWeights(folder, every=recipe.average_every, last=recipe.average)
    history = fit(
        model,
        batches,
        steps=recipe.steps,
        accumulate=recipe.accumulate,
        optimiser=partial(adam, learning_rate=recipe.learning_rate, **recipe.adam),
        schedule=recipe.factor(),
        label_smoothing=recipe.label_smoothing,
        precision=recipe.precision,
        sharded=sharded,
        device=device,
        seed=seed,
        validation=Batches(corpus.validation, sentences=250, bucket=len(corpus.validation)),
        validate_every=every,
        checkpoint=folder,
        checkpoint_every=every,
        progress=progress,
        callbacks=[keep] if recipe.average > 1 else [],
    )
    where = next(model.parameters()).device
    final = folder / "model.safetensors"
    if sharded:  # put together by way of the file
        save_checkpoint(final, model, step=recipe.steps, write=workers.first)
        workers.wait()
        model = recipe.build(len(corpus.source), len(corpus.target))
        load_checkpoint(final, model)
    model.to("cpu").eval()
    if workers.first:
        if recipe.average > 1:
            average_weights(model, keep.files(recipe.steps))
        save_checkpoint(final, model, step=recipe.steps)
    run = Run(recipe, seed, model, corpus.source, corpus.target)
    return run, _how_it_went(model, history, where)


def load(folder: str | os.PathLike) -> Run:
    """Read a trained model (chapter 04).

    Args:
        folder: what `train` was given.

    Raises:
        CheckpointError: if the model is missing or damaged.
        FileNotFoundError: if the folder holds no training.
        ValueError: if another of its files is damaged.
    """
    folder = Path(folder)
    recipe, seed = claimed(folder)
    source, target = (load_vocabulary(folder / f"{side}.json") for side in ("source", "target"))
    model = recipe.build(len(source), len(target))
    load_checkpoint(folder / "model.safetensors", model)
    return Run(recipe, seed, model.eval(), source, target)


def evaluate(run: Run) -> dict[str, Any]:
    """Judge a trained model on the tests of its corpus (chapters 04 and 05)."""
    tests = corpora.load(run.recipe).tests
    if run.recipe.corpus == "embedded":
        return scores.of_embedded(run.translator, tests)
    return {
        name: scores.of_captions(run.translator, pairs, run.recipe.target)
        for name, pairs in tests.items()
    }


def environment() -> dict[str, Any]:
    """Say on what this runs: versions, hardware, and the commit if this is a checkout."""
    from attncourse import __version__

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "attncourse": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "gpu": gpu,
    }


def write_record(path: str | os.PathLike, record: dict[str, Any]) -> None:
    """Write a record as JSON that reads well in a diff, whole or not at all."""
    text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(path, text.encode("utf-8"))


def _how_it_went(model: nn.Module, history: History, device: torch.device) -> dict[str, Any]:
    every = max(1, len(history.step) // 50)
    ends = range(every, len(history.step) + 1, every)
    return {
        "parameters": sum(weights.numel() for weights in model.parameters()),
        "device": device.type,
        "minutes": round(history.seconds[-1] / 60, 1),
        "target_tokens": sum(history.tokens),
        "target_tokens_per_second": round(sum(history.tokens) / history.seconds[-1]),
        "curve": {
            "step": [history.step[end - 1] for end in ends],
            "loss": [round(_mean(history.loss[end - every : end]), 4) for end in ends],
            "validation_step": history.validation_step,
            "validation_loss": [round(loss, 4) for loss in history.validation_loss],
        },
    }


def _mean(numbers: list[float]) -> float:
    return sum(numbers) / len(numbers)


def claim(folder: Path, recipe: Recipe, seed: int) -> None:
    """Write down what the folder is for; refuse one that is for something else."""
    require_own(folder, recipe, seed)
    write_record(folder / "recipe.json", {"recipe": recipe.to_dict(), "seed": int(seed)})


def require_own(folder: Path, recipe: Recipe, seed: int) -> None:
    """Refuse a folder that is for something else."""
    try:
        found, by = claimed(folder)
    except FileNotFoundError:
        return
    if (found.to_dict(), by) != (recipe.to_dict(), seed):
        raise ValueError(
            f"folder {folder} holds a training by another recipe or seed; "
            "give another, or delete it"
        )


def require_same_words(folder: Path, corpus: corpora.Corpus) -> None:
    """Refuse a folder whose training knew other words, as of an older version of the corpus."""
    for side in ("source", "target"):
        file = folder / f"{side}.json"
        if file.exists() and load_vocabulary(file) != getattr(corpus, side):
            raise ValueError(
                f"folder {folder} holds a training on other words than the corpus has now: {file} "
                "differs; give another, or delete it"
            )


def claimed(folder: Path) -> tuple[Recipe, int]:
    path = folder / "recipe.json"
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        return Recipe.from_dict(held["recipe"]), held["seed"]
    except FileNotFoundError:
        raise FileNotFoundError(f"{folder} holds no training: there is no {path.name}") from None
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error


def _commit() -> str | None:
    """The commit of the checkout that this file is in, marked if something was changed."""
    here = Path(__file__).parent
    try:
        found = [
            subprocess.run(
                ["git", *command], cwd=here, capture_output=True, text=True, check=True, timeout=10
            ).stdout.strip()
            for command in (
                # A package that is installed may lie in a checkout of something else.
                ("ls-files", "--error-unmatch", Path(__file__).name),
                ("rev-parse", "--short=10", "HEAD"),
                ("status", "--porcelain", "."),
            )
        ]
    except (OSError, subprocess.SubprocessError):
        return None
    _, commit, changed = found
    return commit + ("+" if changed else "")


def _processor() -> str:
    """The processor's name and its cores."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            name = next(line for line in file if line.startswith("model name")).split(":")[1]
    except (OSError, StopIteration):
        pass
    return f"{name.strip()}, {os.cpu_count()} cores"
