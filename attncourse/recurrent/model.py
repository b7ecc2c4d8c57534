"""An encoder and a decoder as one model (chapter 04)."""

from __future__ import annotations

from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from attncourse.checks import as_column, require_no_hole, require_padding_mask, require_tokens


class EncoderDecoder(nn.Module):
    """An encoder and a decoder, called like every translator of the course (chapter 04).

    Args:
        encoder: gives `Encoded` for a source and its mask.
        decoder: has `start(encoded)`, and gives logits and state for a target and a state.

    Example:
        >>> import torch
        >>> from attncourse.recurrent import GRUDecoder, GRUEncoder
        >>> encoder = GRUEncoder(97, embed_dim=5, hidden_dim=7)
        >>> decoder = GRUDecoder(89, embed_dim=5, hidden_dim=7, memory_dim=7)
        >>> model = EncoderDecoder(encoder, decoder)
        >>> source, target = torch.tensor([[4, 5, 6]]), torch.tensor([[1, 8]])
        >>> model(source, target).shape
        torch.Size([1, 2, 89])
        >>> logits, state = model.step(target[:, 0], model.start(source))
        >>> logits.shape
        torch.Size([1, 89])
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(
        self,
        source: Int64[Tensor, "batch source"],
        target: Int64[Tensor, "batch target"],
        source_mask: Bool[Tensor, "batch source"] | None = None,
        target_mask: Bool[Tensor, "batch target"] | None = None,
    ) -> Float[Tensor, "batch target vocabulary"]:
        """Predict, at each token of the target, the next one.

        Args:
            source: (batch, source), token ids.
            target: (batch, target), token ids that the decoder reads: the begin mark first.
            source_mask, target_mask: True at real tokens, which stand first in each row; by default
                all are real. What stands at padding never matters to a real token.

        Returns:
            (batch, target, vocabulary), logits. Those at padding mean nothing.
        """
        if target_mask is not None:
            require_tokens("target", target, "(batch, target)")
            require_padding_mask("target_mask", target_mask, target)
            require_no_hole(target_mask=target_mask)
            target = target.masked_fill(~target_mask, 0)  # may have been no token at all
        logits, _ = self.decoder(target, self.start(source, source_mask))
        return logits

    def start(
        self,
        source: Int64[Tensor, "batch source"],
        source_mask: Bool[Tensor, "batch source"] | None = None,
    ) -> tuple:
        """Read the source; give the decoder's state before the first token."""
        return self.decoder.start(self.encoder(source, source_mask))

    def step(
        self, tokens: Int64[Tensor, "batch"], state: tuple
    ) -> tuple[Float[Tensor, "batch vocabulary"], tuple]:
        """Read one token a sentence; give the logits of the next, and the state after it."""
        logits, state = self.decoder(as_column(tokens), state)
        return logits[:, 0], state
