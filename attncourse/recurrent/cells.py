"""One step of a GRU, and GRUs standing on each other (chapter 04).

From an input y of width 3 and a state h of width 5, for a batch of 2:

    >>> cell, y, h = nn.GRUCell(3, 5), torch.randn(2, 3), torch.randn(2, 5)
    >>> x = y @ cell.weight_ih.T + cell.bias_ih  # (batch, 3 * hidden): W y + b, for r, z and n
    >>> u = h @ cell.weight_hh.T + cell.bias_hh  # (batch, 3 * hidden): U h + c, likewise
    >>> new = gru_step(x, u, h)  # (batch, hidden)
    >>> torch.allclose(new, cell(y, h), atol=1e-6)
    True
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


def gru_step(
    read: Float[Tensor, "batch gates"],
    recalled: Float[Tensor, "batch gates"],
    hidden: Float[Tensor, "batch hidden"],
) -> Float[Tensor, "batch hidden"]:
    r"""Go one step with a GRU (chapter 04).

    $$r = \sigma(x_r + u_r), \quad z = \sigma(x_z + u_z), \quad n = \tanh(x_n + r \odot u_n), \quad
      h' = (1 - z) \odot n + z \odot h$$

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
    x_reset, x_update, x_new = read.chunk(3, -1)  # each (batch, hidden)
    u_reset, u_update, u_new = recalled.chunk(3, -1)
    reset = torch.sigmoid(x_reset + u_reset)  # r
    update = torch.sigmoid(x_update + u_update)  # z
    candidate = torch.tanh(x_new + reset * u_new)  # n
    return candidate + update * (hidden - candidate)  # (1 - z) n + z h, with one product less


class StackedGRUCell(nn.Module):
    """The GRUs of a decoder, standing on each other; the first reads a token and a context.

    Its matrix W is cut in two, W [y; c] = W_y y + W_c c, so that a decoder can apply each part when
    its input is known: all tokens at once, and each context when it is found.

        read = cells.of_token(token) + cells.of_context(context)
        hidden = cells(read, hidden)
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
        """Go one step in every layer: the first gets `read`, each other the state of that below."""
        states = [gru_step(read, self.of_state[0](hidden[0]), hidden[0])]
        for state, of_below, of_state in zip(
            hidden[1:], self.of_below, self.of_state[1:], strict=True
        ):
            below = of_below(self.dropout(states[-1]))  # (batch, 3 * hidden)
            states.append(gru_step(below, of_state(state), state))
        return states
