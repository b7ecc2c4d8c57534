"""A text cut into words, and words put together as people write (chapter 04)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

# An elided French word keeps its apostrophe (l' herbe, qu' il), an English ending too (dog 's).
_WORD = re.compile(r"\b(?:[cdjlmnst]|\w*qu)'(?=\w)|\w+(?:-\w+)*|'\w+|[^\w\s]")
_TYPOGRAPHIC = str.maketrans({"’": "'", "ʼ": "'", "‐": "-", "\u2011": "-"})


def split_words(text: str) -> str:
    """Set words and punctuation apart by single spaces, in lower case (chapter 04).

    A plain rule for English, French and German. It makes of a text what the recipes train on,
    however the text was typed: what shows nothing on paper is left out (byte order marks,
    zero-width spaces, soft hyphens), letters are composed, apostrophes and hyphens are plain. The
    recorded trainings read `aujourd 'hui`, cut as `dog 's` is; joined, it is one word again.

    Args:
        text: a sentence as people write it.

    Returns:
        Its words and marks, a space between any two; `join_words` joins them again.

    Example:
        >>> split_words("The dog's toy isn't in the grass.")
        "the dog 's toy isn 't in the grass ."
        >>> split_words("Qu’il dorme dans l'herbe !")
        "qu' il dorme dans l' herbe !"
    """
    text = "".join(sign for sign in text if sign.isspace() or not _is_invisible(sign))
    text = unicodedata.normalize("NFC", text).translate(_TYPOGRAPHIC)
    return " ".join(_WORD.findall(text.lower()))


def _is_invisible(sign: str) -> bool:
    return unicodedata.category(sign) in ("Cc", "Cf")  # control and format characters


def join_words(words: Iterable[str], language: str = "en") -> str:
    """Put words and marks together as people write them (chapter 04).

    Args:
        words: as `split_words` sets them apart.
        language: "fr" has a space before `?`, `!`, `:` and `;`, any other has none.

    Returns:
        The sentence, with a capital at its beginning, its apostrophes and its marks in place.

    Example:
        >>> join_words("the dog 's toy isn 't in the grass .".split())
        "The dog's toy isn't in the grass."
        >>> join_words("qu' il dorme aujourd 'hui dans l' herbe !".split(), "fr")
        "Qu'il dorme aujourd'hui dans l'herbe !"
    """
    closing = set(".,)]}…%") | (set() if language == "fr" else set("?!:;"))
    text, quoted = "", False
    glued = True  # the next word follows without a space
    for word in words:
        if word == '"':
            quoted = not quoted
        joined = glued or word in closing or word.startswith("'") or (word == '"' and not quoted)
        text += word if joined else f" {word}"
        glued = (word.endswith("'") and word != "'") or word in "([{" or (word == '"' and quoted)
    return text[:1].upper() + text[1:]
