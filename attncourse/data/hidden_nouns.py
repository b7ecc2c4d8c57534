"""Names from context (chapter 18): nouns of captions are hidden, and their kinds are asked for.

a <unk> walks her dog on the <unk> .       # a person, a place; the dog was left visible
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from attncourse.checks import require_number
from attncourse.data.real import multi30k
from attncourse.data.vocabulary import SPECIALS, UNK, split_words

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
SHARE = 0.4


class HiddenNouns(NamedTuple):
    """A caption some of whose nouns are hidden (chapter 18).

    Attributes:
        words: the caption, `<unk>` where a noun was.
        kinds: of each word its place in `KINDS` if it is hidden, else -1.
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
            KINDS.index(KIND_OF[word]) if word in KIND_OF and chance.random() < share else -1
            for word in words
        )
        if max(kinds, default=-1) >= 0:
            pairs = zip(words, kinds, strict=True)
            hidden = tuple(SPECIALS[UNK] if kind >= 0 else word for word, kind in pairs)
            found.append(HiddenNouns(hidden, kinds))
    return found
