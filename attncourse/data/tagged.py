"""Tagged texts in batches (chapter 14): words as pieces, so that a word never met has a vector.

velora  ->  <ve  vel  elo  lor  ora  ra>     its trigrams, each a number by a hash
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol, runtime_checkable
from zlib import crc32

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from attncourse.checks import require_bool, require_integer


@runtime_checkable
class Tagged(Protocol):
    """What has words and the tag of each."""

    words: Sequence[str]
    tags: Sequence[str]


class TaggedBatch(NamedTuple):
    """Tagged texts as numbers (chapter 14).

    Attributes:
        pieces: (batch, length, pieces), the pieces of each word, filled up with 0.
        mask: (batch, length), True at real words.
        tags: (batch, length), places in the list of tags; 0 at padding.
    """

    pieces: Int64[Tensor, "batch length pieces"]
    mask: Bool[Tensor, "batch length"]
    tags: Int64[Tensor, "batch length"]


def word_pieces(word: str, *, buckets: int, whole: bool = False) -> tuple[int, ...]:
    """Number the pieces of a word by a hash (chapter 14).

    Args:
        word: one word, of any letters.
        buckets: the numbers run from 1 to `buckets - 1`; 0 is padding. Two pieces may share one.
        whole: also number the whole word, and its shape, such as Xx for a capital and small
            letters.

    Returns:
        A number each for the trigrams of the word in small letters, its ends marked.

    Raises:
        TypeError: if the word is no text, or `buckets` no integer.
        ValueError: if the word is empty, or `buckets` is less than 2.

    Source: Bojanowski et al. 2017, section 3.2, with trigrams alone; there the hash is FNV-1a.

    Example:
        >>> len(word_pieces("velora", buckets=1000)), len(word_pieces("a", buckets=1000))
        (6, 1)
    """
    if not isinstance(word, str):
        raise TypeError(f"word must be a text, got {type(word).__name__}")
    if not word:
        raise ValueError("word must have a letter, got an empty one")
    require_integer("buckets", buckets, least=1)
    if buckets < 2:
        raise ValueError(f"buckets must be 2 or more, as 0 is padding, got {buckets}")
    return _pieces(word, buckets, whole)


@lru_cache(maxsize=100_000)
def _pieces(word: str, buckets: int, whole: bool) -> tuple[int, ...]:
    small = word.lower()
    marked = f"<{small}>"
    pieces = [marked[i : i + 3] for i in range(len(marked) - 2)]
    if whole:
        pieces += [f"word {small}", f"shape {_shape(word)}"]
    return tuple(1 + crc32(piece.encode("utf-8")) % (buckets - 1) for piece in pieces)


def _shape(word: str) -> str:
    """Capitals as X, small letters as x, digits as 9; of a run only one."""
    signs = [
        "X" if c.isupper() else "x" if c.isalpha() else "9" if c.isdigit() else c for c in word
    ]
    return "".join(sign for i, sign in enumerate(signs) if i == 0 or sign != signs[i - 1])


def tagged_batch(
    texts: Sequence[Tagged], tags: Sequence[str], *, buckets: int, whole: bool = False
) -> TaggedBatch:
    """Lay texts into rectangles (chapter 14).

    Args:
        texts: each with its words and their tags.
        tags: all tags there are; a tag's number is its place.
        buckets, whole: as for `word_pieces`.

    Returns:
        The batch, as long as its longest text.

    Raises:
        ValueError: if there is no text, a text is empty, has not a tag a word, or has a tag that
            is not among `tags`.

    Example:
        >>> from attncourse.data.bio import TaggedText
        >>> texts = [TaggedText(("a", "velora"), ("O", "B-place")), TaggedText(("a",), ("O",))]
        >>> batch = tagged_batch(texts, ["O", "B-place", "I-place"], buckets=100)
        >>> batch.pieces.shape, batch.tags.tolist(), batch.mask.sum().item()
        (torch.Size([2, 2, 6]), [[0, 1], [0, 0]], 3)
    """
    if not texts:
        raise ValueError("texts must hold at least one text, got none")
    number = {tag: place for place, tag in enumerate(tags)}
    for i, text in enumerate(texts):
        if not text.words or len(text.words) != len(text.tags):
            raise ValueError(
                f"texts[{i}] must have words, and a tag for each, got {len(text.words)} words and "
                f"{len(text.tags)} tags"
            )
        if unknown := set(text.tags) - set(number):
            raise ValueError(f"texts[{i}] has the tag {min(unknown)!r}, which is not among tags")
    cut = [[word_pieces(word, buckets=buckets, whole=whole) for word in t.words] for t in texts]
    length = max(map(len, cut))
    most = max(len(pieces) for text in cut for pieces in text)
    nothing = (0,) * most
    rows = [
        [pieces + nothing[len(pieces) :] for pieces in text] + [nothing] * (length - len(text))
        for text in cut
    ]
    numbers = [[number[tag] for tag in t.tags] + [0] * (length - len(t.tags)) for t in texts]
    lengths = torch.tensor([len(text) for text in cut])
    mask = torch.arange(length) < lengths[:, None]
    return TaggedBatch(torch.tensor(rows), mask, torch.tensor(numbers))


class TaggedBatches:
    """An epoch of batches whenever it is iterated, for `fit` (chapter 14).

    Args:
        texts, tags, buckets, whole: as for `tagged_batch`.
        size: texts in a batch; the last one may have fewer.
        shuffle: draw another order each time, by PyTorch's own generator, which `fit` seeds.

    Raises:
        TypeError, ValueError: as `tagged_batch`.
    """

    def __init__(
        self,
        texts: Sequence[Tagged],
        tags: Sequence[str],
        *,
        buckets: int,
        size: int,
        whole: bool = False,
        shuffle: bool = True,
    ):
        require_integer("size", size, least=1)
        require_bool("shuffle", shuffle)
        tagged_batch(texts[:1], tags, buckets=buckets, whole=whole)  # refused here, not in training
        self.texts, self.tags, self.size, self.shuffle = texts, tags, size, shuffle
        self.options = {"buckets": buckets, "whole": whole}

    def __iter__(self) -> Iterator[TaggedBatch]:
        count = len(self.texts)
        order = (torch.randperm(count) if self.shuffle else torch.arange(count)).tolist()
        for start in range(0, count, self.size):
            chosen = [self.texts[place] for place in order[start : start + self.size]]
            yield tagged_batch(chosen, self.tags, **self.options)

    def __len__(self) -> int:
        return -(-len(self.texts) // self.size)
