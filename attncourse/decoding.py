"""From scores to a sentence: greedy and beam search (chapters 04 and 12).

Any model will do that has `start(source, source_mask)`, giving a state, and `step(tokens, state)`,
giving the logits (batch, vocabulary) of the next token and the state after it. A state is a tensor
or any nesting of tuples, lists and dictionaries of tensors, each with the batch as its first axis;
an object in it that holds tensors has a method `select` of its own.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from attncourse.checks import require_tokens
from attncourse.runtime import evaluating, require_integer


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


@torch.no_grad()
def greedy(
    model: Any,
    source: Int64[Tensor, "batch source"],
    source_mask: Bool[Tensor, "batch source"] | None = None,
    *,
    bos: int,
    eos: int,
    pad: int,
    max_length: int,
) -> Decoded:
    """Take the likeliest token at every step (chapter 04).

    A sentence that is finished leaves the batch and costs nothing more. The model decodes in
    evaluation mode and is left in the mode that it was in.

    Args:
        model: has `start` and `step`, see above.
        source: (batch, source), token ids.
        source_mask: (batch, source), True at real tokens; by default all are real.
        bos, eos, pad: the ids of the begin mark, the end mark and padding.
        max_length: tokens after which a sentence is cut, the end mark counted.

    Returns:
        The sentences, as long as the longest.

    Raises:
        TypeError: if the model lacks a method, or an argument has another type.
        ValueError: if `source` is not (batch, source), an id is negative, or `max_length` is not
            positive.

    Example:
        >>> from attncourse.recurrent import EncoderDecoder, GRUDecoder, GRUEncoder
        >>> encoder = GRUEncoder(97, embed_dim=5, hidden_dim=7)
        >>> decoder = GRUDecoder(89, embed_dim=5, hidden_dim=7, memory_dim=7)
        >>> model, source = EncoderDecoder(encoder, decoder), torch.tensor([[4, 5, 6], [7, 8, 9]])
        >>> written = greedy(model, source, bos=1, eos=2, pad=0, max_length=11)
        >>> len(written.tokens), bool((written.lengths <= 11).all())
        (2, True)
    """
    _require(model, source, bos=bos, eos=eos, pad=pad, max_length=max_length)
    batch = len(source)
    written = source.new_full((batch, max_length), pad)
    lengths = source.new_zeros(batch)
    total = None
    with evaluating(model):
        state = model.start(source, source_mask)
        going = torch.arange(batch, device=source.device)  # the sentences not finished yet
        tokens = source.new_full((batch,), bos)
        for position in range(max_length if batch else 0):
            scores, state = _step(model, tokens, state)
            if total is None:
                total = scores.new_zeros(batch)
            best, tokens = scores.max(-1)
            written[going, position] = tokens
            lengths[going] += 1
            total[going] += best
            left = (tokens != eos).nonzero().squeeze(1)
            if len(left) < len(going):
                going, tokens = going[left], tokens[left]
                if not len(left):
                    break
                state = select(state, left)
    return _decoded(written, lengths, total)


@torch.no_grad()
def beam_search(
    model: Any,
    source: Int64[Tensor, "batch source"],
    source_mask: Bool[Tensor, "batch source"] | None = None,
    *,
    bos: int,
    eos: int,
    pad: int,
    max_length: int,
    beam_size: int = 4,
    length_penalty: float = 0.0,
) -> Decoded:
    r"""Follow the likeliest few beginnings at once and give the best sentence (chapter 12).

    At each step every open beginning is continued with every token, and the `beam_size` likeliest
    continuations are kept. One that ends is compared with the best ended so far, by

    $$\frac{\log p(y)}{((5 + |y|) / 6)^{a}}$$

    where $|y|$ counts the end mark and $a$ is `length_penalty`; the others stay open. At
    `max_length` the open ones are cut and compared as they stand. A sentence leaves the batch when
    no open beginning of it can win any more. A beam of one is greedy search.

    Args:
        model, source, source_mask, bos, eos, pad, max_length: as for `greedy`.
        beam_size: how many beginnings are kept for each sentence.
        length_penalty: a, 0 or more. 0 compares the probabilities; more favours longer sentences.

    Returns:
        The best sentences found, as long as the longest. `log_probability` is not divided.

    Raises:
        TypeError: as `greedy`.
        ValueError: as `greedy`, and if `beam_size` is not positive or `length_penalty` negative.

    Source: Wu et al. 2016, section 7, equation 14, without the coverage penalty and without
    pruning by distance from the best. They do not say whether the length counts the end mark.

    Example:
        >>> from attncourse.recurrent import EncoderDecoder, GRUDecoder, GRUEncoder
        >>> encoder = GRUEncoder(97, embed_dim=5, hidden_dim=7)
        >>> decoder = GRUDecoder(89, embed_dim=5, hidden_dim=7, memory_dim=7)
        >>> model, source = EncoderDecoder(encoder, decoder), torch.tensor([[4, 5, 6], [7, 8, 9]])
        >>> marks = {"bos": 1, "eos": 2, "pad": 0}
        >>> written = beam_search(model, source, **marks, max_length=11, beam_size=3)
        >>> len(written.tokens), bool((written.lengths <= 11).all())
        (2, True)
    """
    _require(model, source, bos=bos, eos=eos, pad=pad, max_length=max_length)
    require_integer("beam_size", beam_size, least=1)
    if not 0 <= length_penalty < float("inf"):
        raise ValueError(f"length_penalty must be 0 or more, got {length_penalty}")

    def penalty(length: int) -> float:
        return ((5 + length) / 6) ** length_penalty

    batch, device = len(source), source.device
    written = source.new_full((batch, max_length), pad)
    lengths = source.new_zeros(batch)
    total = best = None  # of the best sentence so far: its log-probability, and that divided
    with evaluating(model):
        state = model.start(source, source_mask)
        going = torch.arange(batch, device=device)
        # The open beginnings of each sentence that goes on, at first only the begin mark: their
        # log-probabilities, (going, beam), and their tokens, (going, beam, length).
        open_, beams = None, source.new_full((batch, 1, 1), bos)
        for length in range(1, max_length + 1 if batch else 1):
            beam = beams.shape[1]
            scores, state = _step(model, beams[:, :, -1].flatten(), state)
            scores = scores.unflatten(0, (-1, beam))  # (going, beam, vocabulary)
            if open_ is None:
                open_ = scores.new_zeros(batch, 1)
                total, best = (scores.new_full((batch,), -torch.inf) for _ in range(2))
            vocabulary = scores.shape[-1]
            scores = (open_[..., None] + scores).flatten(1)
            open_, chosen = scores.topk(min(beam_size, beam * vocabulary))
            parent, token = chosen // vocabulary, chosen % vocabulary
            beams = beams.gather(1, parent[..., None].expand(-1, -1, length))
            beams = torch.cat([beams, token[..., None]], -1)

            ended = (token == eos) | (length == max_length)
            found, which = (open_ / penalty(length)).masked_fill(~ended, -torch.inf).max(1)
            better = (found > best[going]).nonzero().squeeze(1)
            rows, which = going[better], which[better]
            written[rows, :length] = beams[better, which, 1:]
            lengths[rows] = length
            total[rows] = open_[better, which]
            best[rows] = found[better]

            # An open beginning only loses probability; at best it loses none, and then it fares
            # best at the greatest length, where it is divided by most.
            open_ = open_.masked_fill(ended, -torch.inf)
            left = (open_.amax(1) / penalty(max_length) > best[going]).nonzero().squeeze(1)
            if not len(left):
                break
            rows = (left * beam)[:, None] + parent[left]
            state = select(state, rows.flatten())
            going, open_, beams = going[left], open_[left], beams[left]
    return _decoded(written, lengths, total)


def _step(model: Any, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
    """Give the log-probabilities of the next token, in float32 at least, and the state."""
    logits, state = model.step(tokens, state)
    return logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(-1), state


def _decoded(written: Tensor, lengths: Tensor, total: Tensor | None) -> Decoded:
    longest = int(lengths.max()) if len(lengths) else 0
    if total is None:  # no sentence at all
        total = torch.zeros(len(lengths), device=lengths.device)
    return Decoded(written[:, :longest], lengths, total)


def _require(model: Any, source: Tensor, *, max_length: int, **marks: int) -> None:
    for method in ("start", "step"):
        if not callable(getattr(model, method, None)):
            raise TypeError(f"model must have a method {method}, got {type(model).__name__}")
    require_tokens("source", source, "(batch, source)")
    for name, mark in marks.items():
        if isinstance(mark, bool) or not isinstance(mark, int):
            raise TypeError(f"{name} must be an integer, got {type(mark).__name__}")
        if mark < 0:
            raise ValueError(f"{name} must be a token id, 0 or more, got {mark}")
    require_integer("max_length", max_length, least=1)
