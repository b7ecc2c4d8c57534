"""What both decoders are made of (chapter 04): first state, embeddings, cells, readout."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from attncourse.checks import require_dropout, require_integer, require_known, require_tokens
from attncourse.recurrent.cells import StackedGRUCell


class DecoderParts(nn.Module):
    """The parts of a decoder; a decoder itself says what context its cells read at each token.

    For the arguments see `GRUDecoder`.
    """

    def __init__(
        self,
        vocab_size: int,
        *,
        embed_dim: int,
        hidden_dim: int,
        memory_dim: int,
        num_layers: int = 1,
        dropout: float = 0.0,
        readout: str = "deep",
    ):
        super().__init__()
        require_integer("vocab_size", vocab_size, least=1)
        require_integer("embed_dim", embed_dim, least=1)
        require_integer("hidden_dim", hidden_dim, least=1)
        require_integer("memory_dim", memory_dim, least=1)
        require_integer("num_layers", num_layers, least=1)
        require_dropout(dropout)
        if readout not in ("deep", "state"):
            raise ValueError(f"readout must be 'deep' or 'state', got {readout!r}")
        widths = {"hidden_dim": hidden_dim, "memory_dim": memory_dim}
        self.first = FirstState(**widths, num_layers=num_layers)
        self.readout = Readout(
            vocab_size, embed_dim=embed_dim, **widths, dropout=dropout, deep=readout == "deep"
        )
        self.embedding = nn.Embedding(vocab_size, embed_dim)
        self.dropout = nn.Dropout(dropout)
        self.cells = StackedGRUCell(
            embed_dim=embed_dim, **widths, num_layers=num_layers, dropout=dropout
        )

    def embed(
        self,
        target: Int64[Tensor, "batch target"],
        hidden: Float[Tensor, "batch layers hidden"],
    ) -> Float[Tensor, "batch target embed"]:
        """Look up the tokens; refuse what this decoder, in this state, could not read."""
        require_tokens("target", target, "(batch, target)")
        if target.shape[1] == 0:
            raise ValueError("target must hold at least the begin mark, got no token")
        batch, known = target.shape[0], hidden.shape[0]
        if batch != known:
            raise ValueError(f"target and state disagree in batch: {batch} and {known}")
        require_known("target", target, self.embedding)
        return self.dropout(self.embedding(target))


class FirstState(nn.Module):
    """Make a decoder's first state of the encoder's last: layer by layer, one tanh layer for all
    where the widths differ."""

    def __init__(self, *, hidden_dim: int, memory_dim: int, num_layers: int):
        super().__init__()
        self.shape = (num_layers, memory_dim)
        self.projection = nn.Linear(memory_dim, hidden_dim) if memory_dim != hidden_dim else None

    def forward(
        self, state: Float[Tensor, "batch layers memory"]
    ) -> Float[Tensor, "batch layers hidden"]:
        if state.dim() != 3 or state.shape[1:] != self.shape:
            raise ValueError(
                "encoded.state must be (batch, layers, memory_dim) with {} layers of width {}, "
                "got shape {}".format(*self.shape, tuple(state.shape))
            )
        return state if self.projection is None else self.projection(state).tanh()


class Readout(nn.Module):
    """Predict the next token from the decoder's state, and if deep, from token and context too."""

    def __init__(
        self,
        vocab_size: int,
        *,
        embed_dim: int,
        hidden_dim: int,
        memory_dim: int,
        dropout: float,
        deep: bool,
    ):
        super().__init__()
        self.hidden = nn.Linear(hidden_dim + embed_dim + memory_dim, embed_dim) if deep else None
        self.output = nn.Linear(embed_dim if deep else hidden_dim, vocab_size)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        *,
        hidden: Float[Tensor, "batch target hidden"],
        embedded: Float[Tensor, "batch target embed"],
        context: Float[Tensor, "batch target memory"],
    ) -> Float[Tensor, "batch target vocabulary"]:
        if self.hidden is not None:
            hidden = self.hidden(torch.cat([hidden, embedded, context], -1)).tanh()
        return self.output(self.dropout(hidden))
