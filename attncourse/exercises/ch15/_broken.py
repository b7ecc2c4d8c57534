"""The function with a bug to find (chapter 15), one that published code has had.

It may not be mended here.
"""

from __future__ import annotations

import torch


def pool_map(question, features):
    """Average the positions of a map, each weighted by how well it answers its question."""
    positions = features.flatten(2)  # (batch, width, position)
    scores = (question[:, :, None] * positions).sum(1, keepdim=True)
    weights = torch.softmax(scores, dim=1)
    return (weights * positions).sum(2)
