"""What is pre-training worth? The kinds of hidden nouns, from few labelled captions and many.

A masked language model reads the English captions of Multi30k, once with BERT's 80/10/10 rule and
once with every chosen word masked. Then taggers say of nouns that are hidden in captions what kind
of thing they are: taggers that start from scratch, from the pre-trained embeddings alone, or from
the whole pre-trained reader, and a naive Bayes classifier on the neighbouring words. Every tagger
is trained at two rates; the record has both, on validation captions and on test captions. Writes
what chapter 18 reads, one file a seed.

    python benchmarks/pretraining.py --seed 0 --out results/pretraining-seed0.json
"""

from __future__ import annotations

import os

# Read when torch is imported: idle threads must not spin beside those that work.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import argparse
from collections import Counter
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from time import process_time
from typing import Any

import torch
import torch.nn.functional as F
from sklearn.feature_extraction import DictVectorizer
from sklearn.metrics import accuracy_score, f1_score
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from torch import Tensor, nn

from attncourse import seed_everything
from attncourse.data.hidden_nouns import (
    KINDS,
    NOT_ASKED,
    HiddenNounBatch,
    HiddenNounBatches,
    HiddenNouns,
    english_captions,
    hide_nouns,
)
from attncourse.data.masking import MaskedBatches
from attncourse.data.vocabulary import Vocabulary
from attncourse.language import LanguageModelConfig, MaskedLanguageModel, TextReader
from attncourse.metrics import masked_accuracy
from attncourse.recipes import environment, write_record
from attncourse.runtime import evaluating
from attncourse.training import fit, linear_schedule, masked_token_loss

SIZES = {"embed_dim": 64, "num_heads": 4, "ffn_dim": 256, "num_layers": 2, "max_len": 64}
TESTS = ("test_2016_flickr", "test_2017_flickr")
EPOCHS, BATCH, RATE = 10, 64, 3e-3
RULES = {  # of the chosen words
    "80/10/10": {"masked": 0.8, "changed": 0.1},
    "always masked": {"masked": 1.0, "changed": 0.0},
}
LABELS = (50, 200, 800, 3200)  # labelled captions
STARTS = ("from scratch", "embeddings only", *(f"pre-trained, {rule}" for rule in RULES))
TUNE_STEPS, TUNE_BATCH, TUNE_RATES = 300, 32, (1e-3, 3e-3)
BAYES, REACH, SMOOTHING = "naive Bayes", 2, 0.5
Splits = dict[str, list[HiddenNouns]]


class KindTagger(nn.Module):
    """A reader, and a linear layer to the kinds of the words that are hidden."""

    def __init__(self, config: LanguageModelConfig):
        super().__init__()
        self.reader = TextReader(config)
        self.output = nn.Linear(config.embed_dim, len(KINDS))

    def forward(self, tokens: Tensor, padding_mask: Tensor) -> Tensor:
        hidden = self.reader(tokens, padding_mask=padding_mask)  # (batch, length, embed_dim)
        return self.output(hidden)  # (batch, length, kind)


def make_config(vocabulary: Vocabulary) -> LanguageModelConfig:
    """The mask is one token more than the vocabulary has, the last."""
    return LanguageModelConfig(len(vocabulary) + 1, **SIZES)


def train(model: nn.Module, batches: Any, *, steps: int, rate: float, **options: Any) -> int:
    """Train with a warm-up over a tenth of the steps; give the CPU seconds that it took."""
    start = process_time()
    fit(
        model,
        batches,
        steps=steps,
        optimiser=lambda model: torch.optim.AdamW(model.parameters(), lr=rate, fused=True),
        schedule=linear_schedule(steps, steps // 10),
        device="cpu",
        progress=False,
        **options,
    )
    return round(process_time() - start)


def pretrain(
    rule: str, seed: int, vocabulary: Vocabulary, captions: list, held_out: list, epochs: int
) -> tuple[TextReader, dict[str, Any]]:
    """Train a masked language model; say which share of hidden words it names, and of visible."""
    seed_everything(seed)
    config = make_config(vocabulary)
    model = MaskedLanguageModel(config)

    def hidden(captions: list, **options: Any) -> MaskedBatches:
        ids = {"vocab_size": config.vocab_size, "mask_id": len(vocabulary)}
        return MaskedBatches(captions, batch_size=BATCH, **ids, **options)

    batches = hidden(captions, bucket=20 * BATCH, generator=torch.Generator(), **RULES[rule])
    steps = epochs * len(batches)
    seconds = train(model, batches, steps=steps, rate=RATE, loss=masked_token_loss, seed=seed)
    shares = {
        "hidden_named": masked_accuracy(model, hidden(held_out, masked=1.0, changed=0.0)),
        "visible_named": masked_accuracy(model, hidden(held_out, masked=0.0, changed=0.0)),
    }
    found = {name: round(tally.share, 4) for name, tally in shares.items()}
    return model.reader, {"rule": rule, "parameters": count(model), "cpu_seconds": seconds} | found


def start_from(start: str, tagger: KindTagger, readers: dict[str, TextReader]) -> None:
    """Copy the pre-trained weights that the tagger begins with."""
    if start == "embeddings only":
        tagger.reader.words.load_state_dict(readers["80/10/10"].words.state_dict())
    elif start != "from scratch":
        tagger.reader.load_state_dict(readers[start.removeprefix("pre-trained, ")].state_dict())


def kind_loss(model: nn.Module, batch: HiddenNounBatch) -> Tensor:
    logits = model(batch.tokens, batch.padding_mask).transpose(1, 2)  # (batch, kind, length)
    return F.cross_entropy(logits, batch.kinds, ignore_index=NOT_ASKED)


def fine_tune(
    start: str,
    labels: int,
    rate: float,
    *,
    seed: int,
    vocabulary: Vocabulary,
    readers: dict[str, TextReader],
    splits: Splits,
    steps: int = TUNE_STEPS,
) -> dict[str, Any]:
    """Train a tagger on so many captions, from one start, at one rate; score it."""
    seed_everything(seed)
    model = KindTagger(make_config(vocabulary))
    start_from(start, model, readers)
    batches = HiddenNounBatches(
        splits["train"][:labels], vocabulary, batch_size=TUNE_BATCH, generator=torch.Generator()
    )
    seconds = train(model, batches, steps=steps, rate=rate, loss=kind_loss, seed=seed)
    found = {"start": start, "labels": labels, "learning_rate": rate, "cpu_seconds": seconds}
    for split in ("validation", "test"):
        named, wanted = [], []
        with torch.no_grad(), evaluating(model):
            for tokens, mask, kinds in HiddenNounBatches(splits[split], vocabulary, batch_size=100):
                asked = kinds != NOT_ASKED
                named += model(tokens, mask).argmax(-1)[asked].tolist()
                wanted += kinds[asked].tolist()
        found[split] = scores(named, wanted)
    return found


def scores(named: Sequence[int], wanted: Sequence[int]) -> dict[str, float]:
    """Give the share of right kinds, and the mean over the kinds of their F1."""
    f1 = f1_score(wanted, named, average="macro", labels=range(len(KINDS)), zero_division=0.0)
    return {"accuracy": round(accuracy_score(wanted, named), 4), "f1": round(float(f1), 4)}


def slots(captions: list[HiddenNouns]) -> tuple[list[dict[str, str]], list[int]]:
    """Give the words around each hidden noun, by their distance, and its kind."""
    around, wanted = [], []
    distances = [distance for distance in range(-REACH, REACH + 1) if distance]
    for words, kinds in captions:
        padded = [*["<bos>"] * REACH, *words, *["<eos>"] * REACH]
        for place, kind in enumerate(kinds, REACH):
            if kind != NOT_ASKED:
                around.append({str(distance): padded[place + distance] for distance in distances})
                wanted.append(kind)
    return around, wanted


def bayes_run(labels: int, splits: Splits) -> dict[str, Any]:
    """Take the likeliest kind given the words around, each place for itself."""
    classifier = make_pipeline(DictVectorizer(), MultinomialNB(alpha=SMOOTHING))
    classifier.fit(*slots(splits["train"][:labels]))
    found = {"start": BAYES, "labels": labels, "learning_rate": None, "cpu_seconds": None}
    for split in ("validation", "test"):
        around, wanted = slots(splits[split])
        found[split] = scores(classifier.predict(around).tolist(), wanted)
    return found


def commonest(captions: list[HiddenNouns]) -> dict[str, float]:
    """The scores of saying the commonest kind always."""
    wanted = slots(captions)[1]
    ((kind, _),) = Counter(wanted).most_common(1)
    return scores([kind] * len(wanted), wanted)


def count(model: nn.Module) -> int:
    return sum(weights.numel() for weights in model.parameters())


def task(seed: int) -> Splits:
    """Hide nouns. The labelled captions are drawn anew for each seed, as many as the most asked."""
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
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    words = english_captions("train")
    vocabulary = Vocabulary.build(words, min_count=2)
    captions, held_out = (
        [vocabulary.encode(caption) for caption in some]
        for some in (words, english_captions("test_2016_flickr"))
    )
    splits = task(given.seed)
    record = {"name": "pretraining", "seed": given.seed, "environment": environment()}
    record["settings"] = SIZES | {
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
    record["pretraining"], readers = [], {}
    for rule in RULES:
        readers[rule], found = pretrain(rule, given.seed, vocabulary, captions, held_out, EPOCHS)
        record["pretraining"].append(found)
        print(found, flush=True)
    record["runs"] = [bayes_run(labels, splits) for labels in LABELS]
    data = {"vocabulary": vocabulary, "readers": readers, "splits": splits}
    for labels, start, rate in product(LABELS, STARTS, TUNE_RATES):
        record["runs"].append(fine_tune(start, labels, rate, seed=given.seed, **data))
        print(record["runs"][-1], flush=True)
    write_record(given.out, record)


if __name__ == "__main__":
    main()
