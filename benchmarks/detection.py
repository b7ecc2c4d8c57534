"""Who has this one? Queries that talk, queries that do not, queries with a mean, and a grid.

All detectors learn from the same drawn scenes, each perhaps mirrored, and are tested on scenes that
none has seen. Writes what chapter 16 reads, one file a seed.

    python benchmarks/detection.py --seed 0 --out results/detection-seed0.json

With `--tune` each trains a short time with every rate instead, and what is compared is the loss of
its last steps.
"""

from __future__ import annotations

import os

# Read when torch is imported: idle threads must not spin beside those that work.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import argparse
import json
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

import torch
from torch import Tensor, nn

from attncourse import seed_everything
from attncourse.data.scenes import MOST, SHAPES, SIDE, SceneBatches, Scenes, draw_scenes
from attncourse.metrics.detection import ap50, ap50_interval, average_precision
from attncourse.metrics.duplicates import crowding, duplicates, select
from attncourse.recipes import environment, write_record
from attncourse.training import fit, linear_schedule
from attncourse.vision import (
    ConvStem,
    Detections,
    GridDetector,
    SetDetector,
    SetPrediction,
    detections,
    grid_loss,
    set_loss,
    suppress,
)

STEM = (3, 16, 32, 64, 64), (1, 2, 2, 2)  # channels and strides: a map of 6 x 6
# The same, and seven layers more, for as many weights as the encoder and the queries have.
GRID_STEM = STEM[0] + (64,) * 7, STEM[1] + (1,) * 7
KIND = {"num_classes": len(SHAPES), "side": SIDE}
SCENES, BATCH, TEST, STEPS = 40_000, 32, 1000, 1500
# Of each training: model, learning rate, steps. The rivals have the rates that `--tune` finds best
# for them, and the queries that talk have that of those that do not.
RUNS = (
    ("queries", 2e-3, STEPS),
    ("queries that do not talk", 2e-3, STEPS),
    ("queries with a mean", 2e-3, STEPS),
    ("grid", 4e-3, STEPS),
)
SETTING = ("model", "learning_rate", "steps")
RATES, SHORT, LAST = (1e-3, 2e-3, 4e-3, 8e-3), 300, 50
CROWDED = 0.4  # from this IoU of two of its objects on a scene counts as crowded


def detector(name: str) -> nn.Module:
    if name == "grid":
        return GridDetector(ConvStem(GRID_STEM[0], strides=GRID_STEM[1]), **KIND)
    switches = {"talk": name != "queries that do not talk", "look": name != "queries with a mean"}
    return SetDetector(ConvStem(STEM[0], strides=STEM[1]), **KIND, **switches)


def loss(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    pictures, *wanted = batch
    compare = grid_loss if isinstance(model, GridDetector) else set_loss
    return compare(model(pictures), *wanted)


def adamw(model: nn.Module, rate: float) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=rate, fused=True)


def run(
    name: str,
    rate: float,
    steps: int,
    *,
    seed: int,
    train: Scenes,
    test: Scenes | None = None,
) -> dict[str, Any]:
    """Train a detector, and with a test also measure what it finds."""
    seed_everything(seed)
    model = detector(name)
    start = process_time()
    history = fit(
        model,
        SceneBatches(train, BATCH),
        steps=steps,
        loss=loss,
        optimiser=partial(adamw, rate=rate),
        schedule=linear_schedule(steps, steps // 10),
        device="cpu",
        progress=False,
        seed=seed,
    )
    told = {
        **dict(zip(SETTING, (name, rate, steps), strict=True)),
        "parameters": count(model),
        "training_loss": round(sum(history.loss[-LAST:]) / LAST, 4),
        "cpu_seconds": round(process_time() - start),
    }
    return told if test is None else told | measured(predict(model, test), test, name == "grid")


@torch.no_grad()
def predict(model: nn.Module, scenes: Scenes) -> SetPrediction:
    return model.eval()(scenes.pictures)


def measured(prediction: SetPrediction, test: Scenes, grid: bool) -> dict[str, Any]:
    """Score the last layer, of the grid after suppression, and count duplicates layer by layer."""
    layers = [detections(prediction, layer) for layer in range(len(prediction.logits))]
    found = suppress(layers[-1]) if grid else layers[-1]
    objects, crowded = test.present.sum(1), crowding(test) > CROWDED
    parts = {str(number): objects == number for number in range(1, MOST + 1)}
    parts |= {"crowded": crowded, "not crowded": (objects > 1) & ~crowded}
    return {
        **scores(found, test),
        "interval": [round(end, 4) for end in ap50_interval(found, test)[1:]],
        "layers": [scores(each, test) for each in layers],
        "suppressed": [scores(suppress(each), test) for each in layers],
        "scenes": {name: int(rows.sum()) for name, rows in parts.items()},
        "parts": {
            name: round(ap50(select(found, rows), test[rows]), 4) for name, rows in parts.items()
        },
    }


def scores(found: Detections, test: Scenes) -> dict[str, float]:
    precision = average_precision(found, test)._asdict()
    too_many = duplicates(found, test).double().mean().item()
    return {name: round(value, 4) for name, value in {**precision, "duplicates": too_many}.items()}


def count(model: nn.Module) -> int:
    return sum(weights.numel() for weights in model.parameters())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="goes on with what is in it")
    parser.add_argument("--tune", action="store_true", help="try the rates instead")
    given = parser.parse_args()
    torch.set_num_threads(1)
    name = "detection-tuning" if given.tune else "detection"
    record = {"name": name, "seed": given.seed, "environment": environment()}
    if given.tune:
        settings = [(name, rate, SHORT) for name, *_ in RUNS for rate in RATES]
        train, test = draw_scenes(SHORT * BATCH, seed=given.seed), None
    else:
        settings = RUNS
        train = draw_scenes(SCENES, seed=given.seed)
        test = draw_scenes(TEST, "test", seed=given.seed)
        record["settings"] = {
            "optimiser": "AdamW, warm-up, then straight down",
            "training_scenes": SCENES,
            "test_scenes": TEST,
            "batch": BATCH,
            "crowded_from": CROWDED,
        }
    done = json.loads(given.out.read_text(encoding="utf-8")) if given.out.exists() else {}
    record["runs"] = []
    for setting in settings:
        told = find(done.get("runs", []), setting) or run(
            *setting, seed=given.seed, train=train, test=test
        )
        record["runs"].append(told)
        brief = ("layers", "suppressed", "scenes")
        print({name: value for name, value in told.items() if name not in brief}, flush=True)
        write_record(given.out, record)


def find(runs: list[dict[str, Any]], setting: tuple) -> dict[str, Any] | None:
    """Find the run of a setting, if it is among these."""
    return next((run for run in runs if tuple(map(run.get, SETTING)) == setting), None)


if __name__ == "__main__":
    main()
