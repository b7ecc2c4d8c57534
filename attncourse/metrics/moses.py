"""Text as the Moses tokeniser cuts it, and put together again (chapter 05)."""

from __future__ import annotations

from collections.abc import Sequence

from attncourse.checks import require_several

LANGUAGES = ("en", "de", "fr")


def moses_tokens(texts: Sequence[str], language: str) -> list[str]:
    """Lower-case texts and cut them as the Moses tokeniser does (chapter 05).

    Args:
        texts: as people write them.
        language: theirs, `"en"`, `"de"` or `"fr"`.

    Returns:
        The texts with one space between any two tokens, for `tokenize="none"`.

    Raises:
        ImportError: if the `sacremoses` library is missing.
        TypeError: if `texts` is one text.
        ValueError: if the language is another.

    Example:
        >>> moses_tokens(["L'homme dort."], "fr"), moses_tokens(["The dog's toy."], "en")
        (["l' homme dort ."], ["the dog 's toy ."])
    """
    require_several("texts", texts)
    _require_language(language)
    tokenizer = moses_library().MosesTokenizer(language)
    return [tokenizer.tokenize(text.lower(), return_str=True, escape=False) for text in texts]


def moses_text(words: Sequence[str], language: str) -> str:
    """Put words together to a text as people write it (chapter 05).

    Args:
        words: as `split_words` sets them apart.
        language: theirs, `"en"`, `"de"` or `"fr"`.

    Returns:
        The text, in which punctuation has found its place again.

    Raises:
        ImportError: if the `sacremoses` library is missing.
        TypeError: if `words` is one text.
        ValueError: if the language is another.

    Example:
        >>> moses_text(["the", "dog", "'s", "toy", "."], "en")
        "the dog's toy."
    """
    require_several("words", words, "words")
    _require_language(language)
    return moses_library().MosesDetokenizer(language).detokenize(words, unescape=False)


def moses_library():
    """Give the library, or say how it is installed."""
    try:
        import sacremoses
    except ImportError as error:
        raise ImportError(
            "Moses tokens need the library sacremoses, which is missing: pip install sacremoses"
        ) from error
    return sacremoses


def _require_language(language: str) -> None:
    if language not in LANGUAGES:  # Moses would take it for English in silence
        raise ValueError(f"language must be one of {', '.join(LANGUAGES)}, got {language!r}")
