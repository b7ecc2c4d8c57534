"""Chance: what another test set of the same kind might have shown (chapter 05)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Real
from torch import Tensor

from attncourse.checks import require_integer
from attncourse.metrics.translations import bleu_counts, bleu_from_counts


class Interval(NamedTuple):
    """A score with the interval that bootstrap resampling gives it (chapter 05).

    Attributes:
        value: the score of the sentences at hand.
        low: the lower end.
        high: the upper end.
    """

    value: float
    low: float
    high: float


def bootstrap_interval(
    counts: Real[Tensor, "sentence count"],
    score: Callable[[Tensor], float],
    *,
    baseline: Real[Tensor, "sentence count"] | None = None,
    samples: int = 1000,
    confidence: float = 0.95,
    generator: torch.Generator | None = None,
) -> Interval:
    """Say how far a score depends on which sentences the test set happens to hold (chapter 05).

    As many sentences as there are get drawn with replacement and scored, again and again. The
    interval is what is left when the highest and the lowest of these scores are dropped.

    Args:
        counts: (sentence, count), numbers whose sums the score is computed from.
        score: the score that summed counts, (count,) in float64, make.
        baseline: the counts of another system on the same sentences. The score is then the lead
            over it, and each draw scores both systems on the same sentences.
        samples: how often to draw.
        confidence: the share of the draws that the interval keeps.
        generator: what chance is drawn from, on the CPU; by default one seeded with 0.

    Returns:
        The interval. The lead of a system over itself is exactly 0, and so are both ends.

    Raises:
        TypeError: if counts are not a tensor of real numbers.
        ValueError: if they are not (sentence, count), there is no sentence, two systems' disagree,
            `confidence` lies outside (0, 1), `samples` are too few to drop any, or `score` gives no
            number for a draw, as where what it divides by did not come.

    Source: Koehn 2004, for both. The paper's test of a lead counts the draws that one system wins;
    the 95% interval of 1,000 draws lies above 0 if 975 or more are won.

    Example:
        >>> right = torch.tensor([[1, 1]] * 60 + [[0, 1]] * 40)  # 60 sentences of 100
        >>> interval = bootstrap_interval(right, lambda sums: float(sums[0] / sums[1]))
        >>> interval.low < interval.value < interval.high
        True
    """
    for name, given in (("counts", counts), ("baseline", counts if baseline is None else baseline)):
        if not isinstance(given, Tensor) or given.is_complex() or given.dtype is torch.bool:
            kind = given.dtype if isinstance(given, Tensor) else type(given).__name__
            raise TypeError(f"{name} must be a tensor of real numbers, got {kind}")
        if given.dim() != 2 or len(given) == 0:
            raise ValueError(f"{name} must be (sentence, count), got {tuple(given.shape)}")
        if given.shape != counts.shape:
            raise ValueError(
                f"counts and baseline disagree: {tuple(counts.shape)} and {tuple(given.shape)}"
            )
    require_integer("samples", samples, least=1)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}")
    # The small number is for 1 - 0.9, which falls short of 0.1.
    dropped = math.floor(samples * (1 - confidence) / 2 + 1e-9)
    if dropped < 1:
        least = math.ceil(2 / (1 - confidence) - 1e-9)
        raise ValueError(
            f"samples must be {least} or more for a confidence of {confidence}, got {samples}"
        )
    counts = counts.cpu().double()
    baseline = None if baseline is None else baseline.cpu().double()

    def scored(sentences: Tensor) -> float:
        whole = score(counts[sentences].sum(0))
        return whole if baseline is None else whole - score(baseline[sentences].sum(0))

    size = len(counts)
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    draws = [scored(torch.randint(size, (size,), generator=generator)) for _ in range(samples)]
    if missing := sum(map(math.isnan, draws)):
        raise ValueError(f"score must give a number, got nan for {missing} of {samples} draws")
    draws.sort()
    return Interval(scored(torch.arange(size)), draws[dropped], draws[-1 - dropped])


def bleu_interval(
    hypotheses: Sequence[str],
    references: Sequence[str | Sequence[str]],
    *,
    baseline: Sequence[str] | None = None,
    tokenize: str = "13a",
    lowercase: bool = False,
    samples: int = 1000,
    confidence: float = 0.95,
    generator: torch.Generator | None = None,
) -> Interval:
    """Give BLEU, or the lead in BLEU over a baseline, with its interval (chapter 05).

    Args:
        hypotheses, references, tokenize, lowercase: as for `bleu`.
        baseline: another system's translations of the same sentences, for the lead over it.
        samples, confidence, generator: as for `bootstrap_interval`.

    Returns:
        The interval, in points of BLEU.

    Raises:
        ImportError, TypeError, ValueError: as `bleu` and `bootstrap_interval`.

    Source: Koehn 2004.

    Example:
        >>> texts = ["a cat sat on the mat", "the dog ran"]
        >>> bleu_interval(texts, texts, baseline=texts)
        Interval(value=0.0, low=0.0, high=0.0)
    """
    how = {"tokenize": tokenize, "lowercase": lowercase}
    return bootstrap_interval(
        bleu_counts(hypotheses, references, **how),
        bleu_from_counts,
        baseline=None if baseline is None else bleu_counts(baseline, references, **how),
        samples=samples,
        confidence=confidence,
        generator=generator,
    )
