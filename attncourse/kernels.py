"""Kernels and Nadaraya-Watson regression (chapter 02): attention before its name."""

from __future__ import annotations

import math
from functools import partial

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from attncourse.attention import AttentionLayer
from attncourse.checks import require_pair
from attncourse.scores import widen


def log_kernel(
    distance: Float[Tensor, "*shape"], kernel: str = "gaussian"
) -> Float[Tensor, "*shape"]:
    """Logarithm of a kernel at a distance in bandwidths (chapter 02, table 2.1).

    Kernels are given up to a factor, which the normalisation of attention removes:

    - `"gaussian"`: exp(-u^2 / 2)
    - `"epanechnikov"`: 1 - u^2, within u < 1
    - `"triangular"`: 1 - u, within u < 1
    - `"boxcar"`: 1, within u <= 1
    - `"constant"`: 1 everywhere, which makes Nadaraya-Watson the plain mean

    Args:
        distance: u >= 0, any shape, in units of the bandwidth.
        kernel: one of the names above.

    Returns:
        The logarithm, minus infinity where the kernel is zero; same shape and dtype.

    Raises:
        TypeError: if `distance` is not a floating-point tensor.
        ValueError: if the kernel is unknown.

    Source: Silverman 1986, table 3.1, for the Gaussian, Epanechnikov and triangular kernels.

    Example:
        >>> log_kernel(torch.tensor([0.0, 0.5, 2.0]), "triangular").exp()
        tensor([1.0000, 0.5000, 0.0000])
    """
    _require_kernel(kernel)
    if not isinstance(distance, Tensor) or not distance.is_floating_point():
        kind = distance.dtype if isinstance(distance, Tensor) else type(distance).__name__
        raise TypeError(f"distance must be a floating-point tensor, got {kind}")
    return KERNELS[kernel](distance)


def _log_within(outside: Tensor, height: Tensor) -> Tensor:
    # log(0) has an infinite gradient, so heights outside are replaced before the logarithm.
    return height.masked_fill(outside, 1.0).log().masked_fill(outside, -torch.inf)


# A flat kernel is 0 * u: its bandwidth then has a gradient, of zero, and a training loop runs.
# Asked is what lies outside: a distance of NaN does not, and shows.
KERNELS = {
    "gaussian": lambda u: -u.square() / 2,
    "epanechnikov": lambda u: _log_within(u >= 1, 1 - u.square()),
    "triangular": lambda u: _log_within(u >= 1, 1 - u),
    "boxcar": lambda u: (0 * u).masked_fill(u > 1, -torch.inf),
    "constant": lambda u: 0 * u,
}


def _require_kernel(kernel: str) -> None:
    if not isinstance(kernel, str) or kernel not in KERNELS:
        raise ValueError(f"kernel must be one of {', '.join(KERNELS)}, got {kernel!r}")


class NadarayaWatson(AttentionLayer):
    r"""Predict by averaging the observed values, near ones more (chapter 02, eq. 2.3).

    $$f(q) = \sum_i \frac{K(\lVert q - k_i \rVert / h)}{\sum_j K(\lVert q - k_j \rVert / h)} v_i$$

    It is `attend` with the log of the kernel as its score.

    Args:
        kernel: a name that `log_kernel` knows.
        bandwidth: h, in the unit of the keys, positive.
        learnable: whether the bandwidth is learned. Then its logarithm is a parameter,
            `log_bandwidth`, so that it stays positive.

    Raises:
        ValueError: if the kernel is unknown or the bandwidth is not positive and finite; on a
            call, if lengths or widths disagree.
        TypeError: on a call, if a tensor is not floating point.

    Source: Nadaraya 1964; Watson 1964. A query beyond the reach of every kernel gives 0/0 there
    and zero here.

    Example:
        >>> x, y = torch.tensor([[0.0], [1.0]]), torch.tensor([[3.0], [5.0]])
        >>> NadarayaWatson()(torch.tensor([[0.5]]), x, y)
        tensor([[4.]])
    """

    def __init__(self, kernel: str = "gaussian", bandwidth: float = 1.0, learnable: bool = False):
        super().__init__()
        _require_kernel(kernel)
        if isinstance(bandwidth, bool) or not isinstance(bandwidth, (int, float)):
            raise TypeError(f"bandwidth must be a number, got {type(bandwidth).__name__}")
        if not 0 < bandwidth < math.inf:
            raise ValueError(f"bandwidth must be positive and finite, got {bandwidth}")
        self.kernel = kernel
        self._fixed = None if learnable else float(bandwidth)
        log_bandwidth = nn.Parameter(torch.tensor(math.log(bandwidth))) if learnable else None
        self.register_parameter("log_bandwidth", log_bandwidth)

    @property
    def bandwidth(self) -> Float[Tensor, ""]:
        """The bandwidth h, a scalar in the unit of the keys."""
        if self._fixed is not None:
            return torch.tensor(self._fixed, dtype=torch.float64)
        return self.log_bandwidth.exp()

    def score(
        self,
        query: Float[Tensor, "*batch query width"],
        key: Float[Tensor, "*batch key width"],
        mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "*batch query key"]:
        """Give the log of the kernel for every pair, (..., query, key), in float32 at least."""
        require_pair(query, key)
        if query.shape[-1] != key.shape[-1]:
            raise ValueError(
                f"query and key disagree in width: {query.shape[-1]} and {key.shape[-1]}"
            )
        # (..., query, key, width)
        difference = widen(query).unsqueeze(-2) - widen(key).unsqueeze(-3)
        if mask is not None:  # far away, a masked key would have an infinite gradient, times zero
            difference = difference.masked_fill(~mask[..., None], 0.0)
        distance = torch.linalg.vector_norm(difference, dim=-1)
        bandwidth = self._fixed if self._fixed is not None else self.bandwidth.to(distance)
        return log_kernel(distance / bandwidth, self.kernel)

    def forward(
        self,
        query: Float[Tensor, "*batch query width"],
        key: Float[Tensor, "*batch key width"],
        value: Float[Tensor, "*batch key value_width"],
        mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "*batch query value_width"]:
        """Predict at the queries.

        Args:
            query: (..., query, width), where to predict.
            key: (..., key, width), where it was observed.
            value: (..., key, value_width), what was observed.
            mask: boolean, broadcastable to (..., query, key); True where attention is allowed.

        Returns:
            (..., query, value_width).
        """
        return self.attend(query, key, value, mask, score=partial(self.score, mask=mask))

    def extra_repr(self) -> str:
        learnable = self._fixed is None
        value = "?" if learnable and self.log_bandwidth.is_meta else f"{self.bandwidth.item():g}"
        return f"kernel={self.kernel!r}, bandwidth={value}, {learnable=}"
