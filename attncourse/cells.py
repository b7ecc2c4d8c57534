"""What the recurrent decoders are made of (chapter 04): GRU cells, first state and readout."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.checks import require_dropout, require_integer


def gru_step(
    read: Float[Tensor, "batch gates"],
    recalled: Float[Tensor, "batch gates"],
    hidden: Float[Tensor, "batch hidden"],
) -> Float[Tensor, "batch hidden"]:
    r"""Go one step with a GRU (chapter 04).

    $$r = \sigma(x_r + u_r), \quad z = \sigma(x_z + u_z), \quad
      h' = (1 - z) \odot \tanh(x_n + r \odot u_n) + z \odot h$$

    Args:
        read: (batch, 3 * hidden), x: the input times its matrix, for reset gate, update gate and
            candidate side by side.
        recalled: (batch, 3 * hidden), u: the state times its matrix, in the same order.
        hidden: (batch, hidden), h: the state.

    Returns:
        (batch, hidden), the new state: what `nn.GRUCell` computes.

    Source: Cho et al. 2014, section 2.3; there r multiplies h before the matrix.

    Example:
        >>> gru_step(torch.zeros(1, 3), torch.tensor([[0.0, 50.0, 0.0]]), torch.tensor([[0.7]]))
        tensor([[0.7000]])
    """
    x_reset, x_update, x_new = read.chunk(3, -1)
    u_reset, u_update, u_new = recalled.chunk(3, -1)
    update = (x_update + u_update).sigmoid()
    candidate = (x_new + (x_reset + u_reset).sigmoid() * u_new).tanh()
    return candidate + update * (hidden - candidate)


class Cells(nn.Module):
    """The GRUs of a decoder, standing on each other; the first reads a token and a context.

    The matrices are those of `nn.GRUCell`, the first one cut into its two parts, `of_token` and
    `of_context`, so that each can be applied when its input is known.
    """

    def __init__(
        self, embed_dim: int, memory_dim: int, hidden_dim: int, num_layers: int, dropout: float
    ):
        super().__init__()
        gates = 3 * hidden_dim
        self.of_token = nn.Linear(embed_dim, gates)
        self.of_context = nn.Linear(memory_dim, gates, bias=False)
        self.of_below = nn.ModuleList(nn.Linear(hidden_dim, gates) for _ in range(num_layers - 1))
        self.of_state = nn.ModuleList(nn.Linear(hidden_dim, gates) for _ in range(num_layers))
        self.dropout = dropout_layer(dropout)

    def forward(
        self, read: Float[Tensor, "batch gates"], hidden: list[Float[Tensor, "batch hidden"]]
    ) -> list[Float[Tensor, "batch hidden"]]:
        """Go one step in every layer."""
        states = []
        for layer, (state, of_state) in enumerate(zip(hidden, self.of_state, strict=True)):
            if layer:
                read = self.of_below[layer - 1](self.dropout(states[-1]))
            states.append(gru_step(read, of_state(state), state))
        return states


class FirstState(nn.Module):
    """Make a decoder's first state of the encoder's last: layer by layer, one tanh layer for all
    where the widths differ."""

    def __init__(self, memory_dim: int, hidden_dim: int, num_layers: int):
        super().__init__()
        require_integer("memory_dim", memory_dim, least=1)
        require_integer("hidden_dim", hidden_dim, least=1)
        require_integer("num_layers", num_layers, least=1)
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
        embed_dim: int,
        hidden_dim: int,
        memory_dim: int,
        dropout: float,
        kind: str,
    ):
        super().__init__()
        require_integer("vocab_size", vocab_size, least=1)
        require_integer("embed_dim", embed_dim, least=1)
        if kind not in ("deep", "state"):
            raise ValueError(f"readout must be 'deep' or 'state', got {kind!r}")
        deep = kind == "deep"
        self.hidden = nn.Linear(hidden_dim + embed_dim + memory_dim, embed_dim) if deep else None
        self.output = nn.Linear(embed_dim if deep else hidden_dim, vocab_size)
        self.dropout = dropout_layer(dropout)

    def forward(
        self,
        state: Float[Tensor, "batch target hidden"],
        embedded: Float[Tensor, "batch target embed"],
        context: Float[Tensor, "batch target memory"],
    ) -> Float[Tensor, "batch target vocabulary"]:
        if self.hidden is not None:
            state = self.hidden(torch.cat([state, embedded, context], -1)).tanh()
        return self.output(self.dropout(state))


def dropout_layer(share: float) -> nn.Dropout:
    """Make a dropout layer of a share in [0, 1)."""
    require_dropout(share)
    return nn.Dropout(share)
