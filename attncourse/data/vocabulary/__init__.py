"""Tokens and vocabularies: from a sentence to numbers and back (chapter 04; byte pairs, 11).

| module | what it holds |
|---|---|
| `splitting` | a text cut into words, and words put together as people write |
| `base` | what every vocabulary can do, and the special tokens |
| `words` | `Vocabulary`, which numbers words |
| `subwords` | `BytePairVocabulary`, which numbers parts of words |
| `byte_pairs` | how those parts are found, in plain Python |

In both vocabularies the first four numbers are the special tokens', and the rest of the course
cannot tell them apart.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from attncourse.data.vocabulary.base import BOS, EOS, PAD, SPECIALS, UNK, BaseVocabulary
from attncourse.data.vocabulary.splitting import join_words, split_words
from attncourse.data.vocabulary.subwords import BytePairVocabulary
from attncourse.data.vocabulary.words import Vocabulary

__all__ = [
    "BOS",
    "EOS",
    "PAD",
    "SPECIALS",
    "UNK",
    "BaseVocabulary",
    "BytePairVocabulary",
    "Vocabulary",
    "from_state",
    "join_words",
    "load_vocabulary",
    "split_words",
]


def from_state(state: dict) -> BaseVocabulary:
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


def load_vocabulary(path: str | os.PathLike) -> BaseVocabulary:
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
