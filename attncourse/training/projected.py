"""Cross-entropy of a projection, without ever holding all logits (chapter 11).

A batch of 4,096 tokens has 41 million logits over 10,000 ids, 160 MB, and cross-entropy reads and
writes as many several times over. Some rows at a time they stay in the processor's cache, and
their gradient is at hand as soon as they are.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.autograd.function import once_differentiable

from attncourse.checks import require_smoothing

# How many logits are held at once: on a CPU what its cache holds, on a GPU what keeps it busy.
_HELD = {"cpu": 2**20}
_HELD_ELSEWHERE = 2**26


def projected_loss(
    hidden: Float[Tensor, "tokens width"],
    weight: Float[Tensor, "vocabulary width"],
    labels: Int64[Tensor, "tokens"],
    label_smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    r"""Sum the cross-entropy of `hidden @ weight.T` over tokens (chapter 11).

    The same number as from the logits, and the same gradients. They are computed with it, some
    rows at a time: for one token $p - (1 - \epsilon)\,e_y - \epsilon / V$ with the probabilities
    $p$, the wanted token $y$, the smoothing $\epsilon$ and the vocabulary's size $V$.

    Args:
        hidden: (tokens, width), the model's last vectors, real tokens only.
        weight: (vocabulary, width), of the projection; it has no bias.
        labels: (tokens,), the tokens wanted.
        label_smoothing: see `sequence_loss`.

    Returns:
        A single number, in nats.

    Raises:
        ValueError: if `label_smoothing` lies outside [0, 1].

    Source: the loss is that of Vaswani et al. 2017, section 5.4; gradients in the same pass, some
    rows at a time, are of Hsu et al. 2024, "Liger Kernel".

    Example:
        >>> projected_loss(torch.zeros(3, 2), torch.ones(4, 2), torch.tensor([0, 3, 1]))
        tensor(4.1589)
    """
    require_smoothing(label_smoothing)
    return _ProjectedLoss.apply(hidden, weight, labels, label_smoothing)


class _ProjectedLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, labels: Tensor, smoothing: float
    ) -> Tensor:
        vocabulary = len(weight)
        rows = max(1, _HELD.get(hidden.device.type, _HELD_ELSEWHERE) // vocabulary)
        to_hidden, to_weight = torch.empty_like(hidden), torch.zeros_like(weight)
        total = hidden.new_zeros(())
        off, on = smoothing / vocabulary, 1 - smoothing
        for begin in range(0, len(hidden), rows):
            some, wanted = hidden[begin : begin + rows], labels[begin : begin + rows, None]
            likely = torch.log_softmax(some @ weight.T, -1)
            total -= on * likely.gather(1, wanted).sum()
            if smoothing:
                total -= off * likely.sum()
            to_logits = likely.exp_()
            if smoothing:
                to_logits -= off
            to_logits.scatter_add_(1, wanted, to_logits.new_full(wanted.shape, -on))
            torch.mm(to_logits, weight, out=to_hidden[begin : begin + rows])
            to_weight.addmm_(to_logits.T, some)
        ctx.save_for_backward(to_hidden, to_weight)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        to_hidden, to_weight = ctx.saved_tensors
        return gradient * to_hidden, gradient * to_weight, None, None
