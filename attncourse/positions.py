"""Where a token stands (chapter 08): sinusoidal, learned and rotary positions.

Each is called with the positions' offset: 0 for a sentence read whole, the number of tokens before
for a token that is read alone.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.checks import require_integer, require_same_kind


class SinusoidalPositions(nn.Module):
    r"""Add to each token the sines and cosines of its position (chapter 08, eq. 8.2).

    $$p_{t, 2i} = \sin(t / b^{2i/d}), \quad p_{t, 2i+1} = \cos(t / b^{2i/d})$$

    Nothing is learned, and there is a code for every position. That a model can do something with
    those it has never met does not follow.

    Args:
        embed_dim: d, even.
        base: b; the slowest wave is nearly b times 2 pi tokens long.

    Raises:
        TypeError: if `embed_dim` or an offset is not an integer.
        ValueError: if `embed_dim` is not positive and even, `base` not above 1, or an offset
            negative.

    Source: Vaswani et al. 2017, section 3.5.

    Example:
        >>> SinusoidalPositions(4).code(2)
        tensor([[0.0000, 1.0000, 0.0000, 1.0000],
                [0.8415, 0.5403, 0.0100, 0.9999]])
    """

    def __init__(self, embed_dim: int, *, base: float = 10_000.0):
        super().__init__()
        _require_even("embed_dim", embed_dim)
        _require_base(base)
        self.embed_dim = embed_dim
        self.base = base

    def forward(
        self, embedded: Float[Tensor, "batch length embed_dim"], offset: int = 0
    ) -> Float[Tensor, "batch length embed_dim"]:
        """Add the codes of `offset`, `offset + 1`, ... to (batch, length, embed_dim)."""
        _require_width("embedded", embedded, self.embed_dim)
        length = embedded.shape[-2]
        return embedded + self.code(length, offset, dtype=embedded.dtype, device=embedded.device)

    def code(
        self,
        length: int,
        offset: int = 0,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> Float[Tensor, "length embed_dim"]:
        """Give the codes of `length` positions from `offset` on, (length, embed_dim)."""
        waves = angles(length, offset, self.embed_dim, self.base, device)
        code = torch.stack([waves.sin(), waves.cos()], -1).flatten(-2)
        return code.to(device, dtype or torch.get_default_dtype())

    def extra_repr(self) -> str:
        return f"embed_dim={self.embed_dim}, base={self.base:g}"


class LearnedPositions(nn.Module):
    """Add to each token a learned vector of its position (chapter 08).

    Args:
        max_len: how many positions there are.
        embed_dim: width of a token.

    Raises:
        TypeError: if a size or an offset is not an integer.
        ValueError: if a size is not positive, or a position lies past the end of the table.

    Source: Gehring et al. 2017, section 3.1; Vaswani et al. 2017, table 3 (E), found nearly the
    same results as with sinusoids.

    Example:
        >>> LearnedPositions(max_len=7, embed_dim=4)(torch.zeros(2, 5, 4)).shape
        torch.Size([2, 5, 4])
    """

    def __init__(self, max_len: int, embed_dim: int):
        super().__init__()
        require_integer("max_len", max_len, least=1)
        require_integer("embed_dim", embed_dim, least=1)
        self.weight = nn.Parameter(torch.empty(max_len, embed_dim))
        nn.init.normal_(self.weight, std=0.02)

    def forward(
        self, embedded: Float[Tensor, "batch length embed_dim"], offset: int = 0
    ) -> Float[Tensor, "batch length embed_dim"]:
        """Add the vectors of `offset`, `offset + 1`, ... to (batch, length, embed_dim)."""
        _require_width("embedded", embedded, self.weight.shape[1])
        require_same_kind("embedded", self.weight, embedded, of="the positions")
        require_integer("offset", offset, least=0)
        end = offset + embedded.shape[-2]
        if end > len(self.weight):
            raise ValueError(
                f"positions {offset} to {end - 1} are asked for, but the learned table has "
                f"{len(self.weight)}, 0 to {len(self.weight) - 1}"
            )
        return embedded + self.weight[offset:end]

    def extra_repr(self) -> str:
        return "max_len={}, embed_dim={}".format(*self.weight.shape)


class RotaryPositions(nn.Module):
    r"""Turn queries and keys by angles that grow with the position (chapter 08, eq. 8.5).

    Each pair of features is a point in a plane. At position t it is turned by $t / b^{2i/d}$, so
    that the dot product of a query at t and a key at s depends on $t - s$ alone.

    Args:
        head_dim: d, the width of a head, even.
        base: b.

    Raises:
        TypeError, ValueError: as `SinusoidalPositions`.

    Source: Su et al. 2021, section 3.2.2, equation 15. Neighbouring features make a pair, as there;
    some libraries pair the first half with the second, which is the same up to the features' order.

    Example:
        >>> rotary = RotaryPositions(2, base=10.0)
        >>> rotary(torch.tensor([[1.0, 0.0]]), offset=1)  # turned by one radian
        tensor([[0.5403, 0.8415]])
    """

    def __init__(self, head_dim: int, *, base: float = 10_000.0):
        super().__init__()
        _require_even("head_dim", head_dim)
        _require_base(base)
        self.head_dim = head_dim
        self.base = base

    def forward(
        self, features: Float[Tensor, "*batch length head_dim"], offset: int = 0
    ) -> Float[Tensor, "*batch length head_dim"]:
        """Turn (..., length, head_dim), whose first token stands at position `offset`."""
        _require_width("features", features, self.head_dim)
        waves = angles(features.shape[-2], offset, self.head_dim, self.base, features.device)
        cos, sin = (wave.to(features.device, features.dtype) for wave in (waves.cos(), waves.sin()))
        first, second = features.unflatten(-1, (-1, 2)).unbind(-1)
        turned = (first * cos - second * sin, first * sin + second * cos)
        return torch.stack(turned, -1).flatten(-2)

    def extra_repr(self) -> str:
        return f"head_dim={self.head_dim}, base={self.base:g}"


def angles(
    length: int,
    offset: int,
    width: int,
    base: float,
    device: torch.device | str | None = None,
) -> Float[Tensor, "length pairs"]:
    """Give t / base^(2i / width), (length, width / 2), in float64.

    In float32 the angle of position 100,000 would be off by a hundredth of a radian; a half
    precision knows no position beyond some hundreds.
    """
    require_integer("length", length, least=0)
    require_integer("offset", offset, least=0)
    if device is not None and torch.device(device).type == "mps":  # it has no float64
        device = "cpu"
    position = torch.arange(offset, offset + length, dtype=torch.float64, device=device)
    exponent = torch.arange(0, width, 2, dtype=torch.float64, device=device) / width
    return position[:, None] * base**-exponent


def _require_even(name: str, width: int) -> None:
    require_integer(name, width, least=1)
    if width % 2:
        raise ValueError(f"{name} must be even, a sine and a cosine for each wave, got {width}")


def _require_base(base: float) -> None:
    if isinstance(base, bool) or not isinstance(base, (int, float)) or not base > 1:
        raise ValueError(f"base must be a number above 1, got {base!r}")


def _require_width(name: str, tensor: Tensor, width: int) -> None:
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(tensor).__name__}")
    if not tensor.is_floating_point():
        raise TypeError(f"{name} must be floating point, got {tensor.dtype}")
    if tensor.dim() < 2 or tensor.shape[-1] != width:
        raise ValueError(f"{name} must be (..., length, {width}), got shape {tuple(tensor.shape)}")
