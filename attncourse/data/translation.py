"""The embedded corpus: English sentences, their French, and which words belong together (ch. 04).

Nothing is downloaded: `attncourse.data.grammar` draws the sentences. Two test sets ask for more
than memory: one puts words together that were apart in training, one is longer than training.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count

from attncourse.data.grammar.clauses import Pair
from attncourse.data.grammar.drawing import Drawer
from attncourse.data.grammar.words import CAPITALS
from attncourse.data.vocabulary import join_words

SHORTEST = 3  # "they sleep ."
LONGER = 11  # sentences of the length test have up to so many words more than those of training
PATIENCE = 3000  # draws in a row that bring nothing new, before a request is given up


@dataclass(frozen=True)
class TranslationPairs:
    """The embedded corpus, in parts that share no English sentence (chapter 04).

    Attributes:
        train: what models learn from.
        validation: drawn as `train` is.
        composition: each holds an adjective with a noun, or a noun as the subject of a verb, that
            never stand together in training.
        length: each has more words than any sentence of training, in English.
    """

    train: tuple[Pair, ...]
    validation: tuple[Pair, ...]
    composition: tuple[Pair, ...]
    length: tuple[Pair, ...]


def translation_pairs(
    seed: int = 0,
    *,
    train: int = 20_000,
    validation: int = 1_000,
    composition: int = 1_000,
    length: int = 1_000,
    max_words: int = 25,
) -> TranslationPairs:
    """Make the embedded corpus (chapter 04).

    The same arguments give the same corpus on every machine. A smaller training part is the
    beginning of a larger one. Every word of the other parts, English or French, is in training.

    Args:
        seed: what chance is drawn from, 0 or more.
        train: the number of pairs to learn from.
        validation: the number of pairs drawn in the same way.
        composition: the number of pairs with words that are apart in training.
        length: the number of pairs longer than those of training.
        max_words: the longest English sentence of training, its full stop included.

    Returns:
        The four parts. No English sentence comes twice.

    Raises:
        TypeError: if an argument is not a whole number.
        ValueError: if one is too small, or a part asks for more sentences than can be found.

    Source: the two ways of holding out follow Lake and Baroni 2018, experiments 2 and 3.

    Example:
        >>> pairs = translation_pairs(train=500, validation=10, composition=10, length=10)
        >>> pair = pairs.train[7]
        >>> detokenise(pair.source), detokenise(pair.target, "fr")
        ('Her two old honest kings read eight Italian poems.',
         'Ses deux vieux rois honnêtes lisent huit poèmes italiens.')
    """
    sizes = {
        "train": train,
        "validation": validation,
        "composition": composition,
        "length": length,
    }
    for name, value in {"seed": seed, "max_words": max_words, **sizes}.items():
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"{name} must be a whole number, got {type(value).__name__}")
        least = {"max_words": SHORTEST}.get(name, 0)
        if value < least:
            raise ValueError(f"{name} must be {least} or more, got {value}")

    collecting = gc.isenabled()
    gc.disable()  # it would look through all pairs so far again and again, and take half the time
    try:
        return TranslationPairs(**_parts(seed, sizes, max_words))
    finally:
        if collecting:
            gc.enable()


def _parts(seed: int, sizes: dict[str, int], max_words: int) -> dict[str, tuple[Pair, ...]]:
    taken: set[tuple[str, ...]] = set()
    known: set[str] = set()
    parts = {}
    for number, (name, size) in enumerate(sizes.items()):
        shortest, longest = SHORTEST, max_words
        if name == "length":
            shortest, longest = max_words + 1, max_words + LONGER
        drawer = Drawer(len(sizes) * seed + number, unseen=name == "composition")
        part = []
        waited = 0
        lengths = count()
        while len(part) < size:
            pair = drawer.draw(shortest + next(lengths) % (longest - shortest + 1))
            waited += 1
            if waited > PATIENCE:
                raise ValueError(
                    f"{name} asks for {size} pairs, but after {len(part)} no new sentence of "
                    f"{shortest} to {longest} words was found"
                    + ("" if name == "train" else " whose words are all in training")
                )
            source, target = pair.source, pair.target
            if not shortest <= len(source) <= longest or source in taken:
                continue
            if name != "train" and not (known.issuperset(source) and known.issuperset(target)):
                continue
            taken.add(source)
            part.append(pair)
            waited = 0
        parts[name] = tuple(part)
        if name == "train":
            known.update(*(pair.source for pair in part), *(pair.target for pair in part))
    return parts


def detokenise(tokens: Iterable[str], language: str = "en") -> str:
    """Write the words of a sentence as they are printed (chapters 04 and 05).

    Args:
        tokens: the words, as in a `Pair`.
        language: "en" or "fr"; French sets a space before a question mark.

    Returns:
        The sentence, with its capital, its apostrophes and its marks in place.

    Raises:
        ValueError: if `language` is another.

    Example:
        >>> detokenise(["i", "see", "the", "boy", "'s", "dog", "."])
        "I see the boy's dog."
        >>> detokenise(["est-ce", "qu'", "il", "n'", "a", "pas", "d'", "âne", "?"], "fr")
        "Est-ce qu'il n'a pas d'âne ?"
    """
    if language not in ("en", "fr"):
        raise ValueError(f'language must be "en" or "fr", got {language!r}')
    words = (token.capitalize() if token in CAPITALS else token for token in tokens)
    return join_words(words, language)
