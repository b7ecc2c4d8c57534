"""What a long input takes of time and memory, by the formula, the fused kernel and the cheap forms.

A forward pass with 4 heads of 64, in float32 and without gradients, for inputs of 1,024, 4,096 and
8,192 tokens. The time is the fastest of a few passes; the memory is the most that a pass held
beside its inputs, the same number on every repetition. Runs on the GPU if there is one.

    python benchmarks/long_inputs.py --out results/long-inputs-cpu.json
    python benchmarks/long_inputs.py --device cuda --out results/long-inputs-gpu.json
"""

from __future__ import annotations

import os

# Read when torch is imported: idle threads must not spin beside the one that is timed.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import argparse
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from attncourse import attend
from attncourse import device as device_named
from attncourse.attention import linear_attention, online_softmax_attention, sliding_window
from attncourse.recipes import environment, write_record
from attncourse.runtime import peak_memory

HEADS, HEAD_DIM = 4, 64
LENGTHS = (1024, 4096, 8192)
WINDOW, BLOCK = 129, 256  # the window: a query's own key and 128 on each side
PASSES = 5


def plain(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return (query @ key.mT / math.sqrt(query.shape[-1])).softmax(-1) @ value


FORMS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "plain": plain,
    "fused": attend,
    "fused, causal": partial(attend, causal=True),
    "window": partial(sliding_window, window=WINDOW),
    "linear": linear_attention,
    "linear, causal": partial(linear_attention, causal=True),
    "online softmax": partial(online_softmax_attention, block=BLOCK),
}
SETTINGS = {
    "num_heads": HEADS,
    "head_dim": HEAD_DIM,
    "window": WINDOW,
    "block": BLOCK,
    "passes": PASSES,
}


def seconds(call: Callable[[], object], on: torch.device) -> float:
    if on.type == "cuda":
        torch.cuda.synchronize(on)
    start = perf_counter()
    call()
    if on.type == "cuda":
        torch.cuda.synchronize(on)
    return perf_counter() - start


@torch.no_grad()
def measure(name: str, length: int, on: torch.device) -> dict[str, Any]:
    """Measure one form of attention on inputs of one length."""
    inputs = torch.randn(3, 1, HEADS, length, HEAD_DIM, device=on)

    def call():
        return FORMS[name](*inputs)

    call()  # the first pass allocates
    fastest = min(seconds(call, on) for _ in range(PASSES))
    return {
        "form": name,
        "length": length,
        "milliseconds": round(1000 * fastest, 2),
        "peak_bytes": peak_memory(call, on),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", help="such as cpu; by default the GPU if there is one")
    parser.add_argument("--out", type=Path, help="where the record goes, if one is wanted")
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    on, runs = device_named(given.device), []
    for length in LENGTHS:
        for name in FORMS:
            runs.append(measure(name, length, on))
            told = runs[-1]
            print(
                f"{length:5} {name:15} {told['milliseconds']:9.2f} ms "
                f"{told['peak_bytes'] / 1e6:9.2f} MB",
                flush=True,
            )
    if given.out:
        settings = SETTINGS | {"device": on.type, "lengths": list(LENGTHS)}
        record = {"name": "long-inputs", "settings": settings, "environment": environment()}
        write_record(given.out, record | {"runs": runs})


if __name__ == "__main__":
    main()
