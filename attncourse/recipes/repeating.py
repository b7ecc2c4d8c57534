"""A recorded training once more, where there is a GPU (chapters 05 and 11)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from attncourse.recipes.environment import environment
from attncourse.recipes.recipe import Recipe
from attncourse.recipes.runs import Run, evaluate, train
from attncourse.recipes.scores import require_scorer


def repeat(
    record: dict[str, Any],
    runs: str | os.PathLike = "runs",
    *,
    device: torch.device | str | None = None,
) -> Run | None:
    """Train once more what a record tells of, and compare the two scores (chapters 05 and 11).

    Recipe and seed are the record's. A bar shows the progress; what is printed at the end says
    whether the new BLEU lies within the interval of the recorded one. Without a GPU nothing is
    trained, and what the record found is printed.

    Args:
        record: of a training on captions, such as one of `records("captions-transformer")`.
        runs: the training gets a folder in this one, as from `attncourse train`.
        device: where to train; by default on a GPU, and not at all if there is none.

    Returns:
        The trained model, or None if nothing was trained.

    Raises:
        DataError: if the captions cannot be had.
        ImportError: if what scores translations is missing; the message says how to install it.
        KeyboardInterrupt: after Ctrl-C; the same call goes on.
        ValueError: if the record is of another corpus, or `train` refuses.

    Example:
        >>> from attncourse.recipes import records
        >>> (record,) = records("captions-transformer")
        >>> repeat(record)  # doctest: +SKIP
        No GPU here, so nothing was trained. The record stands for it:
        55.8 BLEU (54.1 to 57.4)
          after 30 minutes on Intel(R) Xeon(R) Processor, 2 cores
    """
    recipe, seed = Recipe.from_dict(record["recipe"]), record["seed"]
    if recipe.corpus != "multi30k":
        raise ValueError(f"record must be of the corpus 'multi30k', got {recipe.corpus!r}")
    if device is None and not torch.cuda.is_available():
        print("No GPU here, so nothing was trained. The record stands for it:")
        print(_found(record))
        return None
    require_scorer(recipe)  # not after the training
    folder = Path(runs) / f"{record['name']}-seed{seed}"
    run, training = train(recipe, folder, seed=seed, device=device, progress=True)
    print("Trained. The translations of the test are scored.", flush=True)
    now = {"training": training, "environment": environment(), "scores": evaluate(run)}
    print(compared(now, record))
    return run


def compared(now: dict[str, Any], record: dict[str, Any]) -> str:
    """Set a new score beside the recorded one, and say how it lies to the interval of that."""
    score, (low, high) = _beam(now)["bleu"], _beam(record)["interval"]
    place = "below" if score < low else "above" if score > high else "within"
    return (
        f"{_found(now)}\nThe record has {_found(record)}\n"
        f"The new score lies {place} the record's interval."
    )


def _found(record: dict[str, Any]) -> str:
    """Say what a training reached, after how long and on what."""
    beam, minutes = _beam(record), record["training"]["minutes"]
    low, high = beam["interval"]
    kind = "gpu" if record["training"]["device"] == "cuda" else "processor"
    return (
        f"{beam['bleu']:.1f} BLEU ({low:.1f} to {high:.1f})\n"
        f"  after {minutes:.0f} minutes on {record['environment'][kind]}"
    )


def _beam(record: dict[str, Any]) -> dict[str, Any]:
    """Give the score of the beam search on the one test of captions."""
    (scores,) = record["scores"].values()
    return scores["beam"]
