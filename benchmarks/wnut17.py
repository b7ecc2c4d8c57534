"""Real posts, WNUT-17: what the tagger of chapter 14 gains by attention where names hardly recur.

A list of the training's names, then the tagger with nothing, a mean and attention as its context,
for the same steps; the lead of each over the first with an interval. Writes what chapter 14 reads,
one file a seed.

    python benchmarks/wnut17.py --seed 0 --out results/wnut17-seed0.json
"""

from __future__ import annotations

import os

# Read when torch is imported: idle threads must not spin beside those that work.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import argparse
import re
from collections import Counter
from time import perf_counter
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attncourse import MultiHeadAttention, seed_everything
from attncourse.data.bio import Span, TaggedText, spans_to_tags, tags_to_spans
from attncourse.data.tagged import TaggedBatch, TaggedBatches
from attncourse.data.wnut17 import WNUT17_TAGS, wnut17
from attncourse.language import MeanContext, NeighbourReader, Tagger, legal_tags, start_alike
from attncourse.metrics import entity_f1_interval, entity_tally
from attncourse.recipes import environment, write_record
from attncourse.training import fit, linear_schedule

BUCKETS, WIDTH, REACH, DROPOUT = 20_000, 96, 2, 0.3
BATCH, STEPS, WARMUP, RATE = 16, 900, 100, 3e-3
KINDS = ("nothing", "mean", "attention, start alike")
PIECES = {"buckets": BUCKETS, "whole": True}


def normalised(text: TaggedText) -> TaggedText:
    """Make all addresses, all users and all digits alike."""
    words = []
    for word in text.words:
        if re.match(r"https?:|www\.", word):
            word = "http"
        elif len(word) > 1 and word[0] == "@":
            word = "@user"
        words.append(re.sub(r"\d", "0", word)[:30])
    return TaggedText(tuple(words), text.tags)


def tags_by_list(train: list[TaggedText], texts: list[TaggedText]) -> list[list[str]]:
    """Mark what was an entity in training, the longest first, as the kind it was most often."""
    kinds: dict[tuple[str, ...], Counter[str]] = {}
    for text in train:
        for start, end, kind in tags_to_spans(text.tags):
            name = tuple(word.lower() for word in text.words[start:end])
            kinds.setdefault(name, Counter())[kind] += 1
    longest = max(map(len, kinds))
    tagged = []
    for text in texts:
        words = [word.lower() for word in text.words]
        spans, start = [], 0
        while start < len(words):
            ends = range(min(len(words), start + longest), start, -1)
            end = next((end for end in ends if tuple(words[start:end]) in kinds), None)
            if end is not None:
                kind = kinds[tuple(words[start:end])].most_common(1)[0][0]
                spans.append(Span(start, end, kind))
            start = start + 1 if end is None else end
        tagged.append(spans_to_tags(spans, len(words)))
    return tagged


def make_tagger(kind: str) -> Tagger:
    """Build a tagger; only its context is another."""
    contexts: dict[str, nn.Module | None] = {
        "nothing": None,
        "mean": MeanContext(WIDTH),
        "attention, start alike": start_alike(MultiHeadAttention(WIDTH, num_heads=1)),
    }
    return Tagger(
        buckets=BUCKETS,
        embed_dim=WIDTH,
        num_tags=len(WNUT17_TAGS),
        reader=NeighbourReader(WIDTH, reach=REACH),
        context=contexts[kind],
        dropout=DROPOUT,
    )


def tag_loss(model: Tagger, batch: TaggedBatch) -> Tensor:
    """Cross-entropy per real word."""
    logits = model(batch.pieces, padding_mask=batch.mask)
    return F.cross_entropy(logits[batch.mask], batch.tags[batch.mask])


def tag(model: Tagger, texts: list[TaggedText]) -> list[list[str]]:
    """Give the tags of some texts."""
    found = []
    with torch.no_grad():
        for batch in TaggedBatches(texts, WNUT17_TAGS, size=50, shuffle=False, **PIECES):
            logits = model(batch.pieces, padding_mask=batch.mask)
            found += legal_tags(logits, WNUT17_TAGS, padding_mask=batch.mask)
    return found


def train(seed: int, kind: str, texts: dict[str, list[TaggedText]]) -> dict[str, list[list[str]]]:
    """Train a tagger and give its tags for the held-out texts."""
    seed_everything(seed)
    model = make_tagger(kind)
    fit(
        model,
        TaggedBatches(texts["train"], WNUT17_TAGS, size=BATCH, **PIECES),
        steps=STEPS,
        loss=tag_loss,
        optimiser=lambda model: torch.optim.AdamW(model.parameters(), lr=RATE, fused=True),
        schedule=linear_schedule(STEPS, warmup=WARMUP),
        seed=seed,
        device="cpu",
        progress=False,
    )
    return {split: tag(model, texts[split]) for split in ("dev", "test")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    start = perf_counter()
    texts = {split: [normalised(t) for t in wnut17(split)] for split in ("train", "dev", "test")}
    gold = {split: [list(text.tags) for text in texts[split]] for split in ("dev", "test")}
    tags = {"list": {split: tags_by_list(texts["train"], texts[split]) for split in gold}}
    runs: list[dict[str, Any]] = []
    for kind in ("list", *KINDS):
        if kind in KINDS:
            tags[kind] = train(given.seed, kind, texts)
        own = tags[kind]
        run = {"kind": kind, "dev_f1": round(entity_tally(own["dev"], gold["dev"]).f1, 4)}
        interval = entity_f1_interval(own["test"], gold["test"])
        run["test_f1"] = [round(number, 4) for number in interval]
        if kind in KINDS[1:]:
            nothing = tags["nothing"]["test"]
            lead = entity_f1_interval(own["test"], gold["test"], baseline=nothing)
            run["lead"] = [round(number, 4) for number in lead]
        runs.append(run)
        print(run, flush=True)
    sizes = {
        "buckets": BUCKETS,
        "embed_dim": WIDTH,
        "reach": REACH,
        "dropout": DROPOUT,
        "batch": BATCH,
        "steps": STEPS,
        "learning_rate": RATE,
        "optimiser": "AdamW, betas 0.9 and 0.999, weight decay 0.01",
    }
    record = {
        "name": "wnut17",
        "seed": given.seed,
        "settings": sizes,
        "environment": environment(),
        "minutes": round((perf_counter() - start) / 60, 1),
        "runs": runs,
    }
    write_record(given.out, record)


if __name__ == "__main__":
    main()
