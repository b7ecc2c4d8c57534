"""A training by recipe: its folder, its end, and the record that stays (chapters 04 and 05)."""

from __future__ import annotations

import os
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from attncourse import runtime
from attncourse.checks import require_integer
from attncourse.data.batches import Batch, Batches
from attncourse.data.vocabulary import BaseVocabulary, join_words, load_vocabulary
from attncourse.recipes import corpora, scores
from attncourse.recipes.folders import claim, claimed, require_own, require_same_words
from attncourse.recipes.recipe import Recipe
from attncourse.runtime import device_of, evaluating, seed_everything
from attncourse.training import (
    Checkpoints,
    History,
    KeepWeights,
    Validation,
    Workers,
    adam,
    average_weights,
    batch_loss,
    fit,
    load_checkpoint,
    save_checkpoint,
)
from attncourse.training.locks import held
from attncourse.training.sharding import require_group
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
        CheckpointError: if a checkpoint in the folder cannot be used, or another process trains
            there.
        DataError: if the corpus cannot be had.
        KeyboardInterrupt: after Ctrl-C; the same call goes on.
        ValueError: if the folder holds a training by another recipe or seed, or one whose corpus
            had other words, a sentence is too long for the model, there is no such device, or the
            recipe cannot be trained, see `Recipe.check`. Nothing is written then.
    """
    require_integer("seed", seed, least=0)
    recipe.check()
    device = runtime.device(device)
    if sharded:
        require_group()
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
    require_readable(model, corpus)
    batches = Batches(
        corpus.train,
        sentences=recipe.sentences,
        tokens=recipe.tokens,
        bucket=recipe.bucket,
        generator=torch.Generator(),
    )
    validation = Batches(corpus.validation, sentences=250, bucket=len(corpus.validation))
    every = max(1, recipe.steps // recipe.validations)
    keep = KeepWeights(folder, every=recipe.average_every, last=recipe.average)

    # Only now: what cannot be trained leaves no folder behind.
    with held(folder / "recipe.json") if workers.first else nullcontext():
        if workers.first:
            claim(folder, recipe, seed)
            corpus.source.save(folder / "source.json")
            corpus.target.save(folder / "target.json")
        history = fit(
            model,
            batches,
            steps=recipe.steps,
            accumulate=recipe.accumulate,
            label_smoothing=recipe.label_smoothing,
            optimiser=partial(adam, learning_rate=recipe.learning_rate, **recipe.adam),
            schedule=recipe.factor(),
            device=device,
            precision=recipe.precision,
            sharded=sharded,
            seed=seed,
            validation=Validation(validation, every=every),
            checkpoint=Checkpoints(folder, every=every),
            progress=progress,
            callbacks=[keep] if recipe.average > 1 else [],
        )
        where = device_of(model)
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


def require_readable(model: nn.Module, corpus: corpora.Corpus) -> None:
    """Let the model read the longest sentences once: it refuses those that are too long for it."""
    pairs = corpus.train + corpus.validation
    longest = [max((pair[side] for pair in pairs), key=len) for side in (0, 1)]
    with torch.no_grad(), evaluating(model):
        batch_loss(model, Batch.of([tuple(longest)]))
