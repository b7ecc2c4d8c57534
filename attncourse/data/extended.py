"""Numbers for words that a vocabulary does not have: each article lends its own (chapter 13)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attncourse.checks import require_integer, require_several
from attncourse.data.vocabulary import BOS, EOS, PAD, UNK, Vocabulary


class ExtendedVocabulary:
    """A vocabulary and, behind it, the unknown words of one article (chapter 13).

    The first unknown word of the article gets the first number that the vocabulary does not use,
    and so on. These numbers mean something for this article only.

    Args:
        vocabulary: of words, made from the training articles.
        article: the words of one article.
        max_unknown: how many unknown words it may have, as in the model's `max_unknown`.

    Attributes:
        unknown: the article's unknown words, in the order in which they come.

    Raises:
        TypeError: if `article` is one text instead of its words.
        ValueError: if the article is empty, or has more unknown words than `max_unknown`.

    Source: See et al. 2017, section 2.2, whose extended vocabulary this is.

    Example:
        >>> vocabulary = Vocabulary(["rosa", "swims"])  # numbers 4 and 5
        >>> extended = ExtendedVocabulary(vocabulary, ["rosa", "voss", "swims"])
        >>> extended.encode(["rosa", "voss", "swims"]), extended.decode([6])
        ([4, 6, 5], ['voss'])
    """

    def __init__(self, vocabulary: Vocabulary, article: Sequence[str], max_unknown: int = 8):
        require_several("article", article, "words")
        require_integer("max_unknown", max_unknown, least=0)
        if len(article) == 0:
            raise ValueError("article must have at least one word, got none")
        words, ids = vocabulary.pieces(article), vocabulary.encode(article)
        unknown = (word for word, i in zip(words, ids, strict=True) if i == UNK)
        self.vocabulary = vocabulary
        self.unknown = tuple(dict.fromkeys(unknown))
        if len(self.unknown) > max_unknown:
            raise ValueError(
                f"article has {len(self.unknown)} unknown words, but max_unknown is {max_unknown}"
            )
        self._numbers = {word: len(vocabulary) + i for i, word in enumerate(self.unknown)}

    def encode(self, words: Sequence[str]) -> list[int]:
        """Number words of the article or of its summary.

        One that neither the vocabulary nor the article has is `<unk>`.
        """
        pieces, ids = self.vocabulary.pieces(words), self.vocabulary.encode(words)
        return [
            self._numbers.get(piece, UNK) if i == UNK else i
            for piece, i in zip(pieces, ids, strict=True)
        ]

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Give the words of some numbers, up to the first `<eos>`, without padding and `<bos>`.

        A number that this article does not use is `<unk>`.
        """
        tokens = (*self.vocabulary.tokens, *self.unknown)
        words = []
        for number in map(int, ids):
            if number == EOS:
                break
            if number not in (PAD, BOS):
                words.append(tokens[number] if number < len(tokens) else tokens[UNK])
        return words
