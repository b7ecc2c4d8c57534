"""The decoder without attention (chapter 04): of the source it has one vector."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from attncourse.recurrent.encoder import Encoded
from attncourse.recurrent.parts import DecoderParts


class GRUState(NamedTuple):
    """Where a `GRUDecoder` stands: (batch, layers, hidden), and its context, (batch, memory)."""

    hidden: Float[Tensor, "batch layers hidden"]
    context: Float[Tensor, "batch memory"]


class GRUDecoder(DecoderParts):
    """Write the target from one vector, the encoder's last state (chapter 04).

    The context, the encoder's top layer at its last token, is joined to the embedding of every
    token that the decoder reads. However long the sentence, this vector is all that it has.

    Args:
        vocab_size: number of token ids.
        embed_dim: width of an embedding.
        hidden_dim: width of each layer.
        memory_dim: width of the encoder's states, `GRUEncoder.memory_dim`.
        num_layers: how many GRUs stand on each other, as many as in the encoder.
        dropout: share of embeddings, of what passes from layer to layer, and of what the readout
            reads, that is dropped in training.
        readout: `"deep"` predicts from state, token and context through a hidden layer of
            `embed_dim`, `"state"` from the state alone, by one matrix.

    Raises:
        TypeError, ValueError: as `GRUEncoder`; on a call, also if the encoder has other layers or
            another width.

    Source: Cho et al. 2014, section 2.2 and appendix A.1. Their first state and ours come from the
    encoder's by a tanh layer, ours only where the widths differ, else it is taken over; our deep
    readout has a tanh where theirs has a maxout. With `readout="state"` it is the decoder of Zhang
    et al. 2023, section 10.7.

    Example:
        >>> from attncourse.recurrent import GRUEncoder
        >>> encoder = GRUEncoder(97, embed_dim=5, hidden_dim=7)
        >>> decoder = GRUDecoder(89, embed_dim=5, hidden_dim=11, memory_dim=7)
        >>> state = decoder.start(encoder(torch.tensor([[4, 5, 6]])))
        >>> logits, state = decoder(torch.tensor([[1, 8, 9, 7]]), state)
        >>> logits.shape
        torch.Size([1, 4, 89])
    """

    def start(self, encoded: Encoded) -> GRUState:
        """Give the state before the first token."""
        return GRUState(self.first(encoded.state), encoded.state[:, -1])

    def forward(
        self, target: Int64[Tensor, "batch target"], state: GRUState
    ) -> tuple[Float[Tensor, "batch target vocabulary"], GRUState]:
        """Read some tokens and predict what follows each.

        Args:
            target: (batch, target), token ids.
            state: from `start`, or from an earlier call whose tokens came before these.

        Returns:
            The logits, (batch, target, vocabulary), and the state after the last token.
        """
        embedded = self.embed(target, state.hidden)  # (batch, target, embed)
        # Token and context have matrices of their own: all tokens at once, the context once.
        read = self.cells.of_token(embedded) + self.cells.of_context(state.context)[:, None]
        hidden, outputs = list(state.hidden.unbind(1)), []  # layer by layer, (batch, hidden)
        for token in read.unbind(1):  # (batch, 3 * hidden)
            hidden = self.cells(token, hidden)
            outputs.append(hidden[-1])
        context = state.context[:, None].expand(-1, target.shape[1], -1)
        logits = self.readout(hidden=torch.stack(outputs, 1), embedded=embedded, context=context)
        return logits, state._replace(hidden=torch.stack(hidden, 1))
