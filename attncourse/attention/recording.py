"""A way to see attention (chapter 03): layers whose weights can be recorded.

Every layer of the course calls `attend` through `AttentionLayer`, so that `record_attention` can
show the weights of the very pass that ran.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention.functional import attend, attention_weights
from attncourse.checks import require_value


class AttentionLayer(nn.Module):
    """Base of the layers that attend (chapter 03): `self.attend` can be recorded.

    A layer computes its own query, key, value and options, then calls `self.attend` with the
    arguments of the function `attend`. It inherits nothing else.

    Example:
        >>> class Lookup(AttentionLayer):
        ...     def forward(self, query, key, value):
        ...         return self.attend(query, key, value)
        >>> Lookup()(torch.zeros(1, 2), torch.ones(3, 2), torch.ones(3, 1))
        tensor([[1.]])
    """

    _recordings: tuple[list[Tensor], ...] = ()  # one list of calls for each block that records

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, **options
    ) -> Tensor:
        """Call `attend`; while recording, compute the output from the recorded weights."""
        if not self._recordings:
            return attend(query, key, value, mask, **options)
        weights = attention_weights(query, key, mask, **options)
        require_value(query, key, value)
        for calls in self._recordings:
            calls.append(weights.detach())
        return weights @ value

    def __getstate__(self) -> dict:
        # A copy made inside a recording block does not record: nothing would ever end it.
        return {name: held for name, held in self.__dict__.items() if name != "_recordings"}


class AttentionMaps(Mapping):
    """Recorded attention weights by layer name, each (batch, heads, query, key).

    Several calls of one layer are joined along query and zero-padded along key. Layers that did
    not run are absent.
    """

    def __init__(self, calls: dict[str, list[Tensor]]):
        self._calls = calls

    def __getitem__(self, name: str) -> Float[Tensor, "batch heads query key"]:
        if not self._calls.get(name):
            raise KeyError(f"no attention recorded for {name!r}; recorded: {list(self)}")
        maps = [_as_map(weights) for weights in self._calls[name]]
        if len({weights.shape[:2] for weights in maps}) > 1:
            shapes = [tuple(weights.shape) for weights in maps]
            raise ValueError(f"calls of {name!r} disagree in batch or heads: {shapes}")
        keys = max(weights.shape[-1] for weights in maps)
        return torch.cat([F.pad(weights, (0, keys - weights.shape[-1])) for weights in maps], -2)

    def __iter__(self) -> Iterator[str]:
        return (name for name, calls in self._calls.items() if calls)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return bool(self._calls.get(name))

    def __repr__(self) -> str:
        shapes = {name: [tuple(_as_map(call).shape) for call in self._calls[name]] for name in self}
        return f"AttentionMaps({shapes})"


@contextmanager
def record_attention(module: nn.Module) -> Iterator[AttentionMaps]:
    """Record the attention weights of every layer inside `module` (chapter 03).

    The weights are those of the passes that run inside the block, masks and dropout included,
    and the outputs are computed from them. Afterwards, also after an exception, the fused kernel
    runs again. Blocks may nest; the innermost is closed first. Compiled code runs uncompiled
    while a block is open. Of a model under activation checkpointing, call `backward` in the same
    block as the forward pass, or after it, but not in a block that the forward pass was not in.

    Args:
        module: a module that is, or contains, an `AttentionLayer`; compiled or not.

    Yields:
        Weights by the layer's qualified name (`""` for `module` itself), detached, each (batch,
        heads, query, key); a layer without heads has one.

    Raises:
        TypeError: if `module` is not a module.
        ValueError: if nothing in it attends.

    Example:
        >>> from attncourse import NadarayaWatson
        >>> layer, hours = NadarayaWatson(), torch.arange(3.0)[:, None]
        >>> with record_attention(layer) as maps:
        ...     _ = layer(hours[:2], hours, hours)
        >>> maps[""].shape
        torch.Size([1, 1, 2, 3])
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"module must be a torch.nn.Module, got {type(module).__name__}")
    layers = {
        ".".join(part for part in name.split(".") if part != "_orig_mod"): layer  # compiled
        for name, layer in module.named_modules()
        if isinstance(layer, AttentionLayer)
    }
    if not layers:
        raise ValueError(f"module has no layer that attends: {type(module).__name__}")
    calls: dict[str, list[Tensor]] = {name: [] for name in layers}
    for name, layer in layers.items():
        layer._recordings = (*layer._recordings, calls[name])
    try:
        # Compiled code runs as written here: compiled again for every call, it would soon meet
        # the compiler's limit.
        with torch.compiler.set_stance("force_eager"):
            yield AttentionMaps(calls)
    finally:
        for name, layer in layers.items():
            layer._recordings = tuple(c for c in layer._recordings if c is not calls[name])
            if not layer._recordings:  # as before, or compiled code would be compiled again
                del layer._recordings


def is_recorded(module: nn.Module) -> bool:
    """Whether the attention of a layer in `module` is being recorded."""
    return any(getattr(part, "_recordings", ()) for part in module.modules())


def _as_map(weights: Tensor) -> Tensor:
    """Give weights (..., query, key) a batch and a head axis: a single leading axis is a batch."""
    if weights.dim() == 2:
        return weights[None, None]
    if weights.dim() == 3:
        return weights[:, None]
    return weights.flatten(0, -4)
