"""Names from context (chapter 18): nouns of captions are hidden, and their kinds are asked for.

a <unk> walks her dog on the <unk> .       # a person, a place; the dog was left visible
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from attncourse.checks import require_integer, require_number
from attncourse.data.batches import pad
from attncourse.data.real import multi30k
from attncourse.data.vocabulary import BOS, EOS, SPECIALS, UNK, Vocabulary, split_words

_NOUNS = {
    "person": "man woman men women people girl girls boy boys child children person lady ladies "
    "guy guys kid kids player players baby toddler worker workers crowd couple family gentleman "
    "adult adults mother father vendor student students friends musician musicians officer bride "
    "skier surfer biker rider runner skateboarder snowboarder spectators onlookers artist son",
    "clothing": "shirt shirts hat hats jacket jackets shorts pants jeans dress dresses coat suit "
    "suits helmet helmets uniform uniforms vest vests cap sweater t-shirt sunglasses glasses "
    "sweatshirt skirt scarf apron jersey boots goggles shoes gloves costume costumes bikini tie "
    "outfit outfits hoodie robe socks",
    "animal": "dog dogs horse horses bird birds fish bull cat cats cow cows puppy sheep goat goats "
    "elephant camel camels monkey duck ducks pigeons animal animals lion tiger",
    "vehicle": "bike bikes bicycle bicycles car cars boat boats truck bus train motorcycle scooter "
    "vehicle vehicles cart van taxi canoe kayak raft tractor wagon motorbike ship airplane",
    "place": "street streets beach field park sidewalk building buildings city road pool stage "
    "restaurant store room river ocean lake mountain mountains forest kitchen market hill yard "
    "house playground school station bridge path bar shop court track trail woods",
}
KINDS = tuple(_NOUNS)
KIND_OF = {word: kind for kind, words in _NOUNS.items() for word in words.split()}
SHARE, NOT_ASKED = 0.4, -1


class HiddenNouns(NamedTuple):
    """A caption some of whose nouns are hidden (chapter 18).

    Attributes:
        words: the caption, `<unk>` where a noun was.
        kinds: of each word its place in `KINDS` if it is hidden, else -1, `NOT_ASKED`.
    """

    words: tuple[str, ...]
    kinds: tuple[int, ...]


def english_captions(split: str) -> list[list[str]]:
    """Give the words of Multi30k's English captions (chapter 18).

    Args:
        split: as for `multi30k`.

    Raises:
        DataError, ValueError: as `multi30k`.

    Example:
        >>> english_captions("val")[0][:5]  # doctest: +SKIP
        ['a', 'group', 'of', 'men', 'are']
    """
    return [split_words(pair.source).split() for pair in multi30k("en", "fr", split)]


def hide_nouns(
    captions: Iterable[Sequence[str]], *, share: float = SHARE, seed: int = 0
) -> list[HiddenNouns]:
    """Hide some nouns of each caption (chapter 18).

    Each noun of `KIND_OF` is hidden with probability `share`, whatever the others are. A caption in
    which none would be is left out: it asks for nothing.

    Args:
        captions: their words.
        share: from 0 to 1.
        seed: what is hidden depends on it and on the captions alone.

    Returns:
        The captions in which something is hidden, in their order.

    Raises:
        TypeError: if a caption is one text instead of words, or the share no number.
        ValueError: if the share is outside [0, 1].

    Example:
        >>> (caption,) = hide_nouns(["a dog runs on a beach .".split()], share=1.0)
        >>> " ".join(caption.words), [KINDS[kind] for kind in caption.kinds if kind >= 0]
        ('a <unk> runs on a <unk> .', ['animal', 'place'])
    """
    require_number("share", share)
    if not 0 <= share <= 1:
        raise ValueError(f"share must lie in [0, 1], got {share}")
    chance, found = random.Random(seed), []
    for words in captions:
        if isinstance(words, str):
            raise TypeError(f"captions must hold lists of words, got the text {words!r}")
        kinds = tuple(
            KINDS.index(KIND_OF[word]) if word in KIND_OF and chance.random() < share else NOT_ASKED
            for word in words
        )
        if max(kinds, default=NOT_ASKED) != NOT_ASKED:
            pairs = zip(words, kinds, strict=True)
            hidden = tuple(SPECIALS[UNK] if kind >= 0 else word for word, kind in pairs)
            found.append(HiddenNouns(hidden, kinds))
    return found


class HiddenNounBatch(NamedTuple):
    """Captions with hidden nouns as numbers (chapter 18).

    Attributes:
        tokens: (batch, length), ids, a begin mark first and an end mark last.
        padding_mask: (batch, length), True at real tokens.
        kinds: (batch, length), places in `KINDS`; -1 where nothing is asked.
    """

    tokens: Int64[Tensor, "batch length"]
    padding_mask: Bool[Tensor, "batch length"]
    kinds: Int64[Tensor, "batch length"]


class HiddenNounBatches:
    """An epoch of batches whenever it is iterated, for `fit` (chapter 18).

    Args:
        captions: as `hide_nouns` gives them.
        vocabulary: its numbers are those of the words.
        batch_size: captions a batch; the last has fewer.
        generator: what the order is drawn from, on the CPU; None keeps it.

    Raises:
        TypeError: if the size is no integer.
        ValueError: if the size is not positive, or there is no caption.

    Example:
        >>> captions = hide_nouns([["a", "dog", "runs"], ["men"]], share=1.0)
        >>> vocabulary = Vocabulary.build([["a", "runs"]])
        >>> (batch,) = HiddenNounBatches(captions, vocabulary, batch_size=2)
        >>> batch.tokens.shape, batch.kinds.tolist()
        (torch.Size([2, 5]), [[-1, -1, 2, -1, -1], [-1, 0, -1, -1, -1]])
    """

    def __init__(
        self,
        captions: Sequence[HiddenNouns],
        vocabulary: Vocabulary,
        *,
        batch_size: int,
        generator: torch.Generator | None = None,
    ):
        require_integer("batch_size", batch_size, least=1)
        if len(captions) == 0:
            raise ValueError("captions must hold at least one caption, got none")
        self.tokens = [[BOS, *vocabulary.encode(caption.words), EOS] for caption in captions]
        self.kinds = [caption.kinds for caption in captions]
        self.batch_size = batch_size
        self.generator = generator

    def __iter__(self) -> Iterator[HiddenNounBatch]:
        order = torch.arange(len(self.tokens))
        if self.generator is not None:
            order = torch.randperm(len(self.tokens), generator=self.generator)
        for rows in order.split(self.batch_size):
            yield self._batch(rows.tolist())

    def __len__(self) -> int:
        return -(-len(self.tokens) // self.batch_size)

    def _batch(self, rows: list[int]) -> HiddenNounBatch:
        tokens, lengths = pad([self.tokens[row] for row in rows])
        kinds = torch.full_like(tokens, NOT_ASKED)
        for place, row in enumerate(rows):
            asked = torch.tensor(self.kinds[row])
            kinds[place, 1 : 1 + len(asked)] = asked  # behind the begin mark
        return HiddenNounBatch(tokens, torch.arange(tokens.shape[1]) < lengths[:, None], kinds)
