"""What several test modules use: attention written out plainly, cases for Hypothesis, refusals.

The sizes are different primes, so that a swapped axis cannot pass unnoticed.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import NamedTuple

import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor

from attncourse.training import loop

BATCH, HEADS, QUERIES, KEYS, WIDTH, VALUE_WIDTH = 2, 3, 5, 7, 11, 13

# How far two correct computations in a dtype may lie apart, inputs being of order one.
TOLERANCE = {
    torch.float64: 1e-12,
    torch.float32: 1e-5,
    torch.bfloat16: 5e-2,
    torch.float16: 6e-3,
}
DTYPES = pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: str(dtype).split(".")[1])

COMPILES = pytest.mark.usefixtures("fresh_compiler")


@contextmanager
def refused(error: type[Exception], *words: str):
    """Expect `error`, with a message that holds all the words."""
    with pytest.raises(error) as caught:
        yield
    for word in words:
        assert word in str(caught.value), f"{word!r} is missing in {str(caught.value)!r}"


def allowed_pairs(
    queries: int, keys: int, mask: Tensor | None = None, causal: bool = False
) -> Tensor:
    """Give the pairs that may meet, written out pair by pair for `causal`."""
    allowed = torch.ones(queries, keys, dtype=torch.bool)
    if causal:  # the last query stands at the last key, the one before it at the one before
        for i in range(queries):
            for j in range(keys):
                allowed[i, j] = keys - 1 - j >= queries - 1 - i
    return allowed if mask is None else allowed & mask.cpu()


def plain_weights(scores: Tensor, allowed: Tensor) -> Tensor:
    """Softmax over the allowed pairs by its definition: exponentials, sum, quotient."""
    # The largest allowed score is taken off first, or large scores would overflow; the masked ones
    # are set to it, whatever they are.
    seen = scores.detach().masked_fill(~allowed, -math.inf)
    largest = seen.amax(-1, keepdim=True).clamp(min=-1e300) if scores.shape[-1] else 0
    exponentials = torch.where(allowed, scores - largest, 0).exp() * allowed
    total = exponentials.sum(-1, keepdim=True)
    return exponentials / torch.where(total > 0, total, 1)


def plain_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Scaled dot-product attention in float64 on the CPU, by its definition."""
    query, key, value = (tensor.cpu().double() for tensor in (query, key, value))
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = scale * torch.einsum("...qd,...kd->...qk", query, key)
    allowed = allowed_pairs(query.shape[-2], key.shape[-2], mask, causal)
    return torch.einsum("...qk,...kv->...qv", plain_weights(scores, allowed), value)


def tensors(
    *leading: int,
    queries: int = QUERIES,
    keys: int = KEYS,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
    requires_grad: bool = False,
    seed: int = 0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw a query, a key and a value of order one with the given leading axes."""
    generator = torch.Generator().manual_seed(seed)
    shapes = (queries, WIDTH), (keys, WIDTH), (keys, VALUE_WIDTH)
    return tuple(
        torch.randn(*leading, *shape, generator=generator, dtype=torch.float64)
        .to(device, dtype)
        .requires_grad_(requires_grad)
        for shape in shapes
    )


def some_mask(*shape: int, seed: int = 0, device: torch.device | str = "cpu") -> Tensor:
    """Draw a mask that allows about 60% of the pairs."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(shape, generator=generator) < 0.6).to(device)


class Case(NamedTuple):
    query: Tensor
    key: Tensor
    value: Tensor
    mask: Tensor


@st.composite
def cases(draw, least_leading: int = 0, least_keys: int = 1) -> Case:
    """Draw float64 inputs of attention with a mask, from none to all pairs allowed."""
    size = st.integers(1, 4)
    leading = draw(st.lists(size, min_size=least_leading, max_size=2))
    queries, keys, width = draw(size), draw(st.integers(least_keys, 6)), draw(size)
    spread = draw(st.sampled_from([1e-3, 1.0, 30.0]))
    share = draw(st.sampled_from([0.0, 0.3, 0.7, 1.0]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))

    def normal(*shape: int) -> Tensor:
        return torch.randn(*leading, *shape, generator=generator, dtype=torch.float64)

    return Case(
        spread * normal(queries, width),
        spread * normal(keys, width),
        normal(keys, draw(size)),
        torch.rand(*leading, queries, keys, generator=generator) < share,
    )


def also_calling(callback):
    """`fit` that calls one thing more after each step."""

    def fit(*inputs, callbacks=(), **options):
        return loop.fit(*inputs, callbacks=[*callbacks, callback], **options)

    return fit
