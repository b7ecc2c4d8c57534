"""BLEU, and the one way in which the course sets it beside published figures (chapter 05)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

from attncourse.checks import require_pairs
from attncourse.metrics.moses import moses_library, moses_text, moses_tokens


class Bleu(NamedTuple):
    """BLEU and what it is made of (chapter 05).

    Attributes:
        score: 0 to 100.
        signature: how it was computed; without it the score says little.
        precisions: of sequences of 1 to 4 tokens, in per cent, smoothed where none matched.
        brevity_penalty: 1 if the hypotheses are at least as long as the references, else less.
        hypothesis_length: tokens of all hypotheses.
        reference_length: tokens of all references; of several, the one nearest in length counts.
    """

    score: float
    signature: str
    precisions: tuple[float, ...]
    brevity_penalty: float
    hypothesis_length: int
    reference_length: int


class ComparableBleu(NamedTuple):
    """BLEU for a table beside published figures (chapter 05).

    Attributes:
        moses: of lower-cased text that the Moses tokeniser cut: the figure to compare.
        standard: of lower-cased text with sacreBLEU's own tokeniser, 13a.
    """

    moses: Bleu
    standard: Bleu


def bleu(
    hypotheses: Sequence[str],
    references: Sequence[str | Sequence[str]],
    *,
    tokenize: str = "13a",
    lowercase: bool = False,
) -> Bleu:
    """Score translations by the sequences of words that they share with references (chapter 05).

    Args:
        hypotheses: the translations, as texts.
        references: for each hypothesis a text, or several of which any may be matched.
        tokenize: how sacreBLEU cuts texts into tokens: `"13a"`, or `"none"` for texts whose
            tokens are set apart by spaces already.
        lowercase: whether capitals count as small letters.

    Returns:
        The score of the whole corpus, which is not the mean of its sentences' scores.

    Raises:
        ImportError: if the `sacrebleu` library is missing; the message says how to install it.
        TypeError: if a sentence is not a text, or an argument is one text instead of many.
        ValueError: if there is no sentence, the numbers of sentences differ, a sentence has no
            reference, or `tokenize` is unknown.

    Source: Papineni et al. 2002, section 2. sacreBLEU (Post 2018) computes it and smooths a
    precision of zero, for which the paper's score is zero.

    Example:
        >>> score = bleu(["the cat sat on a mat"], ["the cat sat on the mat"])
        >>> round(score.score, 1), [round(precision) for precision in score.precisions]
        (53.7, [83, 60, 50, 33])
    """
    sets = _reference_sets(hypotheses, references)
    metric = _metric(tokenize, lowercase)
    # sacreBLEU wants all first references, then all second ones; None fills the gaps.
    most = max(map(len, sets))
    streams = [[several[i] if i < len(several) else None for several in sets] for i in range(most)]
    result = metric.corpus_score(hypotheses, streams)
    return Bleu(
        score=result.score,
        signature=str(metric.get_signature()),
        precisions=tuple(result.precisions),
        brevity_penalty=result.bp,
        hypothesis_length=result.sys_len,
        reference_length=result.ref_len,
    )


def comparable_bleu(
    hypotheses: Sequence[str | Sequence[str]],
    references: Sequence[str | Sequence[str]],
    language: str,
) -> ComparableBleu:
    """Score translations for a table beside published figures (chapter 05).

    The course has one convention for such figures: references as released, both sides
    lower-cased, then cut by the Moses tokeniser. A hypothesis is a text as people write it, or
    its words as `split_words` sets them apart, which are put together first. Words joined by
    spaces are neither: Moses would cut them otherwise, and perfect French would score 87.

    Args:
        hypotheses: the translations, each a text or a sequence of words.
        references: for each hypothesis a text as released, or several.
        language: the target's, `"en"`, `"de"` or `"fr"`.

    Returns:
        Both scores. The signature of `moses` ends in the tokeniser's language and version.

    Raises:
        ImportError: if the `sacrebleu` or `sacremoses` library is missing.
        TypeError: as `bleu`.
        ValueError: as `bleu`; also if the language is another, or most hypotheses end in a full
            stop that stands apart, so that they are words joined by spaces.

    Source: Post 2018 says why a convention is needed. Lower case first, then tokens, is the order
    of Multi30k's own scripts; between the two they mend punctuation, which is left alone here.

    Example:
        >>> words = ["the", "dog", "'s", "toy", "."]
        >>> scores = comparable_bleu([words], ["The dog's toy."], "en")
        >>> round(scores.moses.score), scores.moses.hypothesis_length
        (100, 5)
    """
    require_pairs(hypotheses, references)
    cut = sum(isinstance(text, str) and text.endswith(" .") for text in hypotheses)
    if 2 * cut > len(hypotheses):
        raise ValueError(
            f"hypotheses must be texts as people write them, but {cut} of {len(hypotheses)} end in "
            "' .': give words joined by spaces as words, text.split()"
        )
    texts = [_put_together(hypothesis, i, language) for i, hypothesis in enumerate(hypotheses)]
    sets = _reference_sets(texts, references)
    moses = bleu(
        moses_tokens(texts, language),
        [moses_tokens(several, language) for several in sets],
        tokenize="none",
        lowercase=True,
    )
    tokeniser = f"|moses:{language}|sacremoses:{moses_library().__version__}"
    return ComparableBleu(
        moses=moses._replace(signature=moses.signature + tokeniser),
        standard=bleu(texts, sets, lowercase=True),
    )


def bleu_counts(
    hypotheses: Sequence[str],
    references: Sequence[str | Sequence[str]],
    *,
    tokenize: str = "13a",
    lowercase: bool = False,
) -> Float64[Tensor, "sentence 10"]:
    """Count, sentence by sentence, what BLEU is computed from (chapter 05).

    Args:
        hypotheses, references, tokenize, lowercase: as for `bleu`.

    Returns:
        (sentence, 10): lengths of hypothesis and reference, then how many sequences of 1 to 4
        tokens matched, then how many there were. Summed over a corpus, `bleu_from_counts` makes
        its score of them.

    Raises:
        ImportError, TypeError, ValueError: as `bleu`.

    Example:
        >>> bleu_counts(["a cat"], ["a cat sat"]).int().tolist()
        [[2, 3, 2, 1, 0, 0, 2, 1, 0, 0]]
    """
    sets = _reference_sets(hypotheses, references)
    metric = _metric(tokenize, lowercase)
    rows = []
    for hypothesis, several in zip(hypotheses, sets, strict=True):
        found = metric.corpus_score([hypothesis], [[reference] for reference in several])
        rows.append([found.sys_len, found.ref_len, *found.counts, *found.totals])
    return torch.tensor(rows, dtype=torch.float64)


def bleu_from_counts(counts: Float64[Tensor, "10"]) -> float:
    """Compute BLEU from summed counts (chapter 05).

    Args:
        counts: (10,), the sum of rows of `bleu_counts`.

    Returns:
        The score, 0 to 100, as `bleu` gives it.

    Example:
        >>> counts = bleu_counts(["the cat sat on a mat"], ["the cat sat on the mat"])
        >>> round(bleu_from_counts(counts.sum(0)), 1)
        53.7
    """
    length, reference_length, *rest = (int(count) for count in counts.tolist())
    result = _sacrebleu().compute_bleu(
        rest[:4], rest[4:], length, reference_length, smooth_method="exp"
    )
    return result.score


def _reference_sets(hypotheses, references) -> list[list[str]]:
    """Give each hypothesis a list of references, and refuse what is not text."""
    require_pairs(hypotheses, references)
    sets = [[texts] if isinstance(texts, str) else texts for texts in references]
    for i, (hypothesis, several) in enumerate(zip(hypotheses, sets, strict=True)):
        if not isinstance(hypothesis, str):
            raise TypeError(f"hypotheses[{i}] must be a text, got {type(hypothesis).__name__}")
        if not _are_texts(several):
            raise TypeError(f"references[{i}] must be a text or several, got {several!r}")
        if not several:
            raise ValueError(f"references[{i}] must hold at least one text, got none")
    return sets


def _put_together(hypothesis, i: int, language: str) -> str:
    """Give the text of a sequence of words; a text stays as it is."""
    if isinstance(hypothesis, str):
        return hypothesis
    if not _are_texts(hypothesis):
        raise TypeError(f"hypotheses[{i}] must be a text or its words, got {hypothesis!r}")
    return moses_text(hypothesis, language)


def _are_texts(given) -> bool:
    return isinstance(given, Sequence) and all(isinstance(text, str) for text in given)


def _metric(tokenize: str, lowercase: bool):
    metric = _sacrebleu()
    if tokenize not in metric.TOKENIZERS:
        raise ValueError(
            f"tokenize must be one of {', '.join(metric.TOKENIZERS)}, got {tokenize!r}"
        )
    # `force` silences the advice to pass texts that are not cut yet.
    return metric(tokenize=tokenize, lowercase=lowercase, force=tokenize == "none")


def _sacrebleu():
    try:
        from sacrebleu.metrics import BLEU
    except ImportError as error:
        raise ImportError(
            "BLEU needs the library sacrebleu, which is missing: pip install sacrebleu"
        ) from error
    return BLEU
