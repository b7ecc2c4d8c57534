"""What every layer of a Transformer is made of beside attention (chapter 09)."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention.multi_head import glorot_linear
from attncourse.checks import require_bool, require_dropout, require_integer, require_same_kind

ACTIVATIONS = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),  # GPT-2's, off by 5e-4 at most
    "silu": F.silu,
}


class FeedForward(nn.Module):
    r"""The same small network for every token (chapter 09, eq. 9.1).

    $$\operatorname{FFN}(x) = W_2\, a(W_1 x + b_1) + b_2$$

    Args:
        embed_dim: width of a token.
        ffn_dim: width in between.
        activation: a, "relu", "gelu", "gelu_tanh" or "silu".
        bias: whether there are b_1 and b_2.

    Raises:
        TypeError: if a width is not an integer; on a call, if x has another dtype than the weights.
        ValueError: if a width is not positive, or the activation is unknown; on a call, if x has
            another width.

    Source: Vaswani et al. 2017, section 3.3, with "relu". Hendrycks and Gimpel 2016, section 2,
    have both forms of the GELU: exact, and by a hyperbolic tangent.

    Example:
        >>> import torch
        >>> FeedForward(6, ffn_dim=24)(torch.randn(2, 3, 6)).shape
        torch.Size([2, 3, 6])
    """

    def __init__(
        self, embed_dim: int, *, ffn_dim: int, activation: str = "relu", bias: bool = True
    ):
        super().__init__()
        require_integer("embed_dim", embed_dim, least=1)
        require_integer("ffn_dim", ffn_dim, least=1)
        if activation not in tuple(ACTIVATIONS):
            raise ValueError(
                f"activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}"
            )
        self.embed_dim = embed_dim
        self.activation = activation
        self.expand = glorot_linear(embed_dim, ffn_dim, bias)
        self.contract = glorot_linear(ffn_dim, embed_dim, bias)

    def forward(self, x: Float[Tensor, "*batch embed_dim"]) -> Float[Tensor, "*batch embed_dim"]:
        """Apply it to each (..., embed_dim)."""
        _require_features(x, self.embed_dim, self.expand)
        inside = ACTIVATIONS[self.activation](self.expand(x))  # (..., ffn_dim)
        return self.contract(inside)  # (..., embed_dim)


class Residual(nn.Module):
    r"""Add a sublayer's result to its input, with layer normalisation (chapter 09, eq. 9.3).

    $$\operatorname{norm}(x + f(x)) \quad\text{or, norm first,}\quad x + f(\operatorname{norm}(x))$$

    Args:
        embed_dim: width of a token.
        dropout: share of f's result that is dropped in training.
        norm_first: normalise what goes in, not what comes out.
        norm_eps: what is added to the variance.

    Raises:
        TypeError: if `embed_dim` is not an integer, or `dropout` or `norm_eps` no number; on a
            call, if x has another dtype than the weights.
        ValueError: if `embed_dim` is not positive, `dropout` not in [0, 1), or `norm_eps` negative
            or infinite; on a call, if x has another width.

    Source: Vaswani et al. 2017, sections 3.1 and 5.4, normalise what comes out; Xiong et al. 2020
    compare both.

    Example:
        >>> import torch
        >>> add = Residual(2, norm_first=True)
        >>> add(torch.tensor([[3.0, 5.0]]), lambda x: 10 * x)  # normalised: -1 and 1
        tensor([[-7.0000, 15.0000]], grad_fn=<AddBackward0>)
    """

    def __init__(
        self,
        embed_dim: int,
        *,
        dropout: float = 0.0,
        norm_first: bool = False,
        norm_eps: float = 1e-5,
    ):
        super().__init__()
        require_integer("embed_dim", embed_dim, least=1)
        require_dropout(dropout)
        require_bool("norm_first", norm_first)
        _require_eps(norm_eps)
        self.embed_dim = embed_dim
        self.norm_first = norm_first
        self.norm = nn.LayerNorm(embed_dim, eps=norm_eps)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "*batch embed_dim"], sublayer: Callable[[Tensor], Tensor]
    ) -> Float[Tensor, "*batch embed_dim"]:
        """Give the sum for x (..., embed_dim) and a function that keeps its shape."""
        _require_features(x, self.embed_dim, self.norm)
        if self.norm_first:
            return self._add(x, sublayer(self.norm(x)))
        return self.norm(self._add(x, sublayer(x)))

    def _add(self, x: Tensor, result: Tensor) -> Tensor:
        if result.shape != x.shape:
            raise ValueError(
                f"sublayer must keep the shape {tuple(x.shape)}, gave {tuple(result.shape)}"
            )
        return x + self.dropout(result)


def _require_features(x: Tensor, width: int, reader: nn.Module) -> None:
    """Refuse what is not (..., width), or of another kind than the weights of its reader."""
    if not isinstance(x, Tensor):
        raise TypeError(f"x must be a tensor, got {type(x).__name__}")
    if x.shape[-1:] != (width,):
        raise ValueError(f"x must be (..., {width}), got shape {tuple(x.shape)}")
    if type(reader) in (nn.Linear, nn.LayerNorm):  # what took its place may have other weights
        require_same_kind("x", reader.weight, x, of="the layer's weights")


def _require_eps(norm_eps: float) -> None:
    if isinstance(norm_eps, bool) or not isinstance(norm_eps, (int, float)):
        raise TypeError(f"norm_eps must be a number, got {type(norm_eps).__name__}")
    if not 0 <= norm_eps < math.inf:
        raise ValueError(f"norm_eps must be finite and not negative, got {norm_eps}")
