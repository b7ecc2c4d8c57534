"""A model's weights by name, each once (from chapter 04)."""

from __future__ import annotations

from torch import Tensor, nn


def uncompiled(model: nn.Module) -> nn.Module:
    """Return the model itself if it is a compiled one, whose names have a prefix."""
    return getattr(model, "_orig_mod", model)


def state_and_ties(model: nn.Module) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return each parameter and buffer under its first name, and the first name of the others."""
    state: dict[str, Tensor] = {}
    ties: dict[str, str] = {}
    first: dict[int, str] = {}
    # With keep_vars the same parameter is the same object under each of its names.
    for name, tensor in uncompiled(model).state_dict(keep_vars=True).items():
        if id(tensor) in first:
            ties[name] = first[id(tensor)]
        else:
            first[id(tensor)] = name
            state[name] = tensor
    return state, ties


def misfits(saved: dict[str, Tensor], ties: dict[str, str], model: nn.Module) -> list[str]:
    """Say, name by name, where a file and a model differ; nothing if they do not."""
    state, own_ties = state_and_ties(model)
    found = [f"the file lacks {name}" for name in sorted(state.keys() - saved.keys() - ties.keys())]
    found += [
        f"the model lacks {name}" for name in sorted(saved.keys() - state.keys() - own_ties.keys())
    ]
    for tie, name in sorted(ties.items() ^ own_ties.items()):
        where = "file" if ties.get(tie) == name else "model"
        found.append(f"only in the {where} {tie} is tied to {name}")
    for name in sorted(saved.keys() & state.keys()):
        (shape, dtype), (own_shape, own_dtype) = (
            (tuple(each[name].shape), each[name].dtype) for each in (saved, state)
        )
        if (shape, dtype) != (own_shape, own_dtype):
            found.append(
                f"{name} is {shape} {dtype} in the file and {own_shape} {own_dtype} in the model"
            )
    return found
