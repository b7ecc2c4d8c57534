"""Scoring functions: how well a key answers a query (chapter 03).

Each is a module called as `score(query, key)` that gives every pair's score, (..., query, key).
Higher means a better match; a score of minus infinity means never. A product of float16 or bfloat16
vectors is a float32: they end at 65,504, or keep three digits.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.checks import (
    is_autocast,
    require_integer,
    require_pair,
    require_same_kind,
    require_weights_kind,
)


def widen(tensor: Tensor) -> Tensor:
    """Give float16 and bfloat16 as float32, as PyTorch's fused kernels compute with them."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def product(left: Tensor, right: Tensor) -> Tensor:
    """Give the matrix product in float32 at least, also under autocast."""
    if not is_autocast(left.device):
        return widen(left) @ widen(right)
    with torch.autocast(left.device.type, enabled=False):
        return widen(left) @ widen(right)


def scaled_dot_product(query: Tensor, key: Tensor, scale: float | None = None) -> Tensor:
    r"""Give $QK^\top/\sqrt{d}$, (..., query, key), or with another factor; checks nothing."""
    if scale is None:
        scale = 1 / math.sqrt(max(query.shape[-1], 1))
    return product(widen(query) * scale, key.mT)


class DotProductScore(nn.Module):
    r"""Score a pair by its dot product, $q^\top k$ (chapter 03, eq. 3.6).

    Raises:
        TypeError: if query or key is not a floating-point tensor, or their dtypes differ.
        ValueError: if their leading axes, widths or devices differ.

    Source: Luong et al. 2015, section 3.1 ("dot").

    Example:
        >>> DotProductScore()(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0], [0.0, 1.0]]))
        tensor([[11.,  2.]])
    """

    def forward(
        self, query: Float[Tensor, "*batch query width"], key: Float[Tensor, "*batch key width"]
    ) -> Float[Tensor, "*batch query key"]:
        """Give (..., query, key) for a query (..., query, width) and a key (..., key, width)."""
        _require_equal_width(query, key)
        return product(query, key.mT)


class ScaledDotProductScore(nn.Module):
    r"""Score a pair by $q^\top k / \sqrt{d}$, where d is the width (chapter 03, eq. 3.7).

    With independent components of mean 0 and variance 1 the dot product has variance d; divided
    by the root, it has variance 1 at any width.

    Raises:
        TypeError: if query or key is not a floating-point tensor, or their dtypes differ.
        ValueError: if their leading axes, widths or devices differ.

    Source: Vaswani et al. 2017, section 3.2.1 (there d is d_k).

    Example:
        >>> ScaledDotProductScore()(torch.full((1, 4), 2.0), torch.ones(1, 4))
        tensor([[4.]])
    """

    def forward(
        self, query: Float[Tensor, "*batch query width"], key: Float[Tensor, "*batch key width"]
    ) -> Float[Tensor, "*batch query key"]:
        """Give (..., query, key) for a query (..., query, width) and a key (..., key, width)."""
        _require_equal_width(query, key)
        return scaled_dot_product(query, key)


class BilinearScore(nn.Module):
    r"""Score a pair by $q^\top W k$ with a learned matrix W (chapter 03, eq. 3.8).

    Args:
        query_dim: width of a query.
        key_dim: width of a key; it may differ.

    Raises:
        TypeError: if a width is not an integer; on a call, if the tensors are not floating point.
        ValueError: if a width is not positive; on a call, if the tensors have other widths.

    Source: Luong et al. 2015, section 3.1 ("general").

    Example:
        >>> score = BilinearScore(query_dim=2, key_dim=3)
        >>> score(torch.ones(5, 2), torch.ones(7, 3)).shape
        torch.Size([5, 7])
    """

    def __init__(self, query_dim: int, key_dim: int):
        super().__init__()
        require_integer("query_dim", query_dim, least=1)
        require_integer("key_dim", key_dim, least=1)
        self.weight = nn.Parameter(torch.empty(query_dim, key_dim))
        nn.init.xavier_uniform_(self.weight)

    def forward(
        self,
        query: Float[Tensor, "*batch query query_dim"],
        key: Float[Tensor, "*batch key key_dim"],
    ) -> Float[Tensor, "*batch query key"]:
        """Give (..., query, key) for (..., query, query_dim) and (..., key, key_dim)."""
        require_pair(query, key)
        for name, tensor, width in zip(
            ("query", "key"), (query, key), self.weight.shape, strict=True
        ):
            _require_width(name, tensor, width)
            require_same_kind("the score's weight", tensor, self.weight, of=name)
        return product(product(query, self.weight), key.mT)

    def extra_repr(self) -> str:
        return "query_dim={}, key_dim={}".format(*self.weight.shape)


class AdditiveScore(nn.Module):
    r"""Score a pair by $v^\top \tanh(W_q q + W_k k)$ (chapter 03, eq. 3.9).

    The same as an MLP with one hidden tanh layer that reads [query; key] side by side, its first
    matrix being [W_q, W_k]. Each part is projected once, then added for every pair.

    Args:
        query_dim: width of a query.
        key_dim: width of a key; it may differ.
        hidden_dim: width of the hidden layer.

    Raises:
        TypeError: if a width is not an integer; on a call, if the tensors are not floating point.
        ValueError: if a width is not positive; on a call, if the tensors have other widths.

    Source: Bahdanau et al. 2015, section 3.1 and appendix A.1.2 (there query is s, key is h, W_q
    is W_a and W_k is U_a; no bias, as here).

    Example:
        >>> score = AdditiveScore(query_dim=2, key_dim=3, hidden_dim=11)
        >>> score(torch.ones(5, 2), torch.ones(7, 3)).shape
        torch.Size([5, 7])
    """

    def __init__(self, query_dim: int, key_dim: int, hidden_dim: int):
        super().__init__()
        require_integer("query_dim", query_dim, least=1)
        require_integer("key_dim", key_dim, least=1)
        require_integer("hidden_dim", hidden_dim, least=1)
        self.query_dim, self.key_dim, self.hidden_dim = query_dim, key_dim, hidden_dim
        self.query_projection = nn.Linear(query_dim, hidden_dim, bias=False)
        self.key_projection = nn.Linear(key_dim, hidden_dim, bias=False)
        self.output = nn.Linear(hidden_dim, 1, bias=False)

    def forward(
        self,
        query: Float[Tensor, "*batch query query_dim"],
        key: Float[Tensor, "*batch key key_dim"],
    ) -> Float[Tensor, "*batch query key"]:
        """Give (..., query, key) for (..., query, query_dim) and (..., key, key_dim)."""
        require_pair(query, key)
        return self.of_projected(query, self.project(key))

    def project(
        self, key: Float[Tensor, "*batch key key_dim"]
    ) -> Float[Tensor, "*batch key hidden_dim"]:
        """Give W_k k, (..., key, hidden_dim), the part of a score that no query changes.

        A decoder that meets the same keys at every step projects them once, and takes
        `of_projected` for its score.
        """
        _require_width("key", key, self.key_dim)
        require_weights_kind("key", key, self.key_projection, of="the score's weight")
        return self.key_projection(key)

    def of_projected(
        self,
        query: Float[Tensor, "*batch query query_dim"],
        projected: Float[Tensor, "*batch key hidden_dim"],
    ) -> Float[Tensor, "*batch query key"]:
        """Give (..., query, key) for keys that `project` has seen already."""
        require_pair(query, projected)
        _require_width("query", query, self.query_dim)
        _require_width("projected", projected, self.hidden_dim)
        require_weights_kind("query", query, self.query_projection, of="the score's weight")
        require_weights_kind("projected", projected, self.output, of="the score's weight")
        query = self.query_projection(query).unsqueeze(-2)  # (..., query, 1, hidden)
        return self.output(torch.tanh(query + projected.unsqueeze(-3))).squeeze(-1)


def _require_equal_width(query: Tensor, key: Tensor) -> None:
    require_pair(query, key)
    if query.shape[-1] != key.shape[-1]:
        raise ValueError(
            f"query and key disagree in width: {query.shape[-1]} and {key.shape[-1]}; "
            "a bilinear or additive score admits two widths"
        )


def _require_width(name: str, tensor: Tensor, width: int) -> None:
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(tensor).__name__}")
    if tensor.shape[-1] != width:
        raise ValueError(f"{name} must have width {width}, got {tensor.shape[-1]}")
