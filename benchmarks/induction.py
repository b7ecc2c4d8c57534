"""What came after this token the last time? Two layers of attention against one.

Rows of random tokens repeat, each with a period of its own. The models are attention alone. Of each
the record has the loss and the accuracy where the next token was seen before, in the course of the
training, and how much weight each head puts where an induction needs it. Writes what chapter 18
reads, one file a seed.

    python benchmarks/induction.py --seed 0 --out results/induction-seed0.json
"""

from __future__ import annotations

import os

# Read when torch is imported: idle threads must not spin beside those that work.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import argparse
import json
from pathlib import Path
from time import process_time
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attncourse import record_attention, seed_everything
from attncourse.data.repeats import RepeatBatches, RepeatedRows, draw_repeats
from attncourse.language import AttentionOnlyModel
from attncourse.recipes import environment, write_record
from attncourse.training import fit, linear_schedule

NUM_TOKENS, WIDTH, HEADS = 64, 64, 2
STEPS, WARMUP, BATCH, RATE = 800, 50, 64, 3e-3
EVERY, TEST = 20, 300  # rows that test
RUNS = (1, 2)  # layers


def make_model(layers: int) -> AttentionOnlyModel:
    return AttentionOnlyModel(NUM_TOKENS, embed_dim=WIDTH, num_heads=HEADS, num_layers=layers)


def loss(model: nn.Module, rows: RepeatedRows) -> Tensor:
    """Cross-entropy of the tokens that were seen before in their row."""
    logits = model(rows.tokens[:, :-1])
    return F.cross_entropy(logits[rows.repeated], rows.tokens[:, 1:][rows.repeated])


@torch.no_grad()
def accuracy(model: nn.Module, rows: RepeatedRows) -> float:
    named = model.eval()(rows.tokens[:, :-1]).argmax(-1)
    return (named == rows.tokens[:, 1:])[rows.repeated].double().mean().item()


@torch.no_grad()
def weights_of(model: nn.Module, rows: RepeatedRows) -> list[list[dict[str, float]]]:
    """Measure each head, layer by layer: its weight one back, and on what once came next.

    Over the queries that ask for a token that was seen before. "successor": on all places that
    come right after an earlier occurrence of the query's own token.
    """
    tokens = rows.tokens[:, :-1]
    with record_attention(model) as maps:
        model.eval()(tokens)
    place = torch.arange(tokens.shape[1])
    previous = place[:, None] == place + 1  # (query, key)
    before = F.pad(tokens[:, :-1], (1, 0), value=-1)  # the token in front of each key
    successor = (before[:, None] == tokens[..., None]) & (place <= place[:, None])
    found = []
    for weights in maps.values():  # (row, head, query, key)
        on = {"previous": previous, "successor": successor[:, None]}
        shares = {name: (weights * where).sum(-1) for name, where in on.items()}
        found.append(
            [
                {n: round(s[:, head][rows.repeated].mean().item(), 4) for n, s in shares.items()}
                for head in range(HEADS)
            ]
        )
    return found


def run(layers: int, seed: int, steps: int = STEPS) -> dict[str, Any]:
    """Train one model, and measure it in the course of it and at the end."""
    test = draw_repeats(
        TEST, num_tokens=NUM_TOKENS, generator=torch.Generator().manual_seed(1000 + seed)
    )
    seed_everything(seed)
    model, curve, start = make_model(layers), [], process_time()

    @torch.no_grad()
    def measure(step: int, model: nn.Module, _: Any) -> None:
        if step % EVERY == 0:
            curve.append(round(loss(model.eval(), test).item(), 4))
            model.train()

    fit(
        model,
        RepeatBatches(BATCH, num_tokens=NUM_TOKENS),
        steps=steps,
        loss=loss,
        optimiser=lambda model: torch.optim.AdamW(model.parameters(), lr=RATE, fused=True),
        schedule=linear_schedule(steps, WARMUP),
        device="cpu",
        progress=False,
        seed=seed,
        callbacks=[measure],
    )
    return {
        "layers": layers,
        "parameters": sum(weights.numel() for weights in model.parameters()),
        "cpu_seconds": round(process_time() - start),
        "accuracy": round(accuracy(model, test), 4),
        "loss": curve[-1],
        "curve": curve,
        "heads": weights_of(model, test),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="goes on with what is in it")
    given = parser.parse_args()
    torch.set_num_threads(1)
    done = json.loads(given.out.read_text(encoding="utf-8")) if given.out.exists() else {}
    record = {"name": "induction", "seed": given.seed, "environment": environment()}
    record["settings"] = {
        "num_tokens": NUM_TOKENS,
        "width": WIDTH,
        "heads": HEADS,
        "steps": STEPS,
        "warmup": WARMUP,
        "batch": BATCH,
        "learning_rate": RATE,
        "optimiser": "AdamW, warm-up, then straight down",
        "every": EVERY,
        "test_rows": TEST,
    }
    record["runs"] = []
    for layers in RUNS:
        old = [found for found in done.get("runs", []) if found["layers"] == layers]
        record["runs"].append(old[0] if old else run(layers, given.seed))
        print({k: v for k, v in record["runs"][-1].items() if k != "curve"}, flush=True)
        write_record(given.out, record)


if __name__ == "__main__":
    main()
