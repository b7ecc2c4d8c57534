"""What every vocabulary can do: number pieces of text, and read numbers back (chapter 04)."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence

from attncourse.data.files import write_atomically

SPECIALS = ("<pad>", "<bos>", "<eos>", "<unk>")  # padding, begin, end, unknown
PAD, BOS, EOS, UNK = range(4)


class BaseVocabulary(ABC):
    """Tokens and their numbers; how a sentence is cut into tokens, a subclass says (chapter 04).

    Numbers 0 to 3 are `<pad>`, `<bos>`, `<eos>` and `<unk>`. A sentence is a text with its words
    set apart by white space, or a sequence of words.

    Args:
        tokens: in the order of their numbers, without the special ones.

    Attributes:
        tokens: every token, the special ones first; its place is its number.

    Raises:
        TypeError: if `tokens` is one text.
        ValueError: if a token comes twice, is empty, holds white space or is a special one.
    """

    kind: str  # as a saved vocabulary names it

    def __init__(self, tokens: Iterable[str]):
        if isinstance(tokens, str):
            raise TypeError("words must be several words, got one str")
        self.tokens = (*SPECIALS, *tokens)
        self._ids = {token: i for i, token in enumerate(self.tokens)}
        if len(self._ids) < len(self.tokens):
            twice = next(token for token, n in Counter(self.tokens).items() if n > 1)
            raise ValueError(f"words must be distinct and not special, got {twice!r} twice")
        for token in self.tokens:
            if as_words(token) != [token]:
                raise ValueError(f"words must be without white space, composed, got {token!r}")
        # So that a text that holds "<eos>" cannot end a sentence.
        for special in SPECIALS:
            del self._ids[special]

    @abstractmethod
    def pieces(self, sentence: str | Sequence[str]) -> list[str]:
        """Cut a sentence into what is numbered, one string a piece."""

    @abstractmethod
    def join(self, pieces: Sequence[str]) -> str:
        """Put pieces together again, a space between any two words."""

    def encode(self, sentence: str | Sequence[str]) -> list[int]:
        """Return the numbers of a sentence's pieces, without begin or end.

        Args:
            sentence: a text, or its words.

        Returns:
            One number a piece; 3, `<unk>`, for a piece that has none.
        """
        return [self._ids.get(piece, UNK) for piece in self.pieces(sentence)]

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of some numbers, up to the first `<eos>`.

        Args:
            ids: numbers, such as a model's output or a row of a padded batch.

        Returns:
            The text. `<pad>` and `<bos>` are left out, and `<unk>` is written as such.

        Raises:
            ValueError: if a number is not in the vocabulary.
        """
        shown = []
        for number in ids:
            number = int(number)
            if not 0 <= number < len(self.tokens):
                raise ValueError(f"ids must lie in 0 ... {len(self.tokens) - 1}, got {number}")
            if number == EOS:
                break
            if number not in (PAD, BOS):
                shown.append(self.tokens[number])
        return self.join(shown)

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: str) -> bool:
        return token in self._ids

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BaseVocabulary) and self.state() == other.state()

    __hash__ = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} tokens)"

    def state(self) -> dict:
        """Return all there is to know, as what JSON can hold; `from_state` reads it."""
        return {"kind": self.kind, "tokens": list(self.tokens[len(SPECIALS) :])}

    def save(self, path: str | os.PathLike) -> None:
        """Write the vocabulary to a JSON file, whole or not at all; `load_vocabulary` reads it."""
        text = json.dumps(self.state(), ensure_ascii=False, indent=0)
        write_atomically(path, text.encode("utf-8") + b"\n")


def as_words(sentence: str | Sequence[str]) -> list[str]:
    """Return the words of a sentence in Unicode's composed form, so that é is one sign."""
    if not isinstance(sentence, str):
        if not isinstance(sentence, Sequence) or not all(isinstance(w, str) for w in sentence):
            raise TypeError(f"a sentence must be a text or its words, got {sentence!r}")
        sentence = " ".join(sentence)
    # Half a sign, as stands for a byte that is no UTF-8, can be neither numbered nor saved.
    sentence = re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", sentence)
    return unicodedata.normalize("NFC", sentence).split()


def require_training(sentences: object, min_count: int) -> None:
    """Refuse one text in place of many, and a count that is never reached from below."""
    if isinstance(sentences, str):
        raise TypeError("sentences must be several sentences, got one str")
    if min_count < 1:
        raise ValueError(f"min_count must be at least 1, got {min_count}")
