"""Made texts in which one name is told about twice (chapter 14).

    the train to velora was late . ... nobody had expected this from velora .

The first sentence tells what velora is, the second could be said of a person, a place or a company.
Names are made of syllables, and those of one split never come in another.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from attncourse.checks import require_integer
from attncourse.data.bio import Span, spans_to_tags, tag_names

KINDS = ("person", "place", "company")
TAGS = tag_names(KINDS)
SPLITS = ("train", "validation", "test")

# X is the name. Each clear frame tells the kind, the vague ones fit all three.
_CLEAR = {
    "person": (
        "X married a doctor last spring",
        "the mother of X teaches in a small school",
        "X broke a leg on the way home",
        "at the age of nine X learned to swim",
        "the neighbours gave X a bicycle",
        "X wrote a long letter to her brother",
        "the two sons of X play the violin",
        "young X wants to become a pilot",
    ),
    "place": (
        "the train to X was late again",
        "heavy rain fell over X all night",
        "the streets of X were empty on sunday",
        "they spent two weeks of summer in X",
        "the old bridge of X is being repaired",
        "a road leads from X down to the sea",
        "the river floods X every other year",
        "north of X the hills begin",
    ),
    "company": (
        "shares of X rose sharply",
        "X opened a second factory",
        "the workers of X are on strike",
        "X sold fewer cars than last year",
        "the board of X meets twice a month",
        "a rival wants to buy X",
        "X hired forty engineers",
        "the profits of X fell by half",
    ),
}
_VAGUE = (
    "everyone spoke about X that evening",
    "nobody had expected this from X",
    "X was in the news again",
    "a film about X will be shown tomorrow",
    "most readers had never heard of X",
    "the paper printed a picture of X",
    "many people like X very much",
    "the story of X is not over",
)
_FILLERS = (
    "the weather stayed cold",
    "coffee was served in the hall",
    "the meeting lasted three hours",
    "somebody had left the door open",
    "dinner began at seven",
    "a dog barked in the yard",
    "the old clock had stopped",
    "it was getting dark outside",
)
_ONSETS = ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z", "br", "st")
_VOWELS = ("a", "e", "i", "o", "u")
_ENDS = ("n", "r", "l", "s", "k", "ra", "no", "li")


@dataclass(frozen=True)
class Mention:
    """A name at its place in a text (chapter 14).

    Attributes:
        span: where it stands, and what it names.
        clear: whether its own sentence tells the kind.
        distance: words from here to the nearest mention of the same name that is clear; 0 if this
            one is.
    """

    span: Span
    clear: bool
    distance: int


@dataclass(frozen=True)
class EntityText:
    """A made text (chapter 14).

    Attributes:
        words: all in small letters, sentences ended by a full stop.
        tags: the BIO tag of each word.
        mentions: the names in it, from left to right.
    """

    words: tuple[str, ...]
    tags: tuple[str, ...]
    mentions: tuple[Mention, ...]


def entity_names(split: str, count: int = 500) -> tuple[str, ...]:
    """List the names of a split: one word or two, and no word in two splits (chapter 14).

    Args:
        split: `"train"`, `"validation"` or `"test"`.
        count: how many.

    Returns:
        The names, in an order that is always the same. Nothing about a name tells its kind.

    Raises:
        TypeError: if `count` is no integer.
        ValueError: if the split is not among the three, or `count` below 1 or more than there are.

    Example:
        >>> len(entity_names("test")), set(entity_names("test")) & set(entity_names("train"))
        (500, set())
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(map(repr, SPLITS))}, got {split!r}")
    require_integer("count", count, least=1)
    words = ["".join(parts) for parts in product(_ONSETS, _VOWELS, _ONSETS[:14], _VOWELS, _ENDS)]
    # Two ways to cut it into syllables would put one word into two splits.
    words = sorted(set(words) - _vocabulary())
    random.Random("names").shuffle(words)
    words = words[SPLITS.index(split) :: len(SPLITS)]
    if 3 * count > 2 * len(words):
        raise ValueError(f"count must be {2 * len(words) // 3} or less, got {count}")
    # By turns one word and two.
    words = iter(words)
    return tuple(
        next(words) if turn % 2 else f"{next(words)} {next(words)}" for turn in range(count)
    )


def entity_texts(names: Sequence[str], count: int, *, seed: int = 0) -> list[EntityText]:
    """Write texts about some names (chapter 14).

    A text has two or three entities, each of another kind, and up to two sentences about nothing.
    Of each entity there is one clear mention and one or two vague ones; or, in 15 of 100 cases, two
    clear mentions of two kinds, and then no vague one. The sentences are shuffled.

    Args:
        names: one word or two each, such as those of `entity_names`, three or more.
        count: how many texts.
        seed: what chance is drawn from, 0 or more.

    Returns:
        The texts, the same for the same arguments on every machine.

    Raises:
        TypeError: if the names are one text, or a number is no integer.
        ValueError: if there are fewer than three names, one is empty or comes twice, a word of one
            is also a word of the sentences, or a number is too small.

    Example:
        >>> text = entity_texts(entity_names("train"), 1)[0]
        >>> " ".join(text.words[:6]), text.tags[0], text.mentions[0].clear
        ('tiber married a doctor last spring', 'B-person', True)
    """
    require_names(names)
    require_integer("count", count, least=1)
    require_integer("seed", seed, least=0)
    chance = random.Random(f"entities {seed}")
    return [_text(tuple(names), chance) for _ in range(count)]


def require_names(names: Sequence[str]) -> None:
    """Refuse names of which no text can be written."""
    if isinstance(names, str):
        raise TypeError(f"names must be several names, got one str, {names!r}")
    if len(names) < 3:
        raise ValueError(f"names must be three or more, as a text may have three, got {len(names)}")
    if len(set(names)) < len(names):
        raise ValueError("names must differ, got one twice")
    taken = _vocabulary()
    for place, name in enumerate(names):
        if not isinstance(name, str) or not 1 <= len(name.split()) <= 2:
            raise ValueError(f"names[{place}] must be one word or two, got {name!r}")
        if both := taken & set(name.split()):
            raise ValueError(f"names[{place}] must not be a word of the texts, got {both.pop()!r}")


def _vocabulary() -> set[str]:
    """All words that are no names."""
    frames = [*_VAGUE, *_FILLERS, *(frame for kind in KINDS for frame in _CLEAR[kind])]
    return {word for frame in frames for word in frame.split()} | {"."}


def _text(names: tuple[str, ...], chance: random.Random) -> EntityText:
    sentences: list[tuple[str, str, str, bool]] = []  # frame, name, kind, clear
    vague = list(_VAGUE)
    chance.shuffle(vague)
    count = chance.choice((2, 3))
    for name, kind in zip(chance.sample(names, count), chance.sample(KINDS, count), strict=True):
        sentences.append((chance.choice(_CLEAR[kind]), name, kind, True))
        if chance.random() < 0.15:
            other = chance.choice([each for each in KINDS if each != kind])
            sentences.append((chance.choice(_CLEAR[other]), name, other, True))
        else:
            for _ in range(chance.choice((1, 2))):
                sentences.append((vague.pop(), name, kind, False))
    fillers = chance.sample(_FILLERS, chance.randrange(3))
    sentences += [(frame, "", "", False) for frame in fillers]
    chance.shuffle(sentences)

    words: list[str] = []
    found: list[tuple[str, Span, bool]] = []
    for frame, name, kind, clear in sentences:
        for word in frame.split():
            if word == "X":
                start = len(words)
                words += name.split()
                found.append((name, Span(start, len(words), kind), clear))
            else:
                words.append(word)
        words.append(".")
    tags = spans_to_tags([span for _, span, _ in found], len(words))
    return EntityText(tuple(words), tuple(tags), tuple(_mention(each, found) for each in found))


def _mention(one: tuple[str, Span, bool], found: list[tuple[str, Span, bool]]) -> Mention:
    name, span, clear = one
    distances = [
        abs(other.start - span.start)
        for its_name, other, is_clear in found
        if is_clear and its_name == name
    ]
    return Mention(span, clear, 0 if clear else min(distances))
