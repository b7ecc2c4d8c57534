"""The encoder (chapter 04): it reads the source, and never sees padding."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from attncourse.checks import (
    require_dropout,
    require_integer,
    require_known,
    require_padding_mask,
    require_tokens,
    values_unknown,
)
from attncourse.recurrent.cells import gru_step


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
        require_dropout(dropout)
        self.embedding = nn.Embedding(vocab_size, embed_dim)
        self.dropout = nn.Dropout(dropout)
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
                default all are real. A sentence without any gives zeros. `torch.func.vmap` needs
                one: PyTorch's own GRU does not run there.

        Returns:
            What it read. The same as if each sentence came alone and unpadded.
        """
        require_tokens("source", source, "(batch, source)")
        lengths = None
        if source_mask is not None:
            require_padding_mask("source_mask", source_mask, source)
            source = source.masked_fill(~source_mask, 0)
            # torch.compile breaks its graph at a GRU, and then the lengths are known.
            if torch.compiler.is_dynamo_compiling() or not values_unknown(source_mask):
                lengths = _lengths(source_mask)
        require_known("source", source, self.embedding)
        batch, length = source.shape
        if source.numel() == 0:
            memory = self.embedding.weight.new_zeros(batch, length, self.memory_dim)
            return Encoded(memory, source_mask, memory.new_zeros(batch, *self.state_shape))
        if lengths is None and source_mask is not None:
            memory, state = self._read_masked(source, source_mask)
        elif lengths is None or lengths.min() == length:  # nothing is padded
            memory, state = self.gru(self.dropout(self.embedding(source)))
        else:
            memory, state = self._read_packed(source, lengths)
        # (layers * directions, batch, hidden) -> (batch, layers, directions * hidden)
        state = state.transpose(0, 1).reshape(batch, *self.state_shape)
        if lengths is not None and lengths.min() == 0:
            memory = memory.masked_fill(~source_mask[..., None], 0.0)
            state = state.masked_fill(~source_mask[:, :1, None], 0.0)
        return Encoded(memory, source_mask, state)

    def _read_packed(self, source: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Read the real tokens alone: the ids are packed, so that padding is not even embedded.

        A packed sequence needs a token a sentence: an empty one reads a zero.
        """
        packed = pack_padded_sequence(
            source, lengths.clamp(min=1), batch_first=True, enforce_sorted=False
        )
        embedded = self.dropout(self.embedding(packed.data))
        packed, state = self.gru(packed._replace(data=embedded))
        memory, _ = pad_packed_sequence(packed, batch_first=True, total_length=source.shape[1])
        return memory, state

    def _read_masked(self, source: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Read token by token, with the same weights, where the lengths are unknown to Python:
        while a program is traced, or inside `torch.func.vmap`."""
        read, states = self.dropout(self.embedding(source)), []  # (batch, source, embed)
        for layer in range(self.gru.num_layers):
            if layer:
                read = F.dropout(read, self.gru.dropout, self.training)
            ways = ["", "_reverse"] if self.gru.bidirectional else [""]
            both = [self._read_one_way(read, mask, f"_l{layer}{way}") for way in ways]
            read = torch.cat([outputs for outputs, _ in both], -1)
            states += [last for _, last in both]
        return read, torch.stack(states)

    def _read_one_way(self, read: Tensor, mask: Tensor, name: str) -> tuple[Tensor, Tensor]:
        """Run one layer in one direction; give its state at each token, zero at padding, and the
        last one."""
        weights = (f"{kind}{name}" for kind in ("weight_ih", "bias_ih", "weight_hh", "bias_hh"))
        to_read, read_bias, to_recall, recall_bias = (getattr(self.gru, each) for each in weights)
        read = F.linear(read, to_read, read_bias)  # (batch, source, 3 * hidden)
        hidden = read.new_zeros(read.shape[0], self.gru.hidden_size)
        outputs = [hidden] * read.shape[1]
        places = range(read.shape[1])
        for place in reversed(places) if name.endswith("_reverse") else places:
            recalled = F.linear(hidden, to_recall, recall_bias)
            after = gru_step(read[:, place], recalled, hidden)
            hidden = torch.where(mask[:, place, None], after, hidden)  # padding changes nothing
            outputs[place] = hidden
        return torch.stack(outputs, 1).masked_fill(~mask[..., None], 0.0), hidden


def _lengths(mask: Tensor) -> Tensor:
    """Count each row's real tokens, on the CPU, where packing wants them."""
    hole = (mask[:, 1:] & ~mask[:, :-1]).any()
    *lengths, hole = torch.cat([mask.sum(1), hole[None]]).tolist()  # one transfer from a GPU
    if hole:
        raise ValueError("source_mask must be True at the start of each row, but one has a hole")
    return torch.tensor(lengths)
