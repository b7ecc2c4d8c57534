"""Where a token stands (chapter 08): sinusoidal, learned and rotary positions.

    angle = position / base ** (2 * i / width)          # i = 0, 1, ..., width / 2 - 1
    x[2 * i], x[2 * i + 1] += sin(angle), cos(angle)    # sinusoidal
    x += weight[position]                               # learned
    x[2 * i] + 1j * x[2 * i + 1] *= exp(1j * angle)     # rotary

Each is called with an offset, the position of the first token: 0 for a sentence read whole, the
number of tokens before for a token that is read alone, and (batch,) where each row has another.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Integer
from torch import Tensor, nn

from attncourse.checks import (
    INTEGERS,
    require_integer,
    require_same_device,
    require_same_kind,
    values_unknown,
)


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
        self._codes = _Codes(embed_dim, base)

    def forward(
        self,
        embedded: Float[Tensor, "batch length embed_dim"],
        offset: int | Integer[Tensor, "batch"] = 0,
    ) -> Float[Tensor, "batch length embed_dim"]:
        """Add the codes of `offset`, `offset + 1`, ... to (batch, length, embed_dim)."""
        _require_width("embedded", embedded, self.embed_dim)
        _require_offset(offset, embedded)
        return embedded + self._codes(embedded, offset)

    def code(
        self,
        length: int,
        offset: int = 0,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> Float[Tensor, "length embed_dim"]:
        """Give the codes of `length` positions from `offset` on, (length, embed_dim)."""
        require_integer("length", length, least=0)
        require_integer("offset", offset, least=0)
        position = torch.arange(offset, offset + length, device=device)
        return self._codes.compute(position, dtype or torch.get_default_dtype())

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

    def __init__(self, *, max_len: int, embed_dim: int):
        super().__init__()
        require_integer("max_len", max_len, least=1)
        require_integer("embed_dim", embed_dim, least=1)
        self.weight = nn.Parameter(torch.empty(max_len, embed_dim))
        nn.init.normal_(self.weight, std=0.02)

    def forward(
        self,
        embedded: Float[Tensor, "batch length embed_dim"],
        offset: int | Integer[Tensor, "batch"] = 0,
    ) -> Float[Tensor, "batch length embed_dim"]:
        """Add the vectors of `offset`, `offset + 1`, ... to (batch, length, embed_dim)."""
        _require_width("embedded", embedded, self.weight.shape[1])
        require_same_kind("embedded", self.weight, embedded, of="the positions")
        _require_offset(offset, embedded)
        self._require_rows(embedded.shape[-2], offset)
        if isinstance(offset, Tensor):
            return embedded + F.embedding(_positions(embedded, offset), self.weight)
        return embedded + self.weight[offset : offset + embedded.shape[-2]]

    def _require_rows(self, length: int, offset: int | Tensor) -> None:
        if isinstance(offset, Tensor):
            if not _is_readable(offset):
                return
            offset = offset.max().item()
        if offset + length > len(self.weight):
            raise ValueError(
                f"positions {offset} to {offset + length - 1} are asked for, but the learned table "
                f"has {len(self.weight)}, 0 to {len(self.weight) - 1}"
            )

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
        self._codes = _Codes(head_dim, base)

    def forward(
        self,
        features: Float[Tensor, "*batch length head_dim"],
        offset: int | Integer[Tensor, "rows"] = 0,
    ) -> Float[Tensor, "*batch length head_dim"]:
        """Turn (..., length, head_dim), whose first token stands at position `offset`.

        Offsets (batch,) are those of the first axis.
        """
        _require_width("features", features, self.head_dim)
        _require_offset(offset, features)
        sin, cos = _pairs(self._codes(features, offset))  # (..., length, head_dim / 2) each
        first, second = _pairs(features)  # the same
        turned = (first * cos - second * sin, first * sin + second * cos)
        return torch.stack(turned, -1).flatten(-2)  # (..., length, head_dim)

    def extra_repr(self) -> str:
        return f"head_dim={self.head_dim}, base={self.base:g}"


class _Codes:
    """The sines and cosines of positions, in turn, kept from call to call."""

    # So many more than were asked for are computed, lest every word that is written, one position
    # further on, asks for new ones.
    AHEAD = 64

    def __init__(self, width: int, base: float):
        self.width, self.base = width, base
        self.kept = 0, torch.empty(0, width)  # a position, and the codes from there on

    def __call__(self, x: Tensor, offset: int | Tensor) -> Tensor:
        """Give the codes of the tokens of x, which broadcast to x (..., length, width)."""
        if isinstance(offset, Tensor) or values_unknown(x):  # what is traced must not be kept
            return self.compute(_positions(x, offset), x.dtype)
        start, rows = self.kept  # read and set at once: threads may share a model
        end = offset + x.shape[-2]
        if not (
            start <= offset
            and end <= start + len(rows)
            and (rows.dtype, rows.device) == (x.dtype, x.device)
        ):
            # A tensor that inference mode has made could not be used in a training.
            with torch.inference_mode(False):
                position = torch.arange(offset, end + self.AHEAD, device=x.device)
                start, rows = offset, self.compute(position, x.dtype)
            if not values_unknown(rows):  # nor that of a transform which x has no part in
                self.kept = start, rows
        return rows[offset - start : end - start]

    def compute(
        self, position: Integer[Tensor, "*length"], dtype: torch.dtype
    ) -> Float[Tensor, "*length width"]:
        """Give sin, cos, sin, cos, ... of position / base^(2i / width).

        The angles are float64: in float32 that of position 100,000 would be off by a hundredth of
        a radian, and a half precision knows no position beyond some hundreds.
        """
        device = position.device
        exact = position.to("cpu" if device.type == "mps" else device, torch.float64)
        exponent = torch.arange(0, self.width, 2, dtype=torch.float64, device=exact.device)
        angle = exact[..., None] * self.base ** -(exponent / self.width)  # (..., length, pairs)
        code = torch.stack([angle.sin(), angle.cos()], -1).flatten(-2)  # (..., length, width)
        return code.to(device, dtype)


def _positions(x: Tensor, offset: int | Tensor) -> Tensor:
    """Count the tokens of x (..., length, width) from the offset on, to broadcast to (..., length).

    Offsets (batch,) are those of the first axis.
    """
    count = torch.arange(x.shape[-2], device=x.device)
    if isinstance(offset, Tensor):
        offset = offset.reshape(-1, *[1] * (x.dim() - 2))
    return offset + count


def _pairs(x: Tensor) -> tuple[Tensor, Tensor]:
    """Split (..., width) into first and second neighbours, (..., width / 2) each."""
    first, second = x.unflatten(-1, (-1, 2)).unbind(-1)
    return first, second


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


def _require_offset(offset: int | Tensor, x: Tensor) -> None:
    """Refuse what is neither a position nor (batch,) positions, one for each row of x."""
    if not isinstance(offset, Tensor):
        require_integer("offset", offset, least=0)
        return
    if offset.dtype not in INTEGERS:
        raise TypeError(f"offset must hold integers, got {offset.dtype}")
    if x.dim() < 3 or offset.shape != x.shape[:1]:
        raise ValueError(
            f"offset must be an integer or (batch,), one for each row of {tuple(x.shape)}, "
            f"got shape {tuple(offset.shape)}"
        )
    require_same_device("offset", x, offset, of="the tokens")
    if _is_readable(offset) and (offset < 0).any():
        raise ValueError(f"offset must not be negative, got {offset.min().item()}")


def _is_readable(offset: Tensor) -> bool:
    """Whether its values can be asked for without a wait; on a GPU, looking them up refuses."""
    return offset.device.type == "cpu" and offset.numel() > 0 and not values_unknown(offset)
