"""What is pre-training worth? The kinds of hidden nouns, from few labelled captions and many.

A masked language model reads the English captions of Multi30k, once with BERT's 80/10/10 rule and
once with every chosen word masked. Then taggers say of nouns that are hidden in captions what kind
of thing they are: taggers that start from scratch, from the pre-trained embeddings alone, or from
the whole pre-trained reader, and a naive Bayes classifier on the neighbouring words. Each training
tries two rates, and the better one on validation captions is what is tested. Writes what chapter
18 reads, one file a seed.

    python benchmarks/pretraining.py --seed 0 --out results/pretraining-seed0.json
"""

from __future__ import annotations

import os

# Read when torch is imported: idle threads must not spin beside those that work.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import process_time
from typing import Any

import torch
import torch.nn.functional as F
from sklearn.feature_extraction import DictVectorizer
from sklearn.metrics import f1_score
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from torch import Tensor, nn

from attncourse import seed_everything
from attncourse.data.batches import pad
from attncourse.data.hidden_nouns import KINDS, HiddenNouns, english_captions, hide_nouns
from attncourse.data.masking import MaskedBatches
from attncourse.data.vocabulary import BOS, EOS, Vocabulary
from attncourse.language import LanguageModelConfig, MaskedLanguageModel, TextReader
from attncourse.metrics import masked_accuracy
from attncourse.recipes import environment, write_record
from attncourse.training import fit, linear_schedule, masked_token_loss

WIDTH, HEADS, HIDDEN, LAYERS, ROOM = 64, 4, 256, 2, 64
TESTS = ("test_2016_flickr", "test_2017_flickr")
EPOCHS, BATCH, RATE = 10, 64, 3e-3
RULES = {"80/10/10": (0.8, 0.1), "always masked": (1.0, 0.0)}  # masked, changed
LABELS = (50, 200, 800, 3200)  # labelled captions
STARTS = ("from scratch", "embeddings only", *(f"pre-trained, {rule}" for rule in RULES))
BAYES = "naive Bayes"
TUNE_STEPS, TUNE_BATCH, TUNE_RATES = 300, 32, (1e-3, 3e-3)
REACH, SMOOTHING = 2, 0.5  # of naive Bayes
SETTING = ("start", "labels", "learning_rate")


class KindTagger(nn.Module):
    """A reader, and a linear layer to the kinds of the words that are hidden."""

    def __init__(self, config: LanguageModelConfig):
        super().__init__()
        self.reader = TextReader(config)
        self.output = nn.Linear(config.embed_dim, len(KINDS))

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        return self.output(self.reader(tokens, padding_mask=mask))  # (batch, length, kind)


def make_config(vocabulary: Vocabulary) -> LanguageModelConfig:
    """The mask is one token more than the vocabulary has, the last."""
    return LanguageModelConfig(
        len(vocabulary) + 1,
        embed_dim=WIDTH,
        num_heads=HEADS,
        ffn_dim=HIDDEN,
        num_layers=LAYERS,
        max_len=ROOM,
    )


def adamw(rate: float):
    return lambda model: torch.optim.AdamW(model.parameters(), lr=rate, fused=True)


def pretrain(
    rule: str, seed: int, vocabulary: Vocabulary, train: list, held_out: list, epochs: int = EPOCHS
) -> tuple[MaskedLanguageModel, dict[str, Any]]:
    """Train a masked language model; say how many hidden words it names, and visible ones."""
    masked, changed = RULES[rule]
    seed_everything(seed)
    config, start = make_config(vocabulary), process_time()
    model = MaskedLanguageModel(config)
    ids = {"vocab_size": config.vocab_size, "mask_id": len(vocabulary)}
    batches = MaskedBatches(
        train,
        batch_size=BATCH,
        bucket=20 * BATCH,
        generator=torch.Generator(),
        masked=masked,
        changed=changed,
        **ids,
    )
    steps = epochs * len(batches)
    fit(
        model,
        batches,
        epochs=epochs,
        loss=masked_token_loss,
        optimiser=adamw(RATE),
        schedule=linear_schedule(steps, steps // 10),
        device="cpu",
        progress=False,
        seed=seed,
    )
    told = {"rule": rule, "parameters": count(model), "cpu_seconds": round(process_time() - start)}
    shares = {"hidden": (1.0, 0.0), "visible": (0.0, 0.0), "changed": (0.0, 1.0)}
    for name, (masked, changed) in shares.items():
        asked = MaskedBatches(held_out, batch_size=BATCH, masked=masked, changed=changed, **ids)
        tally = masked_accuracy(model, asked)
        told[f"{name}_named"] = round(tally.hits / tally.tries, 4)
    return model, told


def batches_of(
    captions: list[HiddenNouns], vocabulary: Vocabulary, size: int, generator=None
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Give tokens, padding mask and kinds, each (batch, length), again and again if shuffled."""
    while True:
        order = torch.arange(len(captions))
        if generator is not None:
            order = torch.randperm(len(captions), generator=generator)
        for rows in order.split(size):
            some = [captions[row] for row in rows.tolist()]
            tokens, lengths = pad(
                [[BOS, *vocabulary.encode(caption.words), EOS] for caption in some]
            )
            kinds = torch.full_like(tokens, -1)
            for row, caption in enumerate(some):
                kinds[row, 1 : 1 + len(caption.kinds)] = torch.tensor(caption.kinds)
            yield tokens, torch.arange(tokens.shape[1]) < lengths[:, None], kinds
        if generator is None:
            return


def kind_loss(model: nn.Module, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    tokens, mask, kinds = batch
    return F.cross_entropy(model(tokens, mask)[kinds >= 0], kinds[kinds >= 0])


def start_from(start: str, tagger: KindTagger, readers: dict[str, TextReader]) -> None:
    """Copy what the tagger does not begin without."""
    if start == "embeddings only":
        tagger.reader.words.load_state_dict(readers["80/10/10"].words.state_dict())
    elif start.startswith("pre-trained"):
        tagger.reader.load_state_dict(readers[start.removeprefix("pre-trained, ")].state_dict())


def fine_tune(
    start: str,
    labels: int,
    rate: float,
    *,
    seed: int,
    vocabulary: Vocabulary,
    readers: dict[str, TextReader],
    splits: dict[str, list[HiddenNouns]],
    steps: int = TUNE_STEPS,
) -> dict[str, Any]:
    generator = seed_everything(seed)
    model = KindTagger(make_config(vocabulary))
    start_from(start, model, readers)
    endless = batches_of(splits["train"][:labels], vocabulary, TUNE_BATCH, generator)
    begun = process_time()
    fit(
        model,
        [next(endless) for _ in range(steps)],
        epochs=1,
        loss=kind_loss,
        optimiser=adamw(rate),
        schedule=linear_schedule(steps, steps // 10),
        device="cpu",
        progress=False,
        seed=seed,
    )
    told = {"start": start, "labels": labels, "learning_rate": rate}
    for split in ("validation", "test"):
        named, wanted = [], []
        with torch.no_grad():
            for tokens, mask, kinds in batches_of(splits[split], vocabulary, 100):
                named += model(tokens, mask).argmax(-1)[kinds >= 0].tolist()
                wanted += kinds[kinds >= 0].tolist()
        told[split] = scores(named, wanted)
    return told | {"cpu_seconds": round(process_time() - begun)}


def scores(named: Sequence[int], wanted: Sequence[int]) -> dict[str, float]:
    """Give the share of right kinds, and the mean over the kinds of their F1."""
    right = sum(one == other for one, other in zip(named, wanted, strict=True)) / len(wanted)
    f1 = f1_score(wanted, named, average="macro", labels=range(len(KINDS)), zero_division=0.0)
    return {"accuracy": round(right, 4), "f1": round(float(f1), 4)}


def slots(captions: list[HiddenNouns]) -> tuple[list[dict[str, str]], list[int]]:
    """Give the words around each hidden noun, by their distance, and its kind."""
    around, wanted = [], []
    for words, kinds in captions:
        padded = [*["<bos>"] * REACH, *words, *["<eos>"] * REACH]
        for place, kind in enumerate(kinds, REACH):
            if kind >= 0:
                steps = (step for step in range(-REACH, REACH + 1) if step)
                around.append({str(step): padded[place + step] for step in steps})
                wanted.append(kind)
    return around, wanted


def bayes_run(labels: int, splits: dict[str, list[HiddenNouns]]) -> dict[str, Any]:
    """Take the likeliest kind given the words around, each place for itself."""
    classifier = make_pipeline(DictVectorizer(), MultinomialNB(alpha=SMOOTHING))
    classifier.fit(*slots(splits["train"][:labels]))
    told = {"start": BAYES, "labels": labels, "learning_rate": None}
    for split in ("validation", "test"):
        around, wanted = slots(splits[split])
        told[split] = scores(classifier.predict(around).tolist(), wanted)
    return told


def commonest(captions: list[HiddenNouns]) -> dict[str, float]:
    """The scores of saying the commonest kind always."""
    wanted = slots(captions)[1]
    ((kind, _),) = Counter(wanted).most_common(1)
    return scores([kind] * len(wanted), wanted)


def count(model: nn.Module) -> int:
    return sum(weights.numel() for weights in model.parameters())


def task(seed: int) -> dict[str, list[HiddenNouns]]:
    """Hide nouns. The labelled captions are drawn anew for each seed, as long as the most asked."""
    train = english_captions("train")
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed)).tolist()
    captions = {
        "train": [train[row] for row in order],
        "validation": english_captions("val"),
        "test": [words for split in TESTS for words in english_captions(split)],
    }
    hidden = {split: hide_nouns(some, seed=seed) for split, some in captions.items()}
    return hidden | {"train": hidden["train"][: max(LABELS)]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="goes on with what is in it")
    parser.add_argument("--models", type=Path, help="a folder that keeps the pre-trained models")
    given = parser.parse_args()
    torch.set_num_threads(1)
    words = english_captions("train")
    vocabulary = Vocabulary.build(words, min_count=2)
    train = [vocabulary.encode(caption) for caption in words]
    held_out = [vocabulary.encode(caption) for caption in english_captions("test_2016_flickr")]
    splits = task(given.seed)
    done = json.loads(given.out.read_text(encoding="utf-8")) if given.out.exists() else {}
    record = {"name": "pretraining", "seed": given.seed, "environment": environment()}
    record["settings"] = {
        "epochs": EPOCHS,
        "batch": BATCH,
        "learning_rate": RATE,
        "fine_tuning_steps": TUNE_STEPS,
        "fine_tuning_batch": TUNE_BATCH,
        "fine_tuning_rates": list(TUNE_RATES),
        "optimiser": "AdamW, warm-up, then straight down",
        "test_captions": len(splits["test"]),
        "commonest_kind": commonest(splits["test"]),
    }
    record["pretraining"], record["runs"] = done.get("pretraining", []), done.get("runs", [])
    folder = given.models or given.out.parent
    readers = {}
    for rule in RULES:
        readers[rule] = TextReader(make_config(vocabulary))
        kept = folder / f"{given.out.stem}-{rule.split('/')[0].split()[0]}.pt"
        old = [found for found in record["pretraining"] if found["rule"] == rule]
        if not (old and kept.exists()):
            model, told = pretrain(rule, given.seed, vocabulary, train, held_out)
            torch.save(model.reader.state_dict(), kept)
            record["pretraining"] = [r for r in record["pretraining"] if r["rule"] != rule]
            record["pretraining"].append(told)
            record["runs"] = []  # those were of another pre-training
            print(told, flush=True)
            write_record(given.out, record)
        readers[rule].load_state_dict(torch.load(kept, weights_only=True))
    for labels in LABELS:
        settings = [(start, labels, rate) for start in STARTS for rate in TUNE_RATES]
        for setting in [(BAYES, labels, None), *settings]:
            if any(setting == tuple(map(run.get, SETTING)) for run in record["runs"]):
                continue
            if setting[0] == BAYES:
                run = bayes_run(labels, splits)
            else:
                run = fine_tune(
                    *setting,
                    seed=given.seed,
                    vocabulary=vocabulary,
                    readers=readers,
                    splits=splits,
                )
            record["runs"].append(run)
            print(run, flush=True)
            write_record(given.out, record)


if __name__ == "__main__":
    main()
