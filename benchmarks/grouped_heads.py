"""What one query takes where several heads share a head of key and value.

8 heads of 64 ask once against 8,192 keys that stand in a cache, in float32 and without gradients:
with 8 key heads, 2 and 1. Measured is the attention of a layer, and the whole layer with its
projections, which no head shares; and a training step on 512 words, where there is little to gain:
as many pairs of a query and a key are compared as with all heads.

The three take turns, in an order that goes round, and only times of the same turn are compared, so
that a machine that slows down slows all. A turn is the fastest of a few calls in a row, or the
large cache would drive the small ones out of the processor.

    python benchmarks/grouped_heads.py
    python benchmarks/grouped_heads.py --out results/grouped-heads.json
"""

from __future__ import annotations

import os

# Read when torch is imported: idle threads must not spin beside the one that is timed.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter_ns
from typing import Any

import torch

from attncourse import KeyValueCache, MultiHeadAttention
from attncourse.recipes import environment, write_record

HEADS, HEAD_DIM, KEYS = 8, 64, 8192
KEY_HEADS = (HEADS, 2, 1)
WANTED = {2: 3.0, 1: 5.0}  # how many times as fast as 8 key heads the attention must be
WORDS = 512  # of a training step
TURNS = {"attention": (31, 25), "layer": (31, 25), "training": (15, 3)}  # and calls a turn
SETTINGS = {
    "num_heads": HEADS,
    "head_dim": HEAD_DIM,
    "keys": KEYS,
    "training_words": WORDS,
    "turns": TURNS,
}
Calls = dict[int, Callable[[], object]]  # by the number of key heads


def layer_of(kv_heads: int) -> MultiHeadAttention:
    return MultiHeadAttention(HEADS * HEAD_DIM, num_heads=HEADS, num_kv_heads=kv_heads)


def full_cache(layer: MultiHeadAttention, keys: int) -> KeyValueCache:
    """Make a cache as it stands after so many steps; nothing is appended to it any more."""
    cache = KeyValueCache()
    cache.append(layer, *torch.randn(2, 1, layer.num_kv_heads, keys, HEAD_DIM))
    cache.complete = True
    return cache


def attention_call(layer: MultiHeadAttention, cache: KeyValueCache) -> Callable[[], object]:
    query = torch.randn(1, HEADS, 1, HEAD_DIM)
    return lambda: layer._attend_heads(query, cache.key, cache.value, None, False)


def layer_call(layer: MultiHeadAttention, cache: KeyValueCache) -> Callable[[], object]:
    query = torch.randn(1, 1, HEADS * HEAD_DIM)
    return lambda: layer(query, cache=cache)


def training_call(layer: MultiHeadAttention) -> Callable[[], object]:
    words = torch.randn(1, WORDS, HEADS * HEAD_DIM)
    return lambda: layer(words, causal=True).square().sum().backward()


def milliseconds(call: Callable[[], object]) -> float:
    start = perf_counter_ns()
    call()
    return (perf_counter_ns() - start) / 1e6


def take_turns(calls: Calls, turns: int, in_a_row: int) -> dict[int, list[float]]:
    """Give the milliseconds of each in each turn."""
    for call in calls.values():  # the first calls allocate
        call()
        call()
    names, times = list(calls), {name: [] for name in calls}
    for turn in range(turns):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            times[name].append(min(milliseconds(calls[name]) for _ in range(in_a_row)))
    return times


def compare(times: dict[int, list[float]]) -> list[dict[str, Any]]:
    """Give the median time of each, and that of 8 key heads over it, turn by turn."""
    rows = []
    for kv_heads, own in times.items():
        ratios = [full / ours for full, ours in zip(times[HEADS], own, strict=True)]
        low, middle, high = quantiles(ratios, n=4)
        rows.append(
            {
                "kv_heads": kv_heads,
                "milliseconds": round(median(own), 3),
                "times_as_fast": round(middle, 2),
                "quartiles": [round(low, 2), round(high, 2)],
            }
        )
    return rows


def measure(keys: int = KEYS, turns: dict[str, tuple[int, int]] = TURNS) -> dict[str, Any]:
    """Measure all three, with the bytes that each cache takes."""
    layers = {kv_heads: layer_of(kv_heads) for kv_heads in KEY_HEADS}
    caches = {kv_heads: full_cache(layer, keys) for kv_heads, layer in layers.items()}
    told = {}
    with torch.no_grad():
        for name, call in (("attention", attention_call), ("layer", layer_call)):
            calls = {kv_heads: call(layers[kv_heads], caches[kv_heads]) for kv_heads in layers}
            told[name] = compare(take_turns(calls, *turns[name]))
    calls = {kv_heads: training_call(layer) for kv_heads, layer in layers.items()}
    told["training"] = compare(take_turns(calls, *turns["training"]))
    told["cache_bytes"] = {
        kv_heads: cache.key.nbytes + cache.value.nbytes for kv_heads, cache in caches.items()
    }
    return told


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="where the record goes, if one is wanted")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    told = measure()
    for name in TURNS:
        for row in told[name]:
            print(
                f"{name:9} {row['kv_heads']} key heads: {row['milliseconds']:7.3f} ms, "
                f"{row['times_as_fast']:5.2f} times as fast as {HEADS}, "
                f"quartiles {row['quartiles'][0]:.2f} and {row['quartiles'][1]:.2f}"
            )
    print({heads: f"{size / 1e6:.1f} MB" for heads, size in told["cache_bytes"].items()})
    fast = {row["kv_heads"]: row["times_as_fast"] for row in told["attention"]}
    passed = all(fast[kv_heads] >= bar for kv_heads, bar in WANTED.items())
    print(f"wanted of the attention {WANTED}: {'met' if passed else 'NOT met'}")
    if asked.out:
        record = {"name": "grouped-heads", "settings": SETTINGS, "environment": environment()}
        write_record(asked.out, record | told)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
