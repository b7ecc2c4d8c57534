"""Headlines about people with unseen names: copied, written from a vocabulary, or in pieces.

Five models of one size learn from the same 12,800 made-up articles: with a pointer, without one,
without one but with rare words cut into pieces of two letters, and, with and without a pointer,
with looks at the article that are plain means. With seed 0 each is trained at every learning rate,
and the rate with the best ROUGE-L on the validation articles is used for all seeds. Writes what
chapter 13 reads; what the file holds already is kept.

    python benchmarks/summaries.py --seed 0 --out results/summaries-seed0.json
    python benchmarks/summaries.py --seed 1 --out results/summaries-seed1.json
"""

from __future__ import annotations

import os

# Read when torch is imported: idle threads must not spin beside those that work.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import argparse
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

import torch
from torch import Tensor

from attncourse import padding_mask, seed_everything
from attncourse.data.batches import Batches, pad
from attncourse.data.extended import ExtendedVocabulary
from attncourse.data.news import Article, News, news
from attncourse.data.vocabulary import BOS, EOS, PAD, Vocabulary
from attncourse.decoding import greedy
from attncourse.language import Summariser
from attncourse.metrics import name_accuracy, rouge_l
from attncourse.recipes import environment, records, write_record
from attncourse.training import fit, linear_schedule

MIN_COUNT, BATCH, BUCKET, WARMUP = 40, 16, 160, 100
STEPS = {"pointer": 600, "no pointer": 600, "pieces": 1000, "mean": 600, "mean, no pointer": 600}
RATES = (3e-3, 1e-3)
FFN, WIDER_FFN = 256, 278  # the wider one makes up for the pointer's matrices
PARTS = ("validation", "test", "familiar")


def adamw(model: torch.nn.Module, rate: float) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=rate, fused=True)


# What is read


class Words:
    """Articles as numbers, with or without numbers for their own unknown words."""

    def __init__(self, corpus: News, extend: bool):
        self.extend = extend
        read = (article.text + article.summary for article in corpus.train)
        self.vocabulary = Vocabulary.build(read, min_count=MIN_COUNT)

    def encode(self, article: Article) -> tuple[list[int], list[int]]:
        numbers = ExtendedVocabulary(self.vocabulary, article.text) if self.extend else None
        encode = (numbers or self.vocabulary).encode
        return encode(article.text), encode(article.summary)

    def decode(self, ids: Sequence[int], article: Article) -> str:
        return " ".join(ExtendedVocabulary(self.vocabulary, article.text).decode(ids))


class Pieces(Words):
    """Articles as numbers, each rare word cut into pieces of two letters: vo@@ ss."""

    def __init__(self, corpus: News):
        super().__init__(corpus, extend=False)
        self.whole = self.vocabulary
        read = (self.cut(article.text + article.summary) for article in corpus.train)
        self.vocabulary = Vocabulary.build(read)

    def cut(self, words: Sequence[str]) -> list[str]:
        pieces = []
        for word in words:
            if word in self.whole:
                pieces.append(word)
            else:
                starts = range(0, len(word), 2)
                pieces += [word[i : i + 2] + "@@" * (i + 2 < len(word)) for i in starts]
        return pieces

    def encode(self, article: Article) -> tuple[list[int], list[int]]:
        return tuple(self.vocabulary.encode(self.cut(w)) for w in (article.text, article.summary))

    def decode(self, ids: Sequence[int], article: Article) -> str:
        return self.vocabulary.decode(ids).replace("@@ ", "")


# The models


def averaging(layer: torch.nn.Module) -> None:
    """Make every look of an attention layer a mean: all scores are zero."""
    attend = layer.attend
    layer.attend = lambda query, key, *rest, **options: attend(query * 0, key, *rest, **options)


def model_of(kind: str, vocabulary: Vocabulary) -> Summariser:
    copies = kind in ("pointer", "mean")
    model = Summariser(len(vocabulary), copies=copies, ffn_dim=FFN if copies else WIDER_FFN)
    if kind.startswith("mean"):
        averaging(model.head)  # which without a copy never looks
        for layer in model.decoder.layers:
            averaging(layer.cross_attention)
    return model


def train(kind: str, words: Words, corpus: News, seed: int, rate: float) -> Summariser:
    generator = seed_everything(seed)
    model = model_of(kind, words.vocabulary)
    pairs = [words.encode(article) for article in corpus.train]
    batches = Batches(pairs, sentences=BATCH, bucket=BUCKET, generator=generator)
    steps = STEPS[kind]
    fit(
        model,
        batches,
        steps=steps,
        optimiser=partial(adamw, rate=rate),
        schedule=linear_schedule(steps, WARMUP),
        device="cpu",
        seed=seed,
        progress=False,
    )
    return model


# What comes of it


def write(model: Summariser, words: Words, articles: Sequence[Article]) -> list[str]:
    source, lengths = pad([words.encode(article)[0] for article in articles])
    marks = {"bos": BOS, "eos": EOS, "pad": PAD, "max_length": 24}
    written: Tensor = greedy(model, source, padding_mask(lengths), **marks).tokens
    return [words.decode(ids, each) for ids, each in zip(written.tolist(), articles, strict=True)]


def scores(hypotheses: Sequence[str], articles: Sequence[Article]) -> dict[str, Any]:
    """Score headlines; a name is invented if no word of the article is the headline's second."""
    references = [" ".join(article.summary) for article in articles]
    right = [
        hypothesis == wanted for hypothesis, wanted in zip(hypotheses, references, strict=True)
    ]
    second = [([*hypothesis.split(), "", ""])[1] for hypothesis in hypotheses]
    invented = [
        name not in (*article.text, "<unk>", "")
        for name, article in zip(second, articles, strict=True)
    ]
    return {
        "rouge_l": round(rouge_l(hypotheses, references).score, 2),
        "names": [round(end, 4) for end in name_accuracy(hypotheses, [a.name for a in articles])],
        "all_right": round(sum(right) / len(right), 4),
        "unknown": round(sum("<unk>" in each for each in hypotheses) / len(right), 4),
        "invented": round(sum(invented) / len(right), 4),
        "examples": list(hypotheses[:8]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    corpus, runs = news(), []
    if given.out.exists():
        runs = json.loads(given.out.read_text(encoding="utf-8"))["runs"]
    chosen = {} if given.seed == 0 else records("summaries")[0]["chosen"]
    for kind in STEPS:
        words = Pieces(corpus) if kind == "pieces" else Words(corpus, "no pointer" not in kind)
        for rate in [chosen[kind]] if kind in chosen else RATES:
            if any((run["model"], run["learning_rate"]) == (kind, rate) for run in runs):
                continue
            start = process_time()
            model = train(kind, words, corpus, given.seed, rate)
            run = {
                "model": kind,
                "parameters": sum(weights.numel() for weights in model.parameters()),
                "steps": STEPS[kind],
                "learning_rate": rate,
                "seconds_of_processor": round(process_time() - start),
            }
            for part in PARTS:
                articles = getattr(corpus, part)
                run[part] = scores(write(model, words, articles), articles)
            runs.append(run)
            print({name: run[name] for name in ("model", "learning_rate", *PARTS)}, flush=True)
        if kind not in chosen:
            tried = [run for run in runs if run["model"] == kind]
            best = max(tried, key=lambda run: run["validation"]["rouge_l"])
            chosen[kind] = best["learning_rate"]
    record = {
        "name": "summaries",
        "seed": given.seed,
        "settings": {
            "articles": {part: len(getattr(corpus, part)) for part in ("train", *PARTS)},
            "min_count": MIN_COUNT,
            "batch": BATCH,
            "bucket": BUCKET,
            "warmup": WARMUP,
            "steps": STEPS,
            "learning_rates": list(RATES),
            "optimiser": "AdamW, a linear warm-up and a linear fall",
        },
        "environment": environment(),
        "chosen": chosen,
        "runs": runs,
    }
    write_record(given.out, record)


if __name__ == "__main__":
    main()
