"""Device and seed (every chapter): the two lines a notebook needs before its first tensor.

Also what a call takes of a device's memory (chapter 19).
"""

from __future__ import annotations

import gc
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

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


def peak_memory(call: Callable[[], object], on: torch.device | str | None = None) -> int:
    """Say how many bytes of tensors a call held at most, beside those there before (chapter 19).

    What it returns is counted, what it read is not. On a GPU it is what CUDA's allocator says; on a
    CPU the running sum of what PyTorch's profiler sees allocated, and freed of that, which is the
    same number on every repetition. Watched, the call is slower: measure its time in another.

    Args:
        call: takes no arguments.
        on: the device whose memory counts, as for `device`; by default the GPU if there is one.

    Returns:
        The bytes.

    Raises:
        TypeError: if `call` cannot be called.
        ValueError: if `on` is not a device that is there, or neither a CPU nor a CUDA GPU.

    Example:
        >>> x = torch.zeros(1000)  # 4 bytes each
        >>> peak_memory(lambda: x.exp(), "cpu"), peak_memory(lambda: x.exp() * x.exp(), "cpu")
        (4000, 12000)
    """
    if not callable(call):
        raise TypeError(f"call must be a function of no arguments, got {type(call).__name__}")
    where = device(on)
    if where.type == "cuda":
        torch.cuda.synchronize(where)
        torch.cuda.reset_peak_memory_stats(where)
        before = torch.cuda.memory_allocated(where)
        held = call()  # its result stays until all is counted
        torch.cuda.synchronize(where)
        return torch.cuda.max_memory_allocated(where) - before
    if where.type != "cpu":
        raise ValueError(f"on must be the CPU or a CUDA GPU, got {where.type!r}")
    gc.collect()  # or rubbish of earlier calls might be freed in this one
    with _quiet_profiler(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        held = call()
    del held
    own, now, most = set(), 0, 0
    for _, address, size in _allocations(seen):
        if size < 0 and address not in own:
            continue  # what is freed here was there before
        (own.add if size > 0 else own.discard)(address)
        now += size
        most = max(most, now)
    return most


def _allocations(seen: profile) -> list[tuple[int, int, int]]:
    """Give the time, the address and the bytes, negative if freed, of each block on the CPU."""
    events, found = list(seen.profiler.kineto_results.experimental_event_tree()), []
    while events:
        event = events.pop()
        events += event.children
        block = event.extra_fields
        if hasattr(block, "alloc_size") and block.device.type == "cpu":
            found.append((event.start_time_ns, block.ptr, block.alloc_size))
    return sorted(found)


@contextmanager
def _quiet_profiler() -> Iterator[None]:
    """Keep the profiler from writing to the screen that it starts and stops.

    It reads how much to say only once in a process, from the environment.
    """
    name = "KINETO_LOG_LEVEL"
    before = os.environ.get(name)
    os.environ.setdefault(name, "99")
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
