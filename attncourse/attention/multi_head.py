"""Multi-head attention (chapter 07): several attentions side by side, each on its own features."""

from __future__ import annotations

from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor, nn

from attncourse.attention.cache import KeyValueCache
from attncourse.attention.recording import AttentionLayer
from attncourse.checks import require_bool, require_dropout, require_integer, require_same_kind


class MultiHeadAttention(AttentionLayer):
    r"""Attend with several heads, each to its own projections (chapter 07, eq. 7.2).

    $$\operatorname{MultiHead}(Q, K, V) = [\mathrm{head}_1; \dots; \mathrm{head}_h]\, W^O, \quad
      \mathrm{head}_i = \operatorname{attend}(Q W^Q_i, K W^K_i, V W^V_i)$$

    The matrices of all heads stand side by side in one: a head is a slice of the projected
    features, never of the words.

    Args:
        embed_dim: width of query and output.
        num_heads: number of heads, which divides `embed_dim`; each is `embed_dim / num_heads` wide.
        bias: whether the projections have one.
        dropout: share of the weights that is dropped in training.
        num_kv_heads: number of heads of key and value, a divisor of `num_heads`, each shared by as
            many query heads; by default `num_heads`.
        key_dim, value_dim: widths of key and value; by default `embed_dim`.
        rotary: turns queries and keys by their positions, `attncourse.positions.RotaryPositions`;
            for self-attention.

    Raises:
        TypeError: if a size is not an integer; on a call, if a tensor has another dtype than the
            weights.
        ValueError: if the sizes do not fit; on a call, if shapes disagree, `rotary` meets a key
            that is not the query, or the cache is another layer's or batch's.

    Source: Vaswani et al. 2017, section 3.2.2, where the projections have no bias, and d_k = d_v =
    `embed_dim / num_heads`. Fewer key heads: Shazeer 2019 (one), Ainslie et al. 2023 (some).

    Example:
        >>> import torch
        >>> layer = MultiHeadAttention(6, num_heads=2)
        >>> layer(torch.randn(5, 3, 6), torch.randn(5, 7, 6)).shape
        torch.Size([5, 3, 6])
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        *,
        bias: bool = True,
        dropout: float = 0.0,
        num_kv_heads: int | None = None,
        key_dim: int | None = None,
        value_dim: int | None = None,
        rotary: nn.Module | None = None,
    ):
        super().__init__()
        key_dim = embed_dim if key_dim is None else key_dim
        value_dim = embed_dim if value_dim is None else value_dim
        num_kv_heads = num_heads if num_kv_heads is None else num_kv_heads
        for name, size in {
            "embed_dim": embed_dim,
            "num_heads": num_heads,
            "num_kv_heads": num_kv_heads,
            "key_dim": key_dim,
            "value_dim": value_dim,
        }.items():
            require_integer(name, size, least=1)
        if embed_dim % num_heads:
            raise ValueError(f"num_heads must divide embed_dim, got {num_heads} and {embed_dim}")
        if num_heads % num_kv_heads:
            raise ValueError(
                f"num_kv_heads must divide num_heads, got {num_kv_heads} and {num_heads}"
            )
        require_dropout(dropout)
        require_bool("bias", bias)
        if rotary is not None and not isinstance(rotary, nn.Module):
            raise TypeError(
                "rotary must be a module, such as RotaryPositions(head_dim), "
                f"got {type(rotary).__name__}"
            )
        self.embed_dim = embed_dim
        self.num_heads = num_heads
        self.num_kv_heads = num_kv_heads
        self.head_dim = embed_dim // num_heads
        self.dropout = dropout
        self.rotary = rotary
        kv_dim = num_kv_heads * self.head_dim
        self.query_projection = projection(embed_dim, embed_dim, bias)
        self.key_projection = projection(key_dim, kv_dim, bias)
        self.value_projection = projection(value_dim, kv_dim, bias)
        self.output_projection = projection(embed_dim, embed_dim, bias)

    def forward(
        self,
        query: Float[Tensor, "batch query embed_dim"],
        key: Float[Tensor, "batch key key_dim"] | None = None,
        value: Float[Tensor, "batch key value_dim"] | None = None,
        mask: Bool[Tensor, "..."] | None = None,
        *,
        causal: bool = False,
        cache: KeyValueCache | None = None,
    ) -> Float[Tensor, "batch query embed_dim"]:
        """Attend.

        Args:
            query: (batch, query, embed_dim).
            key: (batch, key, key_dim); by default the query: self-attention.
            value: (batch, key, value_dim); by default the key.
            mask: True where attention is allowed: (query, key), (batch, query, key) or (batch,
                heads, query, key), where an axis may be 1. A padding mask (batch, key) enters as
                `mask[:, None]`. With a cache, key counts what is in it as well.
            causal: also hide each query's future; the last query stands at the last key.
            cache: gets the new keys and values, and gives those of earlier calls. A complete one,
                see `project`, gives all there are.

        Returns:
            (batch, query, embed_dim).
        """
        self._require("query", query, self.query_projection)
        if cache is not None and not isinstance(cache, KeyValueCache):
            raise TypeError(f"cache must be a KeyValueCache, got {type(cache).__name__}")
        past = len(cache) if cache is not None and not cache.complete else 0
        grows = False
        if cache is not None and cache.complete and key is None and value is None:
            cache.require_owner(self)
            key, value = cache.key, cache.value
        else:
            key, value = self._key_and_value(query, key, value, past)
            if cache is not None:
                key, value = cache.joined(self, key, value)
                grows = True
        if len(query) != len(key):
            raise ValueError(f"query and key disagree in batch: {len(query)} and {len(key)}")
        if isinstance(mask, Tensor) and mask.dim() == 3:
            mask = mask[:, None]  # the same for all heads
        query = self._heads(self.query_projection(query))
        if self.rotary is not None:
            query = self.rotary(query, past)
        attended = self.attend(
            query,
            self._shared(key),
            self._shared(value),
            mask,
            causal=causal,
            dropout=self.dropout if self.training else 0.0,
        )
        if grows:  # only now: a call that is refused leaves the cache as it was
            cache.hold(self, key, value)
        # (batch, heads, query, head_dim) -> (batch, query, heads * head_dim)
        return self.output_projection(attended.transpose(1, 2).flatten(2))

    def project(
        self,
        key: Float[Tensor, "batch key key_dim"],
        value: Float[Tensor, "batch key value_dim"] | None = None,
    ) -> KeyValueCache:
        """Project keys and values once, for many calls as `layer(query, cache=cache)`.

        Returns:
            A complete cache: the layer attends to what is in it, and appends nothing.
        """
        cache = KeyValueCache()
        cache.append(self, *self._key_and_value(None, key, value, 0))
        cache.complete = True
        return cache

    def _key_and_value(
        self, query: Tensor | None, key: Tensor | None, value: Tensor | None, past: int
    ) -> tuple[Tensor, Tensor]:
        """Give both, (batch, kv_heads, key, head_dim)."""
        if self.rotary is not None and key is not None and key is not query:
            raise ValueError(
                "rotary is for self-attention: a key that is not the query counts other positions"
            )
        if key is None:
            if value is not None:
                raise TypeError("value came without a key: give both, or neither")
            key = query
        value = key if value is None else value
        self._require("key", key, self.key_projection)
        self._require("value", value, self.value_projection)
        if key.shape[:2] != value.shape[:2]:
            raise ValueError(
                "key and value disagree in (batch, length): "
                f"{tuple(key.shape[:2])} and {tuple(value.shape[:2])}"
            )
        key = self._heads(self.key_projection(key))
        if self.rotary is not None:
            key = self.rotary(key, past)
        return key, self._heads(self.value_projection(value))

    def _heads(self, projected: Tensor) -> Tensor:
        """(batch, length, heads * head_dim) -> (batch, heads, length, head_dim)."""
        return projected.unflatten(-1, (-1, self.head_dim)).transpose(1, 2)

    def _shared(self, tensor: Tensor) -> Tensor:
        """Repeat each head of key or value for the query heads that share it."""
        group = self.num_heads // self.num_kv_heads
        return tensor if group == 1 else tensor.repeat_interleave(group, 1)

    @staticmethod
    def _require(name: str, tensor: Any, reader: nn.Linear) -> None:
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name} must be a tensor, got {type(tensor).__name__}")
        if tensor.dim() != 3 or tensor.shape[-1] != reader.in_features:
            raise ValueError(
                f"{name} must be (batch, length, {reader.in_features}), "
                f"got shape {tuple(tensor.shape)}"
            )
        require_same_kind(name, reader.weight, tensor, of="the layer's weights")

    def extra_repr(self) -> str:
        shared = "" if self.num_kv_heads == self.num_heads else f", kv {self.num_kv_heads}"
        return f"heads={self.num_heads}{shared}, head_dim={self.head_dim}"


def projection(width: int, new_width: int, bias: bool) -> nn.Linear:
    """Make a linear layer whose output is about as large as its input, whichever is wider.

    Glorot and Bengio's initialisation, as in the authors' own code; a bias begins at zero.
    """
    layer = nn.Linear(width, new_width, bias=bias)
    nn.init.xavier_uniform_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer
