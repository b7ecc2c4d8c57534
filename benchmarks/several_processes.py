"""The same training by one process and by several: is it equal, and what does it take?

A small Transformer learns the embedded corpus with the same batches, shared among 1, 2, 4 and 8
processes of this machine, in float64 and without dropout. Writes the largest difference of the loss
curves from that of one process, and the time, to a record.

    python benchmarks/several_processes.py --out results/several-processes-seed0.json
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from attncourse.data.batches import Batches
from attncourse.data.translation import translation_pairs
from attncourse.data.vocabulary import Vocabulary
from attncourse.recipes import environment, write_record
from attncourse.training import fit, inverse_root_schedule, working_together
from attncourse.transformer import Transformer, TransformerConfig

PROCESSES = (1, 2, 4, 8)
STEPS, SENTENCES, SEED = 100, 64, 0


def work(out: Path) -> None:
    """Train, as one of several, and let the first process write how it went."""
    with working_together("cpu") as workers:
        pairs = translation_pairs(train=8000, validation=0, composition=0, length=0).train
        source, target = (Vocabulary.build([pair[side] for pair in pairs]) for side in (0, 1))
        numbered = [(source.encode(pair.source), target.encode(pair.target)) for pair in pairs]
        torch.manual_seed(SEED)
        config = TransformerConfig.preset(
            "tiny",
            len(source),
            target_vocab_size=len(target),
            num_layers=2,
            dropout=0.0,
        )
        history = fit(
            Transformer(config).double(),
            Batches(numbered, sentences=SENTENCES, bucket=2048, generator=torch.Generator()),
            steps=STEPS,
            learning_rate=2e-3,
            schedule=inverse_root_schedule(40),
            label_smoothing=0.1,
            device="cpu",
            seed=SEED,
            progress=False,
        )
        if workers.first:
            out.write_text(json.dumps({"loss": history.loss, "seconds": history.seconds[-1]}))


def measure(processes: int) -> dict:
    """Start so many processes and read what the first one wrote."""
    launcher = [sys.executable]
    if processes > 1:
        launcher += ["-m", "torch.distributed.run", "--standalone", "--no-python"]
        launcher += [f"--nproc_per_node={processes}", sys.executable]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        command = [*launcher, str(Path(__file__).resolve()), "--work", str(out)]
        settings = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
        subprocess.run(command, check=True, env=os.environ | settings)
        return json.loads(out.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="where the record goes")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        work(asked.work)
        return
    runs, alone = [], None
    for processes in PROCESSES:
        found = measure(processes)
        alone = alone or found
        curves = zip(found["loss"], alone["loss"], strict=True)
        runs.append(
            {
                "processes": processes,
                "difference": max(abs(one - other) for one, other in curves),
                "milliseconds_a_step": round(1000 * found["seconds"] / STEPS),
                "last_loss": round(found["loss"][-1], 6),
            }
        )
        print(runs[-1])
    if asked.out:
        record = {
            "name": "several-processes",
            "seed": SEED,
            "settings": {"steps": STEPS, "sentences": SENTENCES, "dtype": "float64"},
            "environment": environment() | {"threads": 1},
            "runs": runs,
        }
        write_record(asked.out, record)


if __name__ == "__main__":
    main()
