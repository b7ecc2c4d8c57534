"""The memory that a training step of the Transformer takes, beside those of other libraries.

Each model has a process of its own, which makes two steps on the batches of `transformer_step.py`
and says by how much its memory was larger at most than when the model had been built: gradients,
Adam's two moments, and what a step keeps.

    python benchmarks/transformer_memory.py
    python benchmarks/transformer_memory.py --size base --out results/memory-base.json
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import argparse
import resource
import subprocess
import sys
from pathlib import Path

import torch
from transformer_step import MODELS, SENTENCES, VOCABULARY, Trained, batches

from attncourse.recipes import environment, write_record
from attncourse.transformer import TransformerConfig

WANTED = 1.0


def megabytes() -> float:
    """The most memory that this process ever held. Linux counts in kilobytes, macOS in bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)


def measure(name: str, size: str) -> float:
    """Make two steps; give the megabytes that they took."""
    torch.manual_seed(0)
    config = TransformerConfig.preset(size, VOCABULARY, dropout=0.0)
    model = MODELS[name](config)  # which imports the library
    before = megabytes()
    trained = Trained(model)
    for batch in batches(2):
        trained.step(batch)
    return megabytes() - before


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=("tiny", "base"), default="tiny")
    parser.add_argument("--out", type=Path, help="where the record goes, if one is wanted")
    parser.add_argument("--one", choices=MODELS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(measure(asked.one, asked.size))
        return 0
    taken = {}
    for name in MODELS:
        command = [sys.executable, __file__, "--one", name, "--size", asked.size]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        taken[name] = float(done.stdout.split()[-1])
        print(f"{name:15} {taken[name]:8.0f} MB   {taken[name] / taken['attncourse']:.2f} of ours")
    passed = all(most >= WANTED * taken["attncourse"] for most in taken.values())
    print(f"wanted no less than ours of each: {'met' if passed else 'NOT met'}")
    if asked.out:
        settings = {"size": asked.size, "sentences": SENTENCES}
        record = {"name": "transformer-memory", "settings": settings, "environment": environment()}
        record["megabytes"] = {name: round(most) for name, most in taken.items()}
        write_record(asked.out, record)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
