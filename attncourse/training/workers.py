"""One training on several devices, a process each (chapter 11).

Inside a process group, as `torchrun` and `working_together` make it, `fit` trains together: every
process reads the same batches, takes its share of each one's rows, and adds its gradients to the
others'. The model is the same in all of them, before and after each step.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn

from attncourse import runtime
from attncourse.training.sharding import sharded_part


class WorkerError(RuntimeError):
    """One of several processes that train together has failed. The message says what is kept."""


class Workers(NamedTuple):
    """The processes that train together, as one of them sees it (chapter 11).

    Attributes:
        rank: this one's number, from 0 on.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @classmethod
    def present(cls) -> Workers:
        """Return those of the process group that there is, or this process alone."""
        if dist.is_available() and dist.is_initialized():
            return cls(dist.get_rank(), dist.get_world_size())
        return cls()

    @property
    def first(self) -> bool:
        """Whether this process is the one that speaks and writes for all."""
        return self.rank == 0

    def share(self, batch: Any) -> Any | None:
        """Give this process' rows of a batch: every `size`-th, without the padding of the rest.

        None if there are none left for it.

        Raises:
            TypeError: if several processes share what has not the methods of `Batch`, `take` and
                `__len__`.
        """
        if self.size == 1:
            return batch
        if isinstance(batch, Tensor) or not hasattr(batch, "take"):
            raise TypeError(
                "batches must give what has take(rows) and a length, as Batch, where "
                f"{self.size} processes share them, got {type(batch).__name__}"
            )
        rows = range(self.rank, len(batch), self.size)
        return batch.take(rows) if rows else None

    def total(self, number: Tensor) -> Tensor:
        """Add up a number over all processes."""
        if self.size > 1:
            number = number.clone()
            dist.all_reduce(number)
        return number

    def any(self, flag: bool, device: torch.device) -> bool:
        """Say whether it holds for any process; all get the same answer."""
        if self.size == 1:
            return flag
        return bool(self.total(torch.tensor(float(flag), device=device)))

    def seed(self, *numbers: int) -> None:
        """Seed PyTorch by these numbers alone, if others train along.

        Their states are out of reach when a checkpoint is written, and so have to follow from
        what is in it.
        """
        if self.size > 1:
            mixed = hashlib.sha256(repr(numbers).encode()).digest()
            torch.manual_seed(int.from_bytes(mixed[:7], "big"))

    def wrap(self, model: nn.Module) -> nn.Module:
        """Give a model that begins as the first process' one; its gradients are the mean of all."""
        if self.size == 1 or sharded_part(model) is not None:
            return model
        return nn.parallel.DistributedDataParallel(model)

    @contextmanager
    def alone(self, wrapped: nn.Module) -> Iterator[None]:
        """Keep the gradients computed inside to oneself; they are sent with the next ones."""
        sharded = sharded_part(wrapped)
        if self.size == 1:
            yield
        elif sharded is None:
            with wrapped.no_sync():
                yield
        else:
            sharded.set_requires_gradient_sync(False)
            yield
            sharded.set_requires_gradient_sync(True)

    def wait(self) -> None:
        """Go on when all have come here."""
        if self.size > 1:
            dist.barrier()


@contextmanager
def working_together(device: torch.device | str | None = None) -> Iterator[Workers]:
    """Join the processes that `torchrun` started; without it, work alone (chapter 11).

    Each process gets a GPU of its own if there are any, else they share the processor's cores.

    Args:
        device: the one that `attncourse.training.fit` is given: "cpu" leaves GPUs alone.

    Yields:
        The processes; inside, `fit` trains together.

    Raises:
        RuntimeError: if a machine has fewer GPUs than processes.
        ValueError: if there is no such device.

    Example:
        >>> with working_together() as workers:
        ...     print(workers)
        Workers(rank=0, size=1)
    """
    if "WORLD_SIZE" not in os.environ or dist.is_initialized():
        yield Workers.present()
        return
    backend = "gloo"
    if runtime.device(device).type == "cuda":
        local = int(os.environ["LOCAL_RANK"])
        if local >= torch.cuda.device_count():
            raise RuntimeError(
                f"this machine has {torch.cuda.device_count()} GPUs, too few for process "
                f"{local + 1}: start no more than one a GPU"
            )
        torch.cuda.set_device(local)
        backend = "nccl"
    dist.init_process_group(backend)
    try:
        yield Workers.present()
    finally:
        dist.destroy_process_group()
