"""Pictures cut into patches (chapter 15): what a vision Transformer reads instead of words."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from attncourse.checks import require_floats, require_integer, require_same_kind


def patchify(
    pictures: Float[Tensor, "batch channels height width"], patch_size: int
) -> Float[Tensor, "batch patch values"]:
    """Cut pictures into square patches, row by row, each as one vector (chapter 15, eq. 15.1).

    Args:
        pictures: (batch, channels, height, width).
        patch_size: side of a patch in pixels, which divides height and width.

    Returns:
        (batch, patches, channels * patch_size ** 2), a patch's first channel before its second,
        and each row by row.

    Raises:
        TypeError: if the pictures are not floating point, or `patch_size` is no integer.
        ValueError: if the pictures have not four axes, or `patch_size` does not divide them.

    Source: Dosovitskiy et al. 2021, section 3.1, where a patch is P x P and a picture gives
    N = HW / P^2 of them.

    Example:
        >>> import torch
        >>> patchify(torch.arange(8.0).view(1, 1, 2, 4), 2).tolist()
        [[[0.0, 1.0, 4.0, 5.0], [2.0, 3.0, 6.0, 7.0]]]
    """
    require_floats("pictures", pictures, ("batch", "channels", "height", "width"))
    require_patch_size(patch_size, pictures.shape[-2:])
    rows = pictures.unflatten(2, (-1, patch_size)).unflatten(4, (-1, patch_size))
    # (batch, channels, rows, y, columns, x) -> (batch, rows, columns, channels, y, x)
    return rows.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


class PatchEmbedding(nn.Module):
    """Give each patch of a picture a vector, by one linear layer for all (chapter 15).

    Args:
        patch_size: side of a patch in pixels.
        channels: of the pictures, 3 for red, green and blue.
        embed_dim: width of a patch's vector.

    Raises:
        TypeError: if a size is no integer; on a call, if the pictures have another dtype than the
            weights.
        ValueError: if a size is not positive; on a call, if the pictures have another number of
            channels, or the patches do not divide them.

    Source: Dosovitskiy et al. 2021, equation 1.

    Example:
        >>> import torch
        >>> PatchEmbedding(5, channels=3, embed_dim=7)(torch.rand(2, 3, 10, 15)).shape
        torch.Size([2, 6, 7])
    """

    def __init__(self, patch_size: int, *, channels: int, embed_dim: int):
        super().__init__()
        sizes = {"patch_size": patch_size, "channels": channels, "embed_dim": embed_dim}
        for name, size in sizes.items():
            require_integer(name, size, least=1)
        self.patch_size = patch_size
        self.channels = channels
        self.projection = nn.Linear(channels * patch_size**2, embed_dim)

    def forward(
        self, pictures: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch patch embed_dim"]:
        """Embed the patches, row by row."""
        require_pictures(pictures, self.channels, self.projection)
        return self.projection(patchify(pictures, self.patch_size))


def require_pictures(pictures: Any, channels: int, layer: nn.Module) -> None:
    """Refuse what is not (batch, channels, height, width), of the layer's dtype and device."""
    require_floats("pictures", pictures, ("batch", "channels", "height", "width"))
    if pictures.shape[1] != channels:
        raise ValueError(
            f"pictures must have {channels} channels, (batch, channels, height, width), "
            f"got {pictures.shape[1]} in {tuple(pictures.shape)}"
        )
    require_same_kind("pictures", layer.weight, pictures, of="the layer's weights")


def require_patch_size(patch_size: int, size: tuple[int, int]) -> None:
    """Refuse patches that do not divide a picture's height and width."""
    require_integer("patch_size", patch_size, least=1)
    if any(side % patch_size for side in size):
        raise ValueError(
            f"patch_size must divide height and width, got {patch_size} and {size[0]} x {size[1]}"
        )
