"""The function with a bug to find (chapter 11), one that published code has had.

It may not be mended here.
"""

from __future__ import annotations

import torch


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
