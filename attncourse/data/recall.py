"""Associative recall (chapter 19): pairs of a key and a value, then questions for the values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor

from attncourse.checks import require_integer

KEYS, VALUES = 64, 32  # how many different ones there are


@dataclass(frozen=True)
class Recall:
    """Sequences of pairs, each followed by questions (chapter 19).

    A pair is one token, and so is a question, which is a key.

    Attributes:
        keys: (sequence, pair), from 0 to `KEYS - 1`; no sequence has a key twice.
        values: (sequence, pair), from 0 to `VALUES - 1`.
        asked: (sequence, question), which pair is asked for.
    """

    keys: Int64[Tensor, "sequence pair"]
    values: Int64[Tensor, "sequence pair"]
    asked: Int64[Tensor, "sequence question"]

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def questions(self) -> Int64[Tensor, "sequence question"]:
        """The keys that are asked for."""
        return self.keys.gather(1, self.asked)

    @property
    def answers(self) -> Int64[Tensor, "sequence question"]:
        """Their values."""
        return self.values.gather(1, self.asked)

    @property
    def distances(self) -> Int64[Tensor, "sequence question"]:
        """How many tokens a question stands behind its pair, 1 if it is the next."""
        pairs, questions = self.keys.shape[1], self.asked.shape[1]
        return pairs + torch.arange(questions) - self.asked


def draw_recall(count: int, *, pairs: int, questions: int, generator: torch.Generator) -> Recall:
    """Draw sequences, every pair and every question by chance (chapter 19).

    Args:
        count: how many sequences.
        pairs: pairs of each, at most 64, the number of keys.
        questions: questions of each; a pair may be asked for more than once.
        generator: what chance is drawn from, on the CPU.

    Returns:
        The sequences. Nothing but its own pairs tells an answer: values are drawn anew for each.

    Raises:
        TypeError: if a number is not an integer.
        ValueError: if one is not positive, or there are more pairs than keys.

    Source: Arora et al. 2023, section 3, "multi-query associative recall", where key and value are
    two tokens.

    Example:
        >>> drawn = draw_recall(5, pairs=3, questions=2, generator=torch.Generator().manual_seed(0))
        >>> tuple(drawn.keys.shape), tuple(drawn.answers.shape)
        ((5, 3), (5, 2))
    """
    for name, value in (("count", count), ("pairs", pairs), ("questions", questions)):
        require_integer(name, value, least=1)
    if pairs > KEYS:
        raise ValueError(f"pairs must be at most {KEYS}, the number of keys, got {pairs}")
    keys = torch.rand(count, KEYS, generator=generator).argsort(1)[:, :pairs]
    values = torch.randint(VALUES, (count, pairs), generator=generator)
    asked = torch.randint(pairs, (count, questions), generator=generator)
    return Recall(keys, values, asked)


class RecallBatches:
    """Sequences without end, drawn anew for every batch (chapter 19).

    Args:
        batch_size: sequences a batch.
        pairs, questions: as for `draw_recall`.
        generator: what chance is drawn from; by default one of its own, which `fit` seeds.

    Raises:
        TypeError, ValueError: as `draw_recall`, at the first batch.

    Example:
        >>> keys, values, questions, answers = next(iter(RecallBatches(7, pairs=5, questions=3)))
        >>> tuple(keys.shape), tuple(answers.shape)
        ((7, 5), (7, 3))
    """

    def __init__(
        self,
        batch_size: int,
        *,
        pairs: int,
        questions: int,
        generator: torch.Generator | None = None,
    ):
        self.batch_size = batch_size
        self.pairs = pairs
        self.questions = questions
        self.generator = torch.Generator() if generator is None else generator

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        while True:
            drawn = draw_recall(
                self.batch_size,
                pairs=self.pairs,
                questions=self.questions,
                generator=self.generator,
            )
            yield drawn.keys, drawn.values, drawn.questions, drawn.answers
