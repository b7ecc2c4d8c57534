"""The function with a bug to find (chapter 16), one that published code has had.

It may not be mended here.
"""

from __future__ import annotations


def ask_each(queries, features):
    """Give each query the mean of the positions of a map, weighted by how well they answer it."""
    positions = features.flatten(2)  # (batch, width, position)
    scores = (queries @ positions).sum(1)
    weights = scores.softmax(-1)
    pooled = weights[:, None] @ positions.mT
    return pooled.expand(-1, len(queries), -1)
