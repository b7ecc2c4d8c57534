"""Small recurrent translators, and sentences for them, as several test modules use them."""

from __future__ import annotations

import pytest
import torch
from references import redrawn

from attncourse import padding_mask
from attncourse.recurrent import AttentionDecoder, EncoderDecoder, GRUDecoder, GRUEncoder

SOURCE_VOCAB, TARGET_VOCAB, EMBED, HIDDEN, ATTENTION = 31, 29, 5, 7, 11
LENGTHS = (13, 3, 8, 1)
SOURCE, TARGET = 13, 6
CLOSE = {"rtol": 0, "atol": 1e-12}  # between two correct computations in float64

DECODERS = pytest.mark.parametrize("decoder", [GRUDecoder, AttentionDecoder])
LAYERS = pytest.mark.parametrize("layers", [1, 3])
DIRECTIONS = pytest.mark.parametrize("bidirectional", [False, True], ids=["one", "both"])


def encoder_of(layers: int = 1, bidirectional: bool = False, dropout: float = 0.0) -> GRUEncoder:
    return redrawn(
        GRUEncoder(
            SOURCE_VOCAB,
            embed_dim=EMBED,
            hidden_dim=HIDDEN,
            num_layers=layers,
            bidirectional=bidirectional,
            dropout=dropout,
        )
    )


def model_of(
    decoder, layers: int = 2, bidirectional: bool = True, hidden: int = 17, dropout=0.0, **options
) -> EncoderDecoder:
    encoder = encoder_of(layers, bidirectional, dropout)
    if decoder is AttentionDecoder:
        options = {"attention_dim": ATTENTION, **options}
    decoder = decoder(
        TARGET_VOCAB,
        embed_dim=3,
        hidden_dim=hidden,
        memory_dim=encoder.memory_dim,
        num_layers=layers,
        dropout=dropout,
        **options,
    )
    return EncoderDecoder(encoder, redrawn(decoder))


def sentences(*, target: int = TARGET, lengths=LENGTHS, padding: int = 0):
    """Draw source ids, their mask, and target ids."""
    generator = torch.Generator().manual_seed(2)
    shape = len(lengths), max(lengths)
    source = torch.randint(SOURCE_VOCAB, shape, generator=generator)
    mask = padding_mask(torch.tensor(lengths), max(lengths))
    written = torch.randint(TARGET_VOCAB, (len(lengths), target), generator=generator)
    return source.masked_fill(~mask, padding), mask, written
