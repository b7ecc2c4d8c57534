"""What the measures ask of their arguments (chapters 04 and 05)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

INTEGERS = {torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64}


def require_floats(name: str, tensor: Tensor, axes: tuple[str, ...]) -> None:
    if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
        kind = tensor.dtype if isinstance(tensor, Tensor) else type(tensor).__name__
        raise TypeError(f"{name} must be a floating-point tensor, got {kind}")
    if tensor.dim() != len(axes):
        raise ValueError(f"{name} must be ({', '.join(axes)}), got {tuple(tensor.shape)}")


def require_mask(name: str, mask: Tensor, shape: Sequence[int], axes: str) -> None:
    if not isinstance(mask, Tensor) or mask.dtype is not torch.bool:
        kind = mask.dtype if isinstance(mask, Tensor) else type(mask).__name__
        raise TypeError(f"{name} must be a boolean tensor, True at what counts, got {kind}")
    if mask.shape != tuple(shape):
        raise ValueError(f"{name} must be {axes} {tuple(shape)}, got {tuple(mask.shape)}")


def require_sentences(**arguments: Sequence) -> None:
    sizes = {name: len(sentences) for name, sentences in arguments.items()}
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{size} of {name}" for name, size in sizes.items())
        raise ValueError(f"each sentence needs one of {', '.join(sizes)}, got {listed}")


def require_several(name: str, given: Sequence, what: str = "sentences") -> None:
    if isinstance(given, str):
        raise TypeError(f"{name} must be several {what}, got one str")


def require_pairs(hypotheses: Sequence, references: Sequence) -> None:
    """Refuse anything but one reference, or set of references, for each hypothesis."""
    require_several("hypotheses", hypotheses)
    require_several("references", references)
    if len(hypotheses) != len(references):
        raise ValueError(
            "hypotheses and references disagree in their number of sentences: "
            f"{len(hypotheses)} and {len(references)}"
        )
    if len(hypotheses) == 0:
        raise ValueError("hypotheses must hold at least one sentence, got none")
