"""ROUGE-L, and whether a summary has the right name (chapter 13)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

from attncourse.checks import require_pairs, require_sentences, require_several
from attncourse.metrics.intervals import Interval, bootstrap_interval


class RougeL(NamedTuple):
    """ROUGE-L of some summaries, 0 to 100 (chapter 13).

    Attributes:
        score: the mean of each summary's harmonic mean of the other two.
        precision: the mean share of a summary's words that the reference has in this order.
        recall: the mean share of a reference's words that the summary has in this order.
    """

    score: float
    precision: float
    recall: float


def longest_common_subsequence(a: Sequence[str], b: Sequence[str]) -> int:
    """Count the words that two texts have in common, in the same order (chapter 13, eq. 13.3).

    Other words may stand between them.

    Args:
        a, b: words.

    Returns:
        The largest number of words that can be struck out of neither.

    Example:
        >>> longest_common_subsequence("the cat sat down".split(), "the old cat lay down".split())
        3
    """
    lengths = [0] * (len(b) + 1)  # of what is common to the words of a so far and each start of b
    for word in a:
        diagonal = 0
        for j, other in enumerate(b, 1):
            above = lengths[j]
            lengths[j] = diagonal + 1 if word == other else max(above, lengths[j - 1])
            diagonal = above
    return lengths[-1]


def rouge_l(hypotheses: Sequence[str], references: Sequence[str]) -> RougeL:
    """Score summaries by the words that they share with references, in order (chapter 13).

    Args:
        hypotheses: the summaries, as texts.
        references: one for each.

    Returns:
        The means over the summaries. Capitals and punctuation do not count.

    Raises:
        TypeError: if one text is given instead of many.
        ValueError: if there is no summary, or the numbers differ.

    Source: Lin 2004, section 3.1, with beta = 1. The library rouge-score gives the same of texts in
    ASCII, without its stemmer; it drops all other letters, which are kept here.

    Example:
        >>> score = rouge_l(["rosa voss swims"], ["Rosa Voss swims at night."])
        >>> round(score.score), round(score.precision), round(score.recall)
        (75, 100, 60)
    """
    return RougeL(*(100 * rouge_l_rows(hypotheses, references).mean(0)).tolist())


def rouge_l_interval(
    hypotheses: Sequence[str],
    references: Sequence[str],
    *,
    baseline: Sequence[str] | None = None,
    samples: int = 1000,
    confidence: float = 0.95,
    generator: torch.Generator | None = None,
) -> Interval:
    """Give ROUGE-L, or the lead in it over a baseline, with its interval (chapter 13).

    Args:
        hypotheses, references: as for `rouge_l`.
        baseline: another system's summaries of the same articles, for the lead over it.
        samples, confidence, generator: as for `bootstrap_interval`.

    Returns:
        The interval, in points of ROUGE-L.

    Raises:
        TypeError, ValueError: as `rouge_l` and `bootstrap_interval`.

    Example:
        >>> rouge_l_interval(["a", "b"], ["a", "b"], baseline=["c", "d"])
        Interval(value=100.0, low=100.0, high=100.0)
    """

    def counts(summaries: Sequence[str]) -> Tensor:
        scores = rouge_l_rows(summaries, references)[:, 0]
        return torch.stack([scores, torch.ones_like(scores)], dim=1)

    return bootstrap_interval(
        counts(hypotheses),
        lambda sums: 100 * float(sums[0] / sums[1]),
        baseline=None if baseline is None else counts(baseline),
        samples=samples,
        confidence=confidence,
        generator=generator,
    )


def rouge_l_rows(
    hypotheses: Sequence[str], references: Sequence[str]
) -> Float64[Tensor, "summary 3"]:
    """Score each summary alone, (summary, 3): harmonic mean, precision, recall, 0 to 1."""
    require_pairs(hypotheses, references)
    return torch.tensor(
        [_rouge_l(*pair) for pair in zip(hypotheses, references, strict=True)], dtype=torch.float64
    )


def name_accuracy(
    hypotheses: Sequence[str],
    names: Sequence[str],
    *,
    samples: int = 1000,
    confidence: float = 0.95,
    generator: torch.Generator | None = None,
) -> Interval:
    """Give the share of summaries that have the right name, with its interval (chapter 13).

    Args:
        hypotheses: the summaries, as texts.
        names: the name that each must have. Of several words, all must follow one another.
        samples, confidence, generator: as for `bootstrap_interval`.

    Returns:
        The interval, from 0 to 1. A summary in which no name is right has its width 0.

    Raises:
        TypeError: if one text is given instead of many.
        ValueError: if there is no name, one is empty, or there is not one for each summary.

    Example:
        >>> name_accuracy(["Rosa Voss swims.", "Rosa swims."], ["Voss", "Voss"]).value
        0.5
    """
    right = names_right(hypotheses, names)
    counts = torch.tensor([[found, 1] for found in right])
    return bootstrap_interval(
        counts,
        lambda sums: float(sums[0] / sums[1]),
        samples=samples,
        confidence=confidence,
        generator=generator,
    )


def names_right(hypotheses: Sequence[str], names: Sequence[str]) -> list[bool]:
    """Say of each summary whether it has its name; the arguments are those of `name_accuracy`."""
    require_several("hypotheses", hypotheses)
    require_several("names", names, "names")
    if len(names) == 0:
        raise ValueError("names must hold at least one name, got none")
    require_sentences(hypotheses=hypotheses, names=names)
    right = []
    for i, (hypothesis, name) in enumerate(zip(hypotheses, names, strict=True)):
        wanted = " ".join(_words(name))
        if not wanted:
            raise ValueError(f"names[{i}] must be a name, got {name!r}")
        right.append(f" {wanted} " in f" {' '.join(_words(hypothesis))} ")
    return right


def _rouge_l(hypothesis: str, reference: str) -> tuple[float, float, float]:
    """Give harmonic mean, precision and recall; all 0 where nothing is common."""
    written, wanted = _words(hypothesis), _words(reference)
    common = longest_common_subsequence(written, wanted)
    if common == 0:
        return 0.0, 0.0, 0.0
    # Of P = common / written and R = common / wanted, 2 P R / (P + R) is:
    score = 2 * common / (len(written) + len(wanted))
    return score, common / len(written), common / len(wanted)


def _words(text: str) -> list[str]:
    """Lower-case words, without punctuation."""
    return re.findall(r"[^\W_]+", text.lower())
