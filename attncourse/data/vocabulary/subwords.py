"""Parts of words and their numbers, found by byte pairs (chapter 11)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from attncourse.data.vocabulary.base import SPECIALS, BaseVocabulary, as_words, require_training


class BytePairVocabulary(BaseVocabulary):
    """Parts of words and their numbers: byte-pair encoding (chapter 11).

    Training starts from single characters and keeps joining the pair that occurs most, so that
    common words become one piece and a rare one a few. A piece that begins a word begins with
    `▁`; a sentence that holds this sign itself is read as if it were a space. No piece joins
    punctuation with letters. Only a character never seen in training is unknown.

    A library does the work; `attncourse.data.vocabulary.byte_pairs` shows it in plain Python.

    Args:
        tokens: the pieces in the order of their numbers, without the special tokens.
        merges: the pairs that were joined, in the order of training.

    Raises:
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
        self._cut = _tokenizer({t: i for i, t in enumerate(self.tokens)}, self.merges)

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
            TypeError: if `sentences` is one text instead of many.
            ValueError: if `min_count` is below 1, or `size` cannot hold the special tokens and
                every character; the message says how many that takes.
        """
        require_training(sentences, min_count)
        texts = [" ".join(as_words(sentence)) for sentence in sentences]
        least = len(SPECIALS) + len(set("".join(texts)) - {" "} | {"▁"})
        if size < least:
            raise ValueError(
                f"size must be at least {least}, got {size}: the special tokens and "
                "each character of the sentences"
            )
        from tokenizers.trainers import BpeTrainer

        learner = _tokenizer(None, None)
        # Neither a prefix nor a suffix for pieces: the library numbers those in the order of a
        # hash table, and then ties fall differently on every run.
        trainer = BpeTrainer(
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
        return self._cut.encode(" ".join(as_words(sentence))).tokens

    def join(self, pieces: Sequence[str]) -> str:
        """Put pieces together again; a space stands where one begins a word."""
        return " ".join("".join(pieces).replace("▁", " ").split())

    def state(self) -> dict:
        return {**super().state(), "merges": [list(merge) for merge in self.merges]}


def _tokenizer(ids: dict[str, int] | None, merges: Sequence[tuple[str, str]] | None):
    from tokenizers import Tokenizer, models, pre_tokenizers  # only who needs it waits for it

    model = models.BPE(vocab=ids, merges=merges and list(merges), unk_token="<unk>")
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always"),
            pre_tokenizers.Punctuation("isolated"),
        ]
    )
    return tokenizer
