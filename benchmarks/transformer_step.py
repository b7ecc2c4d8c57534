"""A training step of the Transformer, beside those of other libraries.

The same sizes, batches, loss and optimiser for all: forward pass, backward pass, clipping and Adam,
in float32 on the CPU. All take turns, batch by batch, in an order that goes round, and only the
times for the same batch are compared, so that a machine that slows down slows all. Prints, for each
peer, the median of its time over ours, and the share of the machine's own matrix product that a
step reaches.

    python benchmarks/transformer_step.py
    python benchmarks/transformer_step.py --size base --dropout --out results/step-base-dropout.json
"""

from __future__ import annotations

import os

# Read when torch is imported: idle threads must not spin beside the one that is timed.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import argparse
import math
import platform
import sys
from dataclasses import replace
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attncourse.data.batches import Batch
from attncourse.positions import SinusoidalPositions
from attncourse.recipes import environment, write_record
from attncourse.training import adam, batch_loss
from attncourse.transformer import Transformer, TransformerConfig

VOCABULARY, SENTENCES, LENGTHS, STEPS, WANTED = 10_000, 64, (8, 16), 15, 1.0


def batches(steps: int) -> list[Batch]:
    """Draw sentences of 8 to 16 tokens, those of like length in one batch as in training."""
    generator = torch.Generator().manual_seed(5)
    low, high = LENGTHS
    lengths = torch.randint(low, high + 1, (steps * SENTENCES, 2), generator=generator)
    lengths = lengths[lengths.sum(1).argsort(stable=True)].tolist()
    pairs = [
        [torch.randint(4, VOCABULARY, (n,), generator=generator).tolist() for n in both]
        for both in lengths
    ]
    order = torch.randperm(steps, generator=generator).tolist()
    return [Batch.of(pairs[i * SENTENCES : (i + 1) * SENTENCES]) for i in order]


# The models: each gives the loss of a batch


class Ours(nn.Module):
    """The course's own."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.model = Transformer(config)

    def loss(self, batch: Batch) -> Tensor:
        return batch_loss(self.model, batch)


class OfTorch(nn.Module):
    """`nn.Transformer` with what it lacks: embeddings, positions and logits, tied as ours."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.embedding = nn.Embedding(config.vocab_size, config.embed_dim)
        # As ours. With PyTorch's own deviation of 1 the logits are so large that softmax gives
        # denormal numbers, with which processors are slow.
        nn.init.normal_(self.embedding.weight, std=config.embed_dim**-0.5)
        self.positions = SinusoidalPositions(config.embed_dim)
        self.dropout = nn.Dropout(config.dropout)
        self.scale = math.sqrt(config.embed_dim)
        self.model = nn.Transformer(
            config.embed_dim,
            config.num_heads,
            config.num_layers,
            config.num_layers,
            config.ffn_dim,
            config.dropout,
            batch_first=True,
        )

    def embedded(self, tokens: Tensor) -> Tensor:
        return self.dropout(self.positions(self.embedding(tokens) * self.scale))

    def loss(self, batch: Batch) -> Tensor:
        padded = batch.source == 0
        length = batch.decoder_input.shape[1]
        causal = nn.Transformer.generate_square_subsequent_mask(length, dtype=torch.bool)
        written = self.model(
            self.embedded(batch.source),
            self.embedded(batch.decoder_input),
            tgt_mask=causal,
            src_key_padding_mask=padded,
            memory_key_padding_mask=padded,
            tgt_is_causal=True,
        )
        return cross_entropy(F.linear(written, self.embedding.weight), batch)


class OfMarian(nn.Module):
    """Hugging Face's Marian, whose attention takes PyTorch's fused kernel."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        from transformers import MarianConfig, MarianMTModel

        both = {
            f"{side}_{name}": value
            for side in ("encoder", "decoder")
            for name, value in {
                "layers": config.num_layers,
                "attention_heads": config.num_heads,
                "ffn_dim": config.ffn_dim,
            }.items()
        }
        self.model = MarianMTModel(
            MarianConfig(
                vocab_size=config.vocab_size,
                d_model=config.embed_dim,
                dropout=config.dropout,
                activation_function="relu",
                scale_embedding=True,
                max_position_embeddings=config.max_len,
                pad_token_id=0,
                eos_token_id=2,
                decoder_start_token_id=1,
                forced_eos_token_id=None,
                attn_implementation="sdpa",
                **both,
            )
        )

    def loss(self, batch: Batch) -> Tensor:
        given = self.model(
            input_ids=batch.source,
            attention_mask=(batch.source != 0).long(),
            decoder_input_ids=batch.decoder_input,
            use_cache=False,
        )
        return cross_entropy(given.logits, batch)


class OfX(nn.Module):
    """x-transformers, with its fused attention."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        from x_transformers import XTransformer

        both = {
            f"{side}_{name}": value
            for side in ("enc", "dec")
            for name, value in {
                "num_tokens": config.vocab_size,
                "depth": config.num_layers,
                "heads": config.num_heads,
                "attn_dim_head": config.embed_dim // config.num_heads,
                "attn_flash": True,
                "attn_dropout": 0.0,
                "ff_mult": config.ffn_dim / config.embed_dim,
                "ff_dropout": config.dropout,
                "max_seq_len": config.max_len,
            }.items()
        }
        self.model = XTransformer(dim=config.embed_dim, tie_token_emb=True, **both)
        decoder = self.model.decoder.net
        decoder.to_logits.weight = decoder.token_emb.emb.weight

    def loss(self, batch: Batch) -> Tensor:
        mask = batch.source != 0
        memory = self.model.encoder(batch.source, mask=mask, return_embeddings=True)
        logits = self.model.decoder.net(batch.decoder_input, context=memory, context_mask=mask)
        return cross_entropy(logits, batch)


MODELS = {"attncourse": Ours, "nn.Transformer": OfTorch, "Marian": OfMarian, "x-transformers": OfX}


def cross_entropy(logits: Tensor, batch: Batch) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1), batch.labels.flatten(), ignore_index=0)


class Trained:
    """A model with its optimiser; `step` times one training step in seconds."""

    def __init__(self, model: nn.Module):
        self.model = model.train()
        self.optimiser = adam(model)
        self.times: list[float] = []
        self.parameters = sum(weights.numel() for weights in model.parameters())

    def step(self, batch: Batch) -> float:
        start = perf_counter()
        self.optimiser.zero_grad()
        self.model.loss(batch).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        return perf_counter() - start


# How much there is to compute


def flops(config: TransformerConfig, batch: Batch) -> float:
    """Count a step's multiplications and additions in matrix products, padding included.

    Backward takes twice what forward takes. What attention itself multiplies is counted; norms,
    softmax and embeddings are not.
    """
    d, f = config.embed_dim, config.ffn_dim
    rows, source = batch.source.shape
    target = batch.decoder_input.shape[1]
    per_source = 4 * d * d + 2 * d * f + 2 * source * d
    per_source += 2 * d * d  # keys and values of the decoder's look at the source
    per_target = 6 * d * d + 2 * d * f + 2 * (target + source) * d
    layers = config.num_layers * rows * (source * per_source + target * per_target)
    return 3 * 2 * (layers + rows * target * d * config.vocab_size)


def peak() -> float:
    """Measure the machine's own matrix product, in operations a second."""
    matrix = torch.randn(2048, 2048)
    taken = []
    for _ in range(7):
        start = perf_counter()
        matrix @ matrix
        taken.append(perf_counter() - start)
    return 2 * 2048**3 / min(taken)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=("tiny", "base"), default="tiny")
    parser.add_argument("--dropout", action="store_true", help="0.1 everywhere, not 0")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--out", type=Path, help="where the record goes, if one is wanted")
    asked = parser.parse_args()
    torch.manual_seed(0)
    config = TransformerConfig.preset(asked.size, VOCABULARY, dropout=0.0)
    if asked.dropout:
        config = replace(config, dropout=0.1)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {platform.machine()}")
    if hasattr(os, "getloadavg"):
        print(f"load of the last minute before the start: {os.getloadavg()[0]:.2f}")
    drawn = batches(asked.steps + 1)
    rivals = {name: Trained(model(config)) for name, model in MODELS.items()}
    for rival in rivals.values():  # the first steps allocate
        rival.step(drawn[0])
    order = list(rivals.values())
    for batch in drawn[1:]:
        for rival in order:
            rival.times.append(rival.step(batch))
        order = order[1:] + order[:1]

    ours, best = rivals["attncourse"], peak()
    work = median(flops(config, batch) for batch in drawn[1:])
    tokens = median(batch.labels.numel() for batch in drawn[1:])
    print(f"{asked.size}, dropout {config.dropout}, {SENTENCES} sentences, {tokens:.0f} tokens out")
    print("model            parameters   ms a step   of the peak   time over ours (quartiles)")
    passed, found = True, []
    for name, rival in rivals.items():
        taken = median(rival.times)
        over = [theirs / mine for mine, theirs in zip(ours.times, rival.times, strict=True)]
        low, middle, high = quantiles(over, n=4)
        passed &= rival is ours or middle >= WANTED
        print(
            f"{name:15} {rival.parameters:11,} {1000 * taken:11.0f} {work / taken / best:13.0%}   "
            f"{middle:.2f} ({low:.2f} to {high:.2f})"
        )
        found.append(
            {
                "model": name,
                "parameters": rival.parameters,
                "milliseconds": round(1000 * taken),
                "share_of_peak": round(work / taken / best, 3),
                "time_over_ours": [round(middle, 3), round(low, 3), round(high, 3)],
            }
        )
    print(f"wanted at least {WANTED:g} of each: {'met' if passed else 'NOT met'}")
    if asked.out:
        settings = {"size": asked.size, "dropout": config.dropout, "sentences": SENTENCES}
        settings |= {"target_tokens": round(tokens), "steps": asked.steps}
        record = {"name": "transformer-step", "settings": settings, "environment": environment()}
        write_record(asked.out, record | {"models": found})
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
