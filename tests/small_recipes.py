"""Two small recipes, and what makes their corpus small."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from attncourse.data.translation import translation_pairs
from attncourse.recipes import Recipe

SMALL = Recipe(
    corpus="embedded",
    model="attention",
    pairs=300,
    steps=7,
    sizes={"embed_dim": 5, "hidden_dim": 7},
    sentences=11,
    warmup=2,
)
TRANSFORMER = replace(
    SMALL,
    model="transformer",
    sizes={"embed_dim": 12, "num_heads": 2, "ffn_dim": 7, "num_layers": 2},
    subwords=150,
    sentences=None,
    tokens=300,
    accumulate=2,
    adam={"betas": [0.9, 0.98], "eps": 1e-9},
    schedule="inverse root",
    label_smoothing=0.1,
    average=3,
    average_every=2,
)
small_pairs = partial(translation_pairs, validation=13, composition=11, length=7)
