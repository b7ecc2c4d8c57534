"""What a training makes small: the loss of a batch, the course's or one's own (from chapter 04)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from attncourse import runtime
from attncourse.checks import PRECISIONS, require_precision
from attncourse.data.batches import require_batch
from attncourse.training.loss import batch_loss, real_tokens

Loss = Callable[[nn.Module, Any], Tensor]


class Objective(nn.Module):
    """The mean loss of a batch as a module's forward pass, which is what PyTorch can wrap.

    Args:
        model: what is trained.
        loss: gives the mean over the rows of a batch, called as `loss(model, batch)`; by default
            `batch_loss`.
        device, precision: see `batch_loss`.
        label_smoothing: of the default loss.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss | None = None,
        *,
        device: torch.device,
        precision: str = "float32",
        label_smoothing: float = 0.0,
    ):
        super().__init__()
        self.model = model
        self.loss = loss
        self.options = {"device": device, "precision": precision}
        self.label_smoothing = label_smoothing

    def forward(self, batch: Any) -> Tensor:
        """Give the mean loss of a batch."""
        if self.loss is None:
            return batch_loss(
                self.model, batch, **self.options, label_smoothing=self.label_smoothing
            )
        device, lowered = self.options["device"], PRECISIONS[self.options["precision"]]
        with torch.autocast(device.type, lowered, enabled=lowered is not None):
            loss = self.loss(self.model, moved(batch, device))
        _require_number(loss)
        return loss.reshape(())

    def count(self, batch: Any) -> int:
        """Say over how many the mean is taken: real tokens, or rows if the loss is one's own."""
        if self.loss is None:
            require_batch(batch)
            return real_tokens(batch)
        return rows(batch)

    @property
    def unit(self) -> str:
        """What `count` counts."""
        return "tokens" if self.loss is None else "rows"


def mean_loss(
    model: nn.Module,
    batches: Iterable[Any],
    *,
    loss: Loss | None = None,
    device: torch.device | str | None = None,
    precision: str = "float32",
) -> float:
    """The loss over a whole corpus, in evaluation mode and without gradients (chapter 04).

    Args:
        model: as for `batch_loss`. Its mode is the same afterwards.
        batches: padded pairs, or what `loss` takes; how they are cut into batches does not matter.
        loss: see `fit`.
        device: where the model is; by default where its parameters are.
        precision: see `batch_loss`.

    Returns:
        Nats per real token, whose exponential is the perplexity; of another loss, its mean over
        all rows.

    Raises:
        TypeError: if there is no `loss`, and `batches` gives anything but `Batch`.
        ValueError: if there is no batch, or `precision` is none of the three.
    """
    require_precision(precision)
    device = runtime.device_of(model) if device is None else torch.device(device)
    objective = Objective(model, loss, device=device, precision=precision)
    total, counted = 0.0, 0
    with torch.no_grad(), runtime.evaluating(model):
        for batch in batches:
            count = objective.count(batch)
            total += objective(batch).item() * count
            counted += count
    if counted == 0:
        raise ValueError("batches must hold at least one batch, got none")
    return total / counted


def moved(batch: Any, device: torch.device) -> Any:
    """Give a batch with all its tensors on a device: a tensor, a tuple, a dictionary of them, or
    what has a method `to`."""
    if hasattr(batch, "to"):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, dict):
        return {name: moved(part, device) for name, part in batch.items()}
    if isinstance(batch, (list, tuple)):
        parts = [moved(part, device) for part in batch]
        return type(batch)(*parts) if hasattr(batch, "_fields") else type(batch)(parts)
    return batch


def rows(batch: Any) -> int:
    """Count the rows of a batch: those of its first part, where it is a tuple or a dictionary."""
    while isinstance(batch, (dict, list, tuple)) and len(batch):
        batch = next(iter(batch.values() if isinstance(batch, dict) else batch))
    return len(batch)


def _require_number(loss: object) -> None:
    """Refuse what cannot be made small."""
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        kind = tuple(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
        raise TypeError(f"loss must give one number, the mean over the batch, got {kind}")
    if torch.is_grad_enabled() and not loss.requires_grad:
        raise ValueError(
            "loss must give a number with a gradient: it depends on no weight, or was detached"
        )
