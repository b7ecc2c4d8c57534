"""What `attend` adds to calling `F.scaled_dot_product_attention` directly.

The two are called in turn, in float32 and without gradients, and only pairs of neighbouring calls
are compared, so that a machine that slows down slows both. The order within a pair alternates.
Prints the median over all pairs, and how far the medians of single rounds spread.

    python benchmarks/attend_overhead.py
"""

from __future__ import annotations

import os

# Read when torch is imported: idle threads must not spin beside the one that is timed.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import platform
import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter_ns

import torch
import torch.nn.functional as F

from attncourse import attend

ROUNDS = 9
LARGE, LARGE_PAIRS, RATIO_BAR = (8, 8, 512, 64), 11, 1.05
SMALL, SMALL_PAIRS, MICROSECONDS_BAR = (2, 3, 5, 8), 2001, 10.0


def nanoseconds(call: Callable[[], object]) -> int:
    start = perf_counter_ns()
    call()
    return perf_counter_ns() - start


def timed_pairs(shape: tuple[int, ...], pairs: int) -> list[tuple[int, int]]:
    """Time `pairs` neighbouring calls of both, (attend, direct) in nanoseconds."""
    query, key, value = (torch.randn(shape) for _ in range(3))
    calls = (
        lambda: attend(query, key, value),
        lambda: F.scaled_dot_product_attention(query, key, value),
    )
    for call in calls:  # the first calls allocate
        call()
        call()
    times = []
    for pair in range(pairs):
        if pair % 2:
            direct, ours = nanoseconds(calls[1]), nanoseconds(calls[0])
        else:
            ours, direct = nanoseconds(calls[0]), nanoseconds(calls[1])
        times.append((ours, direct))
    return times


def measure(
    shape: tuple[int, ...], pairs: int, compare: Callable[[int, int], float]
) -> tuple[float, list[float], float]:
    """Give the median comparison over all rounds, those of the rounds, and the direct call's time
    in microseconds."""
    rounds = [timed_pairs(shape, pairs) for _ in range(ROUNDS)]
    every = [pair for times in rounds for pair in times]
    return (
        median(compare(*pair) for pair in every),
        [median(compare(*pair) for pair in times) for times in rounds],
        median(direct for _, direct in every) / 1000,
    )


def main() -> int:
    torch.manual_seed(0)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {platform.machine()}")
    if hasattr(os, "getloadavg"):
        load = os.getloadavg()[0]
        busy = "" if load < 1.2 else "; others are running: read the spread first"
        print(f"load of the last minute before the start: {load:.2f}{busy}")
    passed = True
    for shape, pairs, compare, bar, unit in (
        (LARGE, LARGE_PAIRS, lambda ours, direct: ours / direct, RATIO_BAR, ""),
        (SMALL, SMALL_PAIRS, lambda ours, direct: (ours - direct) / 1000, MICROSECONDS_BAR, " us"),
    ):
        middle, rounds, direct = measure(shape, pairs, compare)
        ok = middle < bar if shape is LARGE else middle <= bar
        passed &= ok
        name, wanted = ("ratio", "below") if shape is LARGE else ("difference", "at most")
        print(
            f"{shape}: median {name} {middle:.3f}{unit} over {ROUNDS} x {pairs} pairs, "
            f"rounds {min(rounds):.3f} to {max(rounds):.3f}, direct call {direct:.1f} us; "
            f"wanted {wanted} {bar:g}{unit}: {'met' if ok else 'NOT met'}"
        )
    return 0 if passed else 1


if __name__ == "__main__":
    with torch.no_grad():
        sys.exit(main())
