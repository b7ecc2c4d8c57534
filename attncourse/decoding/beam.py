"""Beam search (chapter 12): several beginnings of a sentence at once."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from attncourse.checks import require_integer
from attncourse.decoding.state import Decoded, decoded, require_search, select, step
from attncourse.runtime import evaluating


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
    no open beginning of it can win any more. A beam of one is greedy search, but for ties.

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
    require_search(model, source, bos=bos, eos=eos, pad=pad, max_length=max_length)
    max_length = int(max_length)  # a number of NumPy's makes no mask with a tensor
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
            scores, state = step(model, beams[:, :, -1].flatten(), state)
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
            # What is no number counts as the largest, and so is among those chosen.
            total[going] = total[going].masked_fill(open_.isnan().any(1), torch.nan)

            # An open beginning only loses probability; at best it loses none, and then it fares
            # best at the greatest length, where it is divided by most.
            open_ = open_.masked_fill(ended, -torch.inf)
            left = (open_.amax(1) / penalty(max_length) > best[going]).nonzero().squeeze(1)
            if not len(left):
                break
            rows = (left * beam)[:, None] + parent[left]
            state = select(state, rows.flatten())
            going, open_, beams = going[left], open_[left], beams[left]
    return decoded(written, lengths, total)
