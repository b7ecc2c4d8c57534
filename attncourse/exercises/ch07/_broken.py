"""The function with a bug to find (chapter 07), one that published code has had.

It may not be mended here.
"""

from __future__ import annotations

import math

import torch


def attend_heads(query, key, value, mask):
    """Attend in each head to the real tokens of the sentence, where `mask` is true."""
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    scores = scores.masked_fill(~mask[:, None, :, None], -1e9)
    return torch.softmax(scores, dim=-1) @ value
