"""The recipes whose figures the chapters show (chapters 04 and 05)."""

from __future__ import annotations

from attncourse.recipes.recipe import Recipe

_CAPTIONS = {
    "corpus": "multi30k",
    "embed_dim": 256,
    "hidden_dim": 256,
    "dropout": 0.4,
    "sentences": 128,
    "steps": 2800,
    "warmup": 200,
    "label_smoothing": 0.1,
}

RECIPES: dict[str, Recipe] = {
    "multi30k-de-en-attention": Recipe(
        **_CAPTIONS, source="de", target="en", attention=True, learning_rate=2e-3
    ),
    "multi30k-de-en-fixed": Recipe(
        **_CAPTIONS, source="de", target="en", attention=False, learning_rate=2e-3
    ),
    "multi30k-en-fr-attention": Recipe(**_CAPTIONS, attention=True, learning_rate=2e-3),
    "multi30k-en-fr-fixed": Recipe(**_CAPTIONS, attention=False, learning_rate=2e-3),
}
