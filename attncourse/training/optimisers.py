"""Adam, as the course uses it, and what a checkpoint holds of an optimiser (from chapter 04)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from attncourse.runtime import device_of
from attncourse.training.sharding import divided

# How an optimiser computes what it computes: that is the caller's choice, not the checkpoint's.
WAYS = {"fused", "foreach", "capturable", "differentiable"}


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


# In a checkpoint


def pack(optimiser: torch.optim.Optimizer) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Split an optimiser's state into what JSON holds and tensors."""
    state = optimiser.state_dict()
    plain: dict[str, dict[str, Any]] = {}
    tensors: dict[str, Tensor] = {}
    for index, values in state["state"].items():
        plain[str(index)] = {}
        for name, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"{index}.{name}"] = value
            else:
                plain[str(index)][name] = value
    record = {
        "class": type(optimiser).__name__,
        "groups": state["param_groups"],
        "state": plain,
        "shapes": _shapes(optimiser),
    }
    return record, tensors


def misfit(record: dict[str, Any] | None, optimiser: torch.optim.Optimizer) -> str | None:
    """Say why what was packed is not of such an optimiser; None if it is."""
    if record is None:
        return "it holds no optimiser's state"
    if record["class"] != type(optimiser).__name__:
        return f"it is of the optimiser {record['class']}, not {type(optimiser).__name__}"
    if record["shapes"] != _shapes(optimiser):
        return "its optimiser had other parameters, or in another order"
    return None


def unpack(
    record: dict[str, Any], tensors: dict[str, Tensor], optimiser: torch.optim.Optimizer
) -> dict[str, Any]:
    """Put an optimiser's state together again, as its `load_state_dict` wants it."""
    state = {int(index): dict(values) for index, values in record["state"].items()}
    weights = [each for group in optimiser.param_groups for each in group["params"]]
    for name, tensor in tensors.items():
        index, key = name.split(".", 1)
        like = weights[int(index)]  # a moment is divided as its weights are; a count is not
        state[int(index)][key] = divided(tensor, like) if tensor.shape == like.shape else tensor
    groups = []
    for saved, own in zip(record["groups"], optimiser.param_groups, strict=True):
        group = {  # JSON made lists of tuples such as Adam's betas
            name: tuple(value) if isinstance(value, list) and name != "params" else value
            for name, value in saved.items()
        }
        groups.append(group | {name: own[name] for name in WAYS & own.keys()})
    return {"state": state, "param_groups": groups}


def _shapes(optimiser: torch.optim.Optimizer) -> list[list[list[int]]]:
    """Return the shape of every parameter, group by group."""
    return [[list(each.shape) for each in group["params"]] for group in optimiser.param_groups]
