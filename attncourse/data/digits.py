"""Real handwritten digits of 8x8 pixels, which scikit-learn carries (chapter 15)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

SIDE = 8  # pixels


@dataclass(frozen=True)
class Digits:
    """Pictures of single digits (chapter 15).

    Attributes:
        images: (digit, row, column), how dark the ink is, from 0 to 1.
        labels: (digit,), what each shows, 0 to 9.
    """

    images: Float[Tensor, "digit row column"]
    labels: Int64[Tensor, "digit"]

    def __len__(self) -> int:
        return len(self.labels)


def load_digits(split: str) -> Digits:
    """Give the digits to train on, or those to test with (chapter 15).

    Every third picture is held out: 1,198 are for training and 599 for the test. The same people
    wrote both.

    Args:
        split: "train" or "test".

    Returns:
        The digits, in float32.

    Raises:
        ImportError: if scikit-learn is missing.
        ValueError: if there is no such split.

    Source: Alpaydin and Kaynak 1998, the test set of their optical digits, as scikit-learn has it.

    Example:
        >>> digits = load_digits("test")
        >>> tuple(digits.images.shape), len(load_digits("train"))
        ((599, 8, 8), 1198)
    """
    if split not in ("train", "test"):
        raise ValueError(f"split must be train or test, got {split!r}")
    found = _sklearn_datasets().load_digits()
    images = torch.from_numpy(found.images).float() / 16  # counts of dark pixels in blocks of 4x4
    labels = torch.from_numpy(found.target).long()
    held_out = torch.arange(len(labels)) % 3 == 2
    chosen = held_out if split == "test" else ~held_out
    return Digits(images[chosen], labels[chosen])


def _sklearn_datasets():
    try:
        import sklearn.datasets
    except ImportError as error:
        raise ImportError(
            "the digits come with scikit-learn, which is missing: pip install scikit-learn"
        ) from error
    return sklearn.datasets
