"""A small GPT on captions: its perplexity beside n-gram models', and what it writes.

All read the English captions of Multi30k with one vocabulary and are tested on the same captions.
The samples are drawn at several temperatures; of a hundred at temperature 1 the record has how many
stand word for word in the training captions. Writes what chapter 18 reads, one file a seed.

    python benchmarks/causal_captions.py --seed 0 --out results/causal-captions-seed0.json
"""

from __future__ import annotations

import os

# Read when torch is imported: idle threads must not spin beside those that work.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import argparse
import json
from pathlib import Path
from time import process_time
from typing import Any

import torch

from attncourse import seed_everything
from attncourse.data.hidden_nouns import english_captions
from attncourse.data.text import SentenceBatches
from attncourse.data.vocabulary import BOS, EOS, PAD, UNK, Vocabulary
from attncourse.decoding import greedy, sample
from attncourse.language import CausalLanguageModel, KneserNey, LanguageModelConfig
from attncourse.metrics import causal_perplexity
from attncourse.recipes import environment, write_record
from attncourse.training import fit, linear_schedule, next_token_loss

SIZES = {"embed_dim": 128, "num_heads": 4, "ffn_dim": 512, "num_layers": 2, "max_len": 64}
EPOCHS, BATCH, RATE = 6, 64, 2e-3
ORDERS = (2, 3, 4)
TEMPERATURES, SHOWN, DRAWN, LONGEST = (0.5, 1.0, 1.5), 5, 100, 40


def make_model(vocabulary: Vocabulary) -> CausalLanguageModel:
    return CausalLanguageModel(LanguageModelConfig(len(vocabulary), **SIZES))


def train(
    seed: int, vocabulary: Vocabulary, captions: list[list[int]], epochs: int = EPOCHS
) -> tuple[CausalLanguageModel, int]:
    """Give the trained model, and the CPU seconds that it took."""
    seed_everything(seed)
    model, start = make_model(vocabulary), process_time()
    batches = SentenceBatches(
        captions, batch_size=BATCH, bucket=20 * BATCH, generator=torch.Generator()
    )
    steps = epochs * len(batches)
    fit(
        model,
        batches,
        epochs=epochs,
        loss=next_token_loss,
        optimiser=lambda model: torch.optim.AdamW(model.parameters(), lr=RATE, fused=True),
        schedule=linear_schedule(steps, steps // 10),
        device="cpu",
        progress=False,
        seed=seed,
    )
    return model, round(process_time() - start)


def write(model: CausalLanguageModel, vocabulary: Vocabulary, seed: int) -> dict[str, Any]:
    """Draw captions, from the begin mark on."""
    marks = {"bos": BOS, "eos": EOS, "pad": PAD, "max_length": LONGEST}

    def texts(found) -> list[str]:
        pairs = zip(found.tokens.tolist(), found.lengths.tolist(), strict=True)
        return [vocabulary.decode(ids[:length]) for ids, length in pairs]

    def begin(count: int) -> torch.Tensor:
        return torch.full((count, 1), BOS)

    written = {"greedy": texts(greedy(model, prompt=begin(1), **marks | {"bos": None}))}
    for temperature in TEMPERATURES:
        generator = torch.Generator().manual_seed(seed)
        drawn = sample(
            model,
            prompt=begin(DRAWN),
            **marks | {"bos": None},
            temperature=temperature,
            generator=generator,
        )
        written[str(temperature)] = texts(drawn)
    return written


def copied(texts: list[str], captions: list[list[str]]) -> float:
    """The share of some texts that are captions, word for word."""
    known = {" ".join(words) for words in captions}
    return round(sum(text in known for text in texts) / len(texts), 4)


def unknown_share(captions: list[list[int]]) -> float:
    return round(sum(ids.count(UNK) for ids in captions) / sum(map(len, captions)), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="goes on with what is in it")
    given = parser.parse_args()
    torch.set_num_threads(1)
    words = {split: english_captions(split) for split in ("train", "test_2016_flickr")}
    vocabulary = Vocabulary.build(words["train"], min_count=2)
    captions, test = ([vocabulary.encode(each) for each in some] for some in words.values())
    done = json.loads(given.out.read_text(encoding="utf-8")) if given.out.exists() else {}
    record = {"name": "causal-captions", "seed": given.seed, "environment": environment()}
    record["settings"] = SIZES | {
        "vocabulary": len(vocabulary),
        "unknown_in_test": unknown_share(test),
        "epochs": EPOCHS,
        "batch": BATCH,
        "learning_rate": RATE,
        "optimiser": "AdamW, warm-up, then straight down",
    }
    record["ngrams"] = done.get("ngrams") or [
        {"order": order, "perplexity": round(counted.perplexity(test), 2)}
        for order in ORDERS
        # Everything may come next but padding and the begin mark.
        for counted in [KneserNey(captions, order=order, num_words=len(vocabulary) - 2)]
    ]
    print(record["ngrams"], flush=True)
    if "model" in done:
        record |= {"model": done["model"], "written": done["written"]}
    else:
        model, seconds = train(given.seed, vocabulary, captions)
        written = write(model, vocabulary, given.seed)
        record["model"] = {
            "parameters": sum(weights.numel() for weights in model.parameters()),
            "cpu_seconds": seconds,
            "perplexity": round(
                causal_perplexity(model, SentenceBatches(test, batch_size=BATCH)), 2
            ),
            "copied": copied(written["1.0"], words["train"]),
        }
        record["written"] = {how: texts[:SHOWN] for how, texts in written.items()}
    print(record["model"], record["written"], flush=True)
    write_record(given.out, record)


if __name__ == "__main__":
    main()
