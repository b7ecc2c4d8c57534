"""Masks and the softmax that obeys them (chapters 02 and 03).

A mask is boolean and True means "may attend", as in `F.scaled_dot_product_attention`. A row with
nothing to attend to has weights of zero, never NaN.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor

from attncourse.checks import INTEGERS, require_integer, require_mask, values_unknown


def masked_softmax(
    scores: Float[Tensor, "*shape"], mask: Bool[Tensor, "..."] | None = None, dim: int = -1
) -> Float[Tensor, "*shape"]:
    r"""Softmax over the allowed entries; the others get exactly zero (chapter 03, eq. 3.5).

    $$\alpha_i = \frac{m_i\, e^{s_i}}{\sum_j m_j\, e^{s_j}}, \qquad m_i \in \{0, 1\}$$

    Args:
        scores: any shape with at least one axis. A score of minus infinity counts as masked.
        mask: boolean, broadcastable to `scores`; True where attention is allowed.
        dim: the axis that is normalised, the keys'.

    Returns:
        Weights of the same shape and dtype: non-negative, summing to one along `dim`, or all
        zero where nothing is allowed. Gradients are finite everywhere, and zero at masked scores.

    Raises:
        TypeError: if `scores` are not floating point, `mask` is not boolean, or `dim` no integer.
        ValueError: if `mask` does not broadcast to `scores`, or `dim` is out of range.

    Source: Vaswani et al. 2017, section 3.2.3, sets illegal connections to minus infinity; a row
    with no legal one, which the paper never meets, is NaN there and zero here.

    Example:
        >>> masked_softmax(torch.tensor([1.0, 1.0, 9.0]), torch.tensor([True, True, False]))
        tensor([0.5000, 0.5000, 0.0000])
    """
    if not isinstance(scores, Tensor) or not scores.is_floating_point():
        kind = scores.dtype if isinstance(scores, Tensor) else type(scores).__name__
        raise TypeError(f"scores must be a floating-point tensor, got {kind}")
    if isinstance(dim, bool) or not isinstance(dim, int):
        raise TypeError(f"dim must be an integer, got {type(dim).__name__}")
    if not -scores.dim() <= dim < scores.dim():
        raise ValueError(f"dim must name an axis of scores {tuple(scores.shape)}, got {dim}")
    if mask is not None:
        require_mask(mask, scores.shape)
        scores = scores.masked_fill(~mask, -torch.inf)
    if scores.shape[dim] == 0:
        return scores.clone()
    # A row of minus infinities would be 0/0. It gets finite scores before the softmax and zero
    # weights after it; both fills also stop the gradient there.
    empty = scores.amax(dim, keepdim=True) == -torch.inf
    weights = scores.masked_fill(empty, 0.0).softmax(dim)
    return weights.masked_fill(empty, 0.0)


def padding_mask(
    lengths: Integer[Tensor, "batch"], max_length: int | None = None
) -> Bool[Tensor, "batch key"]:
    """Mark the real tokens of padded sequences (chapter 03; used from chapter 04 on).

    Args:
        lengths: (batch,), the number of real tokens of each sequence, 0 or more.
        max_length: the padded length; by default the longest sequence's.

    Returns:
        (batch, key), True at real tokens. It enters `attend` as `mask[:, None, :]`.

    Raises:
        TypeError: if `lengths` or `max_length` are not integers.
        ValueError: if `lengths` is not one axis, a length is negative, or `max_length` is too
            small for one.

    Example:
        >>> padding_mask(torch.tensor([1, 3]))
        tensor([[ True, False, False],
                [ True,  True,  True]])
    """
    if not isinstance(lengths, Tensor) or lengths.dtype not in INTEGERS:
        kind = lengths.dtype if isinstance(lengths, Tensor) else type(lengths).__name__
        raise TypeError(f"lengths must be a tensor of integers, got {kind}")
    if lengths.dim() != 1:
        raise ValueError(f"lengths must have one axis, (batch,), got {tuple(lengths.shape)}")
    if max_length is not None:
        require_integer("max_length", max_length, least=0)
    longest = 0
    if len(lengths) and (max_length is None or not values_unknown(lengths)):
        # Both in one transfer: each would make a GPU wait.
        shortest, longest = torch.stack(torch.aminmax(lengths)).tolist()
        if shortest < 0:
            raise ValueError(f"lengths must not be negative, got {shortest}")
        if max_length is not None and longest > max_length:
            raise ValueError(f"max_length {max_length} is less than the longest length {longest}")
    if max_length is None:
        max_length = longest
    return torch.arange(max_length, device=lengths.device) < lengths[:, None]


def causal_mask(
    query_length: int,
    key_length: int | None = None,
    device: torch.device | str | None = None,
) -> Bool[Tensor, "query key"]:
    """Let each query see its own key and those before it (chapter 03; the paper's decoder).

    With more keys than queries the ends are aligned: the last query sees every key, as it must
    when earlier keys were kept from earlier calls.

    Args:
        query_length: number of queries.
        key_length: number of keys; by default as many as queries.
        device: where the mask is made.

    Returns:
        (query, key), True where the key is not in the query's future.

    Raises:
        TypeError: if a length is not an integer.
        ValueError: if a length is negative.

    Source: Vaswani et al. 2017, section 3.2.3.

    Example:
        >>> causal_mask(2, 3).int()
        tensor([[1, 1, 0],
                [1, 1, 1]], dtype=torch.int32)
    """
    if key_length is None:
        key_length = query_length
    require_integer("query_length", query_length, least=0)
    require_integer("key_length", key_length, least=0)
    every = torch.ones(query_length, key_length, dtype=torch.bool, device=device)
    return every.tril(key_length - query_length)


def window_mask(
    query_length: int,
    key_length: int | None = None,
    *,
    window: int,
    device: torch.device | str | None = None,
) -> Bool[Tensor, "query key"]:
    """Let each query see the keys that are less than `window` places away (chapter 19).

    A window of 1 is the query's own key. With more keys than queries the ends are aligned, as in
    `causal_mask`; without the future it is the layer's `causal=True` beside this mask.

    Args:
        query_length: number of queries.
        key_length: number of keys; by default as many as queries.
        window: how many keys a query sees on each side, its own counted.
        device: where the mask is made.

    Returns:
        (query, key), True where the key is in the query's window.

    Raises:
        TypeError: if a length or the window is not an integer.
        ValueError: if a length is negative, or the window is not positive.

    Source: Beltagy et al. 2020, section 3.1, where the window is the width of both sides.

    Example:
        >>> window_mask(4, window=2).int()
        tensor([[1, 1, 0, 0],
                [1, 1, 1, 0],
                [0, 1, 1, 1],
                [0, 0, 1, 1]], dtype=torch.int32)
    """
    key_length = query_length if key_length is None else key_length
    require_integer("query_length", query_length, least=0)
    require_integer("key_length", key_length, least=0)
    require_integer("window", window, least=1)
    every = torch.ones(query_length, key_length, dtype=torch.bool, device=device)
    own = key_length - query_length  # where the first query stands
    return every.tril(own + window - 1).triu(own - window + 1)


def block_mask(
    query_length: int,
    key_length: int | None = None,
    *,
    block: int,
    device: torch.device | str | None = None,
) -> Bool[Tensor, "query key"]:
    """Let each query see the keys of its own block (chapter 19).

    The sequence is cut into blocks of equal length, the last perhaps shorter. With more keys than
    queries the ends are aligned, as in `causal_mask`.

    Args:
        query_length: number of queries.
        key_length: number of keys; by default as many as queries.
        block: length of a block.
        device: where the mask is made.

    Returns:
        (query, key), True where both stand in the same block.

    Raises:
        TypeError: if a length is not an integer.
        ValueError: if a length is negative, or `block` is not positive.

    Source: Child et al. 2019, section 4.3, whose "fixed" pattern adds a summary of each block.

    Example:
        >>> block_mask(3, block=2).int()
        tensor([[1, 1, 0],
                [1, 1, 0],
                [0, 0, 1]], dtype=torch.int32)
    """
    key_length = query_length if key_length is None else key_length
    require_integer("query_length", query_length, least=0)
    require_integer("key_length", key_length, least=0)
    require_integer("block", block, least=1)
    keys = torch.arange(key_length, device=device)
    queries = torch.arange(key_length - query_length, key_length, device=device)
    return queries[:, None] // block == keys // block
