"""Checkpoints: what a training needs to go on where it stopped (from chapter 04).

A checkpoint is one safetensors file. Its tensors are the model's, the optimiser's and whatever
else it was given; all that is not a tensor stands as JSON in the file's metadata, beside a
checksum over both. One file, since only one file can be replaced in a single move: two could
be caught between the first and the second.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from attncourse.data.files import write_atomically
from attncourse.training.sharding import divided, whole

_FORMAT = "attncourse checkpoint 1"


class CheckpointError(Exception):
    """A checkpoint that cannot be used. The message names the file and says why."""


class Checkpoint(NamedTuple):
    """What a checkpoint holds beside the model and the optimiser (chapter 04).

    Attributes:
        step: how many updates the model had had.
        extra: what was saved as `extra`, through JSON: tuples have become lists.
        tensors: what was saved as `tensors`, on the CPU.
    """

    step: int
    extra: dict[str, Any]
    tensors: dict[str, Tensor]


def save_checkpoint(
    path: str | os.PathLike,
    model: nn.Module,
    optimiser: torch.optim.Optimizer | None = None,
    *,
    step: int,
    extra: dict[str, Any] | None = None,
    tensors: dict[str, Tensor] | None = None,
    write: bool = True,
) -> Path:
    """Write a model, and what else it takes to train on, into one file (chapter 04).

    The file is replaced in one move. Whatever happens while it is written, the older one stays
    whole. A parameter that has several names (tied weights) is written once.

    Args:
        path: a file ending in `.safetensors`, or a folder, which gets `checkpoint.safetensors`.
        model: whose parameters and buffers are saved, from any device.
        optimiser: whose state is saved too, if one is given.
        step: how many updates the model has had.
        extra: anything that JSON can hold.
        tensors: more tensors, by name.
        write: False where the model is sharded and another process writes: this one then only
            sends its part.

    Returns:
        The file's path.

    Raises:
        ImportError: if the `safetensors` library is missing.
        OSError: if the file cannot be written. The older one is then untouched.
        TypeError: if `extra` or the optimiser's settings hold what JSON cannot.

    Example:
        >>> import tempfile
        >>> model = nn.Linear(2, 3)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = save_checkpoint(folder, model, step=7, extra={"seed": 1})
        ...     load_checkpoint(path, nn.Linear(2, 3))
        Checkpoint(step=7, extra={'seed': 1}, tensors={})
    """
    safetensors = _safetensors()
    path = checkpoint_file(path)
    state, ties = state_and_ties(model)
    held = {f"model.{name}": tensor for name, tensor in state.items()}
    held |= {f"extra.{name}": tensor for name, tensor in (tensors or {}).items()}
    record = {"step": step, "extra": extra or {}, "ties": ties, "optimiser": None}
    if optimiser is not None:
        record["optimiser"], moments = _pack_optimiser(optimiser)
        held |= moments
    # Copies on the CPU, each in memory of its own, as safetensors wants them.
    held = {
        name: whole(tensor).detach().to("cpu", copy=True).contiguous()
        for name, tensor in held.items()
    }
    if not write:
        return path
    text = json.dumps(record)
    metadata = {"format": _FORMAT, "record": text, "checksum": _checksum(held, text)}
    content = safetensors.torch.save(held, metadata)
    # A process killed while it wrote could not clear up after itself.
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        leftover.unlink(missing_ok=True)
    write_atomically(path, content)
    return path


def load_checkpoint(
    path: str | os.PathLike,
    model: nn.Module,
    optimiser: torch.optim.Optimizer | None = None,
) -> Checkpoint:
    """Read a checkpoint into a model, and into an optimiser if one is given (chapter 04).

    Everything is checked before anything is changed: after an error the model and the optimiser
    are as they were.

    Args:
        path: the file, or the folder with its `checkpoint.safetensors`.
        model: built as the saved one was, on any device.
        optimiser: of the saved one's class, for the same parameters in the same order.

    Returns:
        What else the file holds.

    Raises:
        CheckpointError: if the file is missing, cut off, altered by as little as a bit, no
            checkpoint of the course, or of another model or optimiser. The message names the
            file and the reason.
        ImportError: if the `safetensors` library is missing.
    """
    path = checkpoint_file(path)
    held, record = _read(path)
    saved = _part(held, "model.")
    misfits = _misfits(saved, record["ties"], model)
    if misfits:
        raise refusal(path, f"it does not fit the model: {'; '.join(misfits)}")
    if optimiser is not None:
        state = _unpack_optimiser(path, held, record["optimiser"], optimiser)
        optimiser.load_state_dict(state)
    own, _ = state_and_ties(model)
    saved = {name: divided(tensor, own[name]) for name, tensor in saved.items()}
    tied = {tie: saved[name] for tie, name in record["ties"].items()}
    uncompiled(model).load_state_dict(saved | tied)
    return Checkpoint(record["step"], record["extra"], _part(held, "extra."))


def read_checkpoint(path: str | os.PathLike) -> Checkpoint:
    """Read what a checkpoint holds beside the model and the optimiser (chapter 04).

    Args:
        path: the file, or the folder with its `checkpoint.safetensors`.

    Returns:
        The step, and what was saved as `extra` and `tensors`: enough to build the model that
        `load_checkpoint` wants, if that was saved there.

    Raises:
        CheckpointError: if the file is missing, damaged, or no checkpoint of the course.
        ImportError: if the `safetensors` library is missing.
    """
    held, record = _read(checkpoint_file(path))
    return Checkpoint(record["step"], record["extra"], _part(held, "extra."))


def checkpoint_file(path: str | os.PathLike) -> Path:
    """Return the file that `path` means: itself, or the checkpoint in the folder."""
    path = Path(path)
    return path if path.suffix == ".safetensors" else path / "checkpoint.safetensors"


# The file


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors and the record, and refuse what is not exactly what was written."""
    safetensors = _safetensors()
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            # Cloned: otherwise they would go on living in the file.
            held = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise CheckpointError(f"{path} is not there: no checkpoint was saved under it") from None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror or error})") from error
    except safetensors.SafetensorError as error:
        raise refusal(path, f"it is cut off, or no safetensors file ({error})") from error
    if metadata.get("format") != _FORMAT or not {"record", "checksum"} <= set(metadata):
        raise refusal(
            path,
            f"it is no checkpoint of the course: its format is {metadata.get('format')!r}, wanted "
            f"{_FORMAT!r}",
        )
    if metadata["checksum"] != _checksum(held, metadata["record"]):
        raise refusal(path, "its checksum is wrong, so it was damaged after it was written")
    return held, json.loads(metadata["record"])


def _checksum(tensors: dict[str, Tensor], record: str) -> str:
    """Sum up the record and every tensor: its name, its kind, its shape, its bytes."""
    digest = hashlib.sha256(record.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return f"sha256:{digest.hexdigest()}"


def refusal(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        f"{path} is refused: {reason}. Nothing was loaded. Name another file, or begin anew "
        "without it."
    )


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with `prefix`, by what follows it."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _safetensors():
    """Import safetensors where it is needed."""
    try:
        import safetensors.torch
    except ImportError as error:
        raise ImportError(
            "checkpoints need the library safetensors, which is missing: pip install safetensors"
        ) from error
    return safetensors


# The model


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


def _misfits(saved: dict[str, Tensor], ties: dict[str, str], model: nn.Module) -> list[str]:
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
        kinds = [(tuple(each[name].shape), each[name].dtype) for each in (saved, state)]
        if kinds[0] != kinds[1]:
            (shape, dtype), (own_shape, own_dtype) = kinds
            found.append(
                f"{name} is {shape} {dtype} in the file and {own_shape} {own_dtype} in the model"
            )
    return found


# The optimiser


def _pack_optimiser(
    optimiser: torch.optim.Optimizer,
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Split an optimiser's state into what JSON holds and tensors."""
    state = optimiser.state_dict()
    plain: dict[str, dict[str, Any]] = {}
    tensors: dict[str, Tensor] = {}
    for index, values in state["state"].items():
        plain[str(index)] = {}
        for name, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"optimiser.{index}.{name}"] = value
            else:
                plain[str(index)][name] = value
    record = {
        "class": type(optimiser).__name__,
        "groups": state["param_groups"],
        "state": plain,
        "shapes": _optimised_shapes(optimiser),
    }
    return record, tensors


def _unpack_optimiser(
    path: Path,
    held: dict[str, Tensor],
    record: dict[str, Any] | None,
    optimiser: torch.optim.Optimizer,
) -> dict[str, Any]:
    """Put an optimiser's state together again, or refuse it."""
    if record is None:
        raise refusal(path, "it holds no optimiser's state")
    if record["class"] != type(optimiser).__name__:
        raise refusal(
            path, f"it is of the optimiser {record['class']}, not {type(optimiser).__name__}"
        )
    if record["shapes"] != _optimised_shapes(optimiser):
        raise refusal(path, "its optimiser had other parameters, or in another order")
    state = {int(index): dict(values) for index, values in record["state"].items()}
    weights = [each for group in optimiser.param_groups for each in group["params"]]
    for name, tensor in _part(held, "optimiser.").items():
        index, key = name.split(".", 1)
        like = weights[int(index)]  # a moment is divided as its weights are; a count is not
        state[int(index)][key] = divided(tensor, like) if tensor.shape == like.shape else tensor
    groups = [  # JSON made lists of tuples such as Adam's betas
        {
            name: tuple(value) if isinstance(value, list) and name != "params" else value
            for name, value in group.items()
        }
        for group in record["groups"]
    ]
    return {"state": state, "param_groups": groups}


def _optimised_shapes(optimiser: torch.optim.Optimizer) -> list[list[list[int]]]:
    """Return the shape of every parameter, group by group."""
    return [[list(each.shape) for each in group["params"]] for group in optimiser.param_groups]
