"""What every search has to do with a model: its states, its steps, its results (chapter 12)."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from attncourse.checks import require_integer, require_tokens


class Decoded(NamedTuple):
    """Sentences that a model wrote (chapter 04).

    Attributes:
        tokens: (batch, length), ids without the begin mark, with the end mark where it was
            reached, and the padding's id behind.
        lengths: (batch,), how many of the tokens are real, the end mark counted.
        log_probability: (batch,), the natural logarithm of what the model gives each sentence,
            its end mark included: the sum over its tokens, not divided by any length.
    """

    tokens: Int64[Tensor, "batch length"]
    lengths: Int64[Tensor, "batch"]
    log_probability: Float[Tensor, "batch"]


def select(state: Any, index: Int64[Tensor, "rows"]) -> Any:
    """Take rows of a decoder's state: some sentences only, or in another order (chapter 04).

    Args:
        state: a tensor, None, an object with a method `select`, as `KeyValueCache`, or a nesting
            of tuples, lists and dictionaries of such.
        index: (rows,), which rows, in which order; one may come several times.

    Returns:
        The same nesting, each tensor indexed along its first axis.

    Raises:
        TypeError: if something else is in the state.

    Example:
        >>> select({"hidden": torch.tensor([[1], [2], [3]]), "mask": None}, torch.tensor([2, 0]))
        {'hidden': tensor([[3], [1]]), 'mask': None}
    """
    if state is None:
        return None
    if isinstance(state, Tensor):
        return state.index_select(0, index)
    if callable(getattr(state, "select", None)):
        return state.select(index)
    if isinstance(state, dict):
        return {name: select(part, index) for name, part in state.items()}
    if isinstance(state, (tuple, list)):
        parts = [select(part, index) for part in state]
        return type(state)(*parts) if hasattr(state, "_fields") else type(state)(parts)
    raise TypeError(
        f"state must hold tensors, None, tuples, lists and dictionaries, got {type(state).__name__}"
    )


def step(model: Any, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
    """Give the log-probabilities of the next token, in float32 at least, and the state."""
    logits, state = model.step(tokens, state)
    if logits.dim() != 2 or len(logits) != len(tokens):
        raise ValueError(
            f"model must give logits ({len(tokens)}, vocabulary), one row a token, "
            f"got shape {tuple(logits.shape)}"
        )
    return logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(-1), state


def decoded(written: Tensor, lengths: Tensor, total: Tensor | None) -> Decoded:
    longest = int(lengths.max()) if len(lengths) else 0
    if total is not None and (total.isnan() | (lengths == 0)).any():
        raise ValueError("model gave logits that are not numbers: nan")
    if total is None:  # no sentence at all
        total = torch.zeros(len(lengths), device=lengths.device)
    return Decoded(written[:, :longest], lengths, total)


def require_search(model: Any, source: Tensor, *, max_length: int, **marks: int) -> None:
    for method in ("start", "step"):
        if not callable(getattr(model, method, None)):
            raise TypeError(f"model must have a method {method}, got {type(model).__name__}")
    require_tokens("source", source, "(batch, source)")
    for name, mark in marks.items():
        require_integer(name, mark, least=0)
    require_integer("max_length", max_length, least=1)
