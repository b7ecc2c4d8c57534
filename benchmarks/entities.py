"""One name, two mentions: what a tagger gains by attention, against a mean as large and nothing.

Every model gets the same texts, steps and optimiser. With seed 0 each kind of context tries every
learning rate, and its best on the validation texts is the one the other seeds take. What comes of a
longer training, with that rate and the next lower, and of a Transformer is tried with seed 0 alone.
Writes what chapter 14 reads, one file a seed; what stands there already is not trained again. Start
with seed 0.

    python benchmarks/entities.py --seed 0 --out results/entities-seed0.json
"""

from __future__ import annotations

import os

# Read when torch is imported: idle threads must not spin beside those that work.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from time import process_time
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attncourse import MultiHeadAttention, seed_everything
from attncourse.data.bio import Span, tags_to_spans
from attncourse.data.entities import TAGS, EntityText, entity_names, entity_texts
from attncourse.data.tagged import TaggedBatch, TaggedBatches
from attncourse.language import MeanContext, NeighbourReader, Tagger, legal_tags, start_alike
from attncourse.metrics import EntityTally, entity_f1_interval, entity_tally
from attncourse.recipes import environment, records, write_record
from attncourse.training import fit, linear_schedule
from attncourse.transformer import Encoder

BUCKETS, WIDTH, REACH = 1000, 64, 2
TRAIN, HELD_OUT, BATCH = 5000, 300, 32  # texts
STEPS, LONG, WARMUP = 300, 1200, 50
RATES, RATE = (3e-3, 1e-2, 3e-2), 3e-3
KINDS = ("attention, start alike", "attention, usual start", "mean", "nothing")
DISTANCES = ((0, 0), (1, 10), (11, 20), (21, 30), (31, 200))  # words to the clear mention


def make_tagger(kind: str) -> Tagger:
    """Build a tagger; only its context, or for the Transformer its reader, is another."""
    sizes = {"buckets": BUCKETS, "embed_dim": WIDTH, "num_tags": len(TAGS)}
    reader: nn.Module = NeighbourReader(WIDTH, reach=REACH)
    context: nn.Module | None = None
    if kind.startswith("attention"):
        context = MultiHeadAttention(WIDTH, num_heads=1)
        if kind.endswith("alike"):
            start_alike(context)
    elif kind == "mean":
        context = MeanContext(WIDTH)
    elif kind == "transformer":
        layers = {"num_layers": 2, "embed_dim": WIDTH, "num_heads": 4, "ffn_dim": 2 * WIDTH}
        reader = Encoder(**layers, norm_first=True, rotary=True)
    return Tagger(**sizes, reader=reader, context=context)


def tag_loss(model: Tagger, batch: TaggedBatch) -> Tensor:
    """Cross-entropy per real word."""
    logits = model(batch.pieces, padding_mask=batch.mask)
    return F.cross_entropy(logits[batch.mask], batch.tags[batch.mask])


def tag(model: Tagger, texts: list[EntityText]) -> list[list[str]]:
    """Give the tags of some texts."""
    found = []
    with torch.no_grad():
        for batch in TaggedBatches(texts, TAGS, buckets=BUCKETS, size=50, shuffle=False):
            logits = model(batch.pieces, padding_mask=batch.mask)
            found += legal_tags(logits, TAGS, padding_mask=batch.mask)
    return found


def tally_at(tags: list[list[str]], texts: list[EntityText], least: int, most: int) -> EntityTally:
    """Count the mentions at some distance from their clear one, and what was marked there."""
    total = EntityTally()
    for own, text in zip(tags, texts, strict=True):
        wanted = {each.span for each in text.mentions if least <= each.distance <= most}
        found = {span for span in tags_to_spans(own) if any(_meet(span, w) for w in wanted)}
        total += EntityTally(len(found & wanted), len(found), len(wanted))
    return total


def _meet(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


def train(seed: int, kind: str, rate: float, steps: int) -> dict[str, Any]:
    texts = entity_texts(entity_names("train", 2000), TRAIN, seed=3 * seed)
    held_out = {
        split: entity_texts(entity_names(split), HELD_OUT, seed=3 * seed + place)
        for place, split in enumerate(("validation", "test"), 1)
    }
    seed_everything(seed)
    model = make_tagger(kind)
    start = process_time()
    history = fit(
        model,
        TaggedBatches(texts, TAGS, buckets=BUCKETS, size=BATCH),
        steps=steps,
        loss=tag_loss,
        optimiser=lambda model: torch.optim.AdamW(model.parameters(), lr=rate, fused=True),
        schedule=linear_schedule(steps, warmup=WARMUP),
        seed=seed,
        device="cpu",
        progress=False,
    )
    seconds = process_time() - start
    tags = {split: tag(model, texts) for split, texts in held_out.items()}
    wanted = {split: [list(text.tags) for text in texts] for split, texts in held_out.items()}
    interval = entity_f1_interval(tags["test"], wanted["test"])
    test = tags["test"], held_out["test"]
    blocks = torch.tensor(history.loss).view(-1, 20).mean(1).tolist()
    return {
        "kind": kind,
        "learning_rate": rate,
        "steps": steps,
        "parameters": sum(weights.numel() for weights in model.parameters()),
        "cpu_seconds": round(seconds),
        "validation_f1": round(entity_tally(tags["validation"], wanted["validation"]).f1, 4),
        "test_f1": [round(number, 4) for number in interval],
        "vague_f1": round(tally_at(*test, 1, 200).f1, 4),
        "distance_f1": [round(tally_at(*test, *bounds).f1, 4) for bounds in DISTANCES],
        "curve": [round(block, 4) for block in blocks],
    }


def best_rate(kind: str, runs: list[dict[str, Any]]) -> float:
    """The rate with which a kind was best on the validation texts of seed 0."""
    own = [run for run in runs if (run["kind"], run["steps"]) == (kind, STEPS)]
    return max(own, key=lambda run: run["validation_f1"])["learning_rate"]


def settings(runs: list[dict[str, Any]] | None) -> Iterator[tuple[str, float, int]]:
    """Give kind, rate and steps of every training of a seed: of seed 0 `runs` are its own so far,
    and None for the others."""
    if runs is None:
        tried = records("entities")[0]["runs"]
        yield from ((kind, best_rate(kind, tried), STEPS) for kind in KINDS)
        return
    yield from ((kind, rate, STEPS) for kind in KINDS[:-1] for rate in RATES)
    yield "nothing", RATE, STEPS
    yield "transformer", RATE, STEPS
    for kind in KINDS[1:-1]:
        best = RATES.index(best_rate(kind, runs))
        # A longer training may want a lower rate.
        yield from ((kind, rate, LONG) for rate in RATES[max(0, best - 1) : best + 1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    sizes = {
        "buckets": BUCKETS,
        "embed_dim": WIDTH,
        "reach": REACH,
        "train": TRAIN,
        "held_out": HELD_OUT,
        "batch": BATCH,
        "optimiser": "AdamW, betas 0.9 and 0.999, weight decay 0.01",
        "distances": [list(bounds) for bounds in DISTANCES],
    }
    record = {"name": "entities", "seed": given.seed, "settings": sizes, "runs": []}
    if Path(given.out).exists():
        before = json.loads(Path(given.out).read_text(encoding="utf-8"))
        if before["settings"] == sizes:
            record = before
    runs = record["runs"]
    for kind, rate, steps in settings(None if given.seed else runs):
        if (kind, rate, steps) in [(r["kind"], r["learning_rate"], r["steps"]) for r in runs]:
            continue
        runs.append(train(given.seed, kind, rate, steps))
        print({name: value for name, value in runs[-1].items() if name != "curve"}, flush=True)
        record["environment"] = environment()
        write_record(given.out, record)


if __name__ == "__main__":
    main()
