"""The layers of a Transformer (chapters 09 and 10): attention, a network for each token, and what
holds them together."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from attncourse.attention import KeyValueCache, MultiHeadAttention
from attncourse.attention.multi_head import glorot_linear
from attncourse.checks import require_bool, require_dropout, require_integer, require_same_kind
from attncourse.positions import RotaryPositions

ACTIVATIONS = {"relu": F.relu, "gelu": F.gelu, "silu": F.silu}


class FeedForward(nn.Module):
    r"""The same small network for every token (chapter 09, eq. 9.1).

    $$\operatorname{FFN}(x) = W_2\, a(W_1 x + b_1) + b_2$$

    Args:
        embed_dim: width of a token.
        ffn_dim: width in between.
        activation: a, "relu", "gelu" or "silu".
        bias: whether there are b_1 and b_2.

    Raises:
        TypeError: if a width is not an integer; on a call, if x has another dtype than the weights.
        ValueError: if a width is not positive, or the activation is unknown; on a call, if x has
            another width.

    Source: Vaswani et al. 2017, section 3.3, with "relu".

    Example:
        >>> import torch
        >>> FeedForward(6, ffn_dim=24)(torch.randn(2, 3, 6)).shape
        torch.Size([2, 3, 6])
    """

    def __init__(
        self, embed_dim: int, *, ffn_dim: int, activation: str = "relu", bias: bool = True
    ):
        super().__init__()
        require_integer("embed_dim", embed_dim, least=1)
        require_integer("ffn_dim", ffn_dim, least=1)
        if activation not in tuple(ACTIVATIONS):
            raise ValueError(
                f"activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}"
            )
        self.activation = activation
        self.expand = glorot_linear(embed_dim, ffn_dim, bias)
        self.contract = glorot_linear(ffn_dim, embed_dim, bias)

    def forward(self, x: Float[Tensor, "*batch embed_dim"]) -> Float[Tensor, "*batch embed_dim"]:
        """Apply it to each (..., embed_dim)."""
        _require_input(x, self.expand.weight)
        return self.contract(ACTIVATIONS[self.activation](self.expand(x)))


class Residual(nn.Module):
    r"""Add a sublayer's result to its input, with layer normalisation (chapter 09, eq. 9.3).

    $$\operatorname{norm}(x + f(x)) \quad\text{or, norm first,}\quad x + f(\operatorname{norm}(x))$$

    Args:
        embed_dim: width of a token.
        dropout: share of f's result that is dropped in training.
        norm_first: normalise what goes in, not what comes out.
        norm_eps: what is added to the variance.

    Raises:
        TypeError: if `embed_dim` is not an integer, or `dropout` or `norm_eps` no number; on a
            call, if x has another dtype than the weights.
        ValueError: if `embed_dim` is not positive, `dropout` not in [0, 1), or `norm_eps` negative
            or infinite; on a call, if x has another width.

    Source: Vaswani et al. 2017, sections 3.1 and 5.4, normalise what comes out; Xiong et al. 2020
    compare both.

    Example:
        >>> import torch
        >>> add = Residual(2, norm_first=True)
        >>> add(torch.tensor([[3.0, 5.0]]), lambda x: 10 * x)  # normalised: -1 and 1
        tensor([[-7.0000, 15.0000]], grad_fn=<AddBackward0>)
    """

    def __init__(
        self,
        embed_dim: int,
        *,
        dropout: float = 0.0,
        norm_first: bool = False,
        norm_eps: float = 1e-5,
    ):
        super().__init__()
        require_integer("embed_dim", embed_dim, least=1)
        require_dropout(dropout)
        _require_eps(norm_eps)
        self.norm = nn.LayerNorm(embed_dim, eps=norm_eps)
        self.dropout = nn.Dropout(dropout)
        require_bool("norm_first", norm_first)
        self.norm_first = norm_first

    def forward(
        self, x: Float[Tensor, "*batch embed_dim"], sublayer: Callable[[Tensor], Tensor]
    ) -> Float[Tensor, "*batch embed_dim"]:
        """Give the sum for x (..., embed_dim) and a function that keeps its shape."""
        _require_input(x, self.norm.weight)
        if self.norm_first:
            return x + self.dropout(_same_shape(x, sublayer(self.norm(x))))
        return self.norm(x + self.dropout(_same_shape(x, sublayer(x))))


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
        add = {"dropout": dropout, "norm_first": norm_first, "norm_eps": norm_eps}
        self.attention = _self_attention(embed_dim, num_heads, bias, num_kv_heads, rotary)
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
        causal: bool = False,
        cache: KeyValueCache | None = None,
    ) -> Float[Tensor, "batch length embed_dim"]:
        """Give every token a new vector.

        Args:
            x: (batch, length, embed_dim).
            mask, causal, cache: as for `MultiHeadAttention`.

        Returns:
            (batch, length, embed_dim).
        """
        x = self.attention_residual(
            x, lambda x: self.attention(x, mask=mask, causal=causal, cache=cache)
        )
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
        add = {"dropout": dropout, "norm_first": norm_first, "norm_eps": norm_eps}
        self.self_attention = _self_attention(embed_dim, num_heads, bias, num_kv_heads, rotary)
        self.self_attention_residual = Residual(embed_dim, **add)
        self.cross_attention = MultiHeadAttention(
            embed_dim,
            num_heads=num_heads,
            bias=bias,
            num_kv_heads=num_kv_heads,
            key_dim=memory_dim,
            value_dim=memory_dim,
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
        cache: DecoderCache | None = None,
    ) -> Float[Tensor, "batch target embed_dim"]:
        """Give every token a new vector.

        Args:
            x: (batch, target, embed_dim).
            memory: (batch, source, memory_dim), what was read; not with a cache, which holds it.
            mask: what else x may not see of itself, besides its future.
            memory_mask: what it may see of the memory; both as for `MultiHeadAttention`.
            cache: from `start`; then x are the tokens after those of earlier calls.

        Returns:
            (batch, target, embed_dim).
        """
        if (memory is None) == (cache is None):
            got = "neither" if cache is None else "both"
            raise TypeError(f"give either memory or a cache from start(memory), got {got}")
        written, read = (None, None) if cache is None else cache
        if read is not None and not read.complete:
            raise ValueError("cache must come from start(memory), got one without the memory")
        x = self.self_attention_residual(
            x, lambda x: self.self_attention(x, mask=mask, causal=True, cache=written)
        )
        x = self.cross_attention_residual(
            x, lambda x: self.cross_attention(x, memory, mask=memory_mask, cache=read)
        )
        return self.feed_forward_residual(x, self.feed_forward)


def _self_attention(
    embed_dim: int, num_heads: int, bias: bool, num_kv_heads: int | None, rotary: bool
) -> MultiHeadAttention:
    attention = MultiHeadAttention(
        embed_dim, num_heads=num_heads, bias=bias, num_kv_heads=num_kv_heads
    )
    if rotary:
        attention.rotary = RotaryPositions(attention.head_dim)
    return attention


def _require_input(x: Tensor, weight: Tensor) -> None:
    """Refuse what is not (..., width), as wide as the weight's last axis, and of its kind."""
    if not isinstance(x, Tensor):
        raise TypeError(f"x must be a tensor, got {type(x).__name__}")
    if x.shape[-1:] != weight.shape[-1:]:
        raise ValueError(f"x must be (..., {weight.shape[-1]}), got shape {tuple(x.shape)}")
    require_same_kind("x", weight, x, of="the layer's weights")


def _same_shape(x: Tensor, result: Tensor) -> Tensor:
    if result.shape != x.shape:
        raise ValueError(
            f"sublayer must keep the shape {tuple(x.shape)}, gave {tuple(result.shape)}"
        )
    return result


def _require_eps(norm_eps: float) -> None:
    if isinstance(norm_eps, bool) or not isinstance(norm_eps, (int, float)):
        raise TypeError(f"norm_eps must be a number, got {type(norm_eps).__name__}")
    if not 0 <= norm_eps < math.inf:
        raise ValueError(f"norm_eps must be finite and not negative, got {norm_eps}")
