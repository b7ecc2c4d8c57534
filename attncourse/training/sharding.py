"""A model whose weights are divided among the processes that train it (chapter 11)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn

from attncourse import runtime


def shard(model: nn.Module) -> None:
    """Divide a model's weights among the processes, in place (chapter 11).

    Each process holds a part of every layer's weights, of their gradients and of the optimiser's
    state. A layer is put together when it is its turn, and let go afterwards. That is for a model
    which is too large for one GPU, or whose optimiser is. All take the first one's weights.

    Args:
        model: on the device of this process. What stands in an `nn.ModuleList` is a layer.

    Raises:
        RuntimeError: if there are no processes to share with.

    Source: Zhao et al. 2023, "PyTorch FSDP", in PyTorch's second version.
    """
    from torch.distributed.fsdp import fully_shard  # it takes a second

    require_group()
    for weights in model.parameters():
        dist.broadcast(weights.detach(), 0)
    for part in model.modules():
        if isinstance(part, nn.ModuleList):
            for layer in part:
                fully_shard(layer)
    fully_shard(model)


def require_group() -> None:
    """Refuse to divide anything where there is nobody to share with."""
    if not (dist.is_available() and dist.is_initialized()):
        raise RuntimeError("a sharded model needs several processes: start them with torchrun")


def sharded_part(model: nn.Module) -> nn.Module | None:
    """Return the model itself if it is sharded, or the outermost sharded part of it, or None."""
    parts = (part for part in model.modules() if hasattr(part, "set_requires_gradient_sync"))
    return next(parts, None)


def whole(tensor: Tensor) -> Tensor:
    """Put a divided tensor together; all processes have to ask for it. Others stay as they are."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def divided(tensor: Tensor, like: Tensor) -> Tensor:
    """Divide a whole tensor as another one is, if that one is."""
    if not hasattr(like, "device_mesh"):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements)


@contextmanager
def moved(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Move a model to a device; back again if it is not trained after all."""
    before = runtime.device_of(model)
    model.to(device)
    try:
        yield
    except BaseException:
        if sharded_part(model) is None:
            model.to(before)
        raise
