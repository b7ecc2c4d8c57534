"""Words and their numbers (chapter 04)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from attncourse.data.vocabulary.base import SPECIALS, BaseVocabulary, as_words, require_training


class Vocabulary(BaseVocabulary):
    """Words and their numbers (chapter 04).

    Numbers 0 to 3 are `<pad>`, `<bos>`, `<eos>` and `<unk>`; the words follow. A sentence is a
    text with its words set apart by white space, or a sequence of words.

    Args:
        words: the words in the order of their numbers, without the special tokens.

    Attributes:
        tokens: every token, the special ones first; its place is its number.

    Raises:
        TypeError: if `words` is one text.
        ValueError: if a word comes twice, is empty, holds white space or is a special token.

    Example:
        >>> vocabulary = Vocabulary.build(["a dog and a cat", "a dog"], min_count=2)
        >>> vocabulary.tokens
        ('<pad>', '<bos>', '<eos>', '<unk>', 'a', 'dog')
        >>> vocabulary.encode("a cat"), vocabulary.decode([4, 3])
        ([4, 3], 'a <unk>')
    """

    kind = "words"

    def __init__(self, words: Iterable[str]):
        super().__init__(words)

    @classmethod
    def build(
        cls,
        sentences: Iterable[str | Sequence[str]],
        *,
        min_count: int = 1,
        max_size: int | None = None,
    ) -> Vocabulary:
        """Number the words of some sentences, the commonest first.

        Build it from the training sentences alone: a word that only the test holds is unknown.

        Args:
            sentences: what is counted.
            min_count: how often a word must occur to be numbered, 1 or more.
            max_size: how many tokens there may be, the special ones included; `None`: any.

        Returns:
            The vocabulary. Words of equal count follow one another by code point, so that the
            order of the sentences never matters.

        Raises:
            TypeError: if `sentences` is one text instead of many.
            ValueError: if `min_count` is below 1, or `max_size` leaves no room for a word.
        """
        require_training(sentences, min_count)
        if max_size is not None and max_size <= len(SPECIALS):
            raise ValueError(f"max_size must be more than {len(SPECIALS)}, got {max_size}")
        counts = Counter(word for sentence in sentences for word in as_words(sentence))
        for special in SPECIALS:
            counts.pop(special, None)
        words = sorted((w for w in counts if counts[w] >= min_count), key=lambda w: (-counts[w], w))
        return cls(words if max_size is None else words[: max_size - len(SPECIALS)])

    def pieces(self, sentence: str | Sequence[str]) -> list[str]:
        """Cut a sentence into its words; those that have no number stay readable."""
        return as_words(sentence)

    def join(self, pieces: Sequence[str]) -> str:
        """Set words one beside the other, a space between any two."""
        return " ".join(pieces)
