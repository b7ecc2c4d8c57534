"""Greedy decoding with the cache, beside the same model without it and Hugging Face's `generate`.

64 sentences are written to 64 tokens each, in float32 on the CPU, by models of the same shape with
random weights; none may end early. The three take turns, and only neighbouring times are compared.
Prints how many times longer the others take, and each one's time per token at the beginning and the
end.

    python benchmarks/greedy_decoding.py
"""

from __future__ import annotations

import os

# Read when torch is imported: idle threads must not spin beside the one that is timed.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import argparse
import platform
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from torch import Tensor
from transformer_step import VOCABULARY, OfMarian

from attncourse.decoding import greedy
from attncourse.recipes import environment, write_record
from attncourse.transformer import Transformer, TransformerConfig

SENTENCES, SOURCE, LENGTH, ROUNDS = 64, 16, 64, 5
WANTED_WITHOUT, WANTED_MARIAN = 5.0, 1.0
NEVER = VOCABULARY  # an end mark that no model can write


class WithCache:
    """The model, which notes when each of its steps began."""

    def __init__(self, model: Transformer):
        self.model = model
        self.began: list[float] = []

    def start(self, source: Tensor, source_mask: Tensor | None):
        return self.model.start(source, source_mask)

    def step(self, tokens: Tensor, state):
        self.began.append(perf_counter())
        return self.model.step(tokens, state)

    def __call__(self, source: Tensor) -> Tensor:
        return greedy(self, source, bos=1, eos=NEVER, pad=0, max_length=LENGTH).tokens


class WithoutCache(WithCache):
    """The same model, which reads all that it has written anew for every token."""

    def start(self, source: Tensor, source_mask: Tensor | None):
        return source, source.new_zeros(len(source), 0)

    def step(self, tokens: Tensor, state):
        self.began.append(perf_counter())
        source, written = state
        written = torch.cat([written, tokens[:, None]], 1)
        return self.model(source, written)[:, -1], (source, written)


class Generate:
    """Hugging Face's `generate`, whose model notes when each of its steps began."""

    def __init__(self, peer: OfMarian):
        self.model = peer.model.eval()
        self.began: list[float] = []
        self.model.register_forward_pre_hook(lambda *_: self.began.append(perf_counter()))
        config = self.model.generation_config
        config.eos_token_id = config.forced_eos_token_id = config.bad_words_ids = None

    @torch.no_grad()
    def __call__(self, source: Tensor) -> Tensor:
        return self.model.generate(
            input_ids=source,
            attention_mask=torch.ones_like(source),
            max_new_tokens=LENGTH,
            min_new_tokens=LENGTH,
            num_beams=1,
            do_sample=False,
        )[:, 1:]


def by_token(began: list[float]) -> dict[str, float]:
    """The median time between two steps, in milliseconds, of the first 15 tokens and the last."""
    each = torch.tensor(began, dtype=torch.float64).view(-1, LENGTH).diff() * 1000
    ends = {"early": each[:, :15], "late": each[:, -15:]}
    return {name: round(times.median().item(), 1) for name, times in ends.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=("tiny", "base"), default="tiny")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--out", type=Path, help="where the record goes, if one is wanted")
    asked = parser.parse_args()
    torch.manual_seed(0)
    config = TransformerConfig.preset(asked.size, VOCABULARY, dropout=0.0)
    model = Transformer(config).eval()
    source = torch.randint(4, VOCABULARY, (SENTENCES, SOURCE))
    ways = {
        "with cache": WithCache(model),
        "without cache": WithoutCache(model),
        "Marian's generate": Generate(OfMarian(config)),
    }
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {platform.machine()}")
    if hasattr(os, "getloadavg"):
        print(f"load of the last minute before the start: {os.getloadavg()[0]:.2f}")
    written = {name: way(source) for name, way in ways.items()}  # the first calls allocate
    assert all(tokens.shape == (SENTENCES, LENGTH) for tokens in written.values())
    assert torch.equal(written["with cache"], written["without cache"])

    taken: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way.began.clear()
    order = list(ways)
    for _ in range(asked.rounds):
        for name in order:
            start = perf_counter()
            ways[name](source)
            taken[name].append(perf_counter() - start)
        order = order[1:] + order[:1]
    print(f"{asked.size}, {SENTENCES} sentences of {LENGTH} tokens; a token of each takes")
    tokens = {name: by_token(way.began) for name, way in ways.items()}
    for name, each in tokens.items():
        print(f"{name}: {each['early']} ms at the beginning, {each['late']} ms at the end")
    passed, ratios = True, {}
    for name, wanted in (("without cache", WANTED_WITHOUT), ("Marian's generate", WANTED_MARIAN)):
        ratio = median(
            theirs / ours for ours, theirs in zip(taken["with cache"], taken[name], strict=True)
        )
        ratios[name] = round(ratio, 3)
        passed &= ratio >= wanted
        verdict = "met" if ratio >= wanted else "NOT met"
        print(
            f"{name}: {ratio:.2f} times as long ({1000 * median(taken[name]):,.0f} ms beside "
            f"{1000 * median(taken['with cache']):,.0f}); wanted at least {wanted:g}: {verdict}"
        )
    if asked.out:
        settings = {"size": asked.size, "sentences": SENTENCES, "length": LENGTH}
        record = {"name": "greedy-decoding", "settings": settings, "environment": environment()}
        record["milliseconds"] = {name: round(1000 * median(taken[name])) for name in ways}
        record["time_over_ours"] = ratios
        record["milliseconds_a_token"] = tokens
        write_record(asked.out, record)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
