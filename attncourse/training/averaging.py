"""The mean of a model's weights at several moments of its training (chapter 11)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from attncourse.checks import require_integer
from attncourse.training.checkpoints import load_checkpoint, save_checkpoint
from attncourse.training.history import History
from attncourse.training.weights import state_and_ties
from attncourse.training.workers import Workers


class KeepWeights:
    """Keep a model's weights every so many steps of a training, the last few (chapter 11).

    Give it to `fit` as a callback, and what it kept to `average_weights`. A training that goes
    on after it was stopped keeps the same files as one that never stopped.

    Args:
        folder: gets one file a time, `weights-00000100.safetensors` after step 100.
        every: so many steps.
        last: how many files stay.

    Raises:
        TypeError: if a number is not an integer.
        ValueError: if it is not positive.
    """

    def __init__(self, folder: str | os.PathLike, *, every: int, last: int):
        require_integer("every", every, least=1)
        require_integer("last", last, least=1)
        self.folder = Path(folder)
        self.every = every
        self.last = last

    def __call__(self, step: int, model: nn.Module, history: History) -> None:
        if step % self.every == 0:
            writes = Workers.present().first  # a sharded model's weights come from all
            save_checkpoint(self._file(step), model, step=step, write=writes)
            if writes:
                self._file(step - self.last * self.every).unlink(missing_ok=True)

    def files(self, step: int) -> list[Path]:
        """Return the files kept up to a step, oldest first, as many as there should be."""
        newest = step // self.every
        kept = range(max(1, newest - self.last + 1), newest + 1)
        return [self._file(count * self.every) for count in kept]

    def _file(self, step: int) -> Path:
        return self.folder / f"weights-{step:08d}.safetensors"


@torch.no_grad()
def average_weights(model: nn.Module, files: Sequence[str | os.PathLike]) -> None:
    """Give a model the mean of several checkpoints' weights (chapter 11).

    Late in a training each step still moves the weights to and fro; their mean lies closer to
    the middle.

    Args:
        model: built as the saved ones were. Its own weights are replaced.
        files: checkpoints, by their paths.

    Raises:
        CheckpointError: if one of them cannot be used. The model may then hold weights of another.
        ValueError: if there are none.

    Source: Vaswani et al. 2017, section 6.1: the last 5 checkpoints of the base model, the last
    20 of the big one, written every ten minutes.
    """
    if len(files) == 0:
        raise ValueError("files must name at least one checkpoint, got none")
    total: dict[str, torch.Tensor] = {}
    for file in files:
        load_checkpoint(file, model)
        for name, weights in state_and_ties(model)[0].items():
            # In float64 the order of the files does not matter.
            total[name] = total.get(name, 0) + weights.detach().double()
    for name, weights in state_and_ties(model)[0].items():
        weights.detach().copy_(total[name] / len(files))
