"""Models to search with, whose every sentence has a known probability, and the searches."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from attncourse.decoding import Decoded, beam_search, greedy, sample
from attncourse.recurrent import EncoderDecoder, GRUEncoder

BOS, EOS, PAD = 1, 2, 0
MARKS = {"bos": BOS, "eos": EOS, "pad": PAD}
LOWEST = -1e9  # a logit that gives no probability


class Markov:
    """A model whose next token depends on the last one and on the sentence's first source id.

    `tables` are logits, (kinds, last, next). The state carries the tokens read so far, so that a
    row that goes astray shows, in a nesting of every kind of container.
    """

    def __init__(self, tables: Tensor):
        self.tables = tables
        self.rows: list[int] = []  # of each call of `step`
        self.read: list[Tensor] = []  # what the last call of `step` had read, row by row

    def start(self, source, source_mask=None):
        empty = torch.zeros(len(source), 0, dtype=torch.int64, device=source.device)
        return {"kind": (source[:, 0], [None, empty])}

    def step(self, tokens, state):
        kind, (nothing, read) = state["kind"]
        assert nothing is None
        self.rows.append(len(tokens))
        read = torch.cat([read, tokens[:, None]], 1)
        self.read = read
        return self.tables[kind, tokens], {"kind": (kind, [None, read])}


class Remembering(Markov):
    """Depends on everything read so far: logits drawn from the history's own number."""

    def step(self, tokens, state):
        _, state = super().step(tokens, state)
        kind, (_, read) = state["kind"]
        rows = []
        for k, history in zip(kind.tolist(), read.tolist(), strict=True):
            seed = hash((k, *history)) % 2**31
            generator = torch.Generator().manual_seed(seed)
            size = self.tables.shape[-1]
            rows.append(2 * torch.randn(size, generator=generator, dtype=torch.float64))
        return torch.stack(rows), state


def tables(kinds: int, vocabulary: int, seed: int = 0, spread: float = 2.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = kinds, vocabulary, vocabulary
    return spread * torch.randn(shape, generator=generator, dtype=torch.float64)


def kinds(count: int) -> Tensor:
    return torch.arange(count)[:, None]


def log_probability(model, kind: int, tokens: list[int]) -> float:
    """Add the log-probabilities of a sentence's tokens, one at a time."""
    state, last, total = model.start(torch.tensor([[kind]])), BOS, 0.0
    for token in tokens:
        logits, state = model.step(torch.tensor([last]), state)
        total += logits[0].double().log_softmax(-1)[token].item()
        last = token
    return total


def score(total: float, length: int, penalty: float) -> float:
    """Give a number that grows with log p / ((5 + length) / 6)^penalty, and cannot overflow."""
    return penalty * math.log((5 + length) / 6) - math.log(-total) if total else math.inf


def lists(decoded: Decoded) -> list[list[int]]:
    return [
        row[:length]
        for row, length in zip(decoded.tokens.tolist(), decoded.lengths.tolist(), strict=True)
    ]


def translator(decoder, dtype=torch.float64) -> EncoderDecoder:
    """Draw a small model with weights large enough that it says something."""
    generator = torch.Generator().manual_seed(7)
    encoder = GRUEncoder(19, embed_dim=5, hidden_dim=7, bidirectional=True)
    decoder = decoder(13, embed_dim=5, hidden_dim=11, memory_dim=14, dropout=0.5)
    model = EncoderDecoder(encoder, decoder).to(dtype)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator, dtype=torch.float64))
        model.decoder.readout.output.bias[EOS] += 2  # so that sentences end, sooner or later
    return model


def sampled(*inputs, **options) -> Decoded:
    """Draw where there is no choice."""
    return sample(*inputs, top_k=1, temperature=0.7, **options)


SEARCHES = pytest.mark.parametrize(
    "search",
    [
        greedy,
        lambda *inputs, **options: beam_search(*inputs, beam_size=3, **options),
        lambda *inputs, **options: beam_search(*inputs, beam_size=5, length_penalty=0.7, **options),
        sampled,
    ],
    ids=["greedy", "beam", "penalised", "sampled"],
)


def likelier_later() -> Markov:
    """Greedy begins with 3 (0.6), behind which all is uncertain; 4 (0.4) ends for certain."""
    logits = torch.full((1, 9, 9), LOWEST, dtype=torch.float64)
    logits[0, BOS, [3, 4]] = torch.tensor([0.6, 0.4], dtype=torch.float64).log()
    logits[0, 3, [5, 6, 7]] = torch.tensor([0.4, 0.35, 0.25], dtype=torch.float64).log()
    logits[0, [4, 5, 6, 7], EOS] = 0.0
    return Markov(logits)


def ends_after(*lengths: int, beside: float = LOWEST) -> Markov:
    """Count upwards from 3; sentence i ends with its `lengths[i]`-th token. `beside` is the logit
    of breaking off: of padding, and the end behind it."""
    size = 4 + max(lengths)
    logits = torch.full((len(lengths), size, size), LOWEST, dtype=torch.float64)
    for kind, length in enumerate(lengths):
        tokens = [BOS, *range(3, 2 + length), EOS]
        for last, token in itertools.pairwise(tokens):
            logits[kind, last, token] = 0.0
            logits[kind, last, PAD] = beside
        logits[kind, PAD, EOS] = 0.0
    return Markov(logits)
