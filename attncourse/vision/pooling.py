"""From a map of features to one vector a question (chapter 15): attention, global pools, FiLM.

    features = features.flatten(2).mT                    # (batch, position, embed_dim)
    answer = attention(question, features)               # the question meets every position
    answer = join(cat([features.mean(1), question]))     # it comes when all is averaged
    answer = (scale(question) * features + shift(question)).relu().amax(1)  # it turns the features

All are called as `pool(question, features)`, with several questions to one picture.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from attncourse.attention import MultiHeadAttention
from attncourse.checks import require_counted, require_floats, require_integer


class AttentionPool(nn.Module):
    """Average the positions of a map, each weighted by how well it answers (chapter 15, eq. 15.2).

    Args:
        embed_dim: width of questions and features.
        num_heads: of the attention, which `record_attention` shows as (batch, heads, question,
            position), the positions row by row.

    Raises:
        TypeError, ValueError: as `MultiHeadAttention`; on a call also if a tensor has other axes,
            or the mask is not boolean or of another shape.

    Source: Vaswani et al. 2017, section 3.2, with one query; learned queries in the place of
    questions are Lee et al. 2019, section 3.2, without their network and norms.

    Example:
        >>> pool = AttentionPool(6)
        >>> pool(torch.randn(2, 5, 6), torch.randn(2, 6, 3, 7)).shape
        torch.Size([2, 5, 6])
    """

    def __init__(self, embed_dim: int, *, num_heads: int = 1):
        super().__init__()
        self.attention = MultiHeadAttention(embed_dim, num_heads=num_heads)

    def forward(
        self,
        question: Float[Tensor, "batch question embed_dim"],
        features: Float[Tensor, "batch embed_dim height width"],
        *,
        padding_mask: Bool[Tensor, "batch height width"] | None = None,
    ) -> Float[Tensor, "batch question embed_dim"]:
        """Pool the features once for each question.

        Args:
            question: (batch, question, embed_dim).
            features: (batch, embed_dim, height, width).
            padding_mask: (batch, height, width), True where the picture is real.

        Returns:
            (batch, question, embed_dim).
        """
        positions = _positions(features)  # (batch, position, embed_dim)
        if padding_mask is not None:
            shape = (len(features), *features.shape[2:])
            require_counted("padding_mask", padding_mask, shape, "(batch, height, width)")
            padding_mask = padding_mask.flatten(1)
        return self.attention(question, positions, padding_mask=padding_mask)


class GlobalPool(nn.Module):
    """Pool the map without asking, then join the question to the result (chapter 15).

    Args:
        embed_dim: width of questions and features.
        how: "mean" or "max".
        hidden_dim: width of the network that joins both; 86 at a width of 64 gives it as many
            weights as an `AttentionPool` has.

    Raises:
        TypeError: if a size is no integer.
        ValueError: if a size is not positive, or `how` is neither.

    Source: Lin et al. 2014, section 3.2, for the mean, there without a question.

    Example:
        >>> pool = GlobalPool(6, how="max", hidden_dim=11)
        >>> pool(torch.randn(2, 5, 6), torch.randn(2, 6, 3, 7)).shape
        torch.Size([2, 5, 6])
    """

    def __init__(self, embed_dim: int, *, how: str, hidden_dim: int):
        super().__init__()
        require_integer("embed_dim", embed_dim, least=1)
        require_integer("hidden_dim", hidden_dim, least=1)
        if how not in ("mean", "max"):
            raise ValueError(f"how must be mean or max, got {how!r}")
        self.how = how
        self.join = nn.Sequential(
            nn.Linear(2 * embed_dim, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, embed_dim)
        )

    def forward(
        self,
        question: Float[Tensor, "batch question embed_dim"],
        features: Float[Tensor, "batch embed_dim height width"],
    ) -> Float[Tensor, "batch question embed_dim"]:
        """Pool the features, and join each question to them."""
        positions = _positions(features)
        pooled = positions.amax(1, True) if self.how == "max" else positions.mean(1, True)
        # (batch, 1, embed_dim): one vector a picture, whatever is asked
        return self.join(torch.cat([pooled.expand_as(question), question], dim=-1))

    def extra_repr(self) -> str:
        return f"how={self.how}"


class FiLMPool(nn.Module):
    r"""Scale and shift the features by the question, then take the maximum (chapter 15, eq. 15.3).

    $$W_2 \max_i\, \operatorname{relu}((1 + \gamma(q)) \odot W_1 x_i + \beta(q))$$

    Args:
        embed_dim: width of questions and features.

    Raises:
        TypeError: if it is no integer.
        ValueError: if it is not positive.

    Source: Perez et al. 2018, section 2, where several blocks follow each other, with
    convolutions of 3x3, batch norms and residuals.

    Example:
        >>> pool = FiLMPool(6)
        >>> pool(torch.randn(2, 5, 6), torch.randn(2, 6, 3, 7)).shape
        torch.Size([2, 5, 6])
    """

    def __init__(self, embed_dim: int):
        super().__init__()
        require_integer("embed_dim", embed_dim, least=1)
        self.before = nn.Linear(embed_dim, embed_dim)
        self.modulation = nn.Linear(embed_dim, 2 * embed_dim)
        self.after = nn.Linear(embed_dim, embed_dim)

    def forward(
        self,
        question: Float[Tensor, "batch question embed_dim"],
        features: Float[Tensor, "batch embed_dim height width"],
    ) -> Float[Tensor, "batch question embed_dim"]:
        """Modulate the features by each question, and pool them."""
        x = self.before(_positions(features))[:, None]  # (batch, 1, position, embed_dim)
        scale, shift = self.modulation(question)[:, :, None].chunk(2, dim=-1)
        turned = torch.addcmul(shift, 1 + scale, x).relu()  # (batch, question, position, embed_dim)
        return self.after(turned.amax(2))


def _positions(features: Any) -> Tensor:
    """(batch, embed_dim, height, width) -> (batch, position, embed_dim), row by row."""
    require_floats("features", features, ("batch", "embed_dim", "height", "width"))
    return features.flatten(2).mT
