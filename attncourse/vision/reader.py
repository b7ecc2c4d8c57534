"""A network that reads a picture once and answers several questions to it (chapter 15)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from attncourse.checks import require_integer, require_known, require_tokens
from attncourse.vision.patches import require_pictures


class ConvStem(nn.Sequential):
    """Convolutions of 3x3, batch norms and ReLUs, from a picture to a map of features (chapter 15).

    Args:
        channels: of the pictures, and then of each layer's result.
        strides: one a layer; a stride of 2 halves the map's sides.

    Raises:
        ValueError: if there is not one stride a layer; on a call, if the pictures have another
            number of channels.

    Example:
        >>> import torch
        >>> ConvStem((3, 5, 7), strides=(1, 2))(torch.rand(2, 3, 30, 30)).shape
        torch.Size([2, 7, 15, 15])
    """

    def __init__(self, channels: Sequence[int], *, strides: Sequence[int]):
        if len(strides) != len(channels) - 1:
            raise ValueError(
                f"strides must be one a layer, {len(channels) - 1}, got {len(strides)}"
            )
        super().__init__()
        for number, ((before, after), stride) in enumerate(
            zip(pairwise(channels), strides, strict=True)
        ):
            # The norm has a shift of its own, so the convolution needs no bias.
            conv = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
            self.add_module(f"conv{number}", conv)
            self.add_module(f"norm{number}", nn.BatchNorm2d(after))
            self.add_module(f"relu{number}", nn.ReLU())
        self.in_channels, self.out_channels = channels[0], channels[-1]
        # Each pixel's channels side by side in memory: the same numbers, a third faster on a CPU.
        self.to(memory_format=torch.channels_last)

    def forward(
        self, pictures: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch features rows columns"]:
        """Give the map of features, none of them negative."""
        require_pictures(pictures, self.in_channels, self.conv0)
        return super().forward(pictures.contiguous(memory_format=torch.channels_last))


class PictureReader(nn.Module):
    """Stem, pool and head: what stands in the picture where the question points (chapter 15).

    Args:
        stem: makes the map of features, a `ConvStem`.
        pool: called as `pool(question, features)`, such as an `AttentionPool` of the stem's width.
        num_questions: how many there are to ask, such as colours.
        num_classes: how many answers there are.
        hidden_dim: width inside the head.

    Raises:
        TypeError: if a size is no integer; on a call, if the questions are not int64, or the
            pictures of another dtype than the weights.
        ValueError: if a size is not positive; on a call, if a question is not in the table, or the
            pictures have another number of channels.

    Example:
        >>> import torch
        >>> from attncourse.vision.pooling import AttentionPool
        >>> stem = ConvStem((3, 5, 8), strides=(1, 2))
        >>> reader = PictureReader(stem, AttentionPool(8), num_questions=6, num_classes=10)
        >>> reader(torch.rand(2, 3, 30, 30), torch.tensor([[0, 4, 1], [5, 3, 2]])).shape
        torch.Size([2, 3, 10])
    """

    def __init__(
        self,
        stem: ConvStem,
        pool: nn.Module,
        *,
        num_questions: int,
        num_classes: int,
        hidden_dim: int = 128,
    ):
        super().__init__()
        require_integer("num_questions", num_questions, least=1)
        require_integer("num_classes", num_classes, least=1)
        require_integer("hidden_dim", hidden_dim, least=1)
        width = stem.out_channels
        self.stem = stem
        self.pool = pool
        self.questions = nn.Embedding(num_questions, width)
        self.head = nn.Sequential(
            nn.Linear(width, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, num_classes)
        )

    def forward(
        self,
        pictures: Float[Tensor, "batch channels height width"],
        questions: Int64[Tensor, "batch question"],
    ) -> Float[Tensor, "batch question classes"]:
        """Answer each picture's questions: the logits of the classes."""
        require_tokens("questions", questions, "(batch, question)")
        require_known("questions", questions, self.questions)
        features = self.stem(pictures)  # (batch, width, rows, columns), once for all questions
        question = self.questions(questions)  # (batch, question, width)
        pooled = self.pool(question, features)  # (batch, question, width)
        return self.head(pooled)
