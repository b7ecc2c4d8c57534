"""The models that a recipe can name (from chapter 04)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from attncourse.recurrent import AttentionDecoder, EncoderDecoder, GRUDecoder, GRUEncoder
from attncourse.transformer import Transformer, TransformerConfig


def recurrent(
    source_size: int,
    target_size: int | None,
    *,
    attention: bool,
    embed_dim: int = 128,
    hidden_dim: int = 128,
    decoder_dim: int | None = None,
    embedding_std: float = 1.0,
    tie_embeddings: bool = False,
    dropout: float = 0.0,
) -> EncoderDecoder:
    """Build a recurrent translator (chapters 04 and 05).

    Args:
        source_size: of the vocabulary.
        target_size: of the other one, or None where there is one for both languages.
        attention: whether the decoder looks back at every source word, or has one vector.
        embed_dim: width of the embeddings.
        hidden_dim: width of the encoder's GRU in each direction, and of the attention.
        decoder_dim: width of the decoder's GRU; by default `hidden_dim`.
        embedding_std: deviation of a fresh embedding's numbers; 1 is PyTorch's own.
        tie_embeddings: whether the matrix that reads words also writes them, as a Transformer's:
            one for both languages, where there is one vocabulary.
        dropout: see `GRUEncoder` and the decoders.

    Returns:
        The model, untrained.
    """
    encoder = GRUEncoder(
        source_size,
        embed_dim=embed_dim,
        hidden_dim=hidden_dim,
        dropout=dropout,
        bidirectional=True,
    )
    options: dict[str, Any] = {"attention_dim": hidden_dim} if attention else {}
    decoder = (AttentionDecoder if attention else GRUDecoder)(
        source_size if target_size is None else target_size,
        embed_dim=embed_dim,
        hidden_dim=hidden_dim if decoder_dim is None else decoder_dim,
        memory_dim=encoder.memory_dim,
        dropout=dropout,
        **options,
    )
    for side in (encoder, decoder):
        with torch.no_grad():
            side.embedding.weight.mul_(embedding_std)
    if tie_embeddings:
        if target_size is None:
            decoder.embedding.weight = encoder.embedding.weight
        decoder.readout.output.weight = decoder.embedding.weight
    return EncoderDecoder(encoder, decoder)


def transformer(
    source_size: int, target_size: int | None, *, preset: str = "tiny", **changes: Any
) -> Transformer:
    """Build a Transformer (chapters 10 and 11).

    Args:
        source_size: of the vocabulary.
        target_size: of the other one, or None where there is one for both languages.
        preset: see `TransformerConfig.preset`.
        changes: to it.

    Returns:
        The model, untrained.
    """
    config = TransformerConfig.preset(
        preset, vocab_size=source_size, target_vocab_size=target_size, **changes
    )
    return Transformer(config)


MODELS: dict[str, Callable[..., nn.Module]] = {
    "fixed": partial(recurrent, attention=False),
    "attention": partial(recurrent, attention=True),
    "transformer": transformer,
}
