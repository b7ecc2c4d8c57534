"""The paper's base model on one GPU: seconds a step, beside the paper's 0.4.

Trains with `fit` on batches of 25,000 source and 25,000 target tokens, the lengths drawn as in
news (8 to 60 tokens), and counts what a step multiplies, padding included, beside the device's own
matrix product in the same precision and run. The paper had eight P100 GPUs, 0.4 s a step (Vaswani
et al. 2017, section 5.2).

    python benchmarks/paper_step.py --out results/paper-step.json
    python benchmarks/paper_step.py --device cpu --precision float32 --size tiny --tokens 500
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from transformer_step import flops

from attncourse.checks import PRECISIONS
from attncourse.data.batches import Batch
from attncourse.recipes import environment, write_record
from attncourse.training import adam, fit
from attncourse.transformer import Transformer, TransformerConfig

VOCABULARY, LENGTHS, PAPER = 37_000, (8, 60), 0.4


def batches(count: int, tokens: int) -> list[Batch]:
    """Draw batches with so many real tokens a side, the sentences of one about equally long."""
    generator = torch.Generator().manual_seed(5)
    low, high = LENGTHS
    drawn = []
    for _ in range(count):
        length = int(torch.randint(low, high - 3, (), generator=generator))
        pairs, held = [], 0
        while held < tokens:
            n = length + int(torch.randint(0, 4, (), generator=generator))
            pairs.append(torch.randint(4, VOCABULARY, (2, n), generator=generator).tolist())
            held += n
        drawn.append(Batch.of(pairs))
    return drawn


def peak(device: torch.device, dtype: torch.dtype) -> float:
    """Measure the device's own matrix product, in operations a second."""
    size = 8192 if device.type == "cuda" else 1024
    matrix = torch.randn(size, size, device=device).to(dtype)
    taken = []
    for _ in range(12):
        start = perf_counter()
        product = matrix @ matrix
        product[0, 0].item()  # a GPU is waited for
        taken.append(perf_counter() - start)
    return 2 * size**3 / min(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--precision", choices=PRECISIONS, default="bfloat16")
    parser.add_argument("--size", choices=("tiny", "base", "big"), default="base")
    parser.add_argument("--tokens", type=int, default=25_000, help="a side (%(default)s)")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--compile", action="store_true", help="by torch.compile, with any length")
    parser.add_argument("--out", type=Path, help="where the record goes, if one is wanted")
    asked = parser.parse_args()
    device = torch.device(asked.device)
    torch.manual_seed(0)
    config = TransformerConfig.preset(asked.size, VOCABULARY)
    model = Transformer(config).to(device)
    optimiser = adam(model)
    drawn = batches(20, asked.tokens)
    history = fit(
        torch.compile(model, dynamic=True) if asked.compile else model,
        drawn,
        steps=asked.steps,
        optimiser=optimiser,
        label_smoothing=0.1,
        precision=asked.precision,
        device=device,
        progress=False,
    )
    # The first round through the batches allocates, and compiles.
    seconds = [b - a for a, b in zip(history.seconds, history.seconds[1:], strict=False)]
    seconds = seconds[min(len(drawn), asked.steps // 2) :]
    taken, work = median(seconds), median(flops(config, batch) for batch in drawn)
    tokens = median(float(batch.target_lengths.sum()) - len(batch) for batch in drawn)
    share = work / taken / peak(device, PRECISIONS[asked.precision] or torch.float32)
    print(f"{asked.size}, {asked.precision}, {tokens:,.0f} target tokens a step")
    print(f"{taken:.3f} s a step (the paper: {PAPER} s on 8 GPUs), {tokens / taken:,.0f} tokens/s")
    print(f"{work / taken / 1e12:.3g} TFLOP/s, {share:.0%} of the device's own matrix product")
    if device.type == "cuda":
        print(f"at most {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB of its memory")
    if asked.out:
        settings = {"size": asked.size, "precision": asked.precision, "target_tokens": tokens}
        settings |= {"steps": asked.steps, "compiled": asked.compile}
        found = {"seconds": round(taken, 4), "tflops": round(work / taken / 1e12, 2)}
        record = {"name": "paper-step", "settings": settings, "environment": environment()}
        write_record(asked.out, record | found | {"share_of_peak": round(share, 3)})


if __name__ == "__main__":
    main()
