"""What every search has in common: a model's steps, its state's rows, its result (chapter 12)."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from attncourse.checks import (
    require_ids,
    require_integer,
    require_no_hole,
    require_padding_mask,
    require_same_device,
    require_tokens,
)


class Decoded(NamedTuple):
    """Sentences that a model wrote (chapter 04).

    Attributes:
        tokens: (batch, length), ids behind the begin mark and the prompt, with the end mark where
            it was reached, and the padding's id behind.
        lengths: (batch,), how many of the tokens are real, the end mark counted.
        log_probability: (batch,), the natural logarithm of what the model gives each sentence,
            its end mark included and its prompt not: the sum over its tokens, not divided by any
            length.
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
    """A model asked step by step for the sentences that belong to some sources or prompts.

    The arguments are those of `greedy`. A prompt is read as if the search had chosen it: as long as
    a sentence is inside its own, the prompt's next token is certain. So prompts of all lengths go
    together, without padding between a prompt and what is written behind it.
    """

    def __init__(
        self,
        model: Any,
        source: Tensor | None,
        source_mask: Tensor | None,
        *,
        bos: int | None,
        eos: int | None,
        pad: int,
        max_length: int,
        prompt: Tensor | None = None,
        prompt_mask: Tensor | None = None,
    ):
        for method in ("start", "step"):
            if not callable(getattr(model, method, None)):
                raise TypeError(f"model must have a method {method}, got {type(model).__name__}")
        if source is not None:
            require_tokens("source", source, "(batch, source)")
        elif prompt is None:
            raise TypeError("source or prompt must be given, got neither")
        for name, mark in (("bos", bos), ("eos", eos), ("pad", pad)):
            if mark is not None or name == "pad":
                require_integer(name, mark, least=0)
        require_integer("max_length", max_length, least=1)
        _require_prompt(prompt, prompt_mask, source, bos)
        self.model, self.source, self.source_mask = model, source, source_mask
        self.pad = pad
        self.eos = -1 if eos is None else eos  # no token's id
        self.max_length = int(max_length)  # a number of NumPy's makes no mask with a tensor
        self._largest: list[Tensor] = []  # of each row of logits, step by step
        self._begin(bos, prompt, prompt_mask)

    def _begin(self, bos: int | None, prompt: Tensor | None, prompt_mask: Tensor | None) -> None:
        """Set apart what each sentence begins with, (batch,), and the prompt behind it."""
        if prompt is None:
            prompt = self.source.new_empty(len(self.source), 0)
        if prompt_mask is None:
            lengths = prompt.new_full((len(prompt),), prompt.shape[1])
        else:
            prompt, lengths = prompt.masked_fill(~prompt_mask, self.pad), prompt_mask.sum(1)
        if bos is None:  # the prompt's own first token is what a sentence begins with
            first, self.prompt, self.prompt_lengths = prompt[:, 0], prompt[:, 1:], lengths - 1
        else:
            first = prompt.new_full((len(prompt),), bos)
            self.prompt, self.prompt_lengths = prompt, lengths
        self.begun = torch.cat([first[:, None], self.prompt], 1)  # (batch, 1 + prompt)

    @property
    def last_step(self) -> int:
        """How many tokens, those of the prompt included, the longest sentence can have."""
        return self.prompt.shape[1] + self.max_length

    def blank(self) -> Decoded:
        """Give sentences without a token, as long as they may become, with room for the prompt."""
        batch = len(self.begun)
        return Decoded(
            tokens=self.begun.new_full((batch, self.last_step), self.pad),
            lengths=self.begun.new_zeros(batch),
            log_probability=torch.zeros(batch, device=self.begun.device),
        )

    def start(self) -> tuple[Any, Tensor]:
        """Let the model read the sources, and of the prompts what it can read at once.

        Gives its state, and the tokens so far, (batch, 1 or more), of which the last is not read
        yet.
        """
        state = self.model.start(self.source, self.source_mask)
        shortest = int(self.prompt_lengths.min()) if len(self.prompt_lengths) else 0
        if not shortest or not callable(getattr(self.model, "read", None)):
            return state, self.begun[:, :1]
        _, state = self.model.read(self.begun[:, :shortest], state)
        return state, self.begun[:, : shortest + 1]

    def step(
        self, tokens: Tensor, state: Any, rows: Tensor, length: int, alive: Tensor | None = None
    ) -> tuple[Tensor, Any]:
        """Give the log-probabilities of the next token, in float32 at least, and the state.

        `rows` says which sentence each token belongs to, and `length` which token of it comes next,
        from 1 on. A row that is not `alive` may give what it will: minus infinity is made of it.
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
        if length <= self.prompt.shape[1]:
            log_probabilities = self._follow_prompt(log_probabilities, rows, length)
        return log_probabilities, state

    def _follow_prompt(self, log_probabilities: Tensor, rows: Tensor, length: int) -> Tensor:
        """Make the prompt's token certain where there is one."""
        inside = self.prompt_lengths[rows, None] >= length  # (rows, 1)
        wanted = self.prompt[rows, length - 1, None].masked_fill(~inside, 0)  # (rows, 1)
        require_ids("prompt", wanted, log_probabilities.shape[-1])
        # On a GPU, where nobody asks first, the scatter stops at an unknown id.
        certain = torch.full_like(log_probabilities, -torch.inf).scatter_(1, wanted, 0.0)
        return torch.where(inside, certain, log_probabilities)

    def written(self, rows: Tensor, length: int) -> Tensor | int:
        """Say how many of so many tokens stand behind the prompt."""
        if not self.prompt.shape[1]:
            return length
        return (length - self.prompt_lengths[rows]).clamp(min=0)  # (rows,)

    def finished(self, tokens: Tensor, rows: Tensor, length: int) -> Tensor:
        """Say which sentences end with their last token, (rows,) or (rows, beam), its `length`-th:
        those with the end mark, and those as long as they may be."""
        written = self.written(rows, length)
        if isinstance(written, Tensor):
            written = written.reshape(-1, *[1] * (tokens.dim() - 1))
            return (written > 0) & ((tokens == self.eos) | (written == self.max_length))
        return (tokens == self.eos) | (written == self.max_length)

    def found(self, sentences: Decoded) -> Decoded:
        """Give the sentences without the prompt, as long as the longest; refuse them if a logit was
        not finite.

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
        tokens = sentences.tokens
        if self.prompt.shape[1]:
            place = torch.arange(self.max_length, device=tokens.device)
            tokens = tokens.gather(1, self.prompt_lengths[:, None] + place)
        longest = int(sentences.lengths.max()) if len(sentences.lengths) else 0
        return sentences._replace(tokens=tokens[:, :longest])


def _require_prompt(
    prompt: Tensor | None, mask: Tensor | None, source: Tensor | None, bos: int | None
) -> None:
    if prompt is None:
        for name, given in (("prompt_mask", mask is not None), ("bos=None", bos is None)):
            if given:
                raise TypeError(f"prompt must be given with {name}, got None")
        return
    require_tokens("prompt", prompt, "(batch, prompt)")
    if source is not None:
        if len(source) != len(prompt):
            raise ValueError(
                f"source and prompt disagree in batch: {len(source)} and {len(prompt)}"
            )
        require_same_device("prompt", source, prompt, of="source")
    if mask is not None:
        require_padding_mask("prompt_mask", mask, prompt)
        require_no_hole(prompt_mask=mask)
    if bos is None:
        empty = [] if mask is None else (~mask.any(1)).nonzero().flatten().tolist()
        if prompt.shape[1] == 0 or empty:
            raise ValueError(
                "prompt must hold at least one token of each text where bos is None, got none of "
                f"{f'text {empty[0]}' if empty else 'any'}"
            )
