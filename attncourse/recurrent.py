"""Encoder and decoder made of GRUs, without attention (chapter 04) and with it (chapter 05).

Every sequence-to-sequence model of the course is called in the same way: `model(source, target,
source_mask, target_mask)` in training, where the target is known, `model.start` and `model.step`
where it is found word by word. A decoder's state holds the batch first in every tensor.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from attncourse.attention import AttentionLayer
from attncourse.cells import Cells, FirstState, Readout, dropout_layer
from attncourse.checks import (
    as_column,
    require_integer,
    require_known,
    require_no_hole,
    require_padding_mask,
    require_tokens,
)
from attncourse.scores import AdditiveScore


class Encoded(NamedTuple):
    """What an encoder makes of the source (chapter 04).

    Attributes:
        memory: (batch, source, directions * hidden), the top layer at each token; zero at padding.
        mask: (batch, source), True at real tokens, or None where every token is real.
        state: (batch, layers, directions * hidden), each layer after the sentence's last token,
            and backwards after its first.
    """

    memory: Float[Tensor, "batch source memory"]
    mask: Bool[Tensor, "batch source"] | None
    state: Float[Tensor, "batch layers memory"]


class GRUState(NamedTuple):
    """Where a `GRUDecoder` stands: (batch, layers, hidden), and its context, (batch, memory)."""

    hidden: Float[Tensor, "batch layers hidden"]
    context: Float[Tensor, "batch memory"]


class AttentionState(NamedTuple):
    """Where an `AttentionDecoder` stands: its layers, and what it looks at with the keys of it."""

    hidden: Float[Tensor, "batch layers hidden"]
    memory: Float[Tensor, "batch source memory"]
    keys: Float[Tensor, "batch source attention"]
    mask: Bool[Tensor, "batch source"] | None


class GRUEncoder(nn.Module):
    """Read the source with a GRU, which never sees padding (chapter 04).

    Args:
        vocab_size: number of token ids.
        embed_dim: width of an embedding.
        hidden_dim: width of each layer in each direction.
        num_layers: how many GRUs stand on each other.
        dropout: share of embeddings, and of what passes from layer to layer, that is dropped in
            training.
        bidirectional: read backwards as well, and join both directions.

    Raises:
        TypeError: if a size is not an integer; on a call, if tokens or mask have another dtype.
        ValueError: if a size is not positive or `dropout` outside [0, 1); on a call, if shapes
            disagree, an id is unknown, or padding stands before a real token.

    Source: Cho et al. 2014, section 2.2, for one direction; Bahdanau et al. 2015, section 3.2, for
    two. PyTorch's GRU applies the reset gate after the recurrent matrix, the papers' before it.

    Example:
        >>> from attncourse import padding_mask
        >>> encoder = GRUEncoder(97, embed_dim=5, hidden_dim=7, num_layers=2, bidirectional=True)
        >>> source, mask = torch.tensor([[4, 5, 6], [7, 0, 0]]), padding_mask(torch.tensor([3, 1]))
        >>> encoded = encoder(source, mask)
        >>> encoded.memory.shape, encoded.state.shape
        (torch.Size([2, 3, 14]), torch.Size([2, 2, 14]))
    """

    def __init__(
        self,
        vocab_size: int,
        *,
        embed_dim: int,
        hidden_dim: int,
        num_layers: int = 1,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ):
        super().__init__()
        require_integer("vocab_size", vocab_size, least=1)
        require_integer("embed_dim", embed_dim, least=1)
        require_integer("hidden_dim", hidden_dim, least=1)
        require_integer("num_layers", num_layers, least=1)
        self.embedding = nn.Embedding(vocab_size, embed_dim)
        self.dropout = dropout_layer(dropout)
        self.gru = nn.GRU(
            embed_dim,
            hidden_dim,
            num_layers,
            dropout=dropout if num_layers > 1 else 0.0,
            bidirectional=bidirectional,
            batch_first=True,
        )

    @property
    def memory_dim(self) -> int:
        """Width of what it makes of a token, directions * hidden."""
        return self.gru.hidden_size * (2 if self.gru.bidirectional else 1)

    @property
    def state_shape(self) -> tuple[int, int]:
        """(layers, directions * hidden)."""
        return self.gru.num_layers, self.memory_dim

    def forward(
        self,
        source: Int64[Tensor, "batch source"],
        source_mask: Bool[Tensor, "batch source"] | None = None,
    ) -> Encoded:
        """Read the source.

        Args:
            source: (batch, source), token ids; padding may hold any number.
            source_mask: (batch, source), True at real tokens, which stand first in each row; by
                default all are real. A sentence without any gives zeros.

        Returns:
            What it read. The same as if each sentence came alone and unpadded.
        """
        require_tokens("source", source, "(batch, source)")
        lengths = None
        if source_mask is not None:
            require_padding_mask("source_mask", source_mask, source)
            source = source.masked_fill(~source_mask, 0)
            lengths = _lengths(source_mask)
        require_known("source", source, self.embedding)
        batch, length = source.shape
        if source.numel() == 0:
            memory = self.embedding.weight.new_zeros(batch, length, self.memory_dim)
            return Encoded(memory, source_mask, memory.new_zeros(batch, *self.state_shape))
        if lengths is None or lengths.min() == length:  # nothing is padded
            memory, state = self.gru(self.dropout(self.embedding(source)))
        else:
            # A packed sequence needs a token a sentence: an empty one gets a zero here, and zeros
            # in its place below. The ids are packed, so that padding is not even embedded.
            packed = pack_padded_sequence(
                source, lengths.clamp(min=1), batch_first=True, enforce_sorted=False
            )
            embedded = self.dropout(self.embedding(packed.data))
            packed, state = self.gru(packed._replace(data=embedded))
            memory, _ = pad_packed_sequence(packed, batch_first=True, total_length=length)
        # (layers * directions, batch, hidden) -> (batch, layers, directions * hidden)
        state = state.transpose(0, 1).reshape(batch, *self.state_shape)
        if lengths is not None and lengths.min() == 0:
            memory = memory.masked_fill(~source_mask[..., None], 0.0)
            state = state.masked_fill(~source_mask[:, :1, None], 0.0)
        return Encoded(memory, source_mask, state)


class GRUDecoder(nn.Module):
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
        >>> encoder = GRUEncoder(97, embed_dim=5, hidden_dim=7)
        >>> decoder = GRUDecoder(89, embed_dim=5, hidden_dim=11, memory_dim=7)
        >>> state = decoder.start(encoder(torch.tensor([[4, 5, 6]])))
        >>> logits, state = decoder(torch.tensor([[1, 8, 9, 7]]), state)
        >>> logits.shape
        torch.Size([1, 4, 89])
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
        self.first = FirstState(memory_dim, hidden_dim, num_layers)
        self.readout = Readout(vocab_size, embed_dim, hidden_dim, memory_dim, dropout, readout)
        self.embedding = nn.Embedding(vocab_size, embed_dim)
        self.dropout = dropout_layer(dropout)
        self.cells = Cells(embed_dim, memory_dim, hidden_dim, num_layers, dropout)

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
        _require_target(target, state.hidden, self.embedding)
        embedded = self.dropout(self.embedding(target))
        # The parts of token and context are projected apart: all tokens at once, the context once.
        read = self.cells.of_token(embedded) + self.cells.of_context(state.context)[:, None]
        hidden, outputs = list(state.hidden.unbind(1)), []
        for now in read.unbind(1):
            hidden = self.cells(now, hidden)
            outputs.append(hidden[-1])
        context = state.context[:, None].expand(-1, target.shape[1], -1)
        logits = self.readout(torch.stack(outputs, 1), embedded, context)
        return logits, state._replace(hidden=torch.stack(hidden, 1))


class AttentionDecoder(AttentionLayer):
    """Write the target, looking back at the source before every word (chapter 05).

    The state so far is the query and the encoder's memory the keys and values of additive
    attention; the average found, the context, is joined to the embedding of the token read. Padding
    of the source gets no weight. `record_attention` sees one map, (batch, 1, target, source).

    Args:
        vocab_size, embed_dim, hidden_dim, memory_dim, num_layers, dropout, readout: as for
            `GRUDecoder`.
        attention_dim: hidden width of the additive score, by default `hidden_dim`.

    Raises:
        TypeError, ValueError: as `GRUDecoder`.

    Source: Bahdanau et al. 2015, section 3.1 and appendices A.1.2 and A.2.2. There the first state
    comes from the backward encoder alone, and here from both, and is taken over where the widths
    agree; the deep readout has a tanh for the maxout, and reads the new state as in equation 4,
    where A.2.2 writes the previous one; with several layers the top one is the query. With
    `readout="state"` it is the decoder of Zhang et al. 2023, section 11.4.

    Example:
        >>> encoder = GRUEncoder(97, embed_dim=5, hidden_dim=7, bidirectional=True)
        >>> decoder = AttentionDecoder(89, embed_dim=5, hidden_dim=11, memory_dim=14)
        >>> state = decoder.start(encoder(torch.tensor([[4, 5, 6]])))
        >>> from attncourse import record_attention
        >>> with record_attention(decoder) as maps:
        ...     logits, state = decoder(torch.tensor([[1, 8, 9, 7]]), state)
        >>> logits.shape, maps[""].shape
        (torch.Size([1, 4, 89]), torch.Size([1, 1, 4, 3]))
    """

    def __init__(
        self,
        vocab_size: int,
        *,
        embed_dim: int,
        hidden_dim: int,
        memory_dim: int,
        attention_dim: int | None = None,
        num_layers: int = 1,
        dropout: float = 0.0,
        readout: str = "deep",
    ):
        super().__init__()
        self.first = FirstState(memory_dim, hidden_dim, num_layers)
        self.readout = Readout(vocab_size, embed_dim, hidden_dim, memory_dim, dropout, readout)
        self.embedding = nn.Embedding(vocab_size, embed_dim)
        self.dropout = dropout_layer(dropout)
        self.cells = Cells(embed_dim, memory_dim, hidden_dim, num_layers, dropout)
        attention_dim = hidden_dim if attention_dim is None else attention_dim
        require_integer("attention_dim", attention_dim, least=1)
        self.score = AdditiveScore(hidden_dim, memory_dim, attention_dim)

    def start(self, encoded: Encoded) -> AttentionState:
        """Give the state before the first token; the keys are projected here, once."""
        memory, mask, state = encoded
        return AttentionState(self.first(state), memory, self.score.project(memory), mask)

    def forward(
        self, target: Int64[Tensor, "batch target"], state: AttentionState
    ) -> tuple[Float[Tensor, "batch target vocabulary"], AttentionState]:
        """Read some tokens and predict what follows each.

        Args:
            target: (batch, target), token ids.
            state: from `start`, or from an earlier call whose tokens came before these.

        Returns:
            The logits, (batch, target, vocabulary), and the state after the last token.
        """
        _require_target(target, state.hidden, self.embedding)
        mask = None if state.mask is None else state.mask[:, None]  # (batch, 1, source)
        embedded = self.dropout(self.embedding(target))
        read = self.cells.of_token(embedded)  # all at once; the context is found on the way
        hidden, outputs, contexts = list(state.hidden.unbind(1)), [], []
        for now in read.unbind(1):
            context = self.attend(
                hidden[-1][:, None], state.keys, state.memory, mask, score=self.score.of_projected
            )[:, 0]
            hidden = self.cells(now + self.cells.of_context(context), hidden)
            outputs.append(hidden[-1])
            contexts.append(context)
        logits = self.readout(torch.stack(outputs, 1), embedded, torch.stack(contexts, 1))
        return logits, state._replace(hidden=torch.stack(hidden, 1))


class EncoderDecoder(nn.Module):
    """An encoder and a decoder, called like every translator of the course (chapter 04).

    Args:
        encoder: gives `Encoded` for a source and its mask.
        decoder: has `start(encoded)`, and gives logits and state for a target and a state.

    Example:
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


def _require_target(target: Tensor, hidden: Tensor, embedding: nn.Embedding) -> None:
    require_tokens("target", target, "(batch, target)")
    if target.shape[1] == 0:
        raise ValueError("target must hold at least the begin mark, got no token")
    if len(target) != len(hidden):
        raise ValueError(f"target and state disagree in batch: {len(target)} and {len(hidden)}")
    require_known("target", target, embedding)


def _lengths(mask: Tensor) -> Tensor:
    """Count each row's real tokens, on the CPU, where packing wants them."""
    hole = (mask[:, 1:] & ~mask[:, :-1]).any()
    *lengths, hole = torch.cat([mask.sum(1), hole[None]]).tolist()  # one transfer from a GPU
    if hole and not torch.compiler.is_compiling():
        raise ValueError("source_mask must be True at the start of each row, but one has a hole")
    return torch.tensor(lengths)
