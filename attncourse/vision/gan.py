"""A generator and a discriminator with a layer of self-attention (chapter 17).

The layer is a gated residual one, g a number that starts at zero:

    x = x + g * attention(x)       # every position meets every other
    x = x + g * mlp(x)             # its control: as many weights, each position alone
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from attncourse.attention import MultiHeadAttention
from attncourse.checks import require_bool, require_floats, require_integer, require_same_kind

SIDE = 16  # pixels of the pictures, which are grey


class GatedSelfAttention(nn.Module):
    r"""Add to each position what it finds at the others, behind a gate (chapter 17, eq. 17.4).

    $$y_i = x_i + g \sum_j \alpha_{ij}\, W_o W_v x_j, \qquad g = 0 \text{ at the start}$$

    Args:
        channels: of the map.
        num_heads: of the attention.
        normed: whether the projections of values and output have a spectral norm of one. Queries
            and keys stay free, so that the attention can become sharp.

    Raises:
        TypeError, ValueError: as `MultiHeadAttention`; on a call, if the map has other axes.

    Source: Zhang et al. 2019, section 3, equation 3. There queries and keys have an eighth of the
    channels, all are normed, and there is no division by the root of d.

    Example:
        >>> import torch
        >>> layer, x = GatedSelfAttention(6), torch.randn(2, 6, 3, 5)
        >>> torch.equal(layer(x), x)  # the gate is still closed
        True
    """

    def __init__(self, channels: int, *, num_heads: int = 1, normed: bool = True):
        super().__init__()
        require_integer("channels", channels, least=1)
        require_bool("normed", normed)
        self.attention = MultiHeadAttention(channels, num_heads=num_heads, bias=False)
        if normed:
            spectral_norm(self.attention.value_projection)
            spectral_norm(self.attention.output_projection)
        self.gate = nn.Parameter(torch.zeros(()))

    def forward(
        self, x: Float[Tensor, "batch channels rows columns"]
    ) -> Float[Tensor, "batch channels rows columns"]:
        """Let every position look at all; recorded maps are (batch, heads, position, position)."""
        require_floats("x", x, ("batch", "channels", "rows", "columns"))
        positions = x.flatten(2).mT  # (batch, position, channels)
        found = self.attention(positions)  # (batch, position, channels)
        return x + self.gate * found.mT.unflatten(2, x.shape[2:])


class GatedMLP(nn.Module):
    """The same without attention: each position is changed by what stands there (chapter 17).

    Two convolutions of 1x1, with as many weights as a `GatedSelfAttention` has.

    Args:
        channels: of the map.
        normed: whether both have a spectral norm of one.

    Example:
        >>> import torch
        >>> GatedMLP(6)(torch.randn(2, 6, 3, 5)).shape
        torch.Size([2, 6, 3, 5])
    """

    def __init__(self, channels: int, *, normed: bool = True):
        super().__init__()
        require_integer("channels", channels, least=1)
        require_bool("normed", normed)
        self.expand = nn.Conv2d(channels, 2 * channels, 1, bias=False)
        self.contract = nn.Conv2d(2 * channels, channels, 1, bias=False)
        if normed:
            spectral_norm(self.expand)
            spectral_norm(self.contract)
        self.gate = nn.Parameter(torch.zeros(()))

    def forward(
        self, x: Float[Tensor, "batch channels rows columns"]
    ) -> Float[Tensor, "batch channels rows columns"]:
        """Change every position alone."""
        require_floats("x", x, ("batch", "channels", "rows", "columns"))
        return x + self.gate * self.contract(F.relu(self.expand(x)))


class Generator(nn.Module):
    """Make a picture of 16x16 pixels of noise (chapter 17).

    Args:
        attention: whether its layer at 8x8 positions attends, or is the control.
        noise_dim: how many numbers of noise make a picture.
        channels: of the map at 8x8.

    Raises:
        TypeError: if a size is no integer; on a call, if the noise has another dtype than the
            weights.
        ValueError: if a size is not positive; on a call, if the noise is not (batch, noise_dim), or
            there is none.

    Source: Zhang et al. 2019, section 3, on a small scale: the norms know no class.

    Example:
        >>> import torch
        >>> Generator(noise_dim=7, channels=6)(torch.randn(5, 7)).shape
        torch.Size([5, 1, 16, 16])
    """

    def __init__(self, *, attention: bool = True, noise_dim: int = 32, channels: int = 32):
        super().__init__()
        require_integer("noise_dim", noise_dim, least=1)
        require_integer("channels", channels, least=1)
        self.noise_dim = noise_dim
        self.channels = channels
        half = (channels + 1) // 2
        self.spread = nn.Linear(noise_dim, channels * 4 * 4)
        self.conv1 = spectral_norm(nn.Conv2d(channels, channels, 3, padding=1, bias=False))
        self.norm1 = nn.BatchNorm2d(channels)
        self.layer = _layer(attention, channels)
        self.conv2 = spectral_norm(nn.Conv2d(channels, half, 3, padding=1, bias=False))
        self.norm2 = nn.BatchNorm2d(half)
        self.paint = nn.Conv2d(half, 1, 3, padding=1)

    def forward(self, noise: Float[Tensor, "batch noise"]) -> Float[Tensor, "batch 1 16 16"]:
        """Make one picture of each row of noise, its pixels from 0 to 1."""
        self._require_noise(noise)
        x = self.spread(noise).unflatten(1, (self.channels, 4, 4))  # (batch, channels, 4, 4)
        x = F.relu(self.norm1(self.conv1(_twice(x))))  # (batch, channels, 8, 8)
        x = self.layer(x)  # (batch, channels, 8, 8)
        x = F.relu(self.norm2(self.conv2(_twice(x))))  # (batch, channels / 2, 16, 16)
        return (1 + torch.tanh(self.paint(x))) / 2

    @torch.no_grad()
    def sample(
        self, count: int, generator: torch.Generator | None = None
    ) -> Float[Tensor, "count 1 16 16"]:
        """Draw noise on the device of the weights, and make pictures of it.

        Args:
            count: how many.
            generator: what chance is drawn from, on that device; by default PyTorch's own.
        """
        require_integer("count", count, least=1)
        like = {"device": self.spread.weight.device, "dtype": self.spread.weight.dtype}
        return self(torch.randn(count, self.noise_dim, generator=generator, **like))

    def _require_noise(self, noise: Any) -> None:
        require_floats("noise", noise, ("batch", "noise"))
        if noise.shape[1] != self.noise_dim or len(noise) == 0:
            raise ValueError(
                f"noise must be (batch, {self.noise_dim}) with one row or more, "
                f"got {tuple(noise.shape)}"
            )
        require_same_kind("noise", self.spread.weight, noise, of="the generator's weights")


class Discriminator(nn.Module):
    """Score how real pictures look (chapter 17).

    Its convolutions see 9x9 pixels: none sees both corners, but for a pixel that all symbols have.
    What they find is only added up. Besides this it is told how much the pictures of a batch differ
    from each other: pictures that are all alike are not real.

    Args:
        attention: whether its layer at 8x8 positions attends, or is the control.
        channels: of the map at 8x8.

    Raises:
        TypeError: if a size is no integer; on a call, if the pictures have another dtype than the
            weights.
        ValueError: if a size is not positive; on a call, if the pictures are not (batch, 1, 16,
            16), or there is none.

    Source: Zhang et al. 2019, section 3; what is told of the batch is Karras et al. 2018, section
    3, there one number for all positions.

    Example:
        >>> import torch
        >>> Discriminator(channels=6)(torch.rand(5, 1, 16, 16)).shape
        torch.Size([5])
    """

    def __init__(self, *, attention: bool = True, channels: int = 32):
        super().__init__()
        require_integer("channels", channels, least=1)
        half = (channels + 1) // 2
        self.conv1 = spectral_norm(nn.Conv2d(1, half, 3, padding=1))
        self.conv2 = spectral_norm(nn.Conv2d(half, channels, 3, stride=2, padding=1))
        self.layer = _layer(attention, channels)
        self.conv3 = spectral_norm(nn.Conv2d(channels, channels, 3, padding=1))
        self.score = spectral_norm(nn.Linear(channels + 8 * 8, 1))

    def forward(self, pictures: Float[Tensor, "batch 1 16 16"]) -> Float[Tensor, "batch"]:
        """Give one score a picture, the higher the more real."""
        self._require_sized(pictures)
        x = F.leaky_relu(self.conv1(2 * pictures - 1), 0.1)  # (batch, channels / 2, 16, 16)
        x = F.leaky_relu(self.conv2(x), 0.1)  # (batch, channels, 8, 8)
        x = self.layer(x)  # (batch, channels, 8, 8)
        x = F.leaky_relu(self.conv3(x), 0.1)  # (batch, channels, 8, 8)
        summed = x.sum((2, 3))  # (batch, channels)
        varied = _deviation(x).expand(len(x), -1)  # (batch, 64), the same for all
        return self.score(torch.cat([summed, varied], 1))[:, 0]

    def _require_sized(self, pictures: Any) -> None:
        require_floats("pictures", pictures, ("batch", "1", "height", "width"))
        if pictures.shape[1:] != (1, SIDE, SIDE) or len(pictures) == 0:
            raise ValueError(
                f"pictures must be (batch, 1, {SIDE}, {SIDE}) with one picture or more, "
                f"got {tuple(pictures.shape)}"
            )
        # Of the gate: to ask a normed layer for its weight is one more round of its iteration.
        require_same_kind("pictures", self.layer.gate, pictures, of="the discriminator's weights")


def _layer(attention: bool, channels: int) -> nn.Module:
    require_bool("attention", attention)
    return GatedSelfAttention(channels) if attention else GatedMLP(channels)


def _twice(x: Tensor) -> Tensor:
    """Double rows and columns: each position four times."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def _deviation(x: Tensor) -> Tensor:
    """Say how much the pictures of a batch differ at each position, as standard deviations."""
    variance = x.var(0, correction=0)  # (channels, rows, columns)
    return (variance + 1e-8).sqrt().mean(0).flatten()  # (position,)
