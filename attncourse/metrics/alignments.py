"""Alignment: which source word belongs to which target word (chapter 05).

A link is a pair (source position, target position).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from attncourse.checks import require_counted, require_floats, require_sentences
from attncourse.metrics.tallies import Tally

Links = Collection[tuple[int, int]]  # of one sentence


class AlignmentError(NamedTuple):
    """How far links lie from the gold ones (chapter 05).

    Attributes:
        rate: the alignment error rate, 0 to 1, less is better.
        precision: the share of the links that are possible; 0 without links.
        recall: the share of the sure links that were found; 0 without sure links.
    """

    rate: float
    precision: float
    recall: float


def alignment_links(
    weights: Float[Tensor, "batch heads target source"],
    target_mask: Bool[Tensor, "batch target"] | None = None,
    source_mask: Bool[Tensor, "batch source"] | None = None,
) -> list[frozenset[tuple[int, int]]]:
    """Link each target word to the source word with the largest weight (chapter 05).

    Args:
        weights: (batch, heads, target, source), as `record_attention` gives them; row t belongs
            to the t-th word of the target. Heads are averaged: for one, pass `weights[:, h : h+1]`.
        target_mask: (batch, target), True at words to link. A decoder also answers the end mark
            and padding: `padding_mask(batch.target_lengths - 2, rows)` leaves both out.
        source_mask: (batch, source), True at words that may be linked to.

    Returns:
        For each sentence the links (source position, target position). Of equal weights the first
        wins; a target word whose weights are all zero has no link.

    Raises:
        TypeError: if the weights are not floating point, or a mask is not boolean.
        ValueError: if shapes disagree, or a weight that counts is negative or not finite.

    Example:
        >>> weights = torch.tensor([[[[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]]]])
        >>> links = alignment_links(weights, torch.tensor([[True, True, False]]))
        >>> sorted(links[0])
        [(0, 0), (1, 1)]
    """
    require_floats("weights", weights, ("batch", "heads", "target", "source"))
    batch, heads, target, source = weights.shape
    if heads == 0:
        raise ValueError(f"weights must have at least one head, got {tuple(weights.shape)}")
    mean = weights.detach().to(torch.promote_types(weights.dtype, torch.float32)).mean(1).cpu()
    if target_mask is not None:
        require_counted("target_mask", target_mask, (batch, target), "(batch, target)")
        mean = mean.masked_fill(~target_mask.cpu()[:, :, None], 0.0)
    if source_mask is not None:
        require_counted("source_mask", source_mask, (batch, source), "(batch, source)")
        mean = mean.masked_fill(~source_mask.cpu()[:, None, :], 0.0)
    if not (mean.isfinite() & (mean >= 0)).all():
        raise ValueError("weights must be finite and not negative where the masks allow")
    if source == 0:
        return [frozenset()] * batch
    largest, first = mean.max(-1)
    return [
        frozenset((j, i) for i, (top, j) in enumerate(zip(*rows, strict=True)) if top > 0)
        for rows in zip(largest.tolist(), first.tolist(), strict=True)
    ]


def alignment_error_rate(
    links: Sequence[Links], sure: Sequence[Links], possible: Sequence[Links]
) -> AlignmentError:
    r"""Compare links with gold ones of which some are sure and some only possible (chapter 05).

    $$\operatorname{AER} = 1 - \frac{|A \cap S| + |A \cap P|}{|A| + |S|}, \quad
    \text{precision} = \frac{|A \cap P|}{|A|}, \quad \text{recall} = \frac{|A \cap S|}{|S|}$$

    A link that is only possible costs nothing, found or not. All counts are over the corpus.

    Args:
        links: A, for each sentence the links to judge, as (source position, target position).
        sure: S, for each sentence the links that must be there.
        possible: P, for each sentence the links that may be there, the sure ones among them.

    Returns:
        The error rate, with precision and recall beside it.

    Raises:
        ValueError: if the numbers of sentences differ, a sure link is not possible, or there is
            neither a link nor a sure one.

    Source: Och and Ney 2003, on evaluation.

    Example:
        >>> alignment_error_rate([{(0, 0), (1, 1)}], [{(0, 0), (2, 2)}], [{(0, 0), (2, 2)}])
        AlignmentError(rate=0.5, precision=0.5, recall=0.5)
    """
    require_sentences(links=links, sure=sure, possible=possible)
    found = wanted = found_sure = found_possible = 0
    for i, (a, s, p) in enumerate(
        zip(map(set, links), map(set, sure), map(set, possible), strict=True)
    ):
        if not s <= p:
            raise ValueError(f"possible[{i}] must hold every sure link, but lacks {min(s - p)}")
        found += len(a)
        wanted += len(s)
        found_sure += len(a & s)
        found_possible += len(a & p)
    if found + wanted == 0:
        raise ValueError("links and sure must hold at least one link between them, got none")
    return AlignmentError(
        rate=1 - (found_sure + found_possible) / (found + wanted),
        precision=found_possible / found if found else 0.0,
        recall=found_sure / wanted if wanted else 0.0,
    )


def alignment_accuracy(
    links: Sequence[Links], gold: Sequence[Links], kinds: Sequence[Sequence[str]]
) -> dict[str, Tally]:
    """Count, for each kind of word, the target words that are linked as in the gold (chapter 05).

    A word counts if it has a gold link, and is a hit if one of its links is among them. With the
    possible links as gold, an article may look at its noun; with the sure ones it may not.

    Args:
        links: for each sentence the links to judge, as (source position, target position).
        gold: for each sentence the links that are right.
        kinds: for each sentence what each target word is, such as "noun" or "article".

    Returns:
        A tally for each kind, kinds in alphabetical order; their sum is everything's.

    Raises:
        ValueError: if the numbers of sentences differ, or a link leads to a word that has no kind.

    Example:
        >>> gold, kinds = [{(0, 0), (1, 1)}], [["article", "noun"]]
        >>> alignment_accuracy([{(1, 0), (1, 1)}], gold, kinds)
        {'article': Tally(hits=0, tries=1), 'noun': Tally(hits=1, tries=1)}
    """
    require_sentences(links=links, gold=gold, kinds=kinds)
    tallies: dict[str, Tally] = {}
    for i, (a, right, words) in enumerate(zip(map(set, links), map(set, gold), kinds, strict=True)):
        for _, target in a | right:
            if not 0 <= target < len(words):
                raise ValueError(
                    f"kinds[{i}] has {len(words)} words, but a link leads to word {target}"
                )
        hit = {target for _, target in a & right}
        for target in {target for _, target in right}:
            kind = words[target]
            tallies[kind] = tallies.get(kind, Tally()) + Tally(target in hit, 1)
    return dict(sorted(tallies.items()))
