"""The function with a bug to find (chapter 19), one that published code has had.

It may not be mended here.
"""

from __future__ import annotations

import math

import torch


def grouped_heads(query, key, value):
    """Attend with more heads of queries than of keys and values."""
    shared = query.shape[1] // key.shape[1]  # query heads to a key head
    key = key.repeat(1, shared, 1, 1)
    value = value.repeat(1, shared, 1, 1)
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    return torch.softmax(scores, dim=-1) @ value
