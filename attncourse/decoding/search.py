"""What every search has in common: a model's steps, its state's rows, its result (chapter 12)."""

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


class Search:
    """A model asked step by step for the sentences that belong to some sources.

    The arguments are those of `greedy`.
    """

    def __init__(
        self,
        model: Any,
        source: Tensor,
        source_mask: Tensor | None,
        *,
        bos: int,
        eos: int,
        pad: int,
        max_length: int,
    ):
        for method in ("start", "step"):
            if not callable(getattr(model, method, None)):
                raise TypeError(f"model must have a method {method}, got {type(model).__name__}")
        require_tokens("source", source, "(batch, source)")
        for name, mark in (("bos", bos), ("eos", eos), ("pad", pad)):
            require_integer(name, mark, least=0)
        require_integer("max_length", max_length, least=1)
        self.model, self.source, self.source_mask = model, source, source_mask
        self.bos, self.eos, self.pad = bos, eos, pad
        self.max_length = int(max_length)  # a number of NumPy's makes no mask with a tensor
        self._largest: list[Tensor] = []  # of each row of logits, step by step

    def blank(self) -> Decoded:
        """Give sentences without a token, as long as they may become."""
        batch = len(self.source)
        return Decoded(
            tokens=self.source.new_full((batch, self.max_length), self.pad),
            lengths=self.source.new_zeros(batch),
            log_probability=torch.zeros(batch, device=self.source.device),
        )

    def start(self) -> Any:
        """Let the model read the sources; give its state before the first token."""
        return self.model.start(self.source, self.source_mask)

    def step(self, tokens: Tensor, state: Any, alive: Tensor | None = None) -> tuple[Tensor, Any]:
        """Give the log-probabilities of the next token, in float32 at least, and the state.

        A row that is not `alive` may give what it will: minus infinity is made of it.
        """
        logits, state = self.model.step(tokens, state)
        if logits.dim() != 2 or len(logits) != len(tokens):
            raise ValueError(
                f"model must give logits ({len(tokens)}, vocabulary), one row a token, "
                f"got shape {tuple(logits.shape)}"
            )
        largest = logits.amax(-1)
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        log_probabilities = logits.log_softmax(-1)
        if alive is not None:
            largest = largest.masked_fill(~alive, 0.0)
            log_probabilities = log_probabilities.masked_fill_(~alive[:, None], -torch.inf)
        self._largest.append(largest)
        return log_probabilities, state

    def found(self, sentences: Decoded) -> Decoded:
        """Give the sentences as long as the longest; refuse them if a logit was not finite.

        A row whose largest logit is a number has a token that may come, and no NaN. All rows are
        looked at here together: looking at each step would make a GPU wait.
        """
        largest = torch.cat(self._largest) if self._largest else torch.zeros(0)
        finite = largest.isfinite()
        if not finite.all():
            raise ValueError(
                "model must give finite logits, or -inf for a token that may not come, but the "
                f"largest of a row is {largest[~finite][0].item()} ({type(self.model).__name__})"
            )
        longest = int(sentences.lengths.max()) if len(sentences.lengths) else 0
        return sentences._replace(tokens=sentences.tokens[:, :longest])
