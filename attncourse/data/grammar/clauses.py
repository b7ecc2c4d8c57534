"""Clauses and sentences, in English and in French (chapter 04)."""

from __future__ import annotations

from typing import NamedTuple

from attncourse.data.grammar.inflection import CONTRACTED, ELIDED, article, elides
from attncourse.data.grammar.nominals import Fixed, Nominal
from attncourse.data.grammar.predicates import Predicate


class Pair(NamedTuple):
    """A sentence in two languages, and which words belong together (chapters 04 and 05).

    Attributes:
        source: the English words, in small letters, punctuation included.
        target: the French words; an elided one keeps its apostrophe, as in "l'".
        sure: the links (source position, target position) of words that translate each other.
        possible: `sure`, and the links that explain only a word's form: an article or adjective
            with the noun it agrees with, a verb with its subject, the article within "du".
        kinds: what each French word is: "noun", "verb", "adjective", "article", "determiner",
            "pronoun", "auxiliary", "negation", "preposition", "conjunction", "adverb", "number",
            "question" or "punctuation".

    Source: Och and Ney 2003, section 3, for sure and possible links.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    sure: frozenset[tuple[int, int]]
    possible: frozenset[tuple[int, int]]
    kinds: tuple[str, ...]


class Relative:
    """A relative clause: `role` is what its noun is in it, "subject", "object" or "place"."""

    def __init__(self, noun: Nominal, role: str, subject, predicate: Predicate):
        self.noun, self.role, self.subject, self.predicate = noun, role, subject, predicate
        if role == "object":
            predicate.gap = noun

    def english(self, out):
        self.at = len(out)
        if self.role == "place":
            out.append("where")
        else:
            who = self.role == "subject" and self.noun.noun.kind == "person"
            out.append("who" if who else "that")
        if self.role != "subject":
            self.subject.english(out)
        self.predicate.english(out, self.subject)

    def french(self, out):
        said = {"subject": "qui", "object": "que", "place": "où"}[self.role]
        out.append((said, "pronoun", (self.at,), self.noun.heads))
        if self.role != "subject":
            self.subject.french(out)
        self.predicate.french(out, self.subject)


class Clause:
    """A subject and what is said of it, perhaps with a time, perhaps joined to another clause."""

    def __init__(self, subject, predicates: list[Predicate]):
        self.subject, self.predicates = subject, predicates
        self.opening: Fixed | None = None
        self.closing: Fixed | None = None
        self.next: tuple[Fixed, Clause] | None = None

    def english(self, out, asked=False):
        if self.opening is not None:
            self.opening.english(out)
            self.at_comma = len(out)
            out.append(",")
        if not asked:
            self.subject.english(out)
        self.predicates[0].english(out, self.subject, asked)
        for predicate in self.predicates[1:]:
            self.at_and = len(out)
            out.append("and")
            predicate.english(out, self.subject)
        if self.closing is not None:
            self.closing.english(out)
        if self.next is not None:
            for part in self.next:
                part.english(out)

    def french(self, out):
        if self.opening is not None:
            self.opening.french(out)
            out.append((",", "punctuation", (self.at_comma,), ()))
        self.subject.french(out)
        self.predicates[0].french(out, self.subject)
        for predicate in self.predicates[1:]:
            out.append(("et", "conjunction", (self.at_and,), ()))
            predicate.french(out, self.subject)
        if self.closing is not None:
            self.closing.french(out)
        if self.next is not None:
            for part in self.next:
                part.french(out)


def say(clause: Clause, asked: bool = False, question: Fixed | None = None) -> Pair:
    """Say a clause in both languages, as a statement or as a question (chapter 04).

    Args:
        clause: what is said.
        asked: whether it is a question.
        question: the word that a question begins with, unless it is answered by yes or no.

    Returns:
        The words of both languages, and the links between them.

    Example:
        >>> from attncourse.data.grammar.lexicon import nouns, verbs
        >>> cat = Nominal(nouns()[16], False, "the")
        >>> pair = say(Clause(cat, [Predicate(verbs()[0], past=False)]))
        >>> " ".join(pair.source), " ".join(pair.target)
        ('the cat sleeps .', 'le chat dort .')
        >>> sorted(pair.sure), sorted(pair.possible - pair.sure)
        ([(0, 0), (1, 1), (2, 2), (3, 3)], [(1, 0), (1, 2)])
    """
    english: list[str] = []
    french: list = []
    if question is not None:
        question.english(english)
        question.french(french)
    clause.english(english, asked)
    if asked:
        # "Est-ce que" stands for the helper in front; it is a translation only of "do".
        helper = (clause.predicates[0].at_helper,)
        does = english[helper[0]] in ("do", "does", "did")
        french.append(("est-ce", "question", helper if does else (), helper))
        french.append(("que", "question", (), helper))
    clause.french(french)
    mark = "?" if asked else "."
    french.append((mark, "punctuation", (len(english),), ()))
    english.append(mark)
    for position, word in enumerate(english):
        if word == "a":
            english[position] = article(english[position + 1])
    return _joined(english, french)


def _joined(english, french) -> Pair:
    """Elide and contract, from the end so that each word meets its neighbour's final form."""
    merged = []
    following = "."
    for entry in reversed(french):
        word = entry[0]
        if (word, following) in CONTRACTED:
            following = CONTRACTED[word, following]
            _, _, sure, possible = merged.pop()
            merged.append((following, entry[1], entry[2], entry[3] + sure + possible))
            continue
        if word in ELIDED and elides(following):
            word = ELIDED[word]
            entry = (word, *entry[1:])
        merged.append(entry)
        following = word
    merged.reverse()
    sure, possible = [], []
    for position, (_, _, certain, other) in enumerate(merged):
        for at in certain:
            sure.append((at, position))
        for at in other:
            possible.append((at, position))
    target, kinds = zip(*[entry[:2] for entry in merged], strict=True)
    return Pair(tuple(english), target, frozenset(sure), frozenset(sure + possible), kinds)
