"""Beam search (chapter 12): several beginnings of a sentence at once."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from attncourse.checks import require_integer, require_number
from attncourse.decoding.search import Decoded, Search, select
from attncourse.runtime import evaluating


@torch.no_grad()
def beam_search(
    model: Any,
    source: Int64[Tensor, "batch source"] | None = None,
    source_mask: Bool[Tensor, "batch source"] | None = None,
    *,
    bos: int | None,
    eos: int | None,
    pad: int,
    max_length: int,
    prompt: Int64[Tensor, "batch prompt"] | None = None,
    prompt_mask: Bool[Tensor, "batch prompt"] | None = None,
    beam_size: int = 4,
    length_penalty: float = 0.0,
) -> Decoded:
    r"""Follow the likeliest few beginnings at once and give the best sentence (chapter 12).

    At each step every open beginning is continued with every token, and the `beam_size` likeliest
    continuations are kept. One that ends is compared with the best ended so far, by

    $$\frac{\log p(y)}{((5 + |y|) / 6)^{a}}$$

    where $|y|$ counts the end mark but no prompt, and $a$ is `length_penalty`; the others stay
    open. At `max_length` the open ones are cut and compared as they stand. A sentence leaves the
    batch when no open beginning of it can win any more. A beam of one is greedy search, but for
    ties.

    Args:
        model, source, source_mask, bos, eos, pad, max_length, prompt, prompt_mask: as for `greedy`.
        beam_size: how many beginnings are kept for each sentence.
        length_penalty: a, 0 or more. 0 compares the probabilities; more favours longer sentences.

    Returns:
        The best sentences found, behind their prompts and as long as the longest.
        `log_probability` is not divided.

    Raises:
        TypeError: as `greedy`.
        ValueError: as `greedy`, and if `beam_size` is not positive, or `length_penalty` negative
            or infinite.

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
    search = Search(
        model,
        source,
        source_mask,
        bos=bos,
        eos=eos,
        pad=pad,
        max_length=max_length,
        prompt=prompt,
        prompt_mask=prompt_mask,
    )
    require_integer("beam_size", beam_size, least=1)
    require_number("length_penalty", length_penalty)
    length_penalty = float(length_penalty)
    if not 0 <= length_penalty < float("inf"):
        raise ValueError(f"length_penalty must be 0 or more and finite, got {length_penalty}")
    with evaluating(model):
        state, begun = search.start()
        # The best sentence so far of each source, by the formula above.
        tokens, lengths, total = search.blank()
        total = total - torch.inf
        # The open beginnings of each unfinished sentence, (unfinished, beam, 1 + length), at first
        # the begin mark and what is read of the prompt, and their log-probabilities, (unfinished,
        # beam). One that has ended keeps its place, at minus infinity.
        unfinished = torch.arange(len(tokens), device=tokens.device)
        beams = begun[:, None]
        scores = total.new_zeros(len(tokens), 1)
        for length in range(begun.shape[1], search.last_step + 1 if len(unfinished) else 0):
            beam = beams.shape[1]
            last, alive = beams[:, :, -1].flatten(), (scores > -torch.inf).flatten()
            sentence = unfinished.repeat_interleave(beam)
            log_probabilities, state = search.step(last, state, sentence, length, alive)
            beams, scores, parent = _continued(beams, scores, log_probabilities, beam_size)
            total = total.to(scores.dtype)

            # The likeliest of those that end here is the best if it scores above the best so far.
            finished = search.finished(beams[:, :, -1], unfinished, length)
            likeliest, which = scores.masked_fill(~finished, -torch.inf).max(1)
            written, best = (
                search.written(unfinished, length),
                (total[unfinished], lengths[unfinished]),
            )
            better = _wins(likeliest, written, *best, length_penalty).nonzero().squeeze(1)
            rows = unfinished[better]
            tokens[rows, :length] = beams[better, which[better], 1:]
            lengths[rows] = search.written(rows, length)
            total[rows] = likeliest[better]

            # An open beginning only loses probability; at best it loses none, and then it fares
            # best at the greatest length, where it is divided by most.
            scores = scores.masked_fill(finished, -torch.inf)
            hope, best = scores.amax(1), (total[unfinished], lengths[unfinished])
            left = _wins(hope, search.max_length, *best, length_penalty).nonzero().squeeze(1)
            if not len(left):
                break
            rows = (left * beam)[:, None] + parent[left]
            state = select(state, rows.flatten())
            unfinished, beams, scores = unfinished[left], beams[left], scores[left]
    return search.found(Decoded(tokens, lengths, total))


def _continued(
    beams: Tensor, scores: Tensor, log_probabilities: Tensor, beam_size: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Continue every beginning with every token, and keep the likeliest.

    Gives those, (unfinished, beam, length + 1), their log-probabilities, and the place of the
    beginning that each continues, both (unfinished, beam).
    """
    beam, vocabulary = beams.shape[1], log_probabilities.shape[-1]
    every = scores[..., None] + log_probabilities.unflatten(0, (-1, beam))
    scores, chosen = every.flatten(1).topk(min(beam_size, beam * vocabulary))
    parent, token = chosen // vocabulary, chosen % vocabulary
    beams = beams.gather(1, parent[..., None].expand(-1, -1, beams.shape[2]))
    return torch.cat([beams, token[..., None]], -1), scores, parent


def _wins(
    candidate: Tensor, length: int | Tensor, best: Tensor, best_length: Tensor, power: float
) -> Tensor:
    """Whether a log-probability at a length, divided by its penalty, exceeds the best so far.

    Both sides are multiplied by the penalty of the best, which is no longer: the quotient of the
    penalties lies in [0, 1], whatever the power, where a penalty itself can overflow.
    """
    shrink = ((5 + best_length).to(best.dtype) / (5 + length)) ** power
    return candidate * shrink > best
