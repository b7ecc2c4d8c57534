"""The highest learning rate and the dropout for each model of chapter 11's comparison.

Each trains by its recipe: first with each rate and a dropout of 0.3, then with less dropout at the
best rate. The trial with the lowest validation loss in the end is what
`attncourse/recipes/book.py` should say, and its training is the recipe's own. Trainings of a fifth
of the length will not do: with attention they choose 1.6e-2, at which the whole one loses again
what it has learned. A run that was stopped goes on.

    python benchmarks/tune_captions.py --out results/captions-tuning-seed0.json
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from attncourse.recipes import RECIPES, environment, train, write_record

# (learning rate, dropout) of each trial.
TRIALS = {
    "captions-fixed": ((8e-3, 0.3), (1.6e-2, 0.3), (8e-3, 0.1)),
    "captions-attention": ((4e-3, 0.3), (8e-3, 0.3), (8e-3, 0.1)),
    "captions-transformer": ((1e-3, 0.3), (2e-3, 0.3), (4e-3, 0.3), (2e-3, 0.1)),
}
SEED = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="where the record goes")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where checkpoints lie")
    parser.add_argument("--only", choices=TRIALS, help="only this model; nothing is recorded")
    asked = parser.parse_args()
    found = []
    for name in [asked.only] if asked.only else TRIALS:
        for rate, dropout in TRIALS[name]:
            sizes = RECIPES[name].sizes | {"dropout": dropout}
            recipe = replace(RECIPES[name], learning_rate=rate, sizes=sizes)
            folder = asked.runs / f"{name}-rate-{rate:g}-dropout-{dropout:g}-seed{SEED}"
            _, training = train(recipe, folder, seed=SEED)
            loss = training["curve"]["validation_loss"][-1]
            settings = {"learning_rate": rate, "dropout": dropout}
            found.append({"recipe": name, **settings, "validation_loss": loss})
            print(f"{name}, {rate:g}, dropout {dropout:g}: validation loss {loss:.4f}", flush=True)
    if not asked.only:
        record = {
            "name": "captions-tuning",
            "seed": SEED,
            "environment": environment(),
            "runs": found,
        }
        write_record(asked.out, record)


if __name__ == "__main__":
    main()
