"""BIO tags (chapter 14): B- begins an entity, I- goes on with it, O stands outside of all.

Rosa    Klein   moved   to      Oslo    .
B-person I-person O     O       B-place O
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

OUTSIDE = "O"


class Span(NamedTuple):
    """An entity: words start to end - 1, and what kind of thing they name (chapter 14)."""

    start: int
    end: int
    kind: str


class TaggedText(NamedTuple):
    """The words of a text, and the BIO tag of each (chapter 14)."""

    words: tuple[str, ...]
    tags: tuple[str, ...]


def tag_names(kinds: Iterable[str]) -> tuple[str, ...]:
    """List all tags for some kinds of entities, O first (chapter 14).

    Raises:
        TypeError: if the kinds are one text.
        ValueError: if there is none, one is empty, or one comes twice.

    Example:
        >>> tag_names(["person", "place"])
        ('O', 'B-person', 'I-person', 'B-place', 'I-place')
    """
    if isinstance(kinds, str):
        raise TypeError(f"kinds must be several names, got one str, {kinds!r}")
    kinds = tuple(kinds)
    if not kinds or not all(kinds) or len(set(kinds)) < len(kinds):
        raise ValueError(f"kinds must be names, one or more, none empty or twice, got {kinds}")
    return (OUTSIDE, *(f"{letter}-{kind}" for kind in kinds for letter in "BI"))


def split_tag(tag: str, name: str = "tag") -> tuple[str, str]:
    """Cut a tag into its letter and its kind, which for O is empty (chapter 14).

    Raises:
        TypeError: if it is no text.
        ValueError: if it is no BIO tag.

    Example:
        >>> split_tag("B-creative-work"), split_tag("O")
        (('B', 'creative-work'), ('O', ''))
    """
    if not isinstance(tag, str):
        raise TypeError(f"{name} must be a text, got {type(tag).__name__}")
    letter, dash, kind = tag.partition("-")
    if tag != OUTSIDE and (letter not in ("B", "I") or not dash or not kind):
        raise ValueError(f"{name} must be O, B-kind or I-kind, got {tag!r}")
    return letter, kind


def may_follow(before: str, tag: str) -> bool:
    """Say whether a tag may stand after another: I-kind only after B-kind or I-kind (chapter 14).

    A text begins as if O stood before it.

    Raises:
        TypeError, ValueError: as `split_tag`.

    Example:
        >>> may_follow("B-person", "I-person"), may_follow("O", "I-person")
        (True, False)
    """
    _, kind_before = split_tag(before, "before")
    letter, kind = split_tag(tag)
    return letter != "I" or kind == kind_before


def tags_to_spans(tags: Sequence[str]) -> list[Span]:
    """Read the entities off the tags of a text (chapter 14).

    Tags that cannot stand together have no one reading, so they are refused, not mended.

    Args:
        tags: a BIO tag a word.

    Returns:
        The spans, from left to right.

    Raises:
        TypeError: if the tags are one text, or one is no text.
        ValueError: if one is no BIO tag, or goes on with an entity that did not begin.

    Source: Ramshaw and Marcus 1995, with B- at the beginning of every entity, as in CoNLL-2002.

    Example:
        >>> tags_to_spans(["B-person", "I-person", "O", "B-place"])
        [Span(start=0, end=2, kind='person'), Span(start=3, end=4, kind='place')]
    """
    if isinstance(tags, str):
        raise TypeError(f"tags must be a sequence of tags, got one str, {tags!r}")
    spans: list[Span] = []
    before = OUTSIDE
    for place, tag in enumerate(tags):
        letter, kind = split_tag(tag, f"tags[{place}]")
        if not may_follow(before, tag):
            raise ValueError(
                f"tags[{place}] is {tag!r} after {before!r}, but goes on with a {kind} that did "
                "not begin; attncourse.language.legal_tags gives tags that fit together"
            )
        if letter == "B":
            spans.append(Span(place, place + 1, kind))
        elif letter == "I":
            spans[-1] = spans[-1]._replace(end=place + 1)
        before = tag
    return spans


def spans_to_tags(spans: Iterable[Span], length: int) -> list[str]:
    """Write the tags of a text with these entities (chapter 14).

    Args:
        spans: (start, end, kind) each.
        length: how many words the text has.

    Returns:
        One tag a word. `tags_to_spans` gives the spans back.

    Raises:
        ValueError: if a span is empty, lies outside the text, or meets another.

    Example:
        >>> spans_to_tags([Span(1, 3, "person")], length=4)
        ['O', 'B-person', 'I-person', 'O']
    """
    tags = [OUTSIDE] * length
    for start, end, kind in spans:
        if not 0 <= start < end <= length:
            raise ValueError(f"spans must lie in the {length} words, got {start} to {end}")
        if any(tag != OUTSIDE for tag in tags[start:end]):
            raise ValueError(f"spans must not overlap, got another one in {start} to {end}")
        tags[start:end] = [f"B-{kind}", *[f"I-{kind}"] * (end - start - 1)]
    return tags
