"""Layers on layers (chapters 09 and 10): the encoder and the decoder of a Transformer.

for layer in layers:
    x = layer(x)
x = norm(x)  # only with the norm first: nothing else has normalised the last sum
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from attncourse.attention import KeyValueCache
from attncourse.attention.recording import is_recorded
from attncourse.checks import require_integer
from attncourse.transformer.layers import DecoderCache, DecoderLayer, EncoderLayer


class Encoder(nn.Module):
    """Encoder layers on each other (chapter 09).

    Args:
        num_layers: how many.
        embed_dim, num_heads, ffn_dim: as for `EncoderLayer`.
        checkpointing: in training, keep only what enters each layer and compute the rest again for
            the gradients: less memory, more time. It can be set later.
        options: as for `EncoderLayer`. With `norm_first` a last normalisation follows the layers.

    Raises:
        TypeError, ValueError: as `EncoderLayer`.

    Source: Vaswani et al. 2017, section 3.1, where the norm is not first. `nn.Transformer` has a
    last normalisation in both cases.

    Example:
        >>> import torch
        >>> encoder = Encoder(num_layers=3, embed_dim=6, num_heads=2, ffn_dim=24)
        >>> encoder(torch.randn(2, 5, 6)).shape
        torch.Size([2, 5, 6])
    """

    def __init__(
        self,
        *,
        num_layers: int,
        embed_dim: int,
        num_heads: int,
        ffn_dim: int,
        checkpointing: bool = False,
        **options: Any,
    ):
        super().__init__()
        require_integer("num_layers", num_layers, least=1)
        sizes = {"embed_dim": embed_dim, "num_heads": num_heads, "ffn_dim": ffn_dim}
        self.layers = nn.ModuleList(EncoderLayer(**sizes, **options) for _ in range(num_layers))
        self.norm = _last_norm(embed_dim, **options)
        self.checkpointing = checkpointing

    def forward(
        self,
        x: Float[Tensor, "batch length embed_dim"],
        mask: Bool[Tensor, "..."] | None = None,
        *,
        padding_mask: Bool[Tensor, "batch length"] | None = None,
        causal: bool = False,
        caches: list[KeyValueCache] | None = None,
    ) -> Float[Tensor, "batch length embed_dim"]:
        """Give every token a vector that knows its sentence.

        Args:
            x: (batch, length, embed_dim), embeddings with their positions.
            mask, padding_mask, causal: as for `EncoderLayer`.
            caches: one for each layer, for a model that writes.

        Returns:
            (batch, length, embed_dim).
        """
        options = {"mask": mask, "padding_mask": padding_mask, "causal": causal}
        for layer, cache in _with_caches(self.layers, caches):
            x = _run(layer, x, cache=cache, checkpointing=self.checkpointing, **options)
        return self.norm(x)


class Decoder(nn.Module):
    """Decoder layers on each other (chapter 10).

    Args:
        num_layers: how many.
        embed_dim, num_heads, ffn_dim: as for `DecoderLayer`.
        checkpointing: as for `Encoder`.
        options: as for `DecoderLayer`. With `norm_first` a last normalisation follows the layers.

    Raises:
        TypeError, ValueError: as `DecoderLayer`.

    Source: Vaswani et al. 2017, section 3.1.

    Example:
        >>> import torch
        >>> decoder = Decoder(num_layers=3, embed_dim=6, num_heads=2, ffn_dim=24)
        >>> decoder(torch.randn(2, 5, 6), torch.randn(2, 7, 6)).shape
        torch.Size([2, 5, 6])
    """

    def __init__(
        self,
        *,
        num_layers: int,
        embed_dim: int,
        num_heads: int,
        ffn_dim: int,
        checkpointing: bool = False,
        **options: Any,
    ):
        super().__init__()
        require_integer("num_layers", num_layers, least=1)
        sizes = {"embed_dim": embed_dim, "num_heads": num_heads, "ffn_dim": ffn_dim}
        self.layers = nn.ModuleList(DecoderLayer(**sizes, **options) for _ in range(num_layers))
        self.norm = _last_norm(embed_dim, **options)
        self.checkpointing = checkpointing

    def start(self, memory: Float[Tensor, "batch source memory_dim"]) -> list[DecoderCache]:
        """Give each layer's cache before the first token."""
        return [layer.start(memory) for layer in self.layers]

    def forward(
        self,
        x: Float[Tensor, "batch target embed_dim"],
        memory: Float[Tensor, "batch source memory_dim"] | None = None,
        mask: Bool[Tensor, "..."] | None = None,
        memory_mask: Bool[Tensor, "..."] | None = None,
        *,
        padding_mask: Bool[Tensor, "batch target"] | None = None,
        memory_padding_mask: Bool[Tensor, "batch source"] | None = None,
        caches: list[DecoderCache] | None = None,
    ) -> Float[Tensor, "batch target embed_dim"]:
        """Give every token a vector that knows what is written before it and what was read.

        Args:
            x: (batch, target, embed_dim), embeddings with their positions.
            memory: (batch, source, memory_dim), what was read; not with caches, which hold it.
            mask, memory_mask, padding_mask, memory_padding_mask: as for `DecoderLayer`.
            caches: from `start`; then x are the tokens after those of earlier calls.

        Returns:
            (batch, target, embed_dim).
        """
        masks = {
            "mask": mask,
            "memory_mask": memory_mask,
            "padding_mask": padding_mask,
            "memory_padding_mask": memory_padding_mask,
        }
        for layer, cache in _with_caches(self.layers, caches):
            x = _run(layer, x, memory, cache=cache, checkpointing=self.checkpointing, **masks)
        return self.norm(x)


def _last_norm(
    embed_dim: int, norm_first: bool = False, norm_eps: float = 1e-5, **_: Any
) -> nn.Module:
    return nn.LayerNorm(embed_dim, eps=norm_eps) if norm_first else nn.Identity()


def _with_caches(
    layers: nn.ModuleList, caches: list | None
) -> Iterator[tuple[nn.Module, KeyValueCache | DecoderCache | None]]:
    """Give each layer with its cache, or with None where there are none."""
    caches = [None] * len(layers) if caches is None else caches
    if len(caches) != len(layers):
        raise ValueError(f"caches must be one for each of {len(layers)} layers, got {len(caches)}")
    return zip(layers, caches, strict=True)


def _run(
    layer: nn.Module, *inputs: Tensor | None, cache: Any, checkpointing: bool, **options: Any
) -> Tensor:
    """Call a layer; with checkpointing in training, so that the gradients compute it again."""
    # A layer with a cache is never computed again: it would append to it once more. Nor is one
    # that is recorded, which runs without the fused kernel now, and perhaps with it then.
    if checkpointing and layer.training and cache is None and not is_recorded(layer):
        return checkpoint(layer, *inputs, use_reentrant=False, **options)
    return layer(*inputs, cache=cache, **options)
