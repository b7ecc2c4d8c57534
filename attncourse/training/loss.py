"""The loss of a model that writes sentences: cross-entropy per real token (chapter 04)."""

from __future__ import annotations

import inspect

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from attncourse import runtime
from attncourse.checks import (
    PRECISIONS,
    require_precision,
    require_smoothing,
    values_unknown,
)
from attncourse.data.batches import Batch, require_batch
from attncourse.masks import padding_mask
from attncourse.training.projected import projected_loss
from attncourse.training.sharding import sharded_part

_LEFT_OUT = -(2**31)  # a label that cross_entropy skips; its own, -100, may be somebody's mistake


def sequence_loss(
    logits: Float[Tensor, "batch length vocabulary"],
    labels: Int64[Tensor, "batch length"],
    mask: Bool[Tensor, "batch length"],
    label_smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    r"""Mean cross-entropy over the real tokens of a batch (chapter 04).

    $$L = -\frac{1}{\sum_{b,t} m_{bt}} \sum_{b,t} m_{bt} \log p(y_{bt} \mid y_{b,<t}, x_b)$$

    Every real token counts the same, so a long sentence counts for more than a short one. What
    the labels and logits hold at padding does not matter.

    Args:
        logits: (batch, length, vocabulary). Half precision is computed with as float32.
        labels: (batch, length), the token wanted at each place.
        mask: (batch, length), True where the label is a real token.
        label_smoothing: the share of the wanted probability that is spread evenly over the
            whole vocabulary.

    Returns:
        A single number, in nats per token; 0 if no token is real.

    Raises:
        TypeError: if `labels` are not int64 or `mask` is not boolean.
        ValueError: if the shapes disagree, a real token is no id, or `label_smoothing` lies
            outside [0, 1].

    Source: Vaswani et al. 2017, section 5.4, smooth with 0.1; the method is Szegedy et al. 2016,
    section 7. Both spread over the vocabulary with the right answer included, as here.

    Example:
        >>> logits = torch.zeros(1, 2, 4)  # no idea: each of 4 tokens has probability 1/4
        >>> sequence_loss(logits, torch.tensor([[3, 0]]), torch.tensor([[True, False]]))
        tensor(1.3863)
    """
    if logits.dim() != 3:
        raise ValueError(
            f"logits must be (batch, length, vocabulary), got shape {tuple(logits.shape)}"
        )
    if labels.dtype is not torch.int64:
        raise TypeError(f"labels must be int64, got {labels.dtype}")
    if mask.dtype is not torch.bool:
        raise TypeError(f"mask must be boolean, True at real tokens, got {mask.dtype}")
    for name, tensor in (("labels", labels), ("mask", mask)):
        if tensor.shape != logits.shape[:-1]:
            raise ValueError(
                f"logits and {name} disagree: {tuple(logits.shape)} and {tuple(tensor.shape)}, "
                "wanted (batch, length, vocabulary) and (batch, length)"
            )
    require_smoothing(label_smoothing)
    _require_ids(labels, mask, logits.shape[-1])
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    total = F.cross_entropy(
        logits.flatten(0, 1),
        labels.masked_fill(~mask, _LEFT_OUT).flatten(),
        ignore_index=_LEFT_OUT,
        label_smoothing=label_smoothing,
        reduction="sum",
    )
    return total / mask.sum().clamp(min=1)


def _require_ids(labels: Tensor, mask: Tensor, vocabulary: int) -> None:
    """Refuse a real token that is none, such as -100, which PyTorch would skip in silence."""
    if labels.device.type != "cpu" or values_unknown(labels, mask):  # a GPU would have to wait
        return
    wrong = labels[mask & ((labels < 0) | (labels >= vocabulary))]
    if len(wrong):
        raise ValueError(
            f"labels must hold ids from 0 to {vocabulary - 1} where the mask is True, "
            f"got {wrong[0].item()}"
        )


def real_tokens(batch: Batch) -> int:
    """Count the tokens that a batch asks for: those of the targets, without their `<bos>`."""
    return int(batch.target_lengths.sum()) - len(batch)


def batch_loss(
    model: nn.Module,
    batch: Batch,
    *,
    device: torch.device | str | None = None,
    precision: str = "float32",
    label_smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """The loss of a batch with teacher forcing (chapter 04).

    At each place the decoder reads the true tokens so far, `batch.decoder_input`, and is asked
    for the next one, `batch.labels`: the same sentence, shifted by one. Unshifted, it would only
    have to repeat what it reads.

    Args:
        model: called as `model(source, target, source_mask, target_mask)`, gives the logits. One
            that has a method `hidden`, called likewise, and `output`, an `nn.Linear` without a
            bias that makes logits of it, is spared the logits in training.
        batch: padded pairs, on the CPU or on `device`.
        device: where the model is; by default where its parameters are.
        precision: "float32", or "bfloat16" or "float16" for mixed precision.
        label_smoothing: see `sequence_loss`.

    Returns:
        A single number with a gradient, in nats per real token.

    Raises:
        TypeError: if `batch` is no `Batch`.
        ValueError: if `precision` is none of the three.
    """
    require_batch(batch)
    require_precision(precision)
    device = runtime.device_of(model) if device is None else torch.device(device)
    # The masks are made before the move: on a GPU the check of the lengths would wait for it.
    source_mask = padding_mask(batch.source_lengths, batch.source.shape[1]).to(device)
    target_mask = padding_mask(batch.target_lengths - 1, batch.labels.shape[1]).to(device)
    batch = batch.to(device, non_blocking=True)
    lowered = PRECISIONS[precision]
    inputs = batch.source, batch.decoder_input, source_mask, target_mask
    if lowered is None and torch.is_grad_enabled() and _can_skip_logits(model):
        with torch.autocast(device.type, enabled=False):
            hidden = model.hidden(*inputs)[target_mask]  # logits for real tokens only
            labels = batch.labels[target_mask]
            total = projected_loss(hidden, model.output.weight, labels, label_smoothing)
            return total / target_mask.sum().clamp(min=1)
    with torch.autocast(device.type, lowered, enabled=lowered is not None):
        logits = model(*inputs)
    return sequence_loss(logits, batch.labels, target_mask, label_smoothing)


def _can_skip_logits(model: nn.Module) -> bool:
    """Whether the loss can be had from the last vectors and the projection, in less memory."""
    # A compiled or sharded model is called as a whole: only so is it compiled, or put together.
    compiled = hasattr(model, "_orig_mod") or getattr(model, "_compiled_call_impl", None)
    if compiled or sharded_part(model) is not None:
        return False
    hidden, output = getattr(model, "hidden", None), getattr(model, "output", None)
    return (
        inspect.ismethod(hidden)
        and isinstance(output, nn.Linear)
        and output.bias is None
        and output.weight.dtype not in (torch.float16, torch.bfloat16)  # summed in float32
        and not values_unknown(output.weight)  # torch.func wants to see every operation
    )
