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

import numpy as np
import torch
from torch import Tensor, nn

from attncourse.data.files import write_atomically
from attncourse.training.optimisers import misfit, pack, unpack
from attncourse.training.sharding import divided, whole
from attncourse.training.weights import misfits, state_and_ties, uncompiled

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
        extra: anything that JSON can hold, and NumPy's numbers.
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
        record["optimiser"], moments = pack(optimiser)
        held |= {f"optimiser.{name}": tensor for name, tensor in moments.items()}
    # Copies on the CPU, each in memory of its own, as safetensors wants them.
    held = {
        name: whole(tensor).detach().to("cpu", copy=True).contiguous()
        for name, tensor in held.items()
    }
    if not write:
        return path
    text = json.dumps(record, default=plain)
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
        optimiser: of the saved one's class, for the same parameters in the same order. It takes
            the saved settings, but goes on computing in its own way, fused or not.

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
    if reasons := misfits(saved, record["ties"], model):
        raise refusal(path, f"it does not fit the model: {'; '.join(reasons)}")
    if optimiser is not None:
        if reason := misfit(record["optimiser"], optimiser):
            raise refusal(path, reason)
        moments = _part(held, "optimiser.")
        optimiser.load_state_dict(unpack(record["optimiser"], moments, optimiser))
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


def plain(number: Any) -> Any:
    """Give NumPy's and PyTorch's numbers as Python's, for JSON (`json.dumps(..., default=plain)`).

    Raises:
        TypeError: if it is no number.
    """
    if isinstance(number, (np.generic, np.ndarray, Tensor)) and number.ndim == 0:
        return number.item()
    raise TypeError(f"JSON cannot hold {number!r}, of type {type(number).__name__}")


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
