"""The layers of a Transformer (chapters 09 and 10).

An encoder layer, as in the paper with the norm after each sum, and with the norm first:

    x = norm(x + attention(x))                  x = x + attention(norm(x))
    x = norm(x + feed_forward(x))               x = x + feed_forward(norm(x))

A decoder layer also looks at what was read, between the two, and never at its own future:

    x = norm(x + cross_attention(x, memory))    x = x + cross_attention(norm(x), memory)
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor, nn

from attncourse.attention import KeyValueCache, MultiHeadAttention
from attncourse.checks import require_heads
from attncourse.positions import RotaryPositions
from attncourse.transformer.sublayers import FeedForward, Residual


class EncoderLayer(nn.Module):
    """Look around, then think: self-attention and a feed-forward network (chapter 09).

    With `causal=True` on a call it is a layer of a language model that writes, as GPT's.

    Args:
        embed_dim: width of a token.
        num_heads: heads of the attention.
        ffn_dim: width inside the feed-forward network.
        dropout: share of each sublayer's result that is dropped in training.
        norm_first: normalise before each sublayer, not after the sum.
        norm_eps: see `Residual`.
        activation: see `FeedForward`.
        bias: whether projections and network have biases.
        num_kv_heads: see `MultiHeadAttention`.
        rotary: whether queries and keys are turned by their positions.

    Raises:
        TypeError, ValueError: as its parts; on a call as `MultiHeadAttention`.

    Source: Vaswani et al. 2017, section 3.1, with dropout where section 5.4 has it: neither on the
    attention weights nor inside the network, where others have it too.

    Example:
        >>> import torch
        >>> EncoderLayer(6, num_heads=2, ffn_dim=24)(torch.randn(2, 3, 6)).shape
        torch.Size([2, 3, 6])
    """

    def __init__(
        self,
        embed_dim: int,
        *,
        num_heads: int,
        ffn_dim: int,
        dropout: float = 0.0,
        norm_first: bool = False,
        norm_eps: float = 1e-5,
        activation: str = "relu",
        bias: bool = True,
        num_kv_heads: int | None = None,
        rotary: bool = False,
    ):
        super().__init__()
        heads = {"num_heads": num_heads, "num_kv_heads": num_kv_heads, "bias": bias}
        add = {"dropout": dropout, "norm_first": norm_first, "norm_eps": norm_eps}
        self.attention = _self_attention(embed_dim, rotary, **heads)
        self.attention_residual = Residual(embed_dim, **add)
        self.feed_forward = FeedForward(
            embed_dim, ffn_dim=ffn_dim, activation=activation, bias=bias
        )
        self.feed_forward_residual = Residual(embed_dim, **add)

    def forward(
        self,
        x: Float[Tensor, "batch length embed_dim"],
        mask: Bool[Tensor, "..."] | None = None,
        *,
        padding_mask: Bool[Tensor, "batch length"] | None = None,
        causal: bool = False,
        cache: KeyValueCache | None = None,
    ) -> Float[Tensor, "batch length embed_dim"]:
        """Give every token a new vector.

        Args:
            x: (batch, length, embed_dim).
            mask: which tokens each may see: (query, key), (batch, query, key), or for each head
                (batch, heads, query, key).
            padding_mask: (batch, key), True at real tokens.
            causal, cache: as for `MultiHeadAttention`.

        Returns:
            (batch, length, embed_dim).
        """
        attention = partial(
            self.attention, mask=mask, padding_mask=padding_mask, causal=causal, cache=cache
        )
        x = self.attention_residual(x, attention)  # (batch, length, embed_dim)
        return self.feed_forward_residual(x, self.feed_forward)


class DecoderCache(NamedTuple):
    """What a `DecoderLayer` keeps while it writes (chapter 10).

    Attributes:
        written: of its self-attention, one key and value for each token written.
        memory: of its cross-attention, complete: those of the sentence that is read.
    """

    written: KeyValueCache
    memory: KeyValueCache


class DecoderLayer(nn.Module):
    """Look at what is written, look at what was read, think (chapter 10).

    Its self-attention never sees the future, in training and in evaluation alike.

    Args:
        embed_dim, num_heads, ffn_dim, dropout, norm_first, norm_eps: as for `EncoderLayer`.
        activation, bias, num_kv_heads, rotary: the same; the cross-attention is never rotary.
        memory_dim: width of the memory, by default `embed_dim`.

    Raises:
        TypeError: as its parts; on a call, if there is neither memory nor cache.
        ValueError: as its parts.

    Source: Vaswani et al. 2017, section 3.1.

    Example:
        >>> import torch
        >>> layer = DecoderLayer(6, num_heads=2, ffn_dim=24)
        >>> layer(torch.randn(2, 3, 6), torch.randn(2, 5, 6)).shape
        torch.Size([2, 3, 6])
    """

    def __init__(
        self,
        embed_dim: int,
        *,
        num_heads: int,
        ffn_dim: int,
        dropout: float = 0.0,
        norm_first: bool = False,
        norm_eps: float = 1e-5,
        activation: str = "relu",
        bias: bool = True,
        num_kv_heads: int | None = None,
        rotary: bool = False,
        memory_dim: int | None = None,
    ):
        super().__init__()
        heads = {"num_heads": num_heads, "num_kv_heads": num_kv_heads, "bias": bias}
        add = {"dropout": dropout, "norm_first": norm_first, "norm_eps": norm_eps}
        self.self_attention = _self_attention(embed_dim, rotary, **heads)
        self.self_attention_residual = Residual(embed_dim, **add)
        self.cross_attention = MultiHeadAttention(
            embed_dim, **heads, key_dim=memory_dim, value_dim=memory_dim
        )
        self.cross_attention_residual = Residual(embed_dim, **add)
        self.feed_forward = FeedForward(
            embed_dim, ffn_dim=ffn_dim, activation=activation, bias=bias
        )
        self.feed_forward_residual = Residual(embed_dim, **add)

    def start(self, memory: Float[Tensor, "batch source memory_dim"]) -> DecoderCache:
        """Give the cache before the first token: the memory projected, nothing written."""
        return DecoderCache(KeyValueCache(), self.cross_attention.project_memory(memory))

    def forward(
        self,
        x: Float[Tensor, "batch target embed_dim"],
        memory: Float[Tensor, "batch source memory_dim"] | None = None,
        mask: Bool[Tensor, "..."] | None = None,
        memory_mask: Bool[Tensor, "..."] | None = None,
        *,
        padding_mask: Bool[Tensor, "batch target"] | None = None,
        memory_padding_mask: Bool[Tensor, "batch source"] | None = None,
        cache: DecoderCache | None = None,
    ) -> Float[Tensor, "batch target embed_dim"]:
        """Give every token a new vector.

        Args:
            x: (batch, target, embed_dim).
            memory: (batch, source, memory_dim), what was read; not with a cache, which holds it.
            mask: which tokens of the target each may see, besides those after it, which it never
                sees: (target, target), (batch, target, target), or for each head.
            memory_mask: which of the memory: (target, source), (batch, target, source), or for each
                head.
            padding_mask: (batch, target), True at real tokens.
            memory_padding_mask: (batch, source), the same of the memory.
            cache: from `start`; then x are the tokens after those of earlier calls.

        Returns:
            (batch, target, embed_dim).
        """
        self_cache, memory_cache = _caches(memory, cache)
        self_attention = partial(
            self.self_attention, mask=mask, padding_mask=padding_mask, causal=True, cache=self_cache
        )
        cross_attention = partial(
            self.cross_attention,
            key=memory,
            mask=memory_mask,
            padding_mask=memory_padding_mask,
            cache=memory_cache,
        )
        x = self.self_attention_residual(x, self_attention)  # (batch, target, embed_dim)
        x = self.cross_attention_residual(x, cross_attention)
        return self.feed_forward_residual(x, self.feed_forward)


def _self_attention(
    embed_dim: int, rotary: bool, *, num_heads: int, **options: Any
) -> MultiHeadAttention:
    require_heads(embed_dim, num_heads)
    positions = RotaryPositions(embed_dim // num_heads) if rotary else None
    return MultiHeadAttention(embed_dim, num_heads=num_heads, rotary=positions, **options)


def _caches(
    memory: Tensor | None, cache: DecoderCache | None
) -> tuple[KeyValueCache | None, KeyValueCache | None]:
    """Give those of self-attention and cross-attention, if there are any."""
    if (memory is None) == (cache is None):
        got = "neither" if cache is None else "both"
        raise TypeError(f"give either memory or a cache from start(memory), got {got}")
    if cache is None:
        return None, None
    if not cache.memory.complete:
        raise ValueError("cache must come from start(memory), got one without the memory")
    return cache
