"""A small vision Transformer (chapter 15): a picture's patches are the words of its sentence."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from attncourse.checks import require_integer, require_known, require_tokens
from attncourse.positions import LearnedPositions
from attncourse.transformer import Encoder
from attncourse.vision.patches import PatchEmbedding, require_patch_size


class VisionTransformer(nn.Module):
    """An encoder over patches, with one more token in front that gathers the answer (chapter 15).

    Args:
        image_size: height and width of the pictures in pixels, equal.
        patch_size: side of a patch, which divides it.
        channels: of the pictures.
        num_classes: how many answers there are.
        num_questions: how many tokens there are to put in front; with one, the default, it is the
            class token.
        positions: whether patches get learned vectors of their places.
        num_layers, embed_dim, num_heads, ffn_dim: as for `Encoder`.
        options: as for `EncoderLayer`; the norm comes first unless told otherwise.

    Raises:
        TypeError: if a size is no integer; on a call, if the questions are not int64.
        ValueError: if the sizes do not fit; on a call, if the pictures have another size or
            number of channels, or a question is not in the table.

    Source: Dosovitskiy et al. 2021, section 3.1, equations 1 to 4, where the network has a GELU.
    There the class token has a position too, which with one token is the same.

    Example:
        >>> sizes = {"num_layers": 2, "embed_dim": 6, "num_heads": 2, "ffn_dim": 12}
        >>> model = VisionTransformer(8, patch_size=2, channels=1, num_classes=10, **sizes)
        >>> model(torch.rand(3, 1, 8, 8)).shape
        torch.Size([3, 1, 10])
    """

    def __init__(
        self,
        image_size: int,
        *,
        patch_size: int,
        channels: int,
        num_classes: int,
        num_questions: int = 1,
        positions: bool = True,
        num_layers: int,
        embed_dim: int,
        num_heads: int,
        ffn_dim: int,
        **options: Any,
    ):
        super().__init__()
        require_integer("image_size", image_size, least=1)
        require_patch_size(patch_size, (image_size, image_size))
        self.image_size = image_size
        self.patches = PatchEmbedding(patch_size, channels=channels, embed_dim=embed_dim)
        count = (image_size // patch_size) ** 2
        self.positions = (
            LearnedPositions(max_len=count, embed_dim=embed_dim) if positions else nn.Identity()
        )
        self.questions = nn.Embedding(num_questions, embed_dim)
        sizes = {"embed_dim": embed_dim, "num_heads": num_heads, "ffn_dim": ffn_dim}
        options = {"norm_first": True, "activation": "gelu"} | options
        self.encoder = Encoder(num_layers=num_layers, **sizes, **options)
        self.head = nn.Linear(embed_dim, num_classes)

    def forward(
        self,
        pictures: Float[Tensor, "batch channels height width"],
        questions: Int64[Tensor, "batch question"] | None = None,
    ) -> Float[Tensor, "batch question classes"]:
        """Give the logits of the classes.

        Each question reads the picture anew, from the first layer on: what the patches tell each
        other depends on it.

        Args:
            pictures: (batch, channels, image_size, image_size).
            questions: (batch, question), by default the class token, one a picture.

        Returns:
            (batch, question, classes). Recorded maps are (batch * question, heads, 1 + patch,
            1 + patch), the token in front first.
        """
        patches = self.positions(self.patches(self._sized(pictures)))  # (batch, patch, embed_dim)
        if questions is None:
            questions = torch.zeros(len(patches), 1, dtype=torch.int64, device=patches.device)
        require_tokens("questions", questions, "(batch, question)")
        require_known("questions", questions, self.questions)
        asked = questions.shape[1]
        front = self.questions(questions).flatten(0, 1)[:, None]  # (batch * question, 1, embed_dim)
        x = torch.cat([front, patches.repeat_interleave(asked, 0)], dim=1)
        x = self.encoder(x)  # (batch * question, 1 + patch, embed_dim)
        return self.head(x[:, 0]).unflatten(0, (-1, asked))

    def _sized(self, pictures: Tensor) -> Tensor:
        size = tuple(pictures.shape[2:]) if isinstance(pictures, Tensor) else None
        if size is not None and pictures.dim() == 4 and size != (self.image_size,) * 2:
            raise ValueError(
                f"pictures must be {self.image_size} x {self.image_size} pixels, "
                f"got {size[0]} x {size[1]}"
            )
        return pictures
