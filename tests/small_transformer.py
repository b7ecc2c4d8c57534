"""The small Transformer that its tests share, with its tokens and its sentences."""

from __future__ import annotations

import pytest
import torch
from references import redrawn
from torch import nn

from attncourse import padding_mask
from attncourse.transformer import Transformer, TransformerConfig

SOURCE_VOCAB, TARGET_VOCAB = 31, 29
BATCH, SOURCE, TARGET, MAX_LEN = 2, 7, 5, 11
EMBED, HEADS, FFN = 12, 3, 17
SIZES = {"embed_dim": EMBED, "num_heads": HEADS, "ffn_dim": FFN}
LENGTHS = torch.tensor([7, 4])
CLOSE = {"rtol": 0, "atol": 1e-12}  # between two correct computations in float64

POSITIONS = pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rotary", "none"])
NORM = pytest.mark.parametrize("norm_first", [False, True], ids=["norm after", "norm first"])


def config_of(**changes) -> TransformerConfig:
    more = {"num_layers": 2, "num_decoder_layers": 3, "dropout": 0.0, "max_len": MAX_LEN}
    return TransformerConfig(SOURCE_VOCAB, **SIZES | more | changes)


def model_of(**changes) -> Transformer:
    return redrawn(Transformer(config_of(**changes)))


def tokens(length: int = SOURCE, width: int = EMBED, seed: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(BATCH, length, width, generator=generator, dtype=torch.float64)


def sentences() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Draw source ids, their mask, and target ids."""
    generator = torch.Generator().manual_seed(2)
    source = torch.randint(SOURCE_VOCAB, (BATCH, SOURCE), generator=generator)
    target = torch.randint(TARGET_VOCAB, (BATCH, TARGET), generator=generator)
    mask = padding_mask(LENGTHS)
    return source.masked_fill(~mask, 0), mask, target


def layer_norm(x: torch.Tensor, norm: nn.LayerNorm) -> torch.Tensor:
    """By its formula."""
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + norm.eps).sqrt() * norm.weight + (
        norm.bias
    )
