"""The recipes whose figures the chapters show (from chapter 04)."""

from __future__ import annotations

from dataclasses import replace

from attncourse.recipes.recipe import Recipe

# Chapter 04: one vector, three widths. Every pair of 7,000 batches of 32 is a new one (of the
# budget below, 5,000): the grammar has more to draw.
_WIDTH = Recipe(
    corpus="embedded",
    model="fixed",
    steps=10_000,
    pairs=224_000,
    sentences=32,
    warmup=350,
    learning_rate=3e-3,
)

# Chapter 05: the same budget with attention and without. The best that we found for the five
# minutes that it takes two cores with attention: batches all of one length, which need no packing;
# embeddings that begin small, so that what is learned soon outweighs what was drawn; and an Adam
# that forgets fast how large the gradients were, for on the way they shrink forty-fold.
_BUDGET = replace(
    _WIDTH,
    steps=5000,
    pairs=160_000,
    bucket=160_000,
    warmup=250,
    learning_rate=4e-3,
    adam={"betas": [0.9, 0.95]},
    validations=5,
    sizes={"embedding_std": 0.1},
)

_CAPTIONS = Recipe(
    corpus="multi30k",
    model="attention",
    steps=2800,
    sizes={"embed_dim": 256, "hidden_dim": 256, "dropout": 0.4},
    sentences=128,
    warmup=200,
    learning_rate=2e-3,
    label_smoothing=0.1,
)
_GERMAN = {"source": "de", "target": "en"}

# Chapters 11 and 12: the Transformer on captions, after Wu et al. 2021.
_TINY = Recipe(
    corpus="multi30k",
    model="transformer",
    steps=7000,
    sizes={"preset": "tiny"},
    subwords=10_000,
    sentences=None,
    tokens=8192,
    bucket=29_000,
    learning_rate=5e-3,
    adam={"betas": [0.9, 0.98], "eps": 1e-9},
    schedule="inverse root",
    warmup=2000,
    label_smoothing=0.1,
    average=10,
    average_every=100,
)

# Chapter 11: three models with as many parameters, and the same tokens in the same order. Highest
# learning rate and dropout are each one's own, the best of the whole trainings of
# `benchmarks/tune_captions.py`. Of 0.1, 0.3 and 1 for the deviation of fresh embeddings, 0.3 is
# the best for the recurrent ones (validation loss 3.9, 3.2, 3.4 after 300 steps, with attention).
_FAIR = replace(
    _TINY,
    tokens=4096,
    steps=3000,
    sizes={"preset": "tiny", "dropout": 0.1},
    learning_rate=2e-3,
    schedule="linear",
    warmup=1000,
    average=1,
)
_HEAVY = replace(_FAIR, sizes={"preset": "tiny"})  # the preset's own 0.3
_TIED = {"embed_dim": 128, "hidden_dim": 192, "embedding_std": 0.3, "tie_embeddings": True}
_TIED |= {"dropout": 0.3}

RECIPES: dict[str, Recipe] = {
    # The widest does worse at the others' learning rate.
    "embedded-width-64": replace(_WIDTH, sizes={"hidden_dim": 64}),
    "embedded-width-128": replace(_WIDTH, sizes={"hidden_dim": 128}),
    "embedded-width-256": replace(_WIDTH, sizes={"hidden_dim": 256}, learning_rate=1.5e-3),
    "embedded-attention": replace(_BUDGET, model="attention"),
    "embedded-fixed": _BUDGET,
    "multi30k-de-en-attention": replace(_CAPTIONS, **_GERMAN),
    "multi30k-de-en-fixed": replace(_CAPTIONS, model="fixed", **_GERMAN),
    "multi30k-en-fr-attention": _CAPTIONS,
    "multi30k-en-fr-fixed": replace(_CAPTIONS, model="fixed"),
    "captions-fixed": replace(
        _FAIR, model="fixed", sizes=_TIED | {"decoder_dim": 288}, learning_rate=8e-3
    ),
    "captions-attention": replace(
        _FAIR, model="attention", sizes=_TIED | {"decoder_dim": 256}, learning_rate=8e-3
    ),
    "captions-transformer": _FAIR,
    # The Transformer with less dropout and with more, and with more but without smoothing.
    "captions-no-dropout": replace(_FAIR, sizes={"preset": "tiny", "dropout": 0.0}),
    "captions-heavy-dropout": _HEAVY,
    "captions-no-smoothing": replace(_HEAVY, label_smoothing=0.0),
    # On the long way the light dropout learns by heart: validation loss 1.128 after 6,400 updates.
    "captions-long": replace(_FAIR, steps=8000),
    "multi30k-en-fr-tiny": _TINY,
    # With a dropout of 0.3 this one had 2.5 nats after 2,800 updates, where the other has 1.3.
    "multi30k-de-en-tiny": replace(_FAIR, **_GERMAN, steps=6000),
}
