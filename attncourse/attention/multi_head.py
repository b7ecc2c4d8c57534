"""Multi-head attention (chapter 07): several attentions side by side, each on its own features.

For five sentences of three words, a width of 6 and two heads it is this:

    >>> import math, torch
    >>> layer = MultiHeadAttention(6, num_heads=2)
    >>> x = torch.randn(5, 3, 6)  # (batch, length, embed_dim)
    >>> projections = layer.query_projection, layer.key_projection, layer.value_projection
    >>> q, k, v = (project(x).unflatten(-1, (2, 3)).transpose(1, 2) for project in projections)
    >>> weights = (q @ k.mT / math.sqrt(3)).softmax(-1)  # (batch, heads, query, key)
    >>> heads = weights @ v  # (batch, heads, query, head_dim)
    >>> output = layer.output_projection(heads.transpose(1, 2).flatten(2))  # (batch, query, embed)

The layer does the same, and takes masks, other keys than its queries, and a cache:

    >>> torch.allclose(layer(x), output, atol=1e-6)
    True
"""

from __future__ import annotations

from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor, nn

from attncourse.attention.cache import KeyValueCache
from attncourse.attention.recording import AttentionLayer
from attncourse.checks import (
    require_bool,
    require_counted,
    require_dropout,
    require_heads,
    require_integer,
    require_mask,
    require_same_device,
    require_weights_kind,
)


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
        key_dim, value_dim: widths of key and value; by default `embed_dim`. Self-attention is
            impossible with another key width.
        rotary: turns queries and keys by their positions, `attncourse.positions.RotaryPositions`;
            for self-attention.

    Raises:
        TypeError: if a size is not an integer; on a call, if a tensor has another dtype than the
            weights, or a mask is not boolean.
        ValueError: if the sizes do not fit; on a call, if shapes disagree, a layer with `rotary`
            is given a key, or the cache is another layer's or batch's.

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
        *,
        num_heads: int,
        bias: bool = True,
        dropout: float = 0.0,
        num_kv_heads: int | None = None,
        key_dim: int | None = None,
        value_dim: int | None = None,
        rotary: nn.Module | None = None,
    ):
        super().__init__()
        self.embed_dim = embed_dim
        self.key_dim = embed_dim if key_dim is None else key_dim
        self.value_dim = embed_dim if value_dim is None else value_dim
        self.num_heads = num_heads
        self.num_kv_heads = num_heads if num_kv_heads is None else num_kv_heads
        require_heads(embed_dim, num_heads)
        for name in ("num_kv_heads", "key_dim", "value_dim"):
            require_integer(name, getattr(self, name), least=1)
        if num_heads % self.num_kv_heads:
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
        self.head_dim = embed_dim // num_heads
        self.dropout = dropout
        self.rotary = rotary
        kv_dim = self.num_kv_heads * self.head_dim
        self.query_projection = glorot_linear(embed_dim, embed_dim, bias)
        self.key_projection = glorot_linear(self.key_dim, kv_dim, bias)
        self.value_projection = glorot_linear(self.value_dim, kv_dim, bias)
        self.output_projection = glorot_linear(embed_dim, embed_dim, bias)

    def forward(
        self,
        query: Float[Tensor, "batch query embed_dim"],
        key: Float[Tensor, "batch key key_dim"] | None = None,
        value: Float[Tensor, "batch key value_dim"] | None = None,
        mask: Bool[Tensor, "..."] | None = None,
        *,
        padding_mask: Bool[Tensor, "batch key"] | None = None,
        causal: bool = False,
        cache: KeyValueCache | None = None,
    ) -> Float[Tensor, "batch query embed_dim"]:
        """Attend.

        Masks are True where attention is allowed; a pair must be allowed by all that are given.
        In their shapes, key counts what a cache holds as well.

        Args:
            query: (batch, query, embed_dim).
            key: (batch, key, key_dim); by default the query: self-attention.
            value: (batch, key, value_dim); by default the key.
            mask: (query, key), (batch, query, key) or (batch, heads, query, key), where an axis
                may be 1.
            padding_mask: (batch, key), True at real tokens, as the function `padding_mask` gives.
            causal: also hide each query's future; the last query stands at the last key.
            cache: gets the new keys and values, and gives those of earlier calls. A complete one,
                see `project_memory`, gives all there are.

        Returns:
            (batch, query, embed_dim).
        """
        self._require_inputs(query, key, value, cache)
        # Of q, k and v each is (batch, heads, length, head_dim).
        q = self._split_heads(self.query_projection(query))
        if self.rotary is not None:
            q = self.rotary(q, 0 if cache is None else len(cache))
        k, v = self._keys_and_values(query if key is None else key, value, cache)
        mask = self._join_masks(mask, padding_mask, q, k)  # (batch, heads, query, key)
        # softmax(q k^T / sqrt(head_dim)) v in each head, see `attncourse.attend`
        attended = self._attend_heads(q, k, v, mask, causal)  # (batch, heads, query, head_dim)
        if cache is not None:  # only now: a call that is refused leaves the cache as it was
            cache.commit(self, k, v)
        return self.output_projection(attended.transpose(1, 2).flatten(2))

    def project_memory(
        self,
        key: Float[Tensor, "batch key key_dim"],
        value: Float[Tensor, "batch key value_dim"] | None = None,
    ) -> KeyValueCache:
        """Project keys and values once, for many calls as `layer(query, cache=cache)`.

        Returns:
            A complete cache: the layer attends to what is in it, and appends nothing.
        """
        self._require_no_rotary()
        self._require_key_and_value(key, value)
        cache = KeyValueCache()
        cache.append(self, *self._project(key, value))
        cache.complete = True
        return cache

    def _keys_and_values(
        self, key: Tensor, value: Tensor | None, cache: KeyValueCache | None
    ) -> tuple[Tensor, Tensor]:
        """Give all that are attended to, (batch, kv_heads, key, head_dim): old ones and new."""
        if cache is None:
            return self._project(key, value)
        if cache.complete:
            return cache.read(self)
        return cache.reserve(self, *self._project(key, value, past=len(cache)))

    def _project(self, key: Tensor, value: Tensor | None, past: int = 0) -> tuple[Tensor, Tensor]:
        """Give key and value as (batch, kv_heads, length, head_dim)."""
        k = self._split_heads(self.key_projection(key))
        v = self._split_heads(self.value_projection(key if value is None else value))
        return (k if self.rotary is None else self.rotary(k, past)), v

    def _split_heads(self, x: Tensor) -> Tensor:
        """(batch, length, heads * head_dim) -> (batch, heads, length, head_dim)."""
        return x.unflatten(-1, (-1, self.head_dim)).transpose(1, 2)

    def _attend_heads(
        self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, causal: bool
    ) -> Tensor:
        """Attend with the query heads, several of which may share a head of key and value."""
        dropout = self.dropout if self.training else 0.0
        groups = self.num_kv_heads, self.num_heads // self.num_kv_heads
        if groups[1] > 1 and q.shape[2] == 1 and not self._recordings:
            # The queries that share a key head are rows of one product, which reads each key once.
            # It needs no causal mask: the only query is the last.
            rows = q.squeeze(2).unflatten(1, groups)  # (batch, kv_heads, group, head_dim)
            if mask is not None and mask.dim() == 4 and mask.shape[1] > 1:  # one for each head
                mask = mask.squeeze(2).unflatten(1, groups)
            return self.attend(rows, k, v, mask, dropout=dropout).flatten(1, 2).unsqueeze(2)
        if groups[1] > 1:
            k, v = k.repeat_interleave(groups[1], 1), v.repeat_interleave(groups[1], 1)
        return self.attend(q, k, v, mask, causal=causal, dropout=dropout)

    def _join_masks(
        self, mask: Tensor | None, padding_mask: Tensor | None, q: Tensor, k: Tensor
    ) -> Tensor | None:
        """Give one mask that broadcasts to (batch, heads, query, key), or None."""
        (batch, heads, queries), keys = q.shape[:3], k.shape[2]
        if k.shape[0] != batch:  # len(k) would fix the batch of what is exported
            raise ValueError(f"query and key disagree in batch: {batch} and {k.shape[0]}")
        if mask is not None:
            for_all_heads = isinstance(mask, Tensor) and mask.dim() == 3
            shape = (batch, queries, keys) if for_all_heads else (batch, heads, queries, keys)
            require_mask(mask, shape, padding="give it as padding_mask")
            require_same_device("mask", q, mask)
            mask = mask[:, None] if for_all_heads else mask
        if padding_mask is None:
            return mask
        require_counted("padding_mask", padding_mask, (batch, keys), "(batch, key)")
        require_same_device("padding_mask", q, padding_mask)
        padding_mask = padding_mask[:, None, None]
        return padding_mask if mask is None else mask & padding_mask

    def _require_inputs(
        self, query: Any, key: Any, value: Any, cache: KeyValueCache | None
    ) -> None:
        if cache is not None and not isinstance(cache, KeyValueCache):
            raise TypeError(f"cache must be a KeyValueCache, got {type(cache).__name__}")
        _require_projectable("query", query, self.embed_dim, self.query_projection)
        complete = cache is not None and cache.complete
        if key is None and value is not None:
            raise TypeError("value came without a key: give both, or neither")
        if key is not None and complete:
            raise ValueError(
                f"cache is complete, its {len(cache)} keys were projected before: give no key to a "
                "layer that is called with it"
            )
        if key is not None or complete:
            self._require_no_rotary()
        if not complete:
            self._require_key_and_value(query if key is None else key, value)

    def _require_no_rotary(self) -> None:
        if self.rotary is not None:
            raise ValueError(
                "rotary is for self-attention, where query and key count the same positions: give "
                "no key and no complete cache"
            )

    def _require_key_and_value(self, key: Any, value: Any) -> None:
        value = key if value is None else value
        _require_projectable("key", key, self.key_dim, self.key_projection)
        _require_projectable("value", value, self.value_dim, self.value_projection)
        if key.shape[:2] != value.shape[:2]:
            raise ValueError(
                "key and value disagree in (batch, length): "
                f"{tuple(key.shape[:2])} and {tuple(value.shape[:2])}"
            )

    def extra_repr(self) -> str:
        shared = "" if self.num_kv_heads == self.num_heads else f", kv {self.num_kv_heads}"
        return f"heads={self.num_heads}{shared}, head_dim={self.head_dim}"


def glorot_linear(width: int, new_width: int, bias: bool) -> nn.Linear:
    """Make a linear layer whose output is about as large as its input, whichever is wider.

    Glorot and Bengio's initialisation, as in the authors' own code; a bias begins at zero.
    """
    layer = nn.Linear(width, new_width, bias=bias)
    nn.init.xavier_uniform_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def _require_projectable(name: str, tensor: Any, width: int, projection: nn.Module) -> None:
    """Refuse what is not (batch, length, width), of the projection's dtype and device."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(tensor).__name__}")
    if tensor.dim() != 3 or tensor.shape[-1] != width:
        raise ValueError(
            f"{name} must be (batch, length, {width}), got shape {tuple(tensor.shape)}"
        )
    require_weights_kind(name, tensor, projection, of="the layer's weights")
