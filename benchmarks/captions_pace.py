"""The time of an update of chapter 11's three models: the same batches, by turns, in one run.

Nothing else should run beside it.

    python benchmarks/captions_pace.py --out results/captions-pace-seed0.json
"""

from __future__ import annotations

import argparse
import statistics
import time
from itertools import islice
from pathlib import Path

import torch

from attncourse.data.batches import Batches
from attncourse.recipes import RECIPES, corpora, environment, write_record
from attncourse.training import adam, batch_loss

NAMES = ("captions-fixed", "captions-attention", "captions-transformer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="where the record goes")
    parser.add_argument("--updates", type=int, default=40)
    asked = parser.parse_args()
    recipe = RECIPES[NAMES[0]]
    corpus = corpora.load(recipe)
    generator = torch.Generator().manual_seed(0)
    batches = Batches(corpus.train, tokens=recipe.tokens, bucket=recipe.bucket, generator=generator)
    models = {name: RECIPES[name].build(len(corpus.source), len(corpus.target)) for name in NAMES}
    optimisers = {name: adam(model, 1e-3) for name, model in models.items()}
    seconds: dict[str, list[float]] = {name: [] for name in NAMES}
    for batch in islice(batches, asked.updates + 3):
        for name, model in models.items():
            began = time.perf_counter()
            optimisers[name].zero_grad()
            batch_loss(model, batch, label_smoothing=recipe.label_smoothing).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimisers[name].step()
            seconds[name].append(time.perf_counter() - began)
    found = {name: round(statistics.mean(times[3:]), 4) for name, times in seconds.items()}
    for name, each in found.items():
        print(f"{name}: {each:.3f} s an update")
    record = {"name": "captions-pace", "seed": 0, "environment": environment(), "seconds": found}
    write_record(asked.out, record)


if __name__ == "__main__":
    main()
