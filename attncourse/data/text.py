"""Running text and single sentences as batches for a language model (chapter 18)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from attncourse.checks import INTEGERS, require_integer
from attncourse.data.batches import pad
from attncourse.data.vocabulary import BOS, EOS


class TokenBatch(NamedTuple):
    """Some texts as token ids (chapter 18).

    Attributes:
        tokens: (batch, length).
        padding_mask: (batch, length), True at real tokens, which stand first.
    """

    tokens: Int64[Tensor, "batch length"]
    padding_mask: Bool[Tensor, "batch length"]


def read_text(path: str | os.PathLike) -> str:
    """Read a text file in UTF-8 (chapter 18).

    Raises:
        OSError: if there is no such file.
        ValueError: if it holds no text, or is not in UTF-8; the message names it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "story.txt"
        ...     _ = path.write_text("Once upon a time", encoding="utf-8")
        ...     read_text(path)
        'Once upon a time'
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} must be a text in UTF-8, got {error}") from error
    if not text.strip():
        raise ValueError(f"{path} must hold text, got an empty file")
    return text


class Windows:
    """A running text cut into pieces of equal length, again and again (chapter 18).

    Each piece has one token more than `length`: a model reads all but the last and is asked for all
    but the first. Neighbours share a token, so that every one is asked for once. With a generator
    the cuts lie elsewhere in each epoch, and the pieces come in another order.

    Args:
        ids: the text's token ids.
        length: how many tokens of a piece are read.
        batch_size: pieces a batch; the last has fewer.
        generator: what chance is drawn from, on the CPU; None draws nothing.

    Raises:
        TypeError: if a size or an id is no integer.
        ValueError: if a size is not positive, or the text is too short for one piece.

    Example:
        >>> [batch.tokens.tolist() for batch in Windows(range(4, 12), length=3, batch_size=2)]
        [[[4, 5, 6, 7], [7, 8, 9, 10]]]
    """

    def __init__(
        self,
        ids: Sequence[int],
        *,
        length: int,
        batch_size: int,
        generator: torch.Generator | None = None,
    ):
        require_integer("length", length, least=1)
        require_integer("batch_size", batch_size, least=1)
        if len(ids) <= length:
            raise ValueError(
                f"ids must hold at least {length + 1} tokens, one piece and the token behind it, "
                f"got {len(ids)}"
            )
        self.ids = _as_ids(ids)  # (token,)
        self.length = length
        self.batch_size = int(batch_size)  # `split` takes no number of NumPy's
        self.generator = generator

    def __iter__(self) -> Iterator[TokenBatch]:
        first, count = 0, (len(self.ids) - 1) // self.length
        order = torch.arange(count)
        if self.generator is not None:
            left = (len(self.ids) - 1) % self.length
            spare = left if count == 1 else self.length - 1
            first = int(torch.randint(spare + 1, (), generator=self.generator))
            count = (len(self.ids) - 1 - first) // self.length
            order = torch.randperm(count, generator=self.generator)
        return self._cut(first + order * self.length)

    def _cut(self, starts: Tensor) -> Iterator[TokenBatch]:
        for some in starts.split(self.batch_size):
            tokens = self.ids[some[:, None] + torch.arange(self.length + 1)]
            yield TokenBatch(tokens, torch.ones_like(tokens, dtype=torch.bool))


def _as_ids(ids: Sequence[int]) -> Int64[Tensor, "token"]:
    try:
        found = torch.as_tensor(list(ids))
    except (TypeError, ValueError):
        raise TypeError(
            "ids must hold integers, got a text or words: encode them with a vocabulary"
        ) from None
    if found.dtype not in INTEGERS or found.dim() != 1:
        raise TypeError(f"ids must hold integers, got {found.dtype} of shape {tuple(found.shape)}")
    return found.long()


class SentenceBatches:
    """Single sentences with their begin and end marks, padded, again and again (chapter 18).

    Args:
        sentences: the token ids of each, without marks.
        batch_size: sentences a batch; the last has fewer.
        bucket: how many sentences are sorted by length together, so that those of like length share
            a batch; 1 leaves their order alone.
        generator: what chance is drawn from, on the CPU; None draws nothing.

    Raises:
        TypeError: if a size is no integer.
        ValueError: if a size is not positive, or there are no sentences.

    Example:
        >>> batch = next(iter(SentenceBatches([[4, 5], [6]], batch_size=2)))
        >>> batch.tokens.tolist(), batch.padding_mask.sum(1).tolist()
        ([[1, 4, 5, 2], [1, 6, 2, 0]], [4, 3])
    """

    def __init__(
        self,
        sentences: Sequence[Sequence[int]],
        *,
        batch_size: int,
        bucket: int = 1,
        generator: torch.Generator | None = None,
    ):
        require_integer("batch_size", batch_size, least=1)
        require_integer("bucket", bucket, least=1)
        if len(sentences) == 0:
            raise ValueError("sentences must hold at least one sentence, got none")
        self.sentences = sentences
        self.batch_size = batch_size
        self.bucket = bucket
        self.generator = generator

    def __iter__(self) -> Iterator[TokenBatch]:
        return map(self._batch, self._plan())

    def __len__(self) -> int:
        return -(-len(self.sentences) // self.batch_size)

    def _plan(self) -> list[list[int]]:
        """Draw one epoch: which sentences each batch has."""
        count, size = len(self.sentences), self.batch_size
        order = list(range(count))
        if self.generator is not None:
            order = torch.randperm(count, generator=self.generator).tolist()
        stretches = (order[i : i + self.bucket] for i in range(0, count, self.bucket))
        order = [
            i for some in stretches for i in sorted(some, key=lambda i: len(self.sentences[i]))
        ]
        batches = [order[i : i + size] for i in range(0, count, size)]
        if self.generator is not None:  # or every stretch would go from short to long
            turns = torch.randperm(len(batches), generator=self.generator).tolist()
            batches = [batches[i] for i in turns]
        return batches

    def _batch(self, indices: list[int]) -> TokenBatch:
        tokens, lengths = pad([[BOS, *self.sentences[i], EOS] for i in indices])
        return TokenBatch(tokens, torch.arange(tokens.shape[1]) < lengths[:, None])
