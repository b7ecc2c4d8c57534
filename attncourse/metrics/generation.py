"""How well made pictures keep to a rule (chapter 17): symbols read, agreement, Frechet distance.

Of two corners that agree in a share p_o of the pictures, and would in p_e by chance:

    kappa = (p_o - p_e) / (1 - p_e)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from attncourse.checks import require_floats, require_integer
from attncourse.metrics.intervals import Interval, bootstrap_interval


def read_symbols(
    pictures: Float[Tensor, "picture 1 height width"],
    shapes: Float[Tensor, "symbol side side"],
    corners: Sequence[int],
    *,
    most_wrong: int = 2,
) -> Int64[Tensor, "picture corner"]:
    """Say which symbol each corner holds: that with the fewest wrong pixels (chapter 17).

    Args:
        pictures: (picture, 1, height, width), from 0 to 1; more than a half is ink.
        shapes: (symbol, side, side), as `attncourse.data.corners.symbol_shapes` gives them.
        corners: row and column of each corner's first pixel, the same number for both.
        most_wrong: with more wrong pixels than this, no symbol is read.

    Returns:
        (picture, corner), an index into the shapes, or -1 where nothing can be read.

    Raises:
        TypeError: if pictures or shapes are not floating point.
        ValueError: if they have other axes, there is no picture, or a corner is not inside.

    Example:
        >>> read_symbols(torch.ones(1, 1, 4, 4), torch.eye(2).flip(0)[None], [0, 2], most_wrong=1)
        tensor([[-1, -1]])
    """
    require_floats("pictures", pictures, ("picture", "1", "height", "width"))
    require_floats("shapes", shapes, ("symbol", "side", "side"))
    require_integer("most_wrong", most_wrong, least=0)
    if len(pictures) == 0 or pictures.shape[1] != 1:
        raise ValueError(
            f"pictures must be (picture, 1, height, width) with one picture or more, "
            f"got {tuple(pictures.shape)}"
        )
    side = shapes.shape[1]
    found = []
    for start in corners:
        if not 0 <= start <= min(pictures.shape[2:]) - side:
            raise ValueError(
                f"corners must lie inside {tuple(pictures.shape[2:])} pixels, got {start} for "
                f"symbols of {side}"
            )
        ink = pictures[:, 0, start : start + side, start : start + side] > 0.5
        wrong = (ink[:, None] != (shapes > 0.5).to(ink.device)).flatten(2).sum(-1)
        least, nearest = wrong.min(-1)  # (picture,)
        found.append(nearest.masked_fill(least > most_wrong, -1))
    return torch.stack(found, 1)


@dataclass(frozen=True)
class Agreement:
    """How far two readings of the same pictures agree (chapter 17).

    Attributes:
        raw: the share of the pictures with both readings in which they are the same.
        chance: the share in which they would be, if each kept its habits and knew nothing of the
            other.
        corrected: Cohen's kappa: 0 is what chance gives, 1 is always. It is 0 as well where chance
            gives 1, as when both always say the same one thing: nothing is shown then.
        valid: the share of all pictures that have both readings.
        usage: of each symbol, the share of the readings that name it.
    """

    raw: float
    chance: float
    corrected: float
    valid: float
    usage: tuple[float, ...]


def agreement(read: Int64[Tensor, "picture 2"], num_symbols: int) -> Agreement:
    """Measure how far two readings agree, beyond chance (chapter 17, eq. 17.1).

    Args:
        read: (picture, 2), each a symbol from 0 on, or -1 where nothing could be read.
        num_symbols: how many there are.

    Returns:
        The agreement; all zero if no picture has both readings.

    Raises:
        TypeError: if the readings are not int64, or `num_symbols` is no integer.
        ValueError: if they are not (picture, 2), there is no picture, or a symbol is unknown.

    Source: Cohen 1960.

    Example:
        >>> collapsed = torch.zeros(5, 2, dtype=torch.int64)  # always the first symbol
        >>> agreement(collapsed, 2).raw, agreement(collapsed, 2).corrected
        (1.0, 0.0)
    """
    return _agreement(_pair_counts(read, num_symbols).sum(0), num_symbols)


def agreement_interval(
    read: Int64[Tensor, "picture 2"],
    num_symbols: int,
    *,
    samples: int = 1000,
    confidence: float = 0.95,
    generator: torch.Generator | None = None,
) -> Interval:
    """Give the agreement corrected for chance with its interval (chapter 17).

    Args:
        read, num_symbols: as for `agreement`.
        samples, confidence, generator: as for `bootstrap_interval`, which draws whole pictures.

    Returns:
        The interval. It tells of other pictures of the same model, not of another training.

    Raises:
        TypeError, ValueError: as `agreement` and `bootstrap_interval`.

    Example:
        >>> agreement_interval(torch.tensor([[0, 0], [1, 1]] * 50), 2)
        Interval(value=1.0, low=1.0, high=1.0)
    """
    return bootstrap_interval(
        _pair_counts(read, num_symbols),
        lambda sums: _agreement(sums, num_symbols).corrected,
        samples=samples,
        confidence=confidence,
        generator=generator,
    )


def _pair_counts(read: Tensor, num_symbols: int) -> Int64[Tensor, "picture count"]:
    """Count for each picture its pair of symbols, one of n * n, or that it has none."""
    require_integer("num_symbols", num_symbols, least=1)
    if not isinstance(read, Tensor) or read.dtype != torch.int64:
        kind = read.dtype if isinstance(read, Tensor) else type(read).__name__
        raise TypeError(f"read must be a tensor of torch.int64, got {kind}")
    if read.dim() != 2 or read.shape[1] != 2 or len(read) == 0:
        raise ValueError(f"read must be (picture, 2) with a row or more, got {tuple(read.shape)}")
    least, most = (bound.item() for bound in torch.aminmax(read))
    if least < -1 or most >= num_symbols:
        raise ValueError(
            f"read must hold symbols from 0 to {num_symbols - 1}, or -1 for none, "
            f"got {most if most >= num_symbols else least}"
        )
    first, second = read.unbind(1)
    pair = first * num_symbols + second
    pair = pair.masked_fill((read < 0).any(1), num_symbols * num_symbols)
    return torch.nn.functional.one_hot(pair, num_symbols * num_symbols + 1)


def _agreement(counts: Tensor, num_symbols: int) -> Agreement:
    *pairs, unread = counts.double().tolist()
    table = torch.tensor(pairs, dtype=torch.float64).view(num_symbols, num_symbols)
    total = table.sum().item()
    if total == 0:
        return Agreement(0.0, 0.0, 0.0, 0.0, (0.0,) * num_symbols)
    table = table / total
    first, second = table.sum(1), table.sum(0)  # the habits of either corner
    raw, chance = table.trace().item(), (first @ second).item()
    corrected = 0.0 if chance > 1 - 1e-12 else (raw - chance) / (1 - chance)
    usage = tuple(((first + second) / 2).tolist())
    return Agreement(raw, chance, corrected, total / (total + unread), usage)


def frechet_distance(
    first: Float[Tensor, "one features"], second: Float[Tensor, "other features"]
) -> float:
    r"""Say how far apart two clouds of features lie, each taken for a normal one (chapter 17).

    $$\lVert \mu_1 - \mu_2 \rVert^2
      + \operatorname{tr}\!\left(\Sigma_1 + \Sigma_2 - 2 (\Sigma_1 \Sigma_2)^{1/2}\right)$$

    Args:
        first, second: (row, features), two rows or more each.

    Returns:
        The distance, 0 for clouds of the same mean and covariance. Few rows make it larger.

    Raises:
        TypeError: if the features are not floating point.
        ValueError: if they have other axes, disagree in width, or have fewer than two rows.

    Source: Dowson and Landau 1982, equation 4; Heusel et al. 2017, with features of a network that
    was trained on photographs.

    Example:
        >>> x = torch.tensor([[0.0], [2.0]])
        >>> round(frechet_distance(x, x + 3), 6)
        9.0
    """
    for name, features in (("first", first), ("second", second)):
        require_floats(name, features, ("row", "features"))
        if len(features) < 2:
            raise ValueError(f"{name} must have two rows or more, got {len(features)}")
    if first.shape[1] != second.shape[1]:
        raise ValueError(
            f"first and second disagree in features: {first.shape[1]} and {second.shape[1]}"
        )
    first, second = first.double(), second.double()
    one, other = (torch.atleast_2d(features.T.cov()) for features in (first, second))
    root = _root(one)
    # The product of both has the eigenvalues of root @ other @ root, which is symmetric.
    mixed = _root(root @ other @ root).trace()
    apart = (first.mean(0) - second.mean(0)).square().sum()
    return max(0.0, (apart + one.trace() + other.trace() - 2 * mixed).item())


def _root(matrix: Tensor) -> Tensor:
    """Give the root of a symmetric matrix without negative eigenvalues."""
    values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
    return vectors * values.clamp(min=0).sqrt() @ vectors.T
