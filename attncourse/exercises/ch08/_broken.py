"""The function with a bug to find (chapter 08), one that published code has had.

It may not be mended here.
"""

from __future__ import annotations

import torch


def place(embedded, written):
    """Add the codes of their positions to the next tokens; so many are `written` before them."""
    new, width = embedded.shape[1:]
    position = torch.arange(new, dtype=torch.float64)[:, None]
    angle = position / 10_000 ** (torch.arange(0, width, 2, dtype=torch.float64) / width)
    code = torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-2)
    return embedded + code.to(embedded.dtype)
