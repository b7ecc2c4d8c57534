"""The function with a bug to find (chapter 17), one that published code has had.

It may not be mended here.
"""

from __future__ import annotations

import math

import torch


def gated_map(x, gate):
    """Add to each position of a map what it finds at the others, behind a gate."""
    positions = x.flatten(2).transpose(1, 2)  # (batch, position, channels)
    scores = positions @ positions.transpose(1, 2) / math.sqrt(x.shape[1])
    found = torch.softmax(scores, dim=-1) @ positions
    return x + gate * found.reshape(x.shape)
