"""Attention for long inputs (chapter 19): without a weight for every pair, or without all at once.

Plain attention compares every query with every key: twice the length, four times the pairs. The
functions here take what `attend` takes, and never hold all pairs:

| function | equal to | pairs computed |
|---|---|---|
| `sliding_window` | `attend` with a `window_mask` | those in the window |
| `online_softmax_attention` | `attend` | all, a block at a time |
| `linear_attention` | its own softmax-free formula | none: keys and values are summed up first |

The last works since a product may be bracketed otherwise. Without a softmax,

    >>> query, key, value = torch.rand(7, 3), torch.rand(7, 3), torch.rand(7, 2)
    >>> pairs_first = (query @ key.mT) @ value  # (7, 7) pairs between
    >>> keys_first = query @ (key.mT @ value)  # (3, 2) sums between, whatever the length
    >>> torch.allclose(pairs_first, keys_first)
    True
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from attncourse.attention.functional import attend, require_scale
from attncourse.checks import (
    require_bool,
    require_integer,
    require_mask,
    require_pair,
    require_same_device,
    require_value,
)
from attncourse.scores import product, scaled_dot_product, widen

LEAST_BLOCK = 64  # with fewer queries in a block, a kernel has too little to do


def sliding_window(
    query: Float[Tensor, "*batch query width"],
    key: Float[Tensor, "*batch key width"],
    value: Float[Tensor, "*batch key value_width"],
    mask: Bool[Tensor, "..."] | None = None,
    *,
    window: int,
    causal: bool = False,
    scale: float | None = None,
) -> Float[Tensor, "*batch query value_width"]:
    """Attend to the keys that are less than `window` places away (chapter 19).

    It gives what `attend` gives with `window_mask`, and takes time and memory in proportion to the
    length: the queries are cut into blocks, and each block meets only the keys around it.

    Args:
        query, key, value: as for `attend`. The ends of queries and keys are aligned.
        mask: boolean, of keys only: broadcastable to (..., 1, key). A padding mask (batch, key)
            enters as `mask[:, None, :]`, with heads as `mask[:, None, None, :]`.
        window: how many keys a query sees on each side, its own counted; 1 is its own alone.
        causal: also hide each query's future.
        scale: factor of the scores, by default `1 / sqrt(width)`.

    Returns:
        (..., query, value_width), in the dtype of the query. A query that may attend to nothing
        gets zeros.

    Raises:
        TypeError: as `attend`, or if `window` is not an integer.
        ValueError: as `attend`, if `window` is not positive, or the mask has an axis of queries.

    Source: Beltagy et al. 2020, section 3.1 (there the window is the width of both sides).

    Example:
        >>> query, value = torch.zeros(4, 1), torch.tensor([[1.0], [3.0], [5.0], [7.0]])
        >>> sliding_window(query, query, value, window=2, causal=True).squeeze(-1)
        tensor([1., 2., 4., 6.])
    """
    _require_inputs(query, key, value, mask, causal, scale)
    require_integer("window", window, least=1)
    _require_keys_only(mask)
    (*batch, queries, _), keys = query.shape, key.shape[-2]
    if not queries or not keys:
        return attend(query, key, value, scale=scale)
    window = min(window, max(queries, keys))  # no key is further away
    block = min(max(window, LEAST_BLOCK), queries)
    blocks = -(-queries // block)
    before, behind = window - 1, 0 if causal else window - 1
    span = before + block + behind  # as many keys as a block of queries meets
    # Pad the keys, or cut off those that nobody sees: the span of block i begins at i * block.
    left = before - (keys - queries)
    padding = left, (blocks - 1) * block + span - left - keys
    q = F.pad(query, (0, 0, 0, blocks * block - queries))
    q = q.reshape(math.prod(batch), blocks, block, query.shape[-1])
    k, v = (_spans(x, padding, span, block) for x in (key, value))
    # In a span the first query's window begins at 0, the next one's at 1, and so on.
    near = torch.ones(block, span, dtype=torch.bool, device=q.device)
    near = near.triu().tril(before + behind)  # (block, span)
    real = near.new_ones(1, 1, keys) if mask is None else mask.expand(*batch, 1, keys)
    real = _spans(real.mT, padding, span, block).mT  # (batch or 1, blocks, 1, span)
    attended = attend(q, k, v, near & real, scale=scale)  # (batch, blocks, block, value_width)
    return attended.reshape(*batch, blocks * block, value.shape[-1])[..., :queries, :]


def online_softmax_attention(
    query: Float[Tensor, "*batch query width"],
    key: Float[Tensor, "*batch key width"],
    value: Float[Tensor, "*batch key value_width"],
    mask: Bool[Tensor, "..."] | None = None,
    *,
    causal: bool = False,
    scale: float | None = None,
    block: int = 256,
) -> Float[Tensor, "*batch query value_width"]:
    r"""Attend block by block, with a softmax that is corrected as keys come (chapter 19).

    After some keys there are the largest score $m$, the sum $s$ of the exponentials, and their
    sum with the values, $o$. A block of keys with a larger score shrinks both sums:

    $$m' = \max(m, \max_j s_j), \quad s' = s\, e^{m - m'} + \sum_j e^{s_j - m'}, \quad
      o' = o\, e^{m - m'} + \sum_j e^{s_j - m'} v_j$$

    At the end $o / s$ is what `attend` gives. It is how the fused kernels work: only the pairs of
    one block of queries and one of keys are ever there. (While gradients are recorded, what is
    needed for them is kept, of all pairs; the kernels compute it anew.)

    Args:
        query, key, value, mask, causal, scale: as for `attend`.
        block: how many queries and keys are taken at a time.

    Returns:
        (..., query, value_width), in the dtype of the query. A query that may attend to nothing
        gets zeros.

    Raises:
        TypeError: as `attend`, or if `block` is not an integer.
        ValueError: as `attend`, or if `block` is not positive.

    Source: Milakov and Gimelshein 2018, algorithm 3, for the softmax; Rabe and Staats 2021 and Dao
    et al. 2022 for attention.

    Example:
        >>> query, key, value = torch.randn(5, 3), torch.randn(7, 3), torch.randn(7, 2)
        >>> output = online_softmax_attention(query, key, value, block=2)
        >>> torch.allclose(output, attend(query, key, value), atol=1e-6)
        True
    """
    _require_inputs(query, key, value, mask, causal, scale)
    require_integer("block", block, least=1)
    queries, keys = query.shape[-2], key.shape[-2]
    if not queries or not keys:
        return attend(query, key, value, scale=scale)
    ahead, outputs = keys - queries, []  # where the first query stands
    for row, q in _blocks(query, block):
        largest = q.new_full((*q.shape[:-1], 1), -torch.inf, dtype=widen(q).dtype)
        total = torch.zeros_like(largest)  # of the exponentials, (..., rows, 1)
        output = total.expand(*q.shape[:-1], value.shape[-1])  # (..., rows, value_width)
        for (column, k), (_, v) in zip(_blocks(key, block), _blocks(value, block), strict=True):
            rows, columns = q.shape[-2], k.shape[-2]
            if causal and column >= row + rows + ahead:
                break  # all keys from here on are in the future
            scores = scaled_dot_product(q, k, scale)  # (..., rows, columns)
            if mask is not None:
                allowed = _tile(mask, row, rows, column, columns)
                scores = scores.masked_fill(~allowed, -torch.inf)
            if causal:
                future = torch.ones(rows, columns, dtype=torch.bool, device=q.device)
                scores = scores.masked_fill(future.triu(row + ahead - column + 1), -torch.inf)
            before, largest = largest, torch.maximum(largest, scores.detach().amax(-1, True))
            # Where nothing was seen yet, minus infinity less itself would be NaN.
            base = largest.masked_fill(largest == -torch.inf, 0.0)
            shrink, weights = (before - base).exp(), (scores - base).exp()
            total = total * shrink + weights.sum(-1, keepdim=True)
            output = output * shrink + product(weights, v)
        outputs.append(output / total.masked_fill(total == 0, 1.0))
    return torch.cat(outputs, -2).to(query.dtype)


def linear_attention(
    query: Float[Tensor, "*batch query width"],
    key: Float[Tensor, "*batch key width"],
    value: Float[Tensor, "*batch key value_width"],
    mask: Bool[Tensor, "..."] | None = None,
    *,
    causal: bool = False,
    block: int = 64,
) -> Float[Tensor, "*batch query value_width"]:
    r"""Attend without a softmax, so that keys and values can be summed up first (chapter 19).

    $$o_i = \frac{\phi(q_i)^\top \sum_j \phi(k_j)\, v_j^\top}{\phi(q_i)^\top \sum_j \phi(k_j)},
      \qquad \phi(x) = \operatorname{elu}(x) + 1$$

    The sums have one size whatever the length. They are also all that is known of the keys: as many
    can be told apart as `width` leaves room for. The weights are others than `attend`'s.

    Args:
        query, key, value: as for `attend`.
        mask: boolean, of keys only: broadcastable to (..., 1, key), as a padding mask
            `mask[:, None, :]`. One for single pairs cannot be obeyed: all queries share the sums.
        causal: each query sums only its own key and those before it; the ends are aligned.
        block: if causal, so many keys are summed up at a time.

    Returns:
        (..., query, value_width), in the dtype of the query. A query that may attend to nothing
        gets zeros.

    Raises:
        TypeError: as `attend`, or if `block` is not an integer.
        ValueError: as `attend`, if `block` is not positive, or the mask has an axis of queries.

    Source: Katharopoulos et al. 2020, sections 3.2 and 3.3, equations 5 to 12.

    Example:
        >>> query, key = torch.tensor([[0.0]]), torch.tensor([[0.0], [2.0]])  # phi: 1, and 1 and 3
        >>> linear_attention(query, key, torch.tensor([[4.0], [8.0]]))
        tensor([[7.]])
    """
    _require_inputs(query, key, value, mask, causal)
    require_integer("block", block, least=1)
    _require_keys_only(mask)
    q, k = positive_features(query), positive_features(key)
    if mask is not None:
        k = k.masked_fill(~torch.atleast_2d(mask).mT, 0.0)
    v = F.pad(widen(value), (0, 1), value=1.0)  # one feature more: it sums the weights themselves
    sums = _causal_sums(q, k, v, block) if causal else product(q, product(k.mT, v))
    total = sums[..., -1:]
    return (sums[..., :-1] / total.masked_fill(total == 0, 1.0)).to(query.dtype)


def positive_features(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Give elu(x) + 1, in float32 at least: positive, as a weight must be (chapter 19).

    Source: Katharopoulos et al. 2020, equation 7.

    Example:
        >>> positive_features(torch.tensor([-torch.inf, 0.0, 2.0]))
        tensor([0., 1., 3.])
    """
    x = widen(x)
    # elu(x) is exp(x) - 1 below zero; the ones would cancel, and digits with them.
    return torch.where(x > 0, x + 1, x.clamp(max=0).exp())


def _spans(x: Tensor, padding: tuple[int, int], span: int, step: int) -> Tensor:
    """(..., length, width) -> (batch, spans, span, width), a view of what was padded."""
    x = F.pad(x.reshape(math.prod(x.shape[:-2]), *x.shape[-2:]), (0, 0, *padding))
    return x.unfold(-2, span, step).mT


def _causal_sums(q: Tensor, k: Tensor, v: Tensor, block: int) -> Tensor:
    """Give, for each query, the values up to it, weighted by q k^T: (..., query, value_width)."""
    queries, keys = q.shape[-2], k.shape[-2]
    pairs = min(queries, keys)  # the last queries and keys stand at the same places
    old_k, k = k.split([keys - pairs, pairs], -2)
    old_v, v = v.split([keys - pairs, pairs], -2)
    q = q[..., queries - pairs :, :]
    state = product(old_k.mT, old_v)  # (..., width, value_width)
    sums = [state.new_zeros(*q.shape[:-2], queries - pairs, v.shape[-1])]  # they see nothing
    for (_, q_), (_, k_), (_, v_) in zip(*(_blocks(x, block) for x in (q, k, v)), strict=True):
        inside = product(q_, k_.mT).tril()  # the pairs of this block
        sums.append(product(inside, v_) + product(q_, state))
        state = state + product(k_.mT, v_)
    return torch.cat(sums, -2)


def _blocks(x: Tensor, size: int) -> list[tuple[int, Tensor]]:
    """Cut along the length; give each block with the position of its first row."""
    # One split for all: the gradient of a slice would be as long as the whole.
    return [(i * size, part) for i, part in enumerate(x.split(int(size), -2))]


def _tile(mask: Tensor, row: int, rows: int, column: int, columns: int) -> Tensor:
    """Cut a rectangle from a mask; axes of 1 stay as they are."""
    mask = torch.atleast_2d(mask)
    mask = mask if mask.shape[-2] == 1 else mask.narrow(-2, row, rows)
    return mask if mask.shape[-1] == 1 else mask.narrow(-1, column, columns)


def _require_inputs(query, key, value, mask, causal, scale=None) -> None:
    require_pair(query, key)
    if query.shape[-1] != key.shape[-1]:
        raise ValueError(f"query and key disagree in width: {query.shape[-1]} and {key.shape[-1]}")
    require_value(query, key, value)
    if mask is not None:
        require_mask(mask, torch.Size((*query.shape[:-1], key.shape[-2])))
        require_same_device("mask", query, mask)
    require_bool("causal", causal)
    require_scale(1.0 if scale is None else scale)


def _require_keys_only(mask: Tensor | None) -> None:
    if mask is not None and mask.dim() > 1 and mask.shape[-2] != 1:
        raise ValueError(
            f"mask {tuple(mask.shape)} is of single pairs, which cannot be hidden here: wanted one "
            "of keys, (..., 1, key), as a padding mask (batch, key) by mask[:, None, :]"
        )
