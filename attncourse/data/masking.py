"""Words hidden for a masked language model (chapter 18): 80% masked, 10% changed, 10% kept.

chosen = 15% of the words                  # the only ones that are asked for
tokens = mask                              # 8 of 10 chosen
tokens = any word                          # 1 of 10
tokens = as it was                         # 1 of 10
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from attncourse.checks import (
    require_ids,
    require_integer,
    require_number,
    require_padding_mask,
    require_tokens,
)
from attncourse.data.text import SentenceBatches
from attncourse.data.vocabulary import SPECIALS


class MaskedBatch(NamedTuple):
    """Texts with hidden words (chapter 18).

    Attributes:
        tokens: (batch, length), ids as the model reads them.
        padding_mask: (batch, length), True at real tokens.
        labels: (batch, length), ids as they were.
        chosen: (batch, length), True at the words that are asked for.
    """

    tokens: Int64[Tensor, "batch length"]
    padding_mask: Bool[Tensor, "batch length"]
    labels: Int64[Tensor, "batch length"]
    chosen: Bool[Tensor, "batch length"]


def mask_tokens(
    tokens: Int64[Tensor, "batch length"],
    padding_mask: Bool[Tensor, "batch length"] | None = None,
    *,
    vocab_size: int,
    mask_id: int,
    specials: Sequence[int] = tuple(range(len(SPECIALS))),
    share: float = 0.15,
    masked: float = 0.8,
    changed: float = 0.1,
    generator: torch.Generator | None = None,
) -> MaskedBatch:
    """Hide some words of each text and say which (chapter 18).

    Of the words of a text, `share` are chosen, rounded, and at least one. Each is replaced by the
    mask with probability `masked`, by a word drawn from all words with probability `changed`, and
    else left as it is. Neither padding nor a special token is ever chosen or drawn.

    Args:
        tokens: (batch, length), token ids on the CPU.
        padding_mask: (batch, length), True at real tokens; by default all are.
        vocab_size: number of token ids, the mask's included.
        mask_id: the mask's.
        specials: ids that are no words, besides the mask's.
        share: of the words, those that are chosen, from 0 to 1.
        masked, changed: shares of the chosen, together 1 at most.
        generator: what chance is drawn from, on the CPU; by default PyTorch's own.

    Returns:
        The texts as the model reads them, as they were, and what is asked for. A text without a
        word has nothing chosen.

    Raises:
        TypeError: if an argument is of the wrong kind.
        ValueError: if an id or a share is out of range, or no id is a word.

    Source: Devlin et al. 2019, section 3.1 and appendix A.1; the number is rounded as in their
    code. There a changed token may become a special one.

    Example:
        >>> tokens = torch.tensor([[1, 4, 5, 6, 7, 8, 9, 2]])
        >>> generator = torch.Generator().manual_seed(0)
        >>> batch = mask_tokens(tokens, vocab_size=11, mask_id=10, share=0.5, generator=generator)
        >>> batch.chosen.sum().item(), torch.equal(batch.labels, tokens)
        (3, True)
    """
    _require_shares(share=share, masked=masked, changed=changed)
    is_word = _words(vocab_size, mask_id, specials)
    require_tokens("tokens", tokens, "(batch, length)")
    if padding_mask is None:
        padding_mask = torch.ones_like(tokens, dtype=torch.bool)
    require_padding_mask("padding_mask", padding_mask, tokens)
    require_ids("tokens", tokens, vocab_size, padding_mask)

    candidate = is_word[tokens.masked_fill(~padding_mask, mask_id)]  # (batch, length)
    count = candidate.sum(1)
    wanted = torch.where(count > 0, (count * share).round().clamp(min=1), 0)  # (batch,)
    # Random numbers in order: a text's first so many candidates are as many drawn ones.
    chance = torch.rand(tokens.shape, generator=generator).masked_fill(~candidate, 2.0)
    rank = chance.argsort(1).argsort(1)
    chosen = rank < wanted[:, None]  # (batch, length)

    fate = torch.rand(tokens.shape, generator=generator)
    words = is_word.nonzero().squeeze(1)
    drawn = words[torch.randint(len(words), tokens.shape, generator=generator)]
    read = torch.where(chosen & (fate >= 1 - changed), drawn, tokens)
    read = read.masked_fill(chosen & (fate < masked), mask_id)
    return MaskedBatch(read, padding_mask, tokens, chosen)


class MaskedBatches:
    """Sentences with other words hidden in every epoch (chapter 18).

    Args:
        sentences: the token ids of each, without marks; they get both.
        batch_size, bucket: as for `SentenceBatches`.
        vocab_size, mask_id: as for `mask_tokens`.
        generator: what chance is drawn from, on the CPU. None keeps the sentences' order and hides
            the same words in every epoch, as a validation needs it.
        options: the shares of `mask_tokens`.

    Raises:
        TypeError, ValueError: as `SentenceBatches`, and as `mask_tokens` at the first batch.

    Example:
        >>> batches = MaskedBatches([[4, 5], [6]], batch_size=2, vocab_size=8, mask_id=7)
        >>> [tuple(batch.chosen.sum(1).tolist()) for batch in batches]
        [(1, 1)]
    """

    def __init__(
        self,
        sentences: Sequence[Sequence[int]],
        *,
        batch_size: int,
        vocab_size: int,
        mask_id: int,
        bucket: int = 1,
        generator: torch.Generator | None = None,
        **options: float,
    ):
        self.batches = SentenceBatches(
            sentences, batch_size=batch_size, bucket=bucket, generator=generator
        )
        self.generator = generator
        self.options = {"vocab_size": vocab_size, "mask_id": mask_id} | options

    def __iter__(self) -> Iterator[MaskedBatch]:
        generator = self.generator
        if generator is None:
            generator = torch.Generator().manual_seed(0)
        for batch in self.batches:
            yield mask_tokens(*batch, **self.options, generator=generator)

    def __len__(self) -> int:
        return len(self.batches)


def _words(vocab_size: int, mask_id: int, specials: Sequence[int]) -> Bool[Tensor, "vocabulary"]:
    """Say of each id whether it is a word."""
    require_integer("vocab_size", vocab_size, least=1)
    specials = list(specials)
    for name, ids in (("mask_id", [mask_id]), ("specials", specials)):
        for each in ids:
            require_integer(name, each)
            if not 0 <= each < vocab_size:
                raise ValueError(f"{name} must lie in 0 ... {vocab_size - 1}, got {each}")
    is_word = torch.ones(vocab_size, dtype=torch.bool)
    is_word[[mask_id, *specials]] = False
    if not is_word.any():
        raise ValueError(
            f"specials and mask_id must leave a word of the {vocab_size} ids, got all of them"
        )
    return is_word


def _require_shares(*, share: float, masked: float, changed: float) -> None:
    for name, given in (("share", share), ("masked", masked), ("changed", changed)):
        require_number(name, given)
        if not 0 <= given <= 1:
            raise ValueError(f"{name} must lie in [0, 1], got {given}")
    if masked + changed > 1:
        raise ValueError(
            f"masked and changed must be 1 at most together, got {masked} and {changed}"
        )
