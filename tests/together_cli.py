"""The command line with a small recipe: what test_workers.py starts, alone and by torchrun."""

from __future__ import annotations

import sys
from functools import partial

from attncourse import cli
from attncourse.data.translation import translation_pairs
from attncourse.recipes import RECIPES, Recipe, corpora

SMALL = Recipe(
    corpus="embedded",
    model="transformer",
    pairs=300,
    steps=12,
    sizes={"embed_dim": 12, "num_heads": 2, "ffn_dim": 7, "num_layers": 1, "dropout": 0.0},
    subwords=150,
    sentences=10,
    adam={"betas": [0.9, 0.98]},
    schedule="inverse root",
    warmup=4,
    label_smoothing=0.1,
    average=3,
    average_every=2,
)

if __name__ == "__main__":
    sizes = {"validation": 13, "composition": 11, "length": 7}
    corpora.translation_pairs = partial(translation_pairs, **sizes)
    RECIPES["small"] = SMALL
    sys.exit(cli.main(sys.argv[1:]))
