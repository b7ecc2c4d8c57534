"""The functions with bugs to find (chapter 03): none may be mended here.

They carry the faults of six published snippets, each in the smallest function that shows them.
"""

from __future__ import annotations

import math

import torch


def context(state, encoded, matrix, vector):
    """Average the encoded tokens, each weighted by how well it answers the decoder's state."""
    pairs = torch.cat([state, encoded], dim=-1)
    scores = torch.tanh(pairs @ matrix.mT @ vector)
    weights = torch.softmax(scores, dim=1)
    return (weights.unsqueeze(-1) * encoded).sum(1, keepdim=True)


def padded_context(state, encoded, matrix, vector, mask):
    """The same for articles of several lengths; `mask` is true at real tokens."""
    pairs = torch.cat([state.expand_as(encoded), encoded], dim=-1)
    scores = torch.tanh(pairs @ matrix.mT) @ vector
    weights = torch.softmax(scores, dim=1)
    return (weights.unsqueeze(-1) * encoded).sum(0, keepdim=True)


def read_own_sentence(encoded, vector):
    """Give each token the average of its own sentence, weighted by what it asks for."""
    scores = torch.tanh(encoded @ vector)
    weights = torch.softmax(scores, dim=1)
    return (weights.unsqueeze(-1) * encoded).sum(1)


def pool_image(query, features):
    """Average the positions of an image, each weighted by how well it answers the query."""
    spots = features.flatten(2)
    scores = spots @ query.unsqueeze(-1) / math.sqrt(query.shape[-1])
    weights = torch.softmax(scores, dim=2)
    return (weights * spots).sum(2)


def look(query, features):
    """Average the positions of an image once for every box that asks."""
    spots = features.flatten(2).mT
    scores = query.mean(1, keepdim=True) @ spots.mT / math.sqrt(query.shape[-1])
    weights = torch.softmax(scores, dim=-1)
    return (weights @ spots).expand_as(query)


def mix(features):
    """Let every position of a map attend to all positions, and give the map back."""
    batch, channel = features.shape[:2]
    spots = features.flatten(2).mT
    weights = torch.softmax(spots.sum(-1, keepdim=True), dim=1)
    pooled = (weights * spots).sum(1)
    return pooled.view(batch, channel, 1, 1)
