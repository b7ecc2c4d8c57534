"""How deep an encoder trains: norm after or first, with and without warm-up, and no residuals.

The task is to write a sequence backwards: random tokens in, the same tokens out in reverse order,
one answer a position, no sequence ever twice. Every setting gets the same batches, steps and
optimiser; at the largest depth every setting gets every learning rate. Writes what chapter 09
reads, one file a seed.

    python benchmarks/encoder_depth.py --seed 0 --out results/encoder-depth-seed0.json
"""

from __future__ import annotations

import os

# Read when torch is imported: idle threads must not spin beside those that work.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import argparse
from collections.abc import Callable
from itertools import product
from time import perf_counter
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attncourse import seed_everything
from attncourse.positions import SinusoidalPositions
from attncourse.recipes import environment, write_record
from attncourse.transformer import Encoder

VOCABULARY, TOKENS, BATCH = 16, 16, 32
WIDTH, HEADS, FFN = 64, 4, 256
STEPS, WARMUP, LAST = 400, 50, 20  # the loss is the mean of the last 20 steps
DEPTHS, RATE, RATES = (2, 4, 8, 12), 1e-3, (3e-4, 1e-3, 3e-3)


class NoResidual(nn.Module):
    """Normalise a sublayer's result, and forget what went in."""

    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        return self.norm(sublayer(x))


class Reverser(nn.Module):
    """Embedding, positions, encoder, and logits for each position."""

    def __init__(self, depth: int, norm: str, residual: bool):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.positions = SinusoidalPositions(WIDTH)
        sizes = {"embed_dim": WIDTH, "num_heads": HEADS, "ffn_dim": FFN}
        self.encoder = Encoder(num_layers=depth, **sizes, norm_first=norm == "first")
        self.output = nn.Linear(WIDTH, VOCABULARY)
        if not residual:
            for layer in self.encoder.layers:
                layer.attention_residual = NoResidual()
                layer.feed_forward_residual = NoResidual()

    def forward(self, tokens: Tensor) -> Tensor:
        return self.output(self.encoder(self.positions(self.embedding(tokens))))


def train(seed: int, depth: int, norm: str, warmup: int, rate: float, residual: bool) -> dict:
    generator = seed_everything(seed)
    model = Reverser(depth, norm, residual)
    optimiser = torch.optim.Adam(model.parameters(), lr=rate, fused=True)
    losses = []
    for step in range(1, STEPS + 1):
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, step / warmup) if warmup else rate
        tokens = torch.randint(VOCABULARY, (BATCH, TOKENS), generator=generator)
        loss = F.cross_entropy(model(tokens).flatten(0, 1), tokens.flip(1).flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    tokens = torch.randint(VOCABULARY, (500, TOKENS), generator=generator)
    with torch.no_grad():
        right = (model.eval()(tokens).argmax(-1) == tokens.flip(1)).double().mean().item()
    blocks = torch.tensor(losses).view(-1, LAST).mean(1).tolist()
    return {
        "depth": depth,
        "norm": norm,
        "warmup": warmup,
        "learning_rate": rate,
        "residual": residual,
        "loss": round(blocks[-1], 4),
        "right_tokens": round(right, 4),
        "curve": [round(block, 4) for block in blocks],
    }


def settings() -> list[dict[str, Any]]:
    """List depth, norm, warm-up, rate and residual of every training, none twice."""
    kinds = list(product(("after", "first"), (0, WARMUP)))
    found = [(d, norm, warmup, RATE, True) for d in DEPTHS for norm, warmup in kinds]
    found += [(max(DEPTHS), norm, warmup, r, True) for r in RATES for norm, warmup in kinds]
    found += [(depth, "after", WARMUP, RATE, False) for depth in DEPTHS]
    names = "depth", "norm", "warmup", "rate", "residual"
    return [dict(zip(names, each, strict=True)) for each in dict.fromkeys(found)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    start, runs = perf_counter(), []
    for setting in settings():
        runs.append(train(given.seed, **setting))
        print({name: value for name, value in runs[-1].items() if name != "curve"}, flush=True)
    sizes = {
        "vocabulary": VOCABULARY,
        "tokens": TOKENS,
        "batch": BATCH,
        "embed_dim": WIDTH,
        "num_heads": HEADS,
        "ffn_dim": FFN,
        "steps": STEPS,
        "optimiser": "Adam, betas 0.9 and 0.999",
        "loss": f"mean of the last {LAST} steps, nats a token",
    }
    record = {
        "name": "encoder-depth",
        "seed": given.seed,
        "settings": sizes,
        "environment": environment(),
        "minutes": round((perf_counter() - start) / 60, 1),
        "runs": runs,
    }
    write_record(given.out, record)


if __name__ == "__main__":
    main()
