"""A causal language model of attention alone (chapter 18): what one layer cannot do and two can.

x = words[tokens] + positions                             # (batch, length, embed_dim)
x = x + attention(norm(x), causal=True)                   # once a layer
logits = norm(x) @ output
"""

from __future__ import annotations

from jaxtyping import Float, Int64
from torch import Tensor, nn

from attncourse.attention import MultiHeadAttention
from attncourse.checks import require_integer, require_known, require_tokens
from attncourse.positions import SinusoidalPositions


class AttentionOnlyModel(nn.Module):
    """Say at each token which one comes next, with layers of attention and nothing between them.

    Without feed-forward networks a layer can only fetch: what it adds to a token is a weighted mean
    of earlier tokens' values (chapter 18).

    Args:
        num_tokens: how many tokens there are.
        embed_dim: width of a token, even.
        num_heads: heads of every layer.
        num_layers: layers.

    Raises:
        TypeError: if a size is not an integer; on a call, if the tokens are not int64.
        ValueError: if a size is not positive, or the heads do not fit; on a call, if the tokens are
            not (batch, length), or one is unknown.

    Source: Olsson et al. 2022, section "Definition and mechanism", after Elhage et al. 2021. Our
    positions are sinusoidal and added once.

    Example:
        >>> import torch
        >>> model = AttentionOnlyModel(9, embed_dim=8, num_heads=2, num_layers=2)
        >>> model(torch.tensor([[4, 5, 6], [7, 8, 0]])).shape
        torch.Size([2, 3, 9])
    """

    def __init__(self, num_tokens: int, *, embed_dim: int, num_heads: int, num_layers: int):
        super().__init__()
        require_integer("num_tokens", num_tokens, least=1)
        require_integer("num_layers", num_layers, least=1)
        self.positions = SinusoidalPositions(embed_dim)
        self.words = nn.Embedding(num_tokens, embed_dim)
        self.layers = nn.ModuleList(
            MultiHeadAttention(embed_dim, num_heads=num_heads) for _ in range(num_layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(embed_dim) for _ in range(num_layers + 1))
        self.output = nn.Linear(embed_dim, num_tokens)

    def forward(
        self, tokens: Int64[Tensor, "batch length"]
    ) -> Float[Tensor, "batch length num_tokens"]:
        """Predict, at each token, the next one: logits, (batch, length, num_tokens)."""
        require_tokens("tokens", tokens, "(batch, length)")
        require_known("tokens", tokens, self.words)
        x = self.positions(self.words(tokens))  # (batch, length, embed_dim)
        *norms, last = self.norms
        for layer, norm in zip(self.layers, norms, strict=True):
            x = x + layer(norm(x), causal=True)
        return self.output(last(x))  # (batch, length, num_tokens)
