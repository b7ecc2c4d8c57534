"""What the cheap forms of attention lose: recall against distance, and against how much is held.

A model of one layer reads 64 pairs of a key and a value, each one token, and is then asked for the
values of keys. Its attention is full, a window of 16, or linear with keys of several widths. Writes
what chapter 19 reads, one file a seed.

    python benchmarks/recall.py --seed 0 --out results/recall-seed0.json
"""

from __future__ import annotations

import os

# Read when torch is imported: idle threads must not spin beside those that work.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import argparse
import json
from functools import partial
from itertools import pairwise
from pathlib import Path
from time import process_time
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attncourse import attend, seed_everything
from attncourse.attention import linear_attention, sliding_window
from attncourse.data.recall import KEYS, VALUES, RecallBatches, draw_recall
from attncourse.recipes import environment, write_record
from attncourse.training import fit, linear_schedule

WIDTH, WINDOW = 64, 16
PAIRS, QUESTIONS = 64, 64
STEPS, BATCH, RATE = 600, 32, 3e-3
FORMS = {
    "full": partial(attend, causal=True),
    "window": partial(sliding_window, window=WINDOW, causal=True),
    "linear": partial(linear_attention, causal=True),
}
RUNS = (("full", 64), ("window", 64), *(("linear", width) for width in (4, 16, 64, 256)))
TEST, FEWER_PAIRS = 200, (4, 8, 16, 32, 64)  # sequences, and how many pairs they hold
DISTANCES = (1, WINDOW, 32, 64, PAIRS + QUESTIONS)  # where bins begin, and the end of the last


class Recaller(nn.Module):
    """One layer of attention with a single head, between an embedding and the values' logits."""

    def __init__(self, form: str, key_width: int):
        super().__init__()
        self.attend = FORMS[form]
        self.key_embedding = nn.Embedding(KEYS, WIDTH)
        self.value_embedding = nn.Embedding(VALUES + 1, WIDTH)  # the last stands for "which?"
        self.query_projection = nn.Linear(WIDTH, key_width)
        self.key_projection = nn.Linear(WIDTH, key_width)
        self.value_projection = nn.Linear(WIDTH, WIDTH)
        self.output = nn.Linear(WIDTH, VALUES)

    def forward(self, keys: Tensor, values: Tensor, questions: Tensor) -> Tensor:
        asked = torch.full_like(questions, VALUES)
        x = self.key_embedding(torch.cat([keys, questions], 1))
        x = x + self.value_embedding(torch.cat([values, asked], 1))  # (batch, token, width)
        attended = self.attend(
            self.query_projection(x)[:, None],
            self.key_projection(x)[:, None],
            self.value_projection(x)[:, None],
        )  # (batch, 1, token, width)
        return self.output(attended[:, 0, keys.shape[1] :])  # (batch, question, value)


def loss(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    *inputs, answers = batch
    return F.cross_entropy(model(*inputs).flatten(0, 1), answers.flatten())


@torch.no_grad()
def accuracies(model: nn.Module, seed: int, count: int = TEST) -> dict[str, Any]:
    """Measure the share of right answers by distance, and by the number of pairs."""
    generator, by_pairs, by_distance = torch.Generator().manual_seed(1000 + seed), {}, []
    for pairs in FEWER_PAIRS:
        drawn = draw_recall(count, pairs=pairs, questions=QUESTIONS, generator=generator)
        told = model.eval()(drawn.keys, drawn.values, drawn.questions).argmax(-1)
        right = (told == drawn.answers).double()
        by_pairs[pairs] = round(right.mean().item(), 4)
    for first, end in pairwise(DISTANCES):  # of those drawn last, with all pairs
        here = (drawn.distances >= first) & (drawn.distances < end)
        by_distance.append({"from": first, "accuracy": round(right[here].mean().item(), 4)})
    return {"accuracy": by_pairs[PAIRS], "by_pairs": by_pairs, "by_distance": by_distance}


def run(form: str, key_width: int, seed: int, steps: int = STEPS) -> dict[str, Any]:
    """Train one model and measure what it recalls."""
    seed_everything(seed)
    model, start = Recaller(form, key_width), process_time()
    fit(
        model,
        RecallBatches(BATCH, pairs=PAIRS, questions=QUESTIONS),
        steps=steps,
        loss=loss,
        optimiser=lambda model: torch.optim.AdamW(model.parameters(), lr=RATE, fused=True),
        schedule=linear_schedule(steps, steps // 10),
        device="cpu",
        progress=False,
        seed=seed,
    )
    return {
        "form": form,
        "key_width": key_width,
        "parameters": sum(weights.numel() for weights in model.parameters()),
        "cpu_seconds": round(process_time() - start),
        **accuracies(model, seed),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="goes on with what is in it")
    given = parser.parse_args()
    torch.set_num_threads(1)
    done = json.loads(given.out.read_text(encoding="utf-8")) if given.out.exists() else {}
    record = {"name": "recall", "seed": given.seed, "environment": environment()}
    record["settings"] = {
        "width": WIDTH,
        "window": WINDOW,
        "pairs": PAIRS,
        "questions": QUESTIONS,
        "steps": STEPS,
        "batch": BATCH,
        "learning_rate": RATE,
        "optimiser": "AdamW, warm-up, then straight down",
        "test_sequences": TEST,
    }
    record["runs"] = []
    for form, key_width in RUNS:
        old = [r for r in done.get("runs", []) if (r["form"], r["key_width"]) == (form, key_width)]
        record["runs"].append(old[0] if old else run(form, key_width, given.seed))
        print(record["runs"][-1], flush=True)
        write_record(given.out, record)


if __name__ == "__main__":
    main()
