"""Functions with bugs to find (chapters 01, 03 and 06 to 12): none may be mended here.

Those of chapter 03 carry the faults of six published snippets, each in the smallest function that
shows them; those of chapters 06 to 12 carry faults that published code has had. Their solutions
are in the rooms of those chapters.
"""

from __future__ import annotations

import math

import torch

import attncourse


def pool(query, key, value):
    """Average the values, each weighted by how well its key answers the query."""
    scores = (key * key).sum(-1)
    weights = torch.softmax(scores, dim=-1)
    return weights @ value


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


def look_around(x, mask, query_weight, key_weight, value_weight):
    """Let each word look at the real words of its sentence, where `mask` is true."""
    scores = x @ x.mT / math.sqrt(x.shape[-1])
    scores = scores.masked_fill(~mask[:, None], -torch.inf)
    return torch.softmax(scores, dim=-1) @ (x @ value_weight.mT)


def attend_heads(query, key, value, mask):
    """Attend in each head to the real tokens of the sentence, where `mask` is true."""
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    scores = scores.masked_fill(~mask[:, None, :, None], -1e9)
    return torch.softmax(scores, dim=-1) @ value


def place(embedded, written):
    """Add the codes of their positions to the next tokens; so many are `written` before them."""
    new, width = embedded.shape[1:]
    position = torch.arange(new, dtype=torch.float64)[:, None]
    angle = position / 10_000 ** (torch.arange(0, width, 2, dtype=torch.float64) / width)
    code = torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-2)
    return embedded + code.to(embedded.dtype)


def block(x, first_weight, second_weight):
    """Look around, then think: x + f(norm(x)), twice."""
    x = torch.nn.functional.layer_norm(x, x.shape[-1:])
    x = x + attncourse.attend(x, x, x)
    x = torch.nn.functional.layer_norm(x, x.shape[-1:])
    return x + torch.relu(x @ first_weight.mT) @ second_weight.mT


def look_back(query, key, value, training):
    """Let each token look at itself and at those before it; the queries are the last tokens."""
    mask = None
    if training:
        mask = torch.ones(query.shape[1], key.shape[1], dtype=torch.bool).tril()
    return attncourse.attend(query, key, value, mask)


def train(weight, inputs, labels, warmup, accumulate):
    """Train a linear classifier by gradient descent; `accumulate` batches make an update."""
    weight = weight.detach().requires_grad_()
    for step, (x, y) in enumerate(zip(inputs, labels, strict=True), 1):
        loss = torch.nn.functional.cross_entropy(x @ weight.mT, y)
        loss.backward()
        if step % accumulate == 0:
            rate = min(1, step / warmup)
            weight = (weight - rate * weight.grad).detach().requires_grad_()
    return weight.detach()


def decode_step(x, codes, past, memory):
    """Place the new tokens, look at what is written and at the source, and keep both."""
    x = x + codes[: x.shape[1]]
    past = torch.cat([past, x], dim=1)
    x = x + attncourse.attend(x, past, past, causal=True)
    memory = torch.cat([memory, x], dim=1)
    x = x + attncourse.attend(x, memory, memory)
    return x, past, memory
