"""PyTorch's fused kernel for attention, and what it has to be told (chapter 03).

It gives what `attend` defines and never stores the weights. Its conventions differ from ours in
places, and so does what it makes of NaN; here they are brought together.
"""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor

from attncourse.checks import values_unknown
from attncourse.masks import causal_mask
from attncourse.scores import widen


def fused(query, key, value, mask, causal, scale, dropout) -> Tensor:
    """Attend by the kernel; the arguments are those of `attend`, checked already."""
    if causal and not _flag_serves(query, key, mask, scale):
        mask, causal = with_causal(mask, query, key), False
    if mask is not None and mask.dim() < 2:
        mask = mask.expand(query.shape[-2], key.shape[-2])
    output = F.scaled_dot_product_attention(
        query, key, value, mask, dropout_p=dropout, is_causal=causal, scale=scale
    )
    if mask is None and query.is_cpu:
        return _with_lost_nan(output, query, key)
    return output


def _flag_serves(query: Tensor, key: Tensor, mask: Tensor | None, scale: float | None) -> bool:
    """Whether the kernel's own flag does what `causal` means.

    It admits no mask beside it, aligns the starts and not the ends, and scales its minus infinity:
    NaN, where the scale is not positive.
    """
    return mask is None and query.shape[-2] == key.shape[-2] and (scale is None or scale > 0)


# On a CPU the kernel takes the largest of fewer scores than one vector of the processor holds, 64
# at most, as if NaN were none: a row of them gets zeros (https://github.com/pytorch/pytorch/issues/141128).
MANY_KEYS = 64


def _with_lost_nan(output: Tensor, query: Tensor, key: Tensor) -> Tensor:
    """Give NaN where the kernel gave zeros for scores that are all NaN."""
    if not values_unknown(output) and (
        key.shape[-2] >= MANY_KEYS
        or output.count_nonzero().item() == output.numel()  # no zeros: the cheapest question
    ):
        return output
    # Without a mask every query meets the first key.
    lost = (widen(query) @ widen(key[..., :1, :]).mT).isnan().any(-1, keepdim=True)
    # A product, since to fill would cut the gradients, which must be NaN as well.
    return output * output.new_ones(()).masked_fill(lost, math.nan)


def with_causal(mask: Tensor | None, query: Tensor, key: Tensor) -> Tensor | None:
    """Add to a mask that each query's future is hidden; the ends of both are aligned."""
    if query.shape[-2] == 1:  # the last query sees every key
        return mask
    causal = causal_mask(query.shape[-2], key.shape[-2], query.device)
    return causal if mask is None else mask & causal
