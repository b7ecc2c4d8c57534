"""What is trained on what, and how: every long training of the course, by name (chapters 04, 05).

The figures that come of a recipe stand in `results/`, one file a seed.
"""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

import torch

from attncourse.recurrent import AttentionDecoder, EncoderDecoder, GRUDecoder, GRUEncoder


@dataclass(frozen=True)
class Recipe:
    """A training that anyone can repeat (chapters 04 and 05).

    Attributes:
        corpus: "embedded", the sentences of `attncourse.data.translation`, or "multi30k".
        source: the language that is read; the embedded corpus is from "en" to "fr".
        target: the language that is written.
        attention: whether the decoder looks back at every source word, or has one vector.
        steps: how many updates.
        pairs: how many pairs of the embedded corpus are learned from; a real one is taken whole.
        embed_dim: width of the embeddings.
        hidden_dim: width of the encoder's GRU in each direction, and of the attention.
        decoder_dim: width of the decoder's GRU; by default `hidden_dim`.
        embedding_std: deviation of a fresh embedding's numbers; 1 is PyTorch's own.
        dropout: see `GRUEncoder` and the decoders.
        sentences: pairs in a batch.
        bucket: how many pairs are sorted by length together, see `Batches`.
        learning_rate: Adam's, at its highest.
        warmup: the steps in which it gets there, in a straight line; then it falls to 0 likewise.
        label_smoothing: see `attncourse.training.sequence_loss`.
    """

    corpus: str
    attention: bool
    steps: int
    source: str = "en"
    target: str = "fr"
    pairs: int = 20_000
    embed_dim: int = 128
    hidden_dim: int = 128
    decoder_dim: int | None = None
    embedding_std: float = 1.0
    dropout: float = 0.0
    sentences: int = 64
    bucket: int = 2048
    learning_rate: float = 2e-3
    warmup: int = 200
    label_smoothing: float = 0.0

    def model(self, source_size: int, target_size: int) -> EncoderDecoder:
        """Build the model, untrained, for vocabularies of these sizes."""
        encoder = GRUEncoder(
            source_size,
            embed_dim=self.embed_dim,
            hidden_dim=self.hidden_dim,
            dropout=self.dropout,
            bidirectional=True,
        )
        options: dict[str, Any] = {"attention_dim": self.hidden_dim} if self.attention else {}
        decoder = (AttentionDecoder if self.attention else GRUDecoder)(
            target_size,
            embed_dim=self.embed_dim,
            hidden_dim=self.decoder_dim or self.hidden_dim,
            memory_dim=encoder.memory_dim,
            dropout=self.dropout,
            **options,
        )
        for side in (encoder, decoder):
            with torch.no_grad():
                side.embedding.weight.mul_(self.embedding_std)
        return EncoderDecoder(encoder, decoder)

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> Recipe:
        """Read what `to_dict` gave; a field that came later has its default.

        Raises:
            ValueError: if a field without a default is missing, or there is something else.
        """
        known = {each.name for each in fields(cls)}
        needed = {each.name for each in fields(cls) if each.default is MISSING}
        if not isinstance(given, dict) or not needed <= set(given) <= known:
            held = ", ".join(given) if isinstance(given, dict) else type(given).__name__
            raise ValueError(f"a recipe must hold {', '.join(sorted(needed))}, got {held}")
        return cls(**given)
