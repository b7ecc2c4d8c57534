"""PyTorch's fused kernel for attention, and what it has to be told (chapter 03).

It gives what `attend` defines and never stores the weights. Its conventions differ from ours in
places, and so does what it makes of NaN; here they are brought together.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from attncourse.masks import causal_mask


def fused(query, key, value, mask, causal, scale, dropout) -> Tensor:
    """Attend by the kernel; the arguments are those of `attend`, checked already."""
    needs_mask = mask is None and _may_lose_nan(query, key)
    if causal and (needs_mask or not _flag_serves(query, key, mask, scale)):
        mask, causal = with_causal(mask, query, key), False
    if mask is None and needs_mask:
        mask = query.new_zeros(1, 1)  # added to the scores
    if mask is not None and mask.dim() < 2:
        mask = mask.expand(query.shape[-2], key.shape[-2])
    return F.scaled_dot_product_attention(
        query, key, value, mask, dropout_p=dropout, is_causal=causal, scale=scale
    )


def _flag_serves(query: Tensor, key: Tensor, mask: Tensor | None, scale: float | None) -> bool:
    """Whether the kernel's own flag does what `causal` means.

    It admits no mask beside it, aligns the starts and not the ends, and scales its minus infinity:
    NaN, where the scale is not positive.
    """
    return mask is None and query.shape[-2] == key.shape[-2] and (scale is None or scale > 0)


# Without a mask, a CPU's kernel takes the largest of fewer scores than one vector of the processor
# holds, 64 at most, as if NaN were none: a row of them gets zeros, not NaN
# (https://github.com/pytorch/pytorch/issues/141128). With a mask it does not.
MANY_KEYS = 64


def _may_lose_nan(query: Tensor, key: Tensor) -> bool:
    # A compiled model serves all lengths, so that it must not ask for this one's.
    return query.is_cpu and (torch.compiler.is_compiling() or key.shape[-2] < MANY_KEYS)


def with_causal(mask: Tensor | None, query: Tensor, key: Tensor) -> Tensor | None:
    """Add to a mask that each query's future is hidden; the ends of both are aligned."""
    if query.shape[-2] == 1:  # the last query sees every key
        return mask
    causal = causal_mask(query.shape[-2], key.shape[-2], query.device)
    return causal if mask is None else mask & causal
