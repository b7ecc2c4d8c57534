"""A small training, alone or as one of several processes: what test_workers.py starts.

    torchrun --nproc_per_node=2 tests/together.py FOLDER '{"steps": 7}'

The first process writes how it went to FOLDER/result.json.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import torch

from attncourse.data.batches import Batches
from attncourse.training import Checkpoints, Validation, fit, working_together
from attncourse.training.sharding import whole
from attncourse.training.weights import state_and_ties
from attncourse.transformer import Transformer, TransformerConfig

VOCABULARY = 17


def pairs(count: int = 41) -> list[tuple[list[int], list[int]]]:
    """Draw sentences of many lengths, so that no two shares have as many tokens."""
    generator = torch.Generator().manual_seed(5)
    made = []
    for _ in range(count):
        lengths = torch.randint(1, 9, (2,), generator=generator).tolist()
        drawn = [torch.randint(4, VOCABULARY, (n,), generator=generator) for n in lengths]
        made.append(tuple(side.tolist() for side in drawn))
    return made


def main(folder: Path, asked: dict) -> None:
    die = asked.pop("die", None)  # [rank, step]: this process is killed after that step
    interrupt = asked.pop("interrupt", None)  # a step: after it the terminal sends Ctrl-C
    if asked.pop("cut_short", False):  # ended before it can show its error, as torchrun may do
        torch.distributed.destroy_process_group = lambda: os.kill(os.getpid(), signal.SIGKILL)
    cut = asked.pop("cut", {"sentences": 6})
    dropout = asked.pop("dropout", 0.0)
    with working_together("cpu") as workers:
        torch.manual_seed(7 + workers.rank)  # the processes begin with the first one's weights
        config = TransformerConfig(
            VOCABULARY, embed_dim=8, num_heads=2, ffn_dim=12, num_layers=1, dropout=dropout
        )
        model = Transformer(config).double()
        batches = Batches(pairs(), **cut, bucket=8, generator=torch.Generator())
        if die is not None and die[0] == workers.rank:
            steps = 0

            def count(module, inputs):
                nonlocal steps
                steps += module.training
                if steps > die[1]:
                    os.kill(os.getpid(), signal.SIGKILL)

            model.encoder.register_forward_pre_hook(count)

        def press(step, model, history):
            if step == interrupt:  # reaches torchrun, which has the others told
                os.killpg(os.getpgid(os.getppid()), signal.SIGINT)

        history = fit(
            model,
            batches,
            callbacks=[press],
            device="cpu",
            validation=Validation(Batches(pairs(9), sentences=4), 3, asked.pop("patience", None)),
            checkpoint=Checkpoints(folder, every=asked.pop("checkpoint_every", 50)),
            progress=False,
            **asked,
        )
        held = state_and_ties(model)[0]
        weights = {name: whole(tensor).tolist() for name, tensor in held.items()}
        local = [
            getattr(tensor, "to_local", lambda tensor=tensor: tensor)() for tensor in held.values()
        ]
        if workers.first:
            result = {"history": json.loads(history.to_json()), "weights": weights}
            result["numbers here"] = sum(tensor.numel() for tensor in local)
            (folder / "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
