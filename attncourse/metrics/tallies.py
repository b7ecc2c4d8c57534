"""What can be counted: right sentences, right tokens, and how surprising they were (chapter 04)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Integer
from torch import Tensor

from attncourse.checks import INTEGERS, require_counted, require_floats, require_pairs


@dataclass(frozen=True)
class Tally:
    """So many hits in so many tries; `sum(tallies, Tally())` adds them up (chapter 04).

    Example:
        >>> both = Tally(1, 2) + Tally(5, 6)
        >>> both, both.share
        (Tally(hits=6, tries=8), 0.75)
    """

    hits: int = 0
    tries: int = 0

    @property
    def share(self) -> float:
        """The hits' share of the tries. Raises ValueError if there were none."""
        if self.tries == 0:
            raise ValueError("tries must be 1 or more to have a share of hits, got 0")
        return self.hits / self.tries

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.hits + other.hits, self.tries + other.tries)


def exact_match(
    hypotheses: Sequence[str | Sequence], references: Sequence[str | Sequence]
) -> Tally:
    """Count the sentences that are right to the last sign (chapter 04).

    Args:
        hypotheses: what the model wrote: texts, or sequences of words or token ids.
        references: what is right, one for each hypothesis and of the same kind.

    Returns:
        The tally of sentences.

    Raises:
        TypeError: if an argument is one text instead of many, or a text meets a sequence.
        ValueError: if there is no sentence, or the numbers of sentences differ.

    Example:
        >>> exact_match(["il dort .", "elle lit"], ["il dort .", "elle lit ."])
        Tally(hits=1, tries=2)
    """
    require_pairs(hypotheses, references)
    hits = 0
    for i, (hypothesis, reference) in enumerate(zip(hypotheses, references, strict=True)):
        if isinstance(hypothesis, str) != isinstance(reference, str):
            raise TypeError(
                f"hypotheses[{i}] and references[{i}] must be of one kind, got "
                f"{type(hypothesis).__name__} and {type(reference).__name__}"
            )
        hits += list(hypothesis) == list(reference)
    return Tally(hits, len(hypotheses))


def token_accuracy(
    logits: Float[Tensor, "batch target vocabulary"],
    labels: Integer[Tensor, "batch target"],
    mask: Bool[Tensor, "batch target"],
) -> Tally:
    """Count the tokens whose label has the largest logit (chapter 04).

    With teacher forcing each token is judged as if all before it had been right.

    Args:
        logits: (batch, target, vocabulary).
        labels: (batch, target), token ids. What stands at padding is never read.
        mask: (batch, target), True at real tokens.

    Returns:
        The tally of real tokens.

    Raises:
        TypeError: if a tensor holds the wrong kind of numbers.
        ValueError: if the shapes disagree, or a real token is not in the vocabulary.

    Example:
        >>> logits = torch.tensor([[[2.0, 1.0], [0.0, 3.0], [9.0, 0.0]]])
        >>> labels, mask = torch.tensor([[0, 0, 0]]), torch.tensor([[True, True, False]])
        >>> token_accuracy(logits, labels, mask)
        Tally(hits=1, tries=2)
    """
    logits, labels = _real_tokens(logits, labels, mask)
    hits = (logits.argmax(-1) == labels) & ~logits.isnan().any(-1)  # argmax takes nan for the most
    return Tally(int(hits.sum()), len(labels))


def log_likelihood(
    logits: Float[Tensor, "batch target vocabulary"],
    labels: Integer[Tensor, "batch target"],
    mask: Bool[Tensor, "batch target"],
) -> tuple[float, int]:
    """Sum the log-probabilities of the real tokens (chapter 04).

    Args:
        logits, labels, mask: as for `token_accuracy`.

    Returns:
        The sum, in nats, and the number of tokens. Add both up over the batches of a corpus, then
        give them to `perplexity`.

    Raises:
        TypeError, ValueError: as `token_accuracy`.

    Example:
        >>> labels, mask = torch.tensor([[0, 1]]), torch.tensor([[True, True]])
        >>> total, tokens = log_likelihood(torch.zeros(1, 2, 5), labels, mask)
        >>> round(perplexity(total, tokens), 4)
        5.0
    """
    logits, labels = _real_tokens(logits, labels, mask)
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))  # halves sum up badly
    return -F.cross_entropy(logits, labels, reduction="sum").item(), len(labels)


def perplexity(log_likelihood: float, tokens: int) -> float:
    r"""Give the number of equally likely tokens that were as hard to guess (chapter 04).

    $$\operatorname{perplexity} = \exp\Bigl(-\frac{1}{n} \sum_{i=1}^{n} \ln p_i\Bigr)$$

    Args:
        log_likelihood: the summed log-probability of the tokens, in nats, 0 or less.
        tokens: how many they are, padding left out.

    Returns:
        1 for a model that is sure and right; infinity where the number is too large.

    Raises:
        ValueError: if there is no token, or the sum is above 0 or not a number.

    Example:
        >>> round(perplexity(2 * math.log(1 / 6), 2), 4)  # two throws of a die
        6.0
    """
    if tokens < 1:
        raise ValueError(f"tokens must be 1 or more, got {tokens}")
    if not log_likelihood <= 0:
        raise ValueError(
            f"log_likelihood must be 0 or less, the summed loss with a minus, got {log_likelihood}"
        )
    try:
        return math.exp(-log_likelihood / tokens)
    except OverflowError:
        return math.inf


def _real_tokens(logits: Tensor, labels: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Give the logits (token, vocabulary) and labels (token,) of the real tokens."""
    require_floats("logits", logits, ("batch", "target", "vocabulary"))
    require_counted("mask", mask, logits.shape[:2], "(batch, target)")
    if not isinstance(labels, Tensor) or labels.dtype not in INTEGERS:
        kind = labels.dtype if isinstance(labels, Tensor) else type(labels).__name__
        raise TypeError(f"labels must be a tensor of integers, got {kind}")
    if labels.shape != logits.shape[:2]:
        raise ValueError(
            f"labels must be (batch, target) {tuple(logits.shape[:2])}, got {tuple(labels.shape)}"
        )
    labels = labels[mask].long()
    if len(labels):
        least, most = torch.stack(torch.aminmax(labels)).tolist()
        if least < 0 or most >= logits.shape[-1]:
            raise ValueError(
                f"labels must lie in 0 ... {logits.shape[-1] - 1} at real tokens, got "
                f"{least if least < 0 else most}"
            )
    return logits[mask], labels
