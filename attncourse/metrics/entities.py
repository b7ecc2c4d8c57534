"""How well entities are found (chapter 14): exact spans, their F1, and its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from attncourse.checks import require_pairs
from attncourse.data.bio import tags_to_spans
from attncourse.metrics.intervals import Interval, bootstrap_interval


@dataclass(frozen=True)
class EntityTally:
    """Entities counted; `sum(tallies, EntityTally())` adds them up (chapter 14).

    Attributes:
        right: found, with start, end and kind as they should be.
        found: how many the model marked.
        wanted: how many there are.

    Example:
        >>> tally = EntityTally(1, 2, 2) + EntityTally(right=2, found=2, wanted=4)
        >>> tally.precision, tally.recall, tally.f1
        (0.75, 0.5, 0.6)
    """

    right: int = 0
    found: int = 0
    wanted: int = 0

    def __add__(self, other: EntityTally) -> EntityTally:
        return EntityTally(
            self.right + other.right, self.found + other.found, self.wanted + other.wanted
        )

    @property
    def precision(self) -> float:
        """The share of what was marked that is right; 0 if nothing was marked."""
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """The share of what there is that was found; 0 if there is nothing."""
        return self.right / self.wanted if self.wanted else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of both, 2 right / (found + wanted); 0 if both are nothing."""
        both = self.found + self.wanted
        return 2 * self.right / both if both else 0.0


def entity_counts(
    hypotheses: Sequence[Sequence[str]], references: Sequence[Sequence[str]]
) -> Int64[Tensor, "text 3"]:
    """Count each text's entities: right, found and wanted (chapter 14).

    An entity is right if its first word, its last word and its kind are: half a name counts as one
    marked wrongly and one missed.

    Args:
        hypotheses: the BIO tags that a model gave each text; `legal_tags` makes them fit together.
        references: the right ones.

    Returns:
        (text, 3), the counts of each text, which `bootstrap_interval` can draw from.

    Raises:
        TypeError: if an argument is one text.
        ValueError: if there is no text, the arguments have not as many texts or a text not as many
            words, or tags are no BIO or do not fit together.

    Source: Tjong Kim Sang and De Meulder 2003, section 2.3: an entity is correct only if it is an
    exact match.

    Example:
        >>> entity_counts([["B-place", "O"]], [["B-place", "I-place"]]).tolist()
        [[0, 1, 1]]
    """
    require_pairs(hypotheses, references)
    counts = []
    for i, (hypothesis, reference) in enumerate(zip(hypotheses, references, strict=True)):
        if len(hypothesis) != len(reference):
            raise ValueError(
                f"hypotheses[{i}] and references[{i}] disagree in words: "
                f"{len(hypothesis)} and {len(reference)}"
            )
        found, wanted = set(tags_to_spans(hypothesis)), set(tags_to_spans(reference))
        counts.append([len(found & wanted), len(found), len(wanted)])
    return torch.tensor(counts)


def entity_tally(
    hypotheses: Sequence[Sequence[str]], references: Sequence[Sequence[str]]
) -> EntityTally:
    """Count the entities of all texts together (chapter 14).

    Args:
        hypotheses, references: as for `entity_counts`.

    Returns:
        The tally, whose `f1` is the score of the corpus: not the mean of the texts' scores.

    Raises:
        TypeError, ValueError: as `entity_counts`.

    Example:
        >>> entity_tally([["B-place", "O"], ["B-place"]], [["B-place", "I-place"], ["B-place"]]).f1
        0.5
    """
    return EntityTally(*entity_counts(hypotheses, references).sum(0).tolist())


def entity_f1_interval(
    hypotheses: Sequence[Sequence[str]],
    references: Sequence[Sequence[str]],
    *,
    baseline: Sequence[Sequence[str]] | None = None,
    samples: int = 1000,
    confidence: float = 0.95,
    generator: torch.Generator | None = None,
) -> Interval:
    """Give F1, or the lead in F1 over a baseline, with its interval (chapter 14).

    Args:
        hypotheses, references: as for `entity_counts`.
        baseline: another system's tags for the same texts, for the lead over it.
        samples, confidence, generator: as for `bootstrap_interval`, which draws whole texts.

    Returns:
        The interval, from 0 to 1.

    Raises:
        TypeError, ValueError: as `entity_counts` and `bootstrap_interval`.

    Example:
        >>> tags = [["B-place"], ["O", "B-place"]]
        >>> entity_f1_interval(tags, tags, baseline=tags)
        Interval(value=0.0, low=0.0, high=0.0)
    """
    return bootstrap_interval(
        entity_counts(hypotheses, references),
        _f1,
        baseline=None if baseline is None else entity_counts(baseline, references),
        samples=samples,
        confidence=confidence,
        generator=generator,
    )


def _f1(counts: Float[Tensor, "3"]) -> float:
    return EntityTally(*map(int, counts.tolist())).f1
