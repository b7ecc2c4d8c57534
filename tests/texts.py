"""Sentences and arbitrary texts, for the tests of vocabularies."""

from __future__ import annotations

import unicodedata

from hypothesis import strategies as st

CAPTIONS = [
    "a dog runs over the grass",
    "a small dog and a cat",
    "two cats sleep on the grass , and a dog 's toy lies there .",
    "un chien court dans l' herbe",
    "ein Hund läuft über die Wiese",
] * 3

# ▁ stands for a space in byte pairs; surrogates are no characters.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="▁"), max_size=40)


def composed(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())
