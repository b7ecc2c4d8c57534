"""Adam, as the course uses it (from chapter 04)."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from attncourse.runtime import device_of


def adam(model: nn.Module, learning_rate: float = 1e-3, **settings: Any) -> torch.optim.Optimizer:
    """Make Adam for all of a model's parameters (chapter 04).

    Args:
        model: on the device where it will be trained.
        learning_rate: at its highest, if there is a schedule.
        settings: other arguments of `torch.optim.Adam`, such as `betas`.

    Raises:
        TypeError: if there is no such argument.
        ValueError: if a number is out of its range.

    Source: Vaswani et al. 2017, section 5.3, take betas of 0.9 and 0.98 and eps of 1e-9, where
    PyTorch's defaults are 0.9, 0.999 and 1e-8.

    Example:
        >>> adam(nn.Linear(2, 3), betas=(0.9, 0.98)).param_groups[0]["betas"]
        (0.9, 0.98)
    """
    # Fused goes over the parameters once, not once for each operation of Adam's.
    settings.setdefault("fused", device_of(model).type in ("cpu", "cuda"))
    if "betas" in settings:
        settings["betas"] = tuple(settings["betas"])  # JSON has made a list of it
    return torch.optim.Adam(model.parameters(), lr=learning_rate, **settings)
