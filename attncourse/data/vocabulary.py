"""Tokens and vocabularies: from a sentence to numbers and back (chapter 04; byte pairs, 11).

A vocabulary cuts a sentence into pieces and numbers them. `Vocabulary` cuts it into words, and
`BytePairVocabulary` into parts of words; the rest of the course cannot tell them apart. In both,
the first four numbers are the special tokens'.
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from attncourse.data.files import write_atomically

SPECIALS = ("<pad>", "<bos>", "<eos>", "<unk>")  # padding, begin, end, unknown
PAD, BOS, EOS, UNK = range(4)

# An elided French word keeps its apostrophe (l' herbe, qu' il), an English ending too (dog 's).
_WORD = re.compile(r"\b(?:[cdjlmnst]|\w*qu)'(?=\w)|\w+(?:-\w+)*|'\w+|[^\w\s]")


def split_words(text: str) -> str:
    """Set words and punctuation apart by single spaces, in lower case (chapter 04).

    A plain rule for English, French and German: enough to train on, reversible only roughly.

    Args:
        text: a sentence as people write it.

    Returns:
        Its words and marks, a space between any two.

    Example:
        >>> split_words("The dog's toy isn't in the grass.")
        "the dog 's toy isn 't in the grass ."
        >>> split_words("Qu’il dorme dans l'herbe !")
        "qu' il dorme dans l' herbe !"
    """
    text = unicodedata.normalize("NFC", text).replace("’", "'")
    return " ".join(_WORD.findall(text.lower()))


def _words(sentence: str | Sequence[str]) -> list[str]:
    """Return the words of a sentence in Unicode's composed form, so that é is one sign."""
    if not isinstance(sentence, str):
        if not isinstance(sentence, Sequence) or not all(isinstance(w, str) for w in sentence):
            raise TypeError(f"a sentence must be a text or its words, got {sentence!r}")
        sentence = " ".join(sentence)
    # Half a sign, as stands for a byte that is no UTF-8, can be neither numbered nor saved.
    sentence = re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", sentence)
    return unicodedata.normalize("NFC", sentence).split()


class Vocabulary:
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
        if isinstance(words, str):
            raise TypeError("words must be several words, got one str")
        self.tokens = (*SPECIALS, *words)
        self._ids = {token: i for i, token in enumerate(self.tokens)}
        if len(self._ids) < len(self.tokens):
            twice = next(token for token, n in Counter(self.tokens).items() if n > 1)
            raise ValueError(f"words must be distinct and not special, got {twice!r} twice")
        for word in self.tokens:
            if _words(word) != [word]:
                raise ValueError(f"words must be without white space, composed, got {word!r}")
        # So that a text that holds "<eos>" cannot end a sentence.
        for special in SPECIALS:
            del self._ids[special]

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
        if isinstance(sentences, str):
            raise TypeError("sentences must be several sentences, got one str")
        if min_count < 1:
            raise ValueError(f"min_count must be at least 1, got {min_count}")
        if max_size is not None and max_size <= len(SPECIALS):
            raise ValueError(f"max_size must be more than {len(SPECIALS)}, got {max_size}")
        counts = Counter(word for sentence in sentences for word in _words(sentence))
        for special in SPECIALS:
            counts.pop(special, None)
        words = sorted((w for w in counts if counts[w] >= min_count), key=lambda w: (-counts[w], w))
        return cls(words if max_size is None else words[: max_size - len(SPECIALS)])

    def pieces(self, sentence: str | Sequence[str]) -> list[str]:
        """Cut a sentence into what is numbered, one string a piece; unknown ones stay readable."""
        return _words(sentence)

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
        return self._join(shown)

    def _join(self, pieces: list[str]) -> str:
        return " ".join(pieces)

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: str) -> bool:
        return token in self._ids

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.state() == other.state()

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


class BytePairVocabulary(Vocabulary):
    """Parts of words and their numbers: byte-pair encoding (chapter 11).

    Training starts from single characters and keeps joining the pair that occurs most, so that
    common words become one piece and a rare one a few. A piece that begins a word begins with
    `▁`; a sentence that holds this sign itself is read as if it were a space. No piece joins
    punctuation with letters. Only a character never seen in training is unknown.

    Args:
        tokens: the pieces in the order of their numbers, without the special tokens.
        merges: the pairs that were joined, in the order of training.

    Raises:
        ImportError: if the `tokenizers` library is missing; the message says how to install it.
        ValueError: if the pieces are not distinct, or a merge joins what is not there.

    Source: Sennrich, Haddow and Birch 2016, section 3.2. They mark the end of a word; here its
    beginning is marked, which lets a text be put together again by joining its pieces.

    Example:
        >>> vocabulary = BytePairVocabulary.train(["low lower lowest"] * 5, size=15)
        >>> vocabulary.pieces("low slow"), vocabulary.decode(vocabulary.encode("low slow"))
        (['▁low', '▁', 's', 'lo', 'w'], 'low slow')
    """

    kind = "byte pairs"

    def __init__(self, tokens: Iterable[str], merges: Iterable[Sequence[str]]):
        super().__init__(tokens)
        self.merges = tuple((left, right) for left, right in merges)
        for left, right in self.merges:
            for piece in (left, right, left + right):
                if piece not in self._ids:
                    raise ValueError(
                        f"merges join {left!r} and {right!r}, but no {piece!r} is in the tokens"
                    )
        self._cut = _byte_pair_tokenizer({t: i for i, t in enumerate(self.tokens)}, self.merges)

    @classmethod
    def train(
        cls, sentences: Iterable[str | Sequence[str]], *, size: int, min_count: int = 2
    ) -> BytePairVocabulary:
        """Learn the pieces of some sentences; the same sentences give the same pieces.

        For one vocabulary on both sides of a translation, train it on the sentences of both.

        Args:
            sentences: training sentences, never the test's.
            size: how many tokens there may be, special ones and single characters included.
            min_count: how often a pair must occur to be joined, 1 or more.

        Returns:
            The vocabulary, smaller than `size` where no further pair occurs often enough.

        Raises:
            ImportError: if the `tokenizers` library is missing.
            TypeError: if `sentences` is one text instead of many.
            ValueError: if `min_count` is below 1, or `size` cannot hold the special tokens and
                every character; the message says how many that takes.
        """
        if isinstance(sentences, str):
            raise TypeError("sentences must be several sentences, got one str")
        if min_count < 1:
            raise ValueError(f"min_count must be at least 1, got {min_count}")
        texts = [" ".join(_words(sentence)) for sentence in sentences]
        least = len(SPECIALS) + len(set("".join(texts)) - {" "} | {"▁"})
        if size < least:
            raise ValueError(
                f"size must be at least {least}, got {size}: the special tokens and "
                "each character of the sentences"
            )
        tokenizers = _tokenizers()
        learner = _byte_pair_tokenizer(None, None)
        # Neither a prefix nor a suffix for pieces: the library numbers those in the order of a
        # hash table, and then ties fall differently on every run.
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=size,
            min_frequency=min_count,
            special_tokens=list(SPECIALS),
            initial_alphabet=["▁"],
            show_progress=False,
        )
        learner.train_from_iterator(texts, trainer)
        model = json.loads(learner.to_str())["model"]
        tokens = sorted(model["vocab"], key=model["vocab"].get)
        # Older versions of the library write a merge as one text.
        merges = [m.split(" ") if isinstance(m, str) else m for m in model["merges"]]
        return cls(tokens[len(SPECIALS) :], merges)

    def pieces(self, sentence: str | Sequence[str]) -> list[str]:
        """Cut a sentence into its pieces; a character that is unknown reads `<unk>`."""
        return self._cut.encode(" ".join(_words(sentence))).tokens

    def _join(self, pieces: list[str]) -> str:
        return " ".join("".join(pieces).replace("▁", " ").split())

    def state(self) -> dict:
        return {**super().state(), "merges": [list(merge) for merge in self.merges]}


def _tokenizers():
    try:
        import tokenizers
    except ImportError as error:
        raise ImportError(
            "byte pairs need the library tokenizers, which is missing: pip install tokenizers"
        ) from error
    return tokenizers


def _byte_pair_tokenizer(ids: dict[str, int] | None, merges: Sequence[tuple[str, str]] | None):
    tokenizers = _tokenizers()
    model = tokenizers.models.BPE(vocab=ids, merges=merges and list(merges), unk_token="<unk>")
    tokenizer = tokenizers.Tokenizer(model)
    cut = tokenizers.pre_tokenizers
    tokenizer.pre_tokenizer = cut.Sequence(
        [cut.Metaspace(replacement="▁", prepend_scheme="always"), cut.Punctuation("isolated")]
    )
    return tokenizer


def from_state(state: dict) -> Vocabulary:
    """Make the vocabulary that `state()` described, of either kind.

    Raises:
        ValueError: if `state` is not such a description.

    Example:
        >>> from_state(Vocabulary(["a", "dog"]).state())
        Vocabulary(6 tokens)
    """
    kind = state.get("kind") if isinstance(state, dict) else None
    wanted = {"words": ("tokens",), "byte pairs": ("tokens", "merges")}.get(str(kind))
    if wanted is None:
        raise ValueError(f"state must be of kind 'words' or 'byte pairs', got {kind!r}")
    for name in wanted:
        if not isinstance(state.get(name), list):
            raise ValueError(f"state of kind {kind!r} must have a list of {name}")
    if not all(isinstance(token, str) for token in state["tokens"]):
        raise ValueError("tokens must be texts")
    if kind == "words":
        return Vocabulary(state["tokens"])
    for merge in state["merges"]:
        is_pair = isinstance(merge, list) and len(merge) == 2
        if not is_pair or not all(isinstance(piece, str) for piece in merge):
            raise ValueError(f"merges must be pairs of texts, got {merge!r}")
    return BytePairVocabulary(state["tokens"], state["merges"])


def load_vocabulary(path: str | os.PathLike) -> Vocabulary:
    """Read a vocabulary of either kind that `save` wrote.

    Args:
        path: the JSON file.

    Returns:
        The vocabulary, equal to the one saved.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is cut off, or is no vocabulary; the message names it.
    """
    try:
        return from_state(json.loads(Path(path).read_text(encoding="utf-8")))
    except ValueError as error:  # also what json and the decoding raise
        raise ValueError(f"{path} is not a whole vocabulary: {error}") from error
