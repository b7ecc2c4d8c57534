"""The words of the embedded corpus, read from their tables (chapter 04)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from attncourse.data.grammar import inflection, words


@dataclass(frozen=True, eq=False)
class Noun:
    """A noun: its forms are (singular, plural). "Bread" is mass; "my island" is not ownable."""

    index: int
    kind: str
    english: tuple[str, str]
    french: tuple[str, str]
    feminine: bool
    mass: bool
    ownable: bool


@dataclass(frozen=True, eq=False)
class Adjective:
    """An adjective: French forms by [feminine][plural], and the one before a masculine vowel."""

    index: int
    english: str
    french: tuple[tuple[str, str], tuple[str, str]]
    before_vowel: str
    precedes: bool
    predicative: bool
    kinds: frozenset[str]


@dataclass(frozen=True, eq=False)
class Verb:
    """A verb: what it takes is listed by the kind of its subject.

    English forms are (base, third person, past); French ones are of je, il, nous, vous, ils; the
    participle's are by [feminine][plural]. `takes` holds the nouns that may be its object. Verbs
    that share their English base, as the two of "know" do, share their index.
    """

    index: int
    english: tuple[str, str, str | None]
    english_preposition: str | None
    infinitive: str
    present: tuple[str, ...]
    imperfect: tuple[str, ...]
    participle: tuple[tuple[str, str], tuple[str, str]]
    french_preposition: str | None
    reflexive: bool
    with_etre: bool
    state: bool
    takes: dict[str, tuple[Noun, ...]]
    to_whom: bool
    of_clause: bool


def _rows(table: str) -> list[str]:
    return [row.strip() for row in table.replace("\\\n", " ").split("\n") if row.strip()]


@cache
def nouns() -> tuple[Noun, ...]:
    """Return every noun (chapter 04).

    Example:
        >>> len(nouns()), nouns()[0].english, nouns()[0].french
        (92, ('man', 'men'), ('homme', 'hommes'))
    """
    found = []
    for kind, table in words.NOUNS.items():
        for entry in table.split(";"):
            english, french, gender = entry.split()
            one, _, many = english.partition("/")
            un, _, plusieurs = french.partition("/")
            forms = (one, many or inflection.english_plural(one))
            formes = (un, plusieurs or inflection.french_plural(un))
            ownable = not words.UNOWNED & {kind, one}
            mass = kind in words.MASS
            found.append(Noun(len(found), kind, forms, formes, gender == "f", mass, ownable))
    return tuple(found)


@cache
def adjectives() -> tuple[Adjective, ...]:
    """Return every adjective (chapter 04).

    Example:
        >>> adjectives()[2].french, adjectives()[2].before_vowel
        ((('vieux', 'vieux'), ('vieille', 'vieilles')), 'vieil')
    """
    found = []
    for place, table in words.ADJECTIVES.items():
        for row in _rows(table):
            entry, kinds = row.split(":")
            english, french = entry.split()
            masculine, feminine, vowel, *_ = [*french.split("/"), "", ""]
            found.append(
                Adjective(
                    index=len(found),
                    english=english,
                    french=inflection.agreeing(masculine, feminine),
                    before_vowel=vowel or masculine,
                    precedes=place == "before",
                    predicative=place == "after" or english in words.PREDICATIVE,
                    kinds=frozenset(kinds.split()),
                )
            )
    return tuple(found)


@cache
def verbs() -> tuple[Verb, ...]:
    """Return every verb but "be" (chapter 04).

    Example:
        >>> eat = next(verb for verb in verbs() if verb.english[0] == "eat")
        >>> eat.english, eat.present[2], eat.participle[1][0], sorted(eat.takes)
        (('eat', 'eats', 'ate'), 'mangeons', 'mangée', ['animal', 'person'])
    """
    found, bases = [], []
    for row in _rows(words.VERBS):
        english, french, frames, *mark = (part.strip() for part in row.split("|"))
        english, _, preposition = (part.strip() for part in english.partition(","))
        french, _, preposition_fr = (part.strip() for part in french.partition(","))
        base, past, *_ = [*english.split(), ""]
        reflexive = french.startswith("se ")
        infinitive, *forms = french.removeprefix("se ").split()
        *present, participle = forms or inflection.conjugate(infinitive)
        if base not in bases:
            bases.append(base)
        takes, whom = {}, False
        for frame in frames.split(";"):
            who, _, what = frame.partition(":")
            what, to, _ = what.partition(">")
            whom = whom or bool(to)
            takes[who.strip()] = tuple(n for n in nouns() if n.kind in what.split())
        found.append(
            Verb(
                index=bases.index(base),
                english=(
                    base,
                    inflection.third_person(base),
                    None if past == "!" else past or inflection.past(base),
                ),
                english_preposition=preposition or None,
                infinitive=infinitive,
                present=tuple(present),
                imperfect=inflection.imperfect(present[2]),
                participle=inflection.agreeing(participle),
                french_preposition=preposition_fr or None,
                reflexive=reflexive,
                with_etre=reflexive or mark == ["être"],
                state=mark == ["state"],
                takes=takes,
                to_whom=whom,
                of_clause="clause" in frames,
            )
        )
    return tuple(found)


@dataclass(frozen=True, eq=False)
class Phrase:
    """Words that translate as a whole.

    Attributes:
        english: the English words.
        french: (word, links), the English words that each renders, counted within the phrase;
            first the sure links, then those that are possible only.
        kind: what the French words count as.
    """

    english: tuple[str, ...]
    french: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]
    kind: str


@cache
def phrases(table: str) -> tuple[Phrase, ...]:
    """Return the fixed phrases of a table (chapter 04).

    Args:
        table: "preposition", "conjunction", "frequency", "question", or when something happens:
            "present", "past" or "future".

    Example:
        >>> phrases("preposition")[4]
        Phrase(english=('in', 'front', 'of'), french=(('devant', (1,), (0, 2)),),
            kind='preposition')
    """
    kind = table if table in {"preposition", "conjunction"} else "adverb"
    return tuple(
        Phrase(tuple(english.split()), tuple(map(_linked, french.split())), kind)
        for english, french in words.PHRASES[table].items()
    )


def _linked(entry: str) -> tuple[str, tuple[int, ...], tuple[int, ...]]:
    entry, _, possible = entry.partition("?")
    word, _, sure = entry.partition("/")
    return word, tuple(map(int, sure)), tuple(map(int, possible))
