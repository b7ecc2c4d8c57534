"""Layers on layers (chapters 09 and 10): the encoder and the decoder of a Transformer."""

from __future__ import annotations

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
        self.norm = _last_norm(embed_dim, options)
        self.checkpointing = checkpointing

    def forward(
        self,
        x: Float[Tensor, "batch length embed_dim"],
        mask: Bool[Tensor, "..."] | None = None,
        *,
        causal: bool = False,
        caches: list[KeyValueCache] | None = None,
    ) -> Float[Tensor, "batch length embed_dim"]:
        """Give every token a vector that knows its sentence.

        Args:
            x: (batch, length, embed_dim), embeddings with their positions.
            mask, causal: as for `MultiHeadAttention`.
            caches: one for each layer, for a model that writes.

        Returns:
            (batch, length, embed_dim).
        """
        _require_caches(caches, self.layers)
        for i, layer in enumerate(self.layers):
            cache = None if caches is None else caches[i]
            x = _call(self, layer, x, mask, causal=causal, cache=cache)
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
        self.norm = _last_norm(embed_dim, options)
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
        caches: list[DecoderCache] | None = None,
    ) -> Float[Tensor, "batch target embed_dim"]:
        """Give every token a vector that knows what is written before it and what was read.

        Args:
            x: (batch, target, embed_dim), embeddings with their positions.
            memory, mask, memory_mask: as for `DecoderLayer`.
            caches: from `start`; then there is no memory, and x are the tokens that follow.

        Returns:
            (batch, target, embed_dim).
        """
        _require_caches(caches, self.layers)
        for i, layer in enumerate(self.layers):
            cache = None if caches is None else caches[i]
            x = _call(self, layer, x, memory, mask, memory_mask, cache=cache)
        return self.norm(x)


def _last_norm(embed_dim: int, options: dict[str, Any]) -> nn.Module:
    """With the norm first, nothing has normalised the last sum."""
    if not options.get("norm_first", False):
        return nn.Identity()
    return nn.LayerNorm(embed_dim, eps=options.get("norm_eps", 1e-5))


def _require_caches(caches: list | None, layers: nn.ModuleList) -> None:
    if caches is not None and len(caches) != len(layers):
        raise ValueError(f"caches must be one for each of {len(layers)} layers, got {len(caches)}")


def _call(stack: nn.Module, layer: nn.Module, *inputs: Any, cache: Any, **options: Any) -> Tensor:
    options["cache"] = cache
    again = stack.checkpointing and stack.training
    # A layer with a cache is never computed again: it would append to it once more. Nor is one
    # that is recorded, which runs without the fused kernel now, and perhaps with it then.
    if not again or cache is not None or is_recorded(layer):
        return layer(*inputs, **options)
    return checkpoint(layer, *inputs, use_reentrant=False, **options)
