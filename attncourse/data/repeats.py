"""Rows of tokens that repeat (chapter 18): what came after this one the last time?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from attncourse.checks import require_integer


class RepeatedRows(NamedTuple):
    """Rows that repeat, each with a period of its own (chapter 18).

    Attributes:
        tokens: (row, length).
        repeated: (row, length - 1), True where the token that comes next was seen before in its
            row, so that it can be known.
    """

    tokens: Int64[Tensor, "row length"]
    repeated: Bool[Tensor, "row next"]


def draw_repeats(
    count: int,
    *,
    num_tokens: int = 64,
    length: int = 48,
    shortest: int = 8,
    longest: int = 24,
    generator: torch.Generator,
) -> RepeatedRows:
    """Draw rows in which different tokens stand in some order, again and again (chapter 18).

    How many they are, the row's period, is drawn from `shortest` to `longest`, and with it which
    they are and in which order. So no token and no distance says what comes next: one must look
    where the same token stood before, and what came after it there.

    Args:
        count: how many rows.
        num_tokens: how many tokens there are.
        length: tokens a row.
        shortest, longest: the least and the greatest period, fewer than `length`.
        generator: what chance is drawn from, on the CPU.

    Returns:
        The rows, and where their next token can be known.

    Raises:
        TypeError: if a size is no integer.
        ValueError: if a size is not positive, or the periods do not fit.

    Source: Olsson et al. 2022, section "The mechanism of induction heads", repeat random tokens
    once; here a row repeats until it is full.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> rows = draw_repeats(
        ...     1, num_tokens=9, length=8, shortest=3, longest=3, generator=generator
        ... )
        >>> torch.equal(rows.tokens[:, :5], rows.tokens[:, 3:]), rows.repeated.int().tolist()
        (True, [[0, 0, 1, 1, 1, 1, 1]])
    """
    sizes = {"count": count, "num_tokens": num_tokens, "length": length, "shortest": shortest}
    for name, size in sizes.items():
        require_integer(name, size, least=1)
    require_integer("longest", longest)
    if not shortest <= longest < length:
        raise ValueError(
            f"longest must be at least shortest, {shortest}, and less than length, {length}, "
            f"got {longest}"
        )
    if longest > num_tokens:
        raise ValueError(
            f"num_tokens must be at least longest, {longest} different tokens, got {num_tokens}"
        )
    period = torch.randint(shortest, longest + 1, (count, 1), generator=generator)
    order = torch.rand(count, num_tokens, generator=generator).argsort(1)  # (row, token)
    place = torch.arange(length).expand(count, length)
    tokens = order.gather(1, place % period)  # (row, length)
    return RepeatedRows(tokens, place[:, 1:] >= period)


class RepeatBatches:
    """Rows that repeat without end, drawn anew for every batch (chapter 18).

    Args:
        batch_size: rows a batch.
        generator: what chance is drawn from; by default one of its own, which `fit` seeds.
        options: the sizes of `draw_repeats`.

    Raises:
        TypeError, ValueError: as `draw_repeats`, at the first batch.

    Example:
        >>> rows = next(iter(RepeatBatches(7, length=30)))
        >>> rows.tokens.shape
        torch.Size([7, 30])
    """

    def __init__(
        self, batch_size: int, *, generator: torch.Generator | None = None, **options: int
    ):
        self.batch_size = batch_size
        self.generator = torch.Generator() if generator is None else generator
        self.options = options

    def __iter__(self) -> Iterator[RepeatedRows]:
        while True:
            yield draw_repeats(self.batch_size, **self.options, generator=self.generator)
