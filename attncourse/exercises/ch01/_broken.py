"""The function with a bug to find (chapter 01): it may not be mended here."""

from __future__ import annotations

import torch


def pool(query, key, value):
    """Average the values, each weighted by how well its key answers the query."""
    scores = (key * key).sum(-1)
    weights = torch.softmax(scores, dim=-1)
    return weights @ value
