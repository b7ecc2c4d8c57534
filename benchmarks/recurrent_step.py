"""A training step of the recurrent translators, beside Dive into Deep Learning's `Seq2Seq`.

The same sizes, batches, loss and optimiser for both: forward pass, backward pass, clipping and
Adam, in float32. The two take turns, batch by batch, and only neighbouring steps are compared, so
that a machine that slows down slows both. The order within a pair alternates. Prints the median of
d2l's time over ours, without and with attention.

    python benchmarks/recurrent_step.py
"""

from __future__ import annotations

import os

# Read when torch is imported: idle threads must not spin beside the one that is timed.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import platform
import sys
import types
import warnings
from statistics import median, quantiles
from time import perf_counter

import torch
import torch.nn.functional as F
from d2l_models import D2lAttentionDecoder, D2lDecoder, d2l_model
from torch import nn

from attncourse import padding_mask
from attncourse.data.batches import Batch, Batches
from attncourse.data.translation import translation_pairs
from attncourse.data.vocabulary import PAD, Vocabulary
from attncourse.recurrent import AttentionDecoder, EncoderDecoder, GRUDecoder, GRUEncoder

SENTENCES, EMBED, HIDDEN, LAYERS = 128, 256, 256, 2  # those of d2l, section 10.7
STEPS, WANTED = 41, 1.0


def load_d2l() -> types.ModuleType:
    try:
        import torchvision  # noqa: F401
    except ImportError:  # d2l imports it, and nothing here needs it
        sys.modules["torchvision"] = types.ModuleType("torchvision")
        sys.modules["torchvision.transforms"] = types.ModuleType("torchvision.transforms")
        sys.modules["torchvision"].transforms = sys.modules["torchvision.transforms"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from d2l import torch as d2l
    return d2l


def corpus(bucket: int) -> tuple[list[Batch], int, int]:
    """Give batches of the embedded corpus, and the sizes of its vocabularies."""
    pairs = translation_pairs(train=2 * STEPS * SENTENCES, validation=0, composition=0, length=0)
    source = Vocabulary.build(pair.source for pair in pairs.train)
    target = Vocabulary.build(pair.target for pair in pairs.train)
    encoded = [(source.encode(pair.source), target.encode(pair.target)) for pair in pairs.train]
    generator = torch.Generator().manual_seed(0)
    batches = Batches(encoded, sentences=SENTENCES, bucket=bucket, generator=generator)
    return list(batches)[:STEPS], len(source), len(target)


class Trained:
    """A model with its optimiser; `step` times one training step in seconds."""

    def __init__(self, model: nn.Module, with_masks: bool):
        self.model = model.train()
        self.with_masks = with_masks
        self.optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)

    def logits(self, batch: Batch) -> torch.Tensor:
        if not self.with_masks:
            return self.model(batch.source, batch.decoder_input, batch.source_lengths)
        return self.model(
            batch.source,
            batch.decoder_input,
            padding_mask(batch.source_lengths, batch.source.shape[1]),
            padding_mask(batch.target_lengths - 1, batch.decoder_input.shape[1]),
        )

    def step(self, batch: Batch) -> float:
        start = perf_counter()
        loss = F.cross_entropy(
            self.logits(batch).flatten(0, 1), batch.labels.flatten(), ignore_index=PAD
        )
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        return perf_counter() - start


def ratios(ours: Trained, theirs: Trained, batches: list[Batch]) -> tuple[list[float], float]:
    """Give d2l's time over ours, batch by batch, and our median time in milliseconds."""
    for model in (ours, theirs):  # the first steps allocate
        model.step(batches[0])
    times = []
    for i, batch in enumerate(batches):
        pair = (ours, theirs) if i % 2 else (theirs, ours)
        taken = {model: model.step(batch) for model in pair}
        times.append((taken[ours], taken[theirs]))
    return [theirs / ours for ours, theirs in times], 1000 * median(ours for ours, _ in times)


def main() -> int:
    torch.manual_seed(0)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    d2l = load_d2l()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {platform.machine()}")
    if hasattr(os, "getloadavg"):
        print(f"load of the last minute before the start: {os.getloadavg()[0]:.2f}")
    passed = True
    for order, bucket in (("as drawn", 1), ("by length", 2 * STEPS * SENTENCES)):
        batches, source_size, target_size = corpus(bucket)
        for name, decoder, theirs in (
            ("fixed context", GRUDecoder, D2lDecoder),
            ("attention", AttentionDecoder, D2lAttentionDecoder),
        ):
            sizes = {"embed_dim": EMBED, "hidden_dim": HIDDEN, "num_layers": LAYERS}
            model = EncoderDecoder(
                GRUEncoder(source_size, **sizes),
                decoder(target_size, memory_dim=HIDDEN, readout="state", **sizes),
            )
            peer = d2l_model(d2l, theirs, source_size, target_size, EMBED, HIDDEN, LAYERS)
            counts = [sum(w.numel() for w in m.parameters()) for m in (model, peer)]
            assert counts[0] == counts[1], counts
            found, taken = ratios(Trained(model, True), Trained(peer, False), batches)
            low, middle, high = quantiles(found, n=4)
            passed &= middle >= WANTED
            print(
                f"{name}, batches {order}: d2l's step takes {middle:.2f} times ours (quartiles "
                f"{low:.2f} to {high:.2f}, {len(found)} pairs, {counts[0]:,} parameters, "
                f"{taken:.0f} ms ours); wanted at least {WANTED:g}: "
                f"{'met' if middle >= WANTED else 'NOT met'}"
            )
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
