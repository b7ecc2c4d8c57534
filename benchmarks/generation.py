"""Two far corners that must agree (chapter 17): who makes them, with attention and without.

    python -m benchmarks.generation --seed 0 --out results/generation-seed0.json

Four pairs of generator and discriminator: both with attention, neither, and each of them alone.
Where there is none, the same layer is a network for each position, with as many weights. And two
GPTs that write pictures patch by patch: one sees all that is written, the other only a window that
shows, in its two layers, the whole of a symbol but never both.
"""

from __future__ import annotations

import os

# Read when torch is imported: idle threads must not spin beside those that work.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from time import process_time
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attncourse import seed_everything
from attncourse.data.corners import (
    CORNERS,
    SIDE,
    SYMBOL,
    CornerBatches,
    draw_corners,
    symbol_shapes,
)
from attncourse.decoding import sample
from attncourse.metrics import agreement, agreement_interval, frechet_distance, read_symbols
from attncourse.recipes import environment, write_record
from attncourse.training import fit, fit_adversarial, linear_schedule
from attncourse.vision import Discriminator, Generator, ImageGPT, picture_words, words_picture

# Of each pair: whether generator and discriminator attend, and the rates of both. With twice these
# rates the pair without attention goes in circles and hardly draws a symbol.
FAST, SLOW = (1e-3, 2e-3), (5e-4, 1e-3)
GANS = (
    ("attention in both", True, True, FAST),
    ("none", False, False, SLOW),
    ("attention in the discriminator", False, True, FAST),
    ("attention in the generator", True, False, FAST),
)
GAN_SYMBOLS, GAN_STEPS, GAN_BATCH = 2, 2500, 32
FALL = 0.3  # the last share of the steps, in which the rates go straight down to zero
DECAY, EVERY = 0.995, 100

GPTS = (("full", None), ("window", 2))
GPT_SYMBOLS, GPT_STEPS, GPT_BATCH, GPT_RATE = 4, 400, 64, 3e-3
PATCH = 2
GRID = SIDE // PATCH
GPT = {"num_layers": 2, "embed_dim": 64, "num_heads": 4, "ffn_dim": 128}

MADE, SHOWN = 2000, 24  # pictures that are measured, and that the record holds


def gpt_model(window: int | None) -> ImageGPT:
    return ImageGPT(2 ** (PATCH * PATCH), rows=GRID, columns=GRID, window=window, **GPT)


def gpt_loss(model: nn.Module, pictures: Tensor) -> Tensor:
    words = picture_words(pictures, PATCH)
    return F.cross_entropy(model(words).flatten(0, 1), words.flatten())


@torch.no_grad()
def nats_by_region(model: nn.Module, pictures: Tensor) -> dict[str, float]:
    """Say what the words of each symbol cost, and all the others, in nats a picture."""
    words = picture_words(pictures, PATCH)
    losses = F.cross_entropy(model(words).mT, words, reduction="none")  # (picture, word)
    cost = losses.mean(0).view(GRID, GRID)
    first, second = ((start // PATCH, -(-(start + SYMBOL) // PATCH)) for start in CORNERS)
    one, other = (cost[slice(*rows), slice(*rows)].sum().item() for rows in (first, second))
    parts = {"first ring": one, "second ring": other, "elsewhere": cost.sum().item() - one - other}
    return {name: _rounded(nats) for name, nats in parts.items()}


def usage_by_corner(pictures: Tensor, num_symbols: int) -> list[list[float]]:
    """Say how often each corner of the valid pictures holds each symbol."""
    read = read_symbols(pictures, symbol_shapes(num_symbols), CORNERS)
    valid = read[(read >= 0).all(1)]  # (picture, corner)
    return _rounded(F.one_hot(valid, num_symbols).double().mean(0).tolist())


def measures(pictures: Tensor, num_symbols: int, seed: int) -> dict[str, Any]:
    """Measure made pictures, and keep some of them."""
    read = read_symbols(pictures, symbol_shapes(num_symbols), CORNERS)
    told = {name: _rounded(value) for name, value in asdict(agreement(read, num_symbols)).items()}
    real = draw_corners(2 * len(pictures), num_symbols, _seeded(3000 + seed)).images.flatten(1)
    one, other = real.chunk(2)
    return {
        **told,
        "interval": _rounded(agreement_interval(read, num_symbols)[1:]),
        "frechet": _rounded(frechet_distance(pictures.flatten(1), one)),
        "frechet_real": _rounded(frechet_distance(other, one)),
        "pictures": packed(pictures[:SHOWN]),
    }


def packed(pictures: Tensor) -> list[str]:
    """Write each picture as hexadecimal digits, four pixels each, ink where there is a half."""
    words = (pictures.flatten(1) > 0.5).unflatten(1, (-1, 4)).long() @ torch.tensor([8, 4, 2, 1])
    return ["".join(f"{digit:x}" for digit in row) for row in words.tolist()]


def gan_run(
    name: str,
    in_generator: bool,
    in_discriminator: bool,
    rates: tuple[float, float],
    seed: int,
) -> dict[str, Any]:
    """Train a pair, and measure what the averaged generator makes."""
    seed_everything(seed)
    generator = Generator(attention=in_generator)
    discriminator = Discriminator(attention=in_discriminator)
    curve: list[dict[str, Any]] = []

    def measure(step: int, averaged: nn.Module) -> None:
        if step % EVERY == 0:
            pictures = averaged.sample(500, _seeded(2000 + seed))
            read = read_symbols(pictures, symbol_shapes(GAN_SYMBOLS), CORNERS)
            told = agreement(read, GAN_SYMBOLS)
            gates = [model.layer.gate.item() for model in (generator, discriminator)]
            curve.append(
                {
                    "corrected": _rounded(told.corrected),
                    "valid": _rounded(told.valid),
                    "gates": _rounded(gates),
                }
            )
            print(step, curve[-1], flush=True)

    start = process_time()
    batches = CornerBatches(GAN_BATCH, num_symbols=GAN_SYMBOLS, generator=_seeded(seed))
    averaged = fit_adversarial(
        generator,
        discriminator,
        batches,
        steps=GAN_STEPS,
        learning_rates=rates,
        schedule=lambda step: min(1.0, (GAN_STEPS - step) / (FALL * GAN_STEPS)),
        decay=DECAY,
        callbacks=[measure],
    )
    seconds = process_time() - start
    pictures = averaged.sample(MADE, _seeded(1000 + seed))
    return {
        "model": name,
        "parameters": [count(generator), count(discriminator)],
        "steps": GAN_STEPS,
        "rates": list(rates),
        "cpu_seconds": round(seconds),
        **measures(pictures, GAN_SYMBOLS, seed),
        "curve": curve,
    }


def gpt_run(name: str, window: int | None, seed: int) -> dict[str, Any]:
    """Train a GPT, and measure its likelihood and what it draws."""
    seed_everything(seed)
    model = gpt_model(window)
    start = process_time()
    fit(
        model,
        CornerBatches(GPT_BATCH, num_symbols=GPT_SYMBOLS),
        steps=GPT_STEPS,
        loss=gpt_loss,
        learning_rate=GPT_RATE,
        schedule=linear_schedule(GPT_STEPS, GPT_STEPS // 10),
        device="cpu",
        progress=False,
        seed=seed,
    )
    seconds = process_time() - start
    test = draw_corners(MADE, GPT_SYMBOLS, _seeded(4000 + seed)).images
    with torch.no_grad():
        nats = gpt_loss(model, test).item()
    drawn = sample(model, model.blank(MADE), **model.marks, generator=_seeded(1000 + seed))
    pictures = words_picture(drawn.tokens, PATCH, columns=GRID)
    return {
        "model": name,
        "parameters": count(model),
        "steps": GPT_STEPS,
        "cpu_seconds": round(seconds),
        "nats_a_word": _rounded(nats),
        "nats_by_region": nats_by_region(model, test),
        "usage_by_corner": usage_by_corner(pictures, GPT_SYMBOLS),
        **measures(pictures, GPT_SYMBOLS, seed),
    }


def settings() -> dict[str, Any]:
    return {
        "gan": {"symbols": GAN_SYMBOLS, "batch": GAN_BATCH, "fall": FALL, "decay": DECAY},
        "gpt": {"symbols": GPT_SYMBOLS, "batch": GPT_BATCH, "rate": GPT_RATE},
        "every": EVERY,
        "made": MADE,
    }


def count(model: nn.Module) -> int:
    return sum(weights.numel() for weights in model.parameters())


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _rounded(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_rounded(each) for each in value]
    return round(value, 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="goes on with what is in it")
    given = parser.parse_args()
    torch.set_num_threads(1)
    record: dict[str, Any] = {
        "name": "generation",
        "seed": given.seed,
        "environment": environment(),
        "settings": settings(),
        "gpts": [],
        "gans": [],
    }
    done = json.loads(given.out.read_text(encoding="utf-8")) if given.out.exists() else {}
    for kind, models, train in (("gpts", GPTS, gpt_run), ("gans", GANS, gan_run)):
        for setting in models:
            # A run that is kept keeps the commit that it is of.
            commit = {"commit": record["environment"]["commit"]}
            run = find(done.get(kind, []), setting[0]) or train(*setting, given.seed) | commit
            record[kind].append(run)
            shown = {key: run[key] for key in run if key not in ("pictures", "curve")}
            print(shown, flush=True)
            write_record(given.out, record)


def find(runs: list[dict[str, Any]], name: str) -> dict[str, Any] | None:
    """Find the run of a model, if it is among these."""
    return next((run for run in runs if run["model"] == name), None)


if __name__ == "__main__":
    main()
