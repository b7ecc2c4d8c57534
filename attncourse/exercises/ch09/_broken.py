"""The function with a bug to find (chapter 09), one that published code has had.

It may not be mended here.
"""

from __future__ import annotations

import torch

import attncourse


def block(x, first_weight, second_weight):
    """Look around, then think: x + f(norm(x)), twice."""
    x = torch.nn.functional.layer_norm(x, x.shape[-1:])
    x = x + attncourse.attend(x, x, x)
    x = torch.nn.functional.layer_norm(x, x.shape[-1:])
    return x + torch.relu(x @ first_weight.mT) @ second_weight.mT
