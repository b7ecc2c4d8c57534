"""What may be said together, and what is held out of training (chapter 04)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from attncourse.data.grammar.lexicon import Adjective, Noun, Verb, adjectives, nouns, verbs
from attncourse.data.grammar.words import NUMERALS

ONE_IN = 12  # this share of the pairs is held out
OWNERS = ("my", "your", "his", "her", "our", "their")
# How often each determiner is drawn, relative to the others; "definite" ones suit any place.
DEFINITE = {
    "singular": ("the",) * 6 + ("a",) * 3 + ("this",),
    "plural": ("the",) * 5 + ("these",) + tuple(NUMERALS)[:3],
    "mass": ("the",) * 3 + ("this",),
}
OTHER = {
    "singular": ("a",) * 2 + ("every",),
    "plural": ("some",) * 5 + ("many", "several", *NUMERALS),
    "mass": ("some",) * 4,
}


def held_out(noun: Noun, other: Adjective | Verb) -> bool:
    """Say whether a noun and an adjective or verb are kept out of training (chapter 04).

    The rule takes one in twelve from every noun, adjective and verb alike, and does not depend on
    a seed: what one corpus tests was in no other's training.

    Example:
        >>> dog, black = nouns()[15], adjectives()[11]
        >>> held_out(dog, black), sum(held_out(noun, black) for noun in nouns()), len(nouns())
        (False, 8, 92)
    """
    return (noun.index + other.index) % ONE_IN == 0


@dataclass(frozen=True)
class Choices:
    """What makes sense together, on one side of the rule above.

    Attributes:
        verbs: what a noun does.
        predicative: what a noun is.
        before: the adjectives that may stand before a noun in French.
        after: the adjectives that may stand after it.
        subjects: who does a verb, by kind as well.
    """

    verbs: dict[Noun, tuple[Verb, ...]]
    predicative: dict[Noun, tuple[Adjective, ...]]
    before: dict[Noun, tuple[Adjective, ...]]
    after: dict[Noun, tuple[Adjective, ...]]
    subjects: dict[tuple[Verb, str], tuple[Noun, ...]]


@cache
def choices(unseen: bool) -> Choices:
    """Return what may be drawn: what is met in training, or what is held out (chapter 04)."""

    def adjectives_of(noun, wanted):
        return tuple(
            adjective
            for adjective in adjectives()
            if noun.kind in adjective.kinds
            and wanted(adjective)
            and held_out(noun, adjective) == unseen
        )

    return Choices(
        verbs={
            noun: tuple(v for v in verbs() if noun.kind in v.takes and held_out(noun, v) == unseen)
            for noun in nouns()
        },
        predicative={noun: adjectives_of(noun, lambda a: a.predicative) for noun in nouns()},
        before={noun: adjectives_of(noun, lambda a: a.precedes) for noun in nouns()},
        after={noun: adjectives_of(noun, lambda a: not a.precedes) for noun in nouns()},
        subjects={
            (verb, kind): tuple(n for n in nouns_of(kind) if held_out(n, verb) == unseen)
            for verb in verbs()
            for kind in verb.takes
        },
    )


@cache
def nouns_of(*kinds: str) -> tuple[Noun, ...]:
    """Return the nouns of some kinds."""
    return tuple(noun for noun in nouns() if noun.kind in kinds)


@cache
def usual_subjects() -> tuple[Noun, ...]:
    """Return the nouns to draw subjects from, those that can do most several times."""
    return nouns_of("person") * 4 + nouns_of("animal") * 3 + nouns()


@cache
def takers(kind: str) -> tuple[tuple[Verb, str], ...]:
    """Return the verbs that take a kind of noun as their direct object, with who does them."""
    return tuple(
        (verb, who)
        for verb in verbs()
        for who, takes in verb.takes.items()
        if verb.french_preposition is None and any(noun.kind == kind for noun in takes)
    )


@cache
def persons_do() -> tuple[Verb, ...]:
    """Return what "he" and "she" do."""
    return tuple(verb for verb in verbs() if "person" in verb.takes)


@cache
def persons_are() -> tuple[Adjective, ...]:
    """Return what "he" and "she" are."""
    return tuple(a for a in adjectives() if a.predicative and "person" in a.kinds)


@cache
def determiners(mass: bool, plural: bool, definite: bool, ownable: bool) -> tuple[str, ...]:
    """Return the determiners to draw from, frequent ones several times."""
    number = "mass" if mass else "plural" if plural else "singular"
    owners = OWNERS if ownable else ()
    return DEFINITE[number] + owners + (() if definite else OTHER[number])
