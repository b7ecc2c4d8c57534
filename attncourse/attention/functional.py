"""Attention itself (chapter 03): a mean of the values, weighted by how well each key answers.

For three queries and seven keys of width 5, and values of width 2, it is this:

    >>> query, key, value = torch.randn(3, 5), torch.randn(7, 5), torch.randn(7, 2)
    >>> scores = query @ key.mT / math.sqrt(5)  # (query, key): (3, 7)
    >>> weights = scores.softmax(-1)  # (query, key), each row sums to one
    >>> output = weights @ value  # (query, value_width): (3, 2)

`attend` gives the output, `attention_weights` the weights, with masks, dropout and other scores:

    >>> torch.allclose(attend(query, key, value), output, atol=1e-6)
    True
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from attncourse.attention.fused import fused, with_causal
from attncourse.checks import (
    require_dropout,
    require_mask,
    require_pair,
    require_same_device,
    require_same_kind,
    require_value,
)
from attncourse.masks import masked_softmax
from attncourse.scores import ScaledDotProductScore, scaled_dot_product

Score = Callable[[Tensor, Tensor], Tensor]


def attend(
    query: Float[Tensor, "*batch query width"],
    key: Float[Tensor, "*batch key key_width"],
    value: Float[Tensor, "*batch key value_width"],
    mask: Bool[Tensor, "..."] | None = None,
    *,
    causal: bool = False,
    score: Score | None = None,
    scale: float | None = None,
    dropout: float = 0.0,
) -> Float[Tensor, "*batch query value_width"]:
    r"""Average the values, each weighted by how well its key answers the query (chapter 03).

    $$\operatorname{attend}(Q, K, V) = \operatorname{softmax}(Q K^\top / \sqrt{d})\, V$$

    With this score PyTorch's fused kernel runs, which never stores the weights; with any other,
    the weights are computed and used.

    Args:
        query: (..., query, width).
        key: (..., key, width); the score says which widths it admits.
        value: (..., key, value_width).
        mask: boolean, broadcastable to (..., query, key); True where attention is allowed. One
            with two axes is (query, key); a padding mask (batch, key) enters as `mask[:, None, :]`,
            with heads as `mask[:, None, None, :]`.
        causal: also hide each query's future; the ends of queries and keys are aligned.
        score: maps (query, key) to (..., query, key); by default the scaled dot product. Products
            of float16 and bfloat16 are computed in float32.
        scale: factor of the default score, by default `1 / sqrt(width)`.
        dropout: share of the weights that is dropped, whenever positive: pass 0 in evaluation.

    Returns:
        (..., query, value_width), in the dtype of the query. A query that may attend to nothing
        gets zeros. Masked entries are ignored but must be finite; what else is not finite shows.

    Raises:
        TypeError: if a tensor is not floating point, dtypes differ, the mask is not boolean, or the
            score cannot be called.
        ValueError: if leading axes, lengths, widths or devices disagree, the mask does not
            broadcast, `dropout` lies outside [0, 1), `scale` is not finite or comes with another
            score, or the score gives another shape than (..., query, key).

    Source: Vaswani et al. 2017, section 3.2.1, equation 1. The paper has one width d_k and no
    rule for a query without keys.

    Example:
        >>> key = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> value = torch.tensor([[10.0], [20.0]])
        >>> attend(torch.tensor([[0.0, 0.0]]), key, value)
        tensor([[15.]])
    """
    if _is_default(score):
        _require_inputs(query, key, mask, causal, score, scale, dropout)
        require_value(query, key, value)
        # The same in one kernel, which never stores the weights.
        return fused(query, key, value, mask, causal, scale, dropout)
    weights = attention_weights(  # (..., query, key)
        query, key, mask, causal=causal, score=score, scale=scale, dropout=dropout
    )
    require_value(query, key, value)
    return weights @ value  # (..., query, value_width)


def attention_weights(
    query: Float[Tensor, "*batch query width"],
    key: Float[Tensor, "*batch key key_width"],
    mask: Bool[Tensor, "..."] | None = None,
    *,
    causal: bool = False,
    score: Score | None = None,
    scale: float | None = None,
    dropout: float = 0.0,
) -> Float[Tensor, "*batch query key"]:
    """Give the weights that `attend` would average the values with (chapter 03).

    Args:
        query, key, mask, causal, score, scale, dropout: as for `attend`.

    Returns:
        (..., query, key). Without dropout each row sums to one, or is zero where the query may
        attend to nothing; with dropout the kept weights are divided by `1 - dropout`.

    Raises:
        TypeError, ValueError: as `attend`.

    Source: Vaswani et al. 2017, section 3.2.1.

    Example:
        >>> attention_weights(torch.ones(2, 1), torch.zeros(2, 1), causal=True)
        tensor([[1.0000, 0.0000],
                [0.5000, 0.5000]])
    """
    _require_inputs(query, key, mask, causal, score, scale, dropout)
    if score is None:
        scores = scaled_dot_product(query, key, scale)  # Q K^T / sqrt(d), (..., query, key)
    else:
        scores = _checked_scores(score, query, key)  # (..., query, key)
    if causal:
        mask = with_causal(mask, query, key)
    weights = masked_softmax(scores, mask).to(query.dtype)  # each row sums to one, or is zero
    return F.dropout(weights, dropout) if dropout else weights


def _is_default(score: Score | None) -> bool:
    return score is None or type(score) is ScaledDotProductScore


def _checked_scores(score: Score, query: Tensor, key: Tensor) -> Tensor:
    """Score every pair, and refuse what is not (..., query, key)."""
    scores = score(query, key)
    wanted = (*query.shape[:-1], key.shape[-2])
    if not isinstance(scores, Tensor) or scores.shape != wanted:
        gave = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise ValueError(f"score gave {gave}, wanted (..., query, key) {wanted}")
    if scores.dtype is not torch.float32 or query.dtype.itemsize > 2:
        require_same_kind("scores", query, scores)
    return scores


def _require_inputs(query, key, mask, causal, score, scale, dropout) -> None:
    require_pair(query, key)
    if score is not None and (not callable(score) or isinstance(score, type)):
        raise TypeError(
            f"score must be a function or an object as DotProductScore(), got {score!r}"
        )
    # The fused kernel would refuse other widths in words of its own.
    if query.shape[-1] != key.shape[-1] and _is_default(score):
        raise ValueError(
            f"query and key disagree in width: {query.shape[-1]} and {key.shape[-1]}; "
            "a bilinear or additive score admits two widths"
        )
    if mask is not None:
        require_mask(mask, torch.Size((*query.shape[:-1], key.shape[-2])))
        require_same_device("mask", query, mask)
    if not isinstance(causal, bool):
        kind = type(causal).__name__
        raise TypeError(f"causal must be True or False, got {kind}; a mask goes to mask=")
    if scale is not None:
        require_scale(scale, score)
    require_dropout(dropout)


def require_scale(scale: float, score: Score | None = None) -> None:
    """Refuse what is no finite number, or comes with a score of the caller's own."""
    if score is not None:
        raise ValueError(f"scale belongs to the scaled dot product, got scale={scale} and a score")
    if isinstance(scale, bool) or not isinstance(scale, (int, float)):
        raise TypeError(f"scale must be a number, got {type(scale).__name__}")
    if not math.isfinite(scale):
        raise ValueError(f"scale must be finite, got {scale}")
