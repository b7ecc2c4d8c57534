"""The function with a bug to find (chapter 06), one that published code has had.

It may not be mended here.
"""

from __future__ import annotations

import math

import torch


def look_around(x, mask, query_weight, key_weight, value_weight):
    """Let each word look at the real words of its sentence, where `mask` is true."""
    scores = x @ x.mT / math.sqrt(x.shape[-1])
    scores = scores.masked_fill(~mask[:, None], -torch.inf)
    return torch.softmax(scores, dim=-1) @ (x @ value_weight.mT)
