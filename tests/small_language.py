"""Small language models with weights drawn anew, and texts for them."""

from __future__ import annotations

import torch
from references import redrawn
from torch import Tensor, nn

from attncourse import padding_mask
from attncourse.language import (
    CausalLanguageModel,
    LanguageModelConfig,
    MaskedLanguageModel,
    TextReader,
)

VOCAB, ROOM = 31, 23
SIZES = {"embed_dim": 12, "num_heads": 3, "ffn_dim": 17, "num_layers": 2, "max_len": ROOM}
LENGTHS = torch.tensor([7, 2, 5])
CLOSE = {"rtol": 0, "atol": 1e-10}
MARKS = {"bos": 1, "eos": 2, "pad": 0}


def made(kind: type[nn.Module], preset: str, **options) -> nn.Module:
    config = LanguageModelConfig.preset(preset, VOCAB, **SIZES | {"dropout": 0.0} | options)
    return redrawn(kind(config))


def causal(**options) -> CausalLanguageModel:
    return made(CausalLanguageModel, "gpt2", **options)


def masked(**options) -> MaskedLanguageModel:
    return made(MaskedLanguageModel, "bert", **options)


def reader(**options) -> TextReader:
    return made(TextReader, "bert", **options)


def texts(seed: int = 3, vocabulary: int = VOCAB) -> tuple[Tensor, Tensor]:
    """Draw (3, 7) token ids, without marks, and their padding mask."""
    generator = torch.Generator().manual_seed(seed)
    mask = padding_mask(LENGTHS)
    tokens = torch.randint(4, vocabulary, mask.shape, generator=generator)
    return tokens.masked_fill(~mask, 0), mask
