"""A sentence word by word (chapters 04 and 12): the likeliest each time, or one that is drawn."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from attncourse.checks import require_integer, require_number
from attncourse.decoding.search import Decoded, Search, select
from attncourse.runtime import evaluating


def greedy(
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
) -> Decoded:
    """Take the likeliest token at every step (chapter 04).

    A sentence that is finished leaves the batch and costs nothing more. The model decodes in
    evaluation mode and is left in the mode that it was in.

    Args:
        model: has `start(source, source_mask)`, giving a state, and `step(tokens, state)`, giving
            the logits (batch, vocabulary) of the next token and the state after it.
        source: (batch, source), token ids; None for a model that reads a prompt alone.
        source_mask: (batch, source), True at real tokens; by default all are real.
        bos, eos, pad: the ids of the begin mark, the end mark and padding. `bos` is None where the
            prompt itself begins the sentence, `eos` where none ends by itself.
        max_length: tokens after which a sentence is cut, the end mark counted and the prompt not.
        prompt: (batch, prompt), ids that each sentence begins with, behind the begin mark.
        prompt_mask: (batch, prompt), True at real tokens, which stand first; by default all are.

    Returns:
        The sentences behind their prompts, as long as the longest.

    Raises:
        TypeError: if the model lacks a method, an argument has another type, or there is neither a
            source nor a prompt.
        ValueError: if `source` is not (batch, source) or `prompt` not (batch, prompt), a mark or
            `max_length` is out of range, the prompt holds an unknown id, or nothing where `bos` is
            None; if a logit is NaN or plus infinity, or all of a row are minus infinity.

    Example:
        >>> from attncourse.recurrent import EncoderDecoder, GRUDecoder, GRUEncoder
        >>> encoder = GRUEncoder(97, embed_dim=5, hidden_dim=7)
        >>> decoder = GRUDecoder(89, embed_dim=5, hidden_dim=7, memory_dim=7)
        >>> model, source = EncoderDecoder(encoder, decoder), torch.tensor([[4, 5, 6], [7, 8, 9]])
        >>> written = greedy(model, source, bos=1, eos=2, pad=0, max_length=11)
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
    # On a CPU a third faster than argmax.
    return _write(search, lambda log_probabilities: log_probabilities.max(-1).indices)


def sample(
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
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
) -> Decoded:
    r"""Draw each token from what the model holds likely (chapter 12).

    The logits are divided by the temperature. Of the tokens then stay the `top_k` likeliest, and
    of these the fewest likeliest that together have a share of `top_p`; one of them is drawn by
    its probability among them.

    Args:
        model, source, source_mask, bos, eos, pad, max_length, prompt, prompt_mask: as for `greedy`.
        temperature: below 1 the likely tokens become likelier, above 1 the others. Towards 0 it
            becomes `greedy`.
        top_k: how many tokens may be drawn; by default all. Those as likely as the last one may
            be drawn too.
        top_p: the share, above 0 and at most 1; by default 1.
        generator: what chance is drawn from, on the model's device; by default PyTorch's own.

    Returns:
        The sentences behind their prompts, as long as the longest. `log_probability` is the
        model's own, whatever the temperature.

    Raises:
        TypeError: as `greedy`.
        ValueError: as `greedy`, and if `temperature` or `top_k` is not positive, or `top_p` lies
            outside (0, 1].

    Source: top_k is Fan et al. 2018, section 5.1; top_p, the nucleus, Holtzman et al. 2020,
    section 3.1.

    Example:
        >>> from attncourse.recurrent import EncoderDecoder, GRUDecoder, GRUEncoder
        >>> encoder = GRUEncoder(97, embed_dim=5, hidden_dim=7)
        >>> decoder = GRUDecoder(89, embed_dim=5, hidden_dim=7, memory_dim=7)
        >>> model, source = EncoderDecoder(encoder, decoder), torch.tensor([[4, 5, 6], [7, 8, 9]])
        >>> marks = {"bos": 1, "eos": 2, "pad": 0, "max_length": 11}
        >>> drawn = sample(model, source, **marks, temperature=0.7, top_p=0.9)
        >>> len(drawn.tokens), bool((drawn.lengths <= 11).all())
        (2, True)
    """
    require_number("temperature", temperature)
    if not 0 < temperature < float("inf"):
        raise ValueError(f"temperature must be positive, got {temperature}")
    if top_k is not None:
        require_integer("top_k", top_k, least=1)
    if top_p is not None:
        require_number("top_p", top_p)
        if not 0 < top_p <= 1:
            raise ValueError(f"top_p must lie above 0 and be at most 1, got {top_p}")
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
    options = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "generator": generator}
    return _write(search, partial(_draw, **options))


@torch.no_grad()
def _write(search: Search, choose: Callable[[Tensor], Tensor]) -> Decoded:
    """Append at each step what `choose` takes, given log-probabilities (unfinished, vocabulary)."""
    tokens, lengths, total = search.blank()
    unfinished = torch.arange(len(tokens), device=tokens.device)
    with evaluating(search.model):
        state, begun = search.start()
        last = begun[:, -1]  # (unfinished,)
        for length in range(begun.shape[1], search.last_step + 1 if len(unfinished) else 0):
            log_probabilities, state = search.step(last, state, unfinished, length)
            last = choose(log_probabilities)  # (unfinished,)
            tokens[unfinished, length - 1] = last
            lengths[unfinished] = search.written(unfinished, length)
            total = total.to(log_probabilities.dtype)
            total[unfinished] += log_probabilities.gather(1, last[:, None])[:, 0]
            remaining = (~search.finished(last, unfinished, length)).nonzero().squeeze(1)
            if not len(remaining):
                break
            if len(remaining) < len(unfinished):
                unfinished, last = unfinished[remaining], last[remaining]
                state = select(state, remaining)
    return search.found(Decoded(tokens, lengths, total))


def _draw(
    log_probabilities: Tensor,
    *,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    generator: torch.Generator | None,
) -> Tensor:
    """Draw a token for each row, (rows,)."""
    # From the likeliest one down, and by what float32 can divide by.
    scores = log_probabilities - log_probabilities.amax(-1, keepdim=True)
    scores = scores / min(max(temperature, 1e-30), 1e30)
    scores = scores.masked_fill(scores.isnan(), 0)  # the search refuses them in the end
    if top_k is not None and top_k < scores.shape[-1]:
        least = scores.topk(top_k).values[:, -1:]
        scores = scores.masked_fill(scores < least, -torch.inf)
    probability = scores.softmax(-1)
    if top_p is None:
        return probability.multinomial(1, generator=generator)[:, 0]
    probability, token = probability.sort(descending=True, stable=True)
    likelier = probability.cumsum(-1) - probability  # the share of all that come before
    probability = probability.masked_fill(likelier >= max(top_p, 1e-30), 0)
    return token.gather(1, probability.multinomial(1, generator=generator))[:, 0]
