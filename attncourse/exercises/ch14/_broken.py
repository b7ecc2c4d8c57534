"""The function with a bug to find (chapter 14), one that published code has had.

It may not be mended here.
"""

from __future__ import annotations

import torch


def look_around(states):
    """Give each word of states (length, batch, width) what it finds in its text."""
    scores = torch.tanh(states.mean(-1, keepdim=True))
    weights = torch.softmax(scores, dim=1)
    return torch.sum(weights * states, dim=1)
