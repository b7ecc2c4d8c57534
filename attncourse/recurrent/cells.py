"""One step of a GRU, and GRUs standing on each other (chapter 04)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn


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
        >>> import torch
        >>> gru_step(torch.zeros(1, 3), torch.tensor([[0.0, 50.0, 0.0]]), torch.tensor([[0.7]]))
        tensor([[0.7000]])
    """
    x_reset, x_update, x_new = read.chunk(3, -1)
    u_reset, u_update, u_new = recalled.chunk(3, -1)
    update = (x_update + u_update).sigmoid()
    candidate = (x_new + (x_reset + u_reset).sigmoid() * u_new).tanh()
    return candidate + update * (hidden - candidate)


class StackedGRUCell(nn.Module):
    """The GRUs of a decoder, standing on each other; the first reads a token and a context.

    The matrices are those of `nn.GRUCell`, the first one cut into its two parts, `of_token` and
    `of_context`, so that each can be applied when its input is known.
    """

    def __init__(
        self, *, embed_dim: int, hidden_dim: int, memory_dim: int, num_layers: int, dropout: float
    ):
        super().__init__()
        gates = 3 * hidden_dim
        self.of_token = nn.Linear(embed_dim, gates)
        self.of_context = nn.Linear(memory_dim, gates, bias=False)
        self.of_below = nn.ModuleList(nn.Linear(hidden_dim, gates) for _ in range(num_layers - 1))
        self.of_state = nn.ModuleList(nn.Linear(hidden_dim, gates) for _ in range(num_layers))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, read: Float[Tensor, "batch gates"], hidden: list[Float[Tensor, "batch hidden"]]
    ) -> list[Float[Tensor, "batch hidden"]]:
        """Go one step in every layer: `read` is token and context, times their matrices."""
        states = []
        for layer, (state, of_state) in enumerate(zip(hidden, self.of_state, strict=True)):
            if layer:
                read = self.of_below[layer - 1](self.dropout(states[-1]))
            states.append(gru_step(read, of_state(state), state))
        return states
