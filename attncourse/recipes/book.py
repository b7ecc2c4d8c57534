"""The recipes whose figures the chapters show (chapters 04 and 05)."""

from __future__ import annotations

from attncourse.recipes.recipe import Recipe

# Every pair of 7,000 batches of 32 is a new one (of the budget below, 5,000): the grammar has more
# to draw.
_EMBEDDED = {
    "corpus": "embedded",
    "pairs": 224_000,
    "sentences": 32,
    "warmup": 350,
    "learning_rate": 3e-3,
}

# The best that we found for five minutes with attention: batches all of one length, which
# need no packing, and embeddings that begin small, so that what is learned soon outweighs what was
# drawn.
_BUDGET = {
    **_EMBEDDED,
    "pairs": 160_000,
    "bucket": 160_000,
    "steps": 5000,
    "warmup": 250,
    "embedding_std": 0.1,
}

_CAPTIONS = {
    "corpus": "multi30k",
    "embed_dim": 256,
    "hidden_dim": 256,
    "dropout": 0.4,
    "sentences": 128,
    "steps": 2800,
    "warmup": 200,
    "learning_rate": 2e-3,
    "label_smoothing": 0.1,
}
_GERMAN = {**_CAPTIONS, "source": "de", "target": "en"}

RECIPES: dict[str, Recipe] = {
    # Chapter 04: one vector, three widths. The widest does worse at the others' learning rate.
    "embedded-width-64": Recipe(**_EMBEDDED, attention=False, hidden_dim=64, steps=10_000),
    "embedded-width-128": Recipe(**_EMBEDDED, attention=False, hidden_dim=128, steps=10_000),
    "embedded-width-256": Recipe(
        **_EMBEDDED | {"learning_rate": 1.5e-3}, attention=False, hidden_dim=256, steps=10_000
    ),
    # Chapter 05: the same budget with attention and without.
    "embedded-attention": Recipe(**_BUDGET, attention=True),
    "embedded-fixed": Recipe(**_BUDGET, attention=False),
    "multi30k-de-en-attention": Recipe(**_GERMAN, attention=True),
    "multi30k-de-en-fixed": Recipe(**_GERMAN, attention=False),
    "multi30k-en-fr-attention": Recipe(**_CAPTIONS, attention=True),
    "multi30k-en-fr-fixed": Recipe(**_CAPTIONS, attention=False),
}
