"""Read the red digit: attention against pools that do not ask, FiLM, and a vision Transformer.

First plain digits, 8x8 pixels, one a picture, where nothing has to be chosen. Then canvases with
four digits in four colours, drawn anew for every step; each canvas is asked all four colours. Both
are tested on digits that no training picture showed. Writes what chapter 15 reads, one file a seed.

    python benchmarks/red_digit.py --seed 0 --out results/red-digit-seed0.json

With `--tune` each model of the canvases trains a short time with every rate instead, and what is
compared is the loss of its last steps, on canvases that it had not met before.
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
import torch.nn.functional as F
from torch import Tensor, nn

from attncourse import record_attention, seed_everything
from attncourse.data.canvases import CANVAS, COLOURS, CanvasBatches, Canvases, draw_canvases
from attncourse.data.digits import SIDE, Digits, load_digits
from attncourse.recipes import environment, write_record
from attncourse.training import fit, linear_schedule
from attncourse.vision import (
    AttentionPool,
    ConvStem,
    FiLMPool,
    GlobalPool,
    PictureReader,
    VisionTransformer,
)

WIDTH, HIDDEN, CLASSES = 64, 86, 10
POOLS = {
    "attention": partial(AttentionPool, WIDTH),
    "mean": partial(GlobalPool, WIDTH, how="mean", hidden_dim=HIDDEN),
    "max": partial(GlobalPool, WIDTH, how="max", hidden_dim=HIDDEN),
    "FiLM": partial(FiLMPool, WIDTH),
}
VIT = {"num_layers": 3, "embed_dim": WIDTH, "num_heads": 4, "ffn_dim": 128}
STEPS, LONG = 700, 1800
EVERY, TEST = 100, 1000  # TEST canvases are asked all four colours
# Of each training: model, learning rate, steps, canvases a step and how many of its colours each is
# asked. Mean, maximum and FiLM have the rate that `--tune` finds best for them, and attention has
# the same. FiLM needs the longer training, so mean and maximum, which are not done after the short
# one, have it too. The Transformer reads a canvas anew for each colour: there it is better to draw
# another.
RUNS = (
    ("attention", 3e-3, STEPS, 64, 4),
    ("mean", 3e-3, STEPS, 64, 4),
    ("max", 3e-3, STEPS, 64, 4),
    ("mean", 3e-3, LONG, 64, 4),
    ("max", 3e-3, LONG, 64, 4),
    ("FiLM", 3e-3, LONG, 64, 4),
    ("vision Transformer", 3e-3, 600, 128, 1),
)
SETTING = ("model", "learning_rate", "steps", "batch", "asked")
RATES, SHORT, LAST = (1e-3, 3e-3, 1e-2), 250, 50
PLAIN = ("mean", "max", "attention", "Transformer", "Transformer without positions")
PLAIN_EPOCHS, PLAIN_BATCH, PLAIN_RATE = 12, 32, 3e-3


def canvas_model(name: str) -> nn.Module:
    asks = {"num_questions": len(COLOURS), "num_classes": CLASSES}
    if name == "vision Transformer":
        return VisionTransformer(CANVAS, patch_size=5, channels=3, **asks, **VIT)
    return PictureReader(ConvStem((3, 16, 32, WIDTH), strides=(1, 2, 2)), POOLS[name](), **asks)


def plain_model(name: str) -> nn.Module:
    if name.startswith("Transformer"):
        kind = {"patch_size": 2, "channels": 1, "num_classes": CLASSES}
        return VisionTransformer(SIDE, positions=name == "Transformer", **kind, **VIT)
    stem = ConvStem((1, 16, 32, WIDTH), strides=(1, 2, 1))
    return PictureReader(stem, POOLS[name](), num_questions=1, num_classes=CLASSES)


def loss(model: nn.Module, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    pictures, questions, labels = batch
    return F.cross_entropy(model(pictures, questions).flatten(0, 1), labels.flatten())


def adamw(model: nn.Module, rate: float) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=rate, fused=True)


@torch.no_grad()
def answers(model: nn.Module, pictures: Tensor, questions: Tensor) -> Tensor:
    return model.eval()(pictures, questions).argmax(-1)


def plain_run(name: str, seed: int, train: Digits, test: Digits) -> dict[str, Any]:
    """Train on single digits, each asked one question that is always the same."""
    generator = seed_everything(seed)
    model, batches = plain_model(name), []
    for _ in range(PLAIN_EPOCHS):
        for rows in torch.randperm(len(train), generator=generator).split(PLAIN_BATCH):
            pictures, asked = train.images[rows, None], torch.zeros(len(rows), 1, dtype=torch.int64)
            batches.append((pictures, asked, train.labels[rows, None]))
    fit(
        model,
        batches,
        epochs=1,
        loss=loss,
        optimiser=partial(adamw, rate=PLAIN_RATE),
        schedule=linear_schedule(len(batches), len(batches) // 10),
        device="cpu",
        progress=False,
    )
    told = answers(model, test.images[:, None], torch.zeros(len(test), 1, dtype=torch.int64))
    right = (told[:, 0] == test.labels).double().mean().item()
    return {"model": name, "parameters": count(model), "accuracy": round(right, 4)}


def canvas_run(
    name: str,
    rate: float,
    steps: int,
    batch: int,
    asked: int,
    *,
    seed: int,
    train: Digits,
    test: Canvases | None = None,
) -> dict[str, Any]:
    """Train on canvases; with a test, also measure what was learned in the course of it."""
    seed_everything(seed)
    model, curve = canvas_model(name), []

    def measure(step: int, model: nn.Module, _: Any) -> None:
        if test is not None and step % EVERY == 0:
            right = (answers(model, test.images, test.colours) == test.labels).double().mean()
            curve.append(round(right.item(), 4))

    start = process_time()
    history = fit(
        model,
        CanvasBatches(train, batch, asked=asked),
        steps=steps,
        loss=loss,
        optimiser=partial(adamw, rate=rate),
        schedule=linear_schedule(steps, steps // 10),
        device="cpu",
        progress=False,
        seed=seed,
        callbacks=[measure],
    )
    told = {
        **dict(zip(SETTING, (name, rate, steps, batch, asked), strict=True)),
        "parameters": count(model),
        "training_loss": round(sum(history.loss[-LAST:]) / LAST, 4),
        "cpu_seconds": round(process_time() - start),
    }
    if test is not None:
        told |= {"accuracy": curve[-1], "curve": curve, **weight_on_digit(name, model, test)}
    return told


@torch.no_grad()
def weight_on_digit(name: str, model: nn.Module, test: Canvases) -> dict[str, Any]:
    """Measure how much of the weight lies on the digit that is asked for.

    A position counts if the digit touches its square of pixels. Of the Transformer it is the last
    layer's map, from the token in front, the mean over its heads, without the token itself.
    """
    if name not in ("attention", "vision Transformer"):
        return {}
    with record_attention(model) as maps:
        right = model(test.images, test.colours).argmax(-1) == test.labels
    weights = list(maps.values())[-1]
    if name == "attention":
        weights = weights[:, 0]  # (canvas, question, position), one head
    else:
        weights = weights[:, :, 0, 1:].mean(1).unflatten(0, test.labels.shape)
        weights = weights / weights.sum(-1, keepdim=True)
    touched = touches(test, round(weights.shape[-1] ** 0.5))
    on_digit = (weights * touched).sum(-1)
    return {
        "weight_on_digit": round(on_digit.mean().item(), 4),
        "weight_when_right": round(on_digit[right].mean().item(), 4),
        "weight_when_wrong": round(on_digit[~right].mean().item(), 4),
        "weight_if_even": round(touched.double().mean().item(), 4),
    }


def touches(canvases: Canvases, grid: int) -> Tensor:
    """Say which positions of a map of so many rows have a square of pixels that a digit touches."""
    shares = F.adaptive_avg_pool2d(canvases.covers().float(), grid)
    return (shares > 0).flatten(2)  # (canvas, digit, position)


def count(model: nn.Module) -> int:
    return sum(weights.numel() for weights in model.parameters())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="goes on with what is in it")
    parser.add_argument("--tune", action="store_true", help="try the rates instead")
    given = parser.parse_args()
    torch.set_num_threads(1)
    train, held_out = load_digits("train"), load_digits("test")
    name = "red-digit-tuning" if given.tune else "red-digit"
    record = {"name": name, "seed": given.seed, "environment": environment()}
    if given.tune:
        # The Transformer has learned too little by then to be judged.
        tuned = {name: more for name, _, _, *more in RUNS if name != "vision Transformer"}
        settings = [(name, rate, SHORT, *more) for name, more in tuned.items() for rate in RATES]
        test = None
    else:
        settings = RUNS
        test = draw_canvases(held_out, TEST, torch.Generator().manual_seed(1000 + given.seed))
        record["settings"] = {
            "optimiser": "AdamW, warm-up, then straight down",
            "test_canvases": TEST,
            "every": EVERY,
            "plain_epochs": PLAIN_EPOCHS,
            "plain_learning_rate": PLAIN_RATE,
        }
    done = json.loads(given.out.read_text(encoding="utf-8")) if given.out.exists() else {}
    if not given.tune:
        record["plain"] = done.get("plain") or [
            plain_run(name, given.seed, train, held_out) for name in PLAIN
        ]
    record["runs"] = []
    for setting in settings:
        run = find(done.get("runs", []), setting) or canvas_run(
            *setting, seed=given.seed, train=train, test=test
        )
        record["runs"].append(run)
        print({name: value for name, value in run.items() if name != "curve"}, flush=True)
        write_record(given.out, record)


def find(runs: list[dict[str, Any]], setting: tuple) -> dict[str, Any] | None:
    """Find the run of a setting, if it is among these."""
    return next((run for run in runs if tuple(map(run.get, SETTING)) == setting), None)


if __name__ == "__main__":
    main()
