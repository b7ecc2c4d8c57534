"""How a training is saved, and how it goes on (chapter 04)."""

from __future__ import annotations

import json
import time
from contextlib import nullcontext
from textwrap import shorten
from typing import Any

from torch import Tensor

from attncourse.training.checkpoints import (
    CheckpointError,
    load_checkpoint,
    plain,
    read_checkpoint,
    refusal,
    save_checkpoint,
)
from attncourse.training.history import History
from attncourse.training.locks import held
from attncourse.training.optimisers import WAYS
from attncourse.training.sharding import divided, sharded_part, whole
from attncourse.training.state import Training
from attncourse.training.weights import state_and_ties
from attncourse.training.workers import WorkerError

# What a group of an optimiser holds beside settings: what it works on, and what changes or stands
# by itself.
_NO_SETTING = WAYS | {"params", "lr", "initial_lr", "scheduled_lr"}


def settings(training: Training) -> dict[str, Any]:
    """Return the arguments that must not change between an end and a resumption.

    Raises:
        TypeError: if the optimiser has one that no checkpoint can hold.
    """
    groups = training.optimiser.param_groups
    found = {
        "accumulate": training.accumulate,
        "optimiser class": type(training.optimiser).__name__,
        "learning_rate": [group["initial_lr"] for group in groups],
        "optimiser": [
            {name: value for name, value in group.items() if name not in _NO_SETTING}
            for group in groups
        ],
        "clip": training.clip,
        "label_smoothing": training.label_smoothing,
        "precision": training.precision,
        "seed": training.seed,
    }
    try:
        return json.loads(json.dumps(found, default=plain))
    except TypeError as error:
        raise TypeError(f"optimiser has a setting that no checkpoint can hold: {error}") from None


def resume(training: Training) -> bool:
    """Go on from the checkpoint if there is one and that is wanted; say whether.

    Raises:
        TypeError: if this training could not be saved.
    """
    if training.checkpoints is None:
        return False
    settings(training)  # what cannot be saved is refused now, not at the first checkpoint
    if not (training.checkpoints.resume and training.file.exists()):
        return False
    restore(training)
    return True


def save(training: Training, write: bool = True) -> None:
    """Write everything that it takes to go on from here, or help another process to write it.

    Raises:
        FloatingPointError: if a weight is not finite: the older checkpoint is worth more.
    """
    if not write and sharded_part(training.model) is None:
        return
    for name, weights in training.model.named_parameters():
        if not whole(weights.isfinite().all()):
            raise training.failure(training.step, f"{name} is not finite after the update")
    groups = {
        "epoch": training.epoch_states,
        "fetch": training.fetch_states,
        "now": training.random_states(),
        "best": training.best or {},
    }
    save_checkpoint(
        training.file,
        training.model,
        training.optimiser,
        step=training.step,
        extra={
            "settings": settings(training),
            "epoch": training.epoch,
            "position": training.position,
            "scaler": training.scaler.state_dict(),
            "history": training.history.to_json(),
        },
        tensors={
            f"{group}.{name}": tensor
            for group, tensors in groups.items()
            for name, tensor in tensors.items()
        },
        write=write,
    )


def restore(training: Training) -> None:
    """Let a training that has not begun stand where its checkpoint was made.

    Everything is checked before anything is changed.

    Raises:
        CheckpointError: if it cannot be used, or is not of a training.
        ValueError: if it was made with other settings, or has more steps than are asked for.
    """
    _, extra, tensors = read_checkpoint(training.file)
    if not {"settings", "epoch", "position", "scaler", "history"} <= set(extra):
        raise refusal(training.file, "it was not made by fit and does not say how to train on")
    history = History.from_json(extra["history"])
    _require_same_settings(training, extra["settings"])
    _require_room(training, len(history.step), extra["epoch"])
    tensors = _by_group(tensors)
    patience = None if training.validation is None else training.validation.patience
    if patience is not None and history.validation_loss and not tensors["best"]:
        raise ValueError(
            f"patience is {patience}, but the checkpoint {training.file} was made without, so "
            "that its best weights were not kept: leave it out, or begin anew with resume=False"
        )
    load_checkpoint(training.file, training.model, training.optimiser)
    own, _ = state_and_ties(training.model)
    best = {name: divided(tensor, own[name]) for name, tensor in tensors["best"].items()}
    training.best = best if best and patience is not None else None
    training.epoch_states, training.fetch_states = tensors["epoch"], tensors["fetch"]
    training.resumed_states = tensors["now"]
    training.epoch, training.position = extra["epoch"], extra["position"]
    training.scaler.load_state_dict(extra["scaler"])
    training.history = history
    training.began = time.perf_counter() - history.seconds[-1]


def _by_group(tensors: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    groups: dict[str, dict[str, Tensor]] = {"epoch": {}, "fetch": {}, "now": {}, "best": {}}
    for name, tensor in tensors.items():
        group, rest = name.split(".", 1)
        groups[group][rest] = tensor
    return groups


def _require_same_settings(training: Training, saved: dict[str, Any]) -> None:
    own = settings(training)
    for name, made in saved.items():
        if own.get(name) != made:
            raise ValueError(
                f"{name} is {own.get(name)}, but the checkpoint {training.file} was made with "
                f"{made}: give the same, another folder, or resume=False"
            )


def _require_room(training: Training, step: int, epoch: int) -> None:
    """Refuse to make of a longer training a shorter one."""
    if training.steps is not None and step > training.steps:
        raise ValueError(
            f"steps is {training.steps}, but the checkpoint {training.file} has {step}"
        )
    if training.epochs is not None and epoch >= training.epochs:
        raise ValueError(
            f"epochs is {training.epochs}, but the checkpoint {training.file} is in epoch "
            f"{epoch + 1}"
        )


def rescue(training: Training, error: Exception) -> WorkerError:
    """Save what there is when another process is gone, and say so."""
    file, kept = training.file, ""
    if file is not None and file.exists():
        kept = f" The last checkpoint, {file}, stays."
    # A sharded model has lost a part of its weights with the process.
    if file is not None and training.step > 0 and sharded_part(training.model) is None:
        # All that are left come here at once, with the same weights: one of them writes.
        try:
            with nullcontext() if training.workers.first else held(file):
                save(training)
        except CheckpointError:
            pass
        kept = f" {file} holds step {training.step:,}; the same command goes on from it."
    return WorkerError(
        f"step {training.step + 1:,} was not made: process {training.workers.rank + 1} of "
        f"{training.workers.size} failed, or lost another one ({shorten(str(error), 120)}).{kept}"
    )
