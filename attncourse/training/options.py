"""What `fit` is asked for: groups of options, and what it refuses (from chapter 04)."""

from __future__ import annotations

import inspect
import math
import operator
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn
from torch.utils.data import DataLoader

from attncourse.checks import require_bool, require_integer, require_number, require_smoothing
from attncourse.data.batches import Batches, require_batch
from attncourse.training.checkpoints import checkpoint_file
from attncourse.training.sharding import require_group
from attncourse.training.workers import Workers


@runtime_checkable
class Seeded(Protocol):
    """Batches with a generator of their own, which `fit` seeds, saves and restores (chapter 04).

    A list of batches needs none. What draws an order draws it when an iteration begins.

    Example:
        >>> class Shuffled:
        ...     def __init__(self, batches):
        ...         self.batches, self.generator = batches, torch.Generator()
        ...
        ...     def __iter__(self):
        ...         order = torch.randperm(len(self.batches), generator=self.generator)
        ...         return (self.batches[i] for i in order.tolist())
        >>> isinstance(Shuffled([]), Seeded), isinstance([], Seeded)
        (True, False)
    """

    generator: torch.Generator | None

    def __iter__(self) -> Iterator[Any]:
        """Begin an epoch."""
        ...


@dataclass(frozen=True)
class Validation:
    """Batches that measure a training, and when (chapter 04).

    The last step of a training is always followed by a validation.

    Attributes:
        batches: as those that are trained on, but others. There is no label smoothing.
        every: so many steps; by default at the end of an epoch.
        patience: the training stops after so many validations in a row without a new best, and
            ends with the weights of the best.

    Raises:
        TypeError: if a number is no integer, or `batches` can be iterated only once.
        ValueError: if a number is not positive, or there are no batches.

    Example:
        >>> Validation([None, None], every=100, patience=3).patience
        3
    """

    batches: Iterable[Any]
    every: int | None = None
    patience: int | None = None

    def __post_init__(self):
        require_batches("validation", self.batches)
        require_counts(every=self.every, patience=self.patience)


@dataclass(frozen=True)
class Checkpoints:
    """Where a training is saved, and when (chapter 04).

    The last step of a training is always followed by a checkpoint.

    Attributes:
        path: a folder, or a file ending in `.safetensors`.
        every: so many steps; by default at the end of an epoch.
        resume: go on from the checkpoint if there is one; False begins anew and replaces it.

    Raises:
        TypeError: if `every` is no integer, or `resume` neither True nor False.
        ValueError: if `every` is not positive, or a file stands where the folder would be.

    Example:
        >>> Checkpoints("runs/mine", every=100).file.name
        'checkpoint.safetensors'
    """

    path: str | os.PathLike
    every: int | None = None
    resume: bool = True

    def __post_init__(self):
        require_counts(every=self.every)
        require_bool("resume", self.resume)
        there = next(folder for folder in self.file.absolute().parents if folder.exists())
        if not there.is_dir():
            raise ValueError(
                "checkpoint must be a folder or a file ending in .safetensors, got the file "
                f"{there}"
            )

    @property
    def file(self) -> Path:
        """The file itself."""
        return checkpoint_file(self.path)


# What is refused


def require_length(steps: int | None, epochs: int | None) -> None:
    """Refuse a training of no length, or of two."""
    if (steps is None) == (epochs is None):
        raise TypeError("give either steps or epochs, and not both")
    require_counts(steps=steps, epochs=epochs)


def require_model(model: object) -> None:
    """Refuse what has no weight that could be trained."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be an nn.Module, got {type(model).__name__}")
    weights = list(model.parameters())
    if not any(each.requires_grad for each in weights):
        frozen = f"{len(weights)} that are all frozen" if weights else "none"
        raise ValueError(
            f"model must have weights that require a gradient, got {frozen}: "
            "model.requires_grad_() lets them be trained"
        )
    for name, each in model.named_parameters():
        if each.is_meta or each.is_inference():
            made = 'on the device "meta"' if each.is_meta else "under torch.inference_mode()"
            raise ValueError(f"model has weights made {made}, such as {name}: build it without")
    if not torch.is_grad_enabled():
        raise RuntimeError(
            "model cannot be trained under torch.no_grad() or torch.inference_mode(), which "
            "switch gradients off: call fit outside"
        )


def require_choice(
    optimiser: object, model: nn.Module, learning_rate: float | None, sharded: bool
) -> None:
    """Refuse an optimiser, or a function that makes one, as far as that shows beforehand."""
    require_bool("sharded", sharded)
    if optimiser is not None and learning_rate is not None:
        raise TypeError("learning_rate is for the default optimiser; set it in yours")
    if learning_rate is not None:
        require_number("learning_rate", learning_rate)
        if not 0 <= learning_rate < math.inf:
            raise ValueError(f"learning_rate must be 0 or more, got {learning_rate}")
    if sharded and isinstance(optimiser, torch.optim.Optimizer):
        raise TypeError(
            "optimiser must be a function where sharded is True: one that is there already holds "
            "the whole weights"
        )
    if sharded:
        require_group()
    makes_one = callable(optimiser) and not isinstance(optimiser, type)
    if optimiser is not None and not makes_one:
        require_optimiser(optimiser, model)


def require_optimiser(optimiser: object, model: nn.Module) -> None:
    """Refuse what does not train this model, or not step by step."""
    if not isinstance(optimiser, torch.optim.Optimizer):
        raise TypeError(
            "optimiser must be a torch.optim.Optimizer or a function that makes one of the model, "
            f"got {_kind(optimiser)}: optimiser=torch.optim.Adam(model.parameters())"
        )
    closure = inspect.signature(optimiser.step).parameters.get("closure")
    if closure is not None and closure.default is closure.empty:
        raise TypeError(
            f"optimiser must make a step of gradients alone, got {type(optimiser).__name__}, which "
            "computes the loss again and again: take another, such as torch.optim.Adam"
        )
    own = {id(each) for each in model.parameters() if each.requires_grad}
    frozen = {id(each) for each in model.parameters()} - own
    held = {id(each) for group in optimiser.param_groups for each in group["params"]}
    if foreign := held - own - frozen:
        raise ValueError(
            f"optimiser holds {len(foreign)} of {len(held)} weights that are not the model's, as "
            "after the model was built again: make it of this one's, as in "
            "torch.optim.Adam(model.parameters())"
        )
    if not held & own:
        raise ValueError(
            f"optimiser holds {len(held)} weights, which are all frozen: model.requires_grad_() "
            "lets them be trained"
        )


def require_schedule(schedule: object) -> None:
    """Refuse what is no function of the step, such as PyTorch's schedulers."""
    if schedule is not None and (isinstance(schedule, type) or not callable(schedule)):
        raise TypeError(
            "schedule must be a function from a step (1, 2, ...) to a factor on the learning "
            f"rate, got {_kind(schedule)}: linear_schedule(steps, warmup=100), or "
            "lambda step: 0.95**step"
        )


def require_callbacks(callbacks: object) -> None:
    """Refuse what cannot be called, such as a function by itself, which is no list of them."""
    if not isinstance(callbacks, Sequence) or not all(map(callable, callbacks)):
        raise TypeError(
            f"callbacks must be a list of functions, got {_kind(callbacks)}: callbacks=[function]"
        )


def require_batches(name: str, given: object) -> None:
    """Refuse what cannot be gone through again and again."""
    if isinstance(given, Iterator):
        raise TypeError(
            f"{name} must give its batches anew whenever it is iterated, as a list or Batches "
            f"does, got {type(given).__name__}, which can be iterated once"
        )
    if not hasattr(given, "__iter__") and not hasattr(given, "__getitem__"):
        raise TypeError(
            f"{name} must be several batches, such as Batches or a list of them, got {_kind(given)}"
        )
    if operator.length_hint(given, 1) == 0:  # not all that gives batches has a length
        raise ValueError(f"{name} must hold at least one batch, got none")


def require_loss(
    loss: object, label_smoothing: float, batches: Iterable[Any], validation: Validation | None
) -> None:
    """Refuse what is no loss, smoothing of one's own, and pairs where the default wants batches."""
    require_smoothing(label_smoothing)
    if loss is None:
        validated = validation.batches if validation else ()
        for name, given in (("batches", batches), ("validation", validated)):
            if isinstance(given, (list, tuple)) and given:
                require_batch(given[0], name)
    elif not callable(loss):
        raise TypeError(
            f"loss must be a function of the model and a batch, got {_kind(loss)}: "
            "loss=lambda model, batch: ..."
        )
    elif label_smoothing:
        raise TypeError("label_smoothing is for the default loss; put it into yours")


def require_clip(clip: object) -> None:
    """Refuse what is no norm."""
    if clip is not None and not isinstance(clip, Real):
        raise TypeError(f"clip must be a number or None, got {_kind(clip)}")
    if clip is not None and not clip > 0:
        raise ValueError(f"clip must be positive or None, got {clip}")


def require_seed(seed: int) -> None:
    """Refuse what PyTorch's generators cannot be seeded with."""
    require_integer("seed", seed, least=0)
    if seed >= 2**64:
        raise ValueError(f"seed must be less than 2**64, got {seed}")


def require_repeatable(batches: Iterable[Any], validation: Validation | None) -> None:
    """Refuse batches whose epochs cannot be drawn again by a training that goes on."""
    sources = {"batches": batches, "validation": validation.batches if validation else ()}
    for name, given in sources.items():
        if isinstance(given, DataLoader) and given.persistent_workers:
            raise ValueError(
                f"{name} is a DataLoader with persistent_workers=True, which draw on from epoch "
                "to epoch, so that a training that goes on from a checkpoint would get other "
                "batches: take persistent_workers=False, or no checkpoint"
            )


def require_shares(batches: Iterable[Any], workers: Workers) -> None:
    """Batches of so many sentences are shared equally; of so many tokens, about equally."""
    if isinstance(batches, Batches) and (batches.sentences or 0) % workers.size:
        raise ValueError(
            f"sentences is {batches.sentences} a batch, which {workers.size} processes cannot "
            "share equally: choose a multiple, or other processes"
        )


def require_counts(**counts: int | None) -> None:
    """Refuse, by its name, what is given and no positive integer."""
    for name, count in counts.items():
        if count is not None:
            require_integer(name, count, least=1)


def _kind(given: object) -> str:
    return f"the class {given.__name__}" if isinstance(given, type) else type(given).__name__
