"""Batches of sentence pairs: padding, lengths, and sentences of like length together (chapter 04).

Token ids are (batch, length) and lengths are (batch,), both int64. Padding stands at the end of
a row and nowhere else, and its id is 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Int64
from torch import Tensor

from attncourse.checks import require_integer
from attncourse.data.vocabulary import BOS, EOS, PAD


def pad(
    sequences: Sequence[Sequence[int]], length: int | None = None
) -> tuple[Int64[Tensor, "batch length"], Int64[Tensor, "batch"]]:
    """Lay sequences of different lengths into one rectangle (chapter 04).

    Args:
        sequences: token ids, one sequence a row.
        length: the width of the rectangle; by default the longest sequence's.

    Returns:
        The ids, (batch, length), filled up at the end with 0, and the true lengths, (batch,).

    Raises:
        TypeError: if they do not hold integers.
        ValueError: if there is no sequence, or `length` is too small for one.

    Example:
        >>> ids, lengths = pad([[7, 8, 9], [5]])
        >>> ids.tolist(), lengths.tolist()
        ([[7, 8, 9], [5, 0, 0]], [3, 1])
    """
    if len(sequences) == 0:
        raise ValueError("sequences must hold at least one sequence, got none")
    lengths = [len(sequence) for sequence in sequences]
    longest = max(lengths)
    if length is None:
        length = longest
    elif longest > length:
        raise ValueError(f"length {length} is less than the longest sequence's, {longest}")
    rows = [[*sequence, *[PAD] * (length - len(sequence))] for sequence in sequences]
    if any(isinstance(sequence, str) for sequence in sequences):
        raise TypeError("sequences must hold token ids, got a text: encode it with a vocabulary")
    try:
        ids = torch.tensor(rows)
    except (TypeError, ValueError):
        raise TypeError(
            "sequences must hold token ids, got words: encode them with a vocabulary"
        ) from None
    if ids.numel() and ids.dtype is not torch.int64:
        raise TypeError(f"sequences must hold integers, got {ids.dtype}")
    ids = ids.to(torch.int64).reshape(len(rows), length)
    return ids, torch.tensor(lengths)


@dataclass(frozen=True)
class Batch:
    """Padded sentence pairs (chapter 04).

    The source carries no marks. The target begins with `<bos>` and ends with `<eos>`, and its
    lengths count both.

    Attributes:
        source: (batch, source), token ids.
        source_lengths: (batch,).
        target: (batch, target), token ids.
        target_lengths: (batch,).
        indices: (batch,), which pair of the corpus each row is.
    """

    source: Int64[Tensor, "batch source"]
    source_lengths: Int64[Tensor, "batch"]
    target: Int64[Tensor, "batch target"]
    target_lengths: Int64[Tensor, "batch"]
    indices: Int64[Tensor, "batch"]

    @classmethod
    def of(
        cls,
        pairs: Sequence[tuple[Sequence[int], Sequence[int]]],
        indices: Sequence[int] | None = None,
    ) -> Batch:
        """Pad some pairs of encoded sentences and mark the targets.

        Args:
            pairs: source and target ids, without begin and end.
            indices: which pairs, in this order; by default all.

        Returns:
            The batch, on the CPU.

        Example:
            >>> Batch.of([([4, 5], [6]), ([7], [8, 9])]).target.tolist()
            [[1, 6, 2, 0], [1, 8, 9, 2]]
        """
        indices = range(len(pairs)) if indices is None else indices
        source, source_lengths = pad([pairs[i][0] for i in indices])
        target, target_lengths = pad([[BOS, *pairs[i][1], EOS] for i in indices])
        return cls(source, source_lengths, target, target_lengths, torch.tensor(list(indices)))

    def take(self, rows: Sequence[int]) -> Batch:
        """Return some rows, each side cut to the longest of them.

        Args:
            rows: which, in this order; at least one.

        Raises:
            ValueError: if there is none.
        """
        if len(rows) == 0:
            raise ValueError("rows must hold at least one row, got none")
        rows = torch.as_tensor(list(rows), device=self.source.device)
        sides = {}
        for side in ("source", "target"):
            lengths = getattr(self, f"{side}_lengths")[rows]
            sides[f"{side}_lengths"] = lengths
            sides[side] = getattr(self, side)[rows, : int(lengths.max())]
        return type(self)(**sides, indices=self.indices[rows])

    @property
    def decoder_input(self) -> Int64[Tensor, "batch shifted"]:
        """The target without its last column, (batch, target - 1), which the decoder reads."""
        return self.target[:, :-1]

    @property
    def labels(self) -> Int64[Tensor, "batch shifted"]:
        """The target without its first column, (batch, target - 1), which it should answer."""
        return self.target[:, 1:]

    @property
    def num_tokens(self) -> int:
        """The tokens of both sides, marks and padding counted, which is what the batch costs."""
        return self.source.numel() + self.target.numel()

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Batch:
        """Return the batch with every tensor on `device`."""
        moved = {
            field.name: getattr(self, field.name).to(device, non_blocking=non_blocking)
            for field in fields(self)
        }
        return type(self)(**moved)

    def __len__(self) -> int:
        return len(self.indices)


def require_batch(given: object, name: str = "batches") -> None:
    """Refuse what is no `Batch`, such as a pair of a list that was never cut into batches."""
    if not isinstance(given, Batch):
        raise TypeError(
            f"{name} must give Batch, got {type(given).__name__}: of a list of pairs "
            "Batches(pairs, sentences=64) makes them"
        )


class Batches:
    """A corpus in batches, again and again: each iteration is one epoch (chapters 04 and 11).

    Every pair comes exactly once an epoch. With a generator the pairs are shuffled, differently
    each time; without one they keep their order. With `bucket` the pairs are sorted by length
    within stretches of so many pairs, so that those of like length share a batch and little is
    padded; `Batch.indices` says which pair is where.

    Args:
        pairs: source and target ids of each pair, without begin and end.
        sentences: how many pairs a batch has; the last may have fewer.
        tokens: instead of `sentences`, how many tokens a batch has at most, counted as what is
            computed with: both sides, marks and padding included.
        bucket: how many pairs are sorted together; 1 leaves their order alone, and the corpus'
            size sorts it whole.
        generator: what chance is drawn from, on the CPU; `None` draws nothing. All of an
            epoch's draws are made when its iteration begins, so a generator saved before that
            moment repeats the epoch.

    Raises:
        TypeError: if not exactly one of `sentences` and `tokens` is given, or a size is no
            integer.
        ValueError: if a size is below 1, there are no pairs, a sentence is empty, or one pair
            alone has more tokens than `tokens`.

    Source: Vaswani et al. 2017, section 5.1, batch by approximate length and by tokens: about
    25,000 of the source and 25,000 of the target. Whether padding counts they do not say.

    Example:
        >>> pairs = [([4, 5, 6], [7]), ([8], [9]), ([4], [5, 6])]
        >>> [batch.indices.tolist() for batch in Batches(pairs, sentences=2, bucket=3)]
        [[1, 0], [2]]
        >>> [batch.num_tokens for batch in Batches(pairs, tokens=10)]
        [6, 10]
    """

    def __init__(
        self,
        pairs: Sequence[tuple[Sequence[int], Sequence[int]]],
        *,
        sentences: int | None = None,
        tokens: int | None = None,
        bucket: int = 1,
        generator: torch.Generator | None = None,
    ):
        if (sentences is None) == (tokens is None):
            raise TypeError("give either sentences or tokens, and not both")
        for name, size in (("sentences", sentences), ("tokens", tokens), ("bucket", bucket)):
            if size is not None:
                require_integer(name, size, least=1)
        if len(pairs) == 0:
            raise ValueError("pairs must hold at least one pair, got none")
        # As the batch will have them: the target with its two marks.
        self._lengths = [(len(source), len(target) + 2) for source, target in pairs]
        for i, (source, target) in enumerate(self._lengths):
            if source == 0 or target == 2:
                side = "source" if source == 0 else "target"
                raise ValueError(f"the {side} sentence of pair {i} is empty")
            if tokens is not None and source + target > tokens:
                raise ValueError(
                    f"pair {i} has {source + target} tokens ({source} source and {target} target "
                    f"with its marks), but tokens allows {tokens}"
                )
        self.pairs = pairs
        self.sentences = sentences
        self.tokens = tokens
        self.bucket = bucket
        self.generator = generator

    def plan(self) -> list[list[int]]:
        """Draw one epoch: the indices of each batch's pairs, in the order of the batches."""
        count = len(self.pairs)
        if self.generator is None:
            order = list(range(count))
        else:
            order = torch.randperm(count, generator=self.generator).tolist()
        if self.bucket > 1:
            stretches = (order[i : i + self.bucket] for i in range(0, count, self.bucket))
            # The target first: a decoder's step costs more than an encoder's.
            order = [
                i
                for stretch in stretches
                for i in sorted(stretch, key=lambda i: self._lengths[i][::-1])
            ]
        batches = self._cut(order)
        if self.generator is not None:  # or every stretch would go from short to long
            turns = torch.randperm(len(batches), generator=self.generator).tolist()
            batches = [batches[i] for i in turns]
        return batches

    def _cut(self, order: list[int]) -> list[list[int]]:
        """Cut the order into batches as full as they may be."""
        if self.sentences is not None:
            size = self.sentences
            return [order[i : i + size] for i in range(0, len(order), size)]
        batches: list[list[int]] = []
        widest = (0, 0)
        for i in order:
            grown = tuple(map(max, widest, self._lengths[i]))
            if batches and (len(batches[-1]) + 1) * sum(grown) <= self.tokens:
                batches[-1].append(i)
                widest = grown
            else:
                batches.append([i])
                widest = self._lengths[i]
        return batches

    def __iter__(self) -> Iterator[Batch]:
        batches = self.plan()  # drawn now, not at the first batch
        return (Batch.of(self.pairs, indices) for indices in batches)

    def __len__(self) -> int:
        """The number of batches an epoch; by tokens it varies with the draw and is not known."""
        if self.sentences is None:
            raise TypeError("the number of batches by tokens varies; take len(batches.plan())")
        return -(-len(self.pairs) // self.sentences)
