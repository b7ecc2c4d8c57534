"""Device and seed (every chapter): the two lines a notebook needs before its first tensor."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from attncourse.checks import require_integer


def device(name: torch.device | str | None = None) -> torch.device:
    """Choose where tensors live: a CUDA GPU if there is one, else the CPU (every chapter).

    Args:
        name: a device to insist on, such as `"cpu"` or `"cuda:1"`, or the device itself; `None`
            chooses.

    Returns:
        The device. Nothing is moved to it; layers and tensors take it as an argument.

    Raises:
        ValueError: if `name` is not a device, or asks for one that is not there.

    Example:
        >>> device("cpu")
        device(type='cpu')
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(name)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"name must be a device such as 'cpu' or 'cuda', got {name!r}") from error
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"name asks for {name!r}, but PyTorch sees {torch.cuda.device_count()} CUDA devices"
        )
    if chosen.type not in ("cpu", "cuda"):
        try:
            torch.empty(0, device=chosen)
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            raise ValueError(f"name asks for {name!r}, which is not there") from error
    return chosen


def seed_everything(seed: int | np.integer) -> torch.Generator:
    """Seed Python, NumPy and PyTorch, and return a generator with the same seed (every chapter).

    Code of the course draws from the generator it is given; the global seeds are for libraries
    that draw without asking, such as the initialisation of layers.

    Args:
        seed: 0 to 2**32 - 1 (NumPy's range).

    Returns:
        A generator on the CPU, seeded with `seed`.

    Raises:
        TypeError: if `seed` is not an integer.
        ValueError: if it is out of range.

    Example:
        >>> generator = seed_everything(7)
        >>> first = torch.rand(2, generator=generator)
        >>> torch.equal(first, torch.rand(2, generator=seed_everything(7)))
        True
    """
    require_integer("seed", seed)
    seed = int(seed)
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed must lie in 0 ... 2**32 - 1, got {seed}")
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)  # the GPUs' generators too
    return torch.Generator().manual_seed(seed)


def device_of(model: nn.Module) -> torch.device:
    """Say where a model is: where its first parameter is, the CPU if it has none."""
    parameter = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


@contextmanager
def evaluating(model: object) -> Iterator[None]:
    """Put every part of a model into evaluation mode; afterwards each back into its own.

    What is no module has no mode, and is left alone.
    """
    modules = list(model.modules()) if isinstance(model, nn.Module) else []
    modes = [module.training for module in modules]
    try:
        for module in modules:
            module.training = False
        yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode
