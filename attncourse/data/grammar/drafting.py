"""A sentence while it is made up: the bare clause that it starts from (chapter 04)."""

from __future__ import annotations

import random
from dataclasses import dataclass

from attncourse.data.grammar.choices import (
    choices,
    determiners,
    held_out,
    nouns_of,
    persons_are,
    persons_do,
    usual_subjects,
)
from attncourse.data.grammar.clauses import Clause
from attncourse.data.grammar.lexicon import phrases
from attncourse.data.grammar.nominals import PLURAL, SINGULAR, Fixed, Nominal, Pronoun
from attncourse.data.grammar.predicates import Predicate
from attncourse.data.grammar.words import OBJECTS, PRONOUNS

ANIMATE = frozenset({"person", "animal"})
# Forms of a verb that only a pronoun takes come twice as often as the others.
PERSONS = (*PRONOUNS, "i", "we", "you")


@dataclass
class Site:
    """A predicate that may still grow.

    Attributes:
        predicate: what grows.
        noun: its subject, None for a pronoun.
        kind: the kind of its subject.
        depth: how deep relative clauses may nest in what it takes.
        placed: whether it has a place already.
        timed: whether it has a time already.
    """

    predicate: Predicate
    noun: object
    kind: str
    depth: int
    placed: bool = False
    timed: bool = False


class Draft:
    """Draws the parts of a sentence, and keeps a list of those that may still grow.

    Args:
        seed: what chance is drawn from. Only whole numbers are, so every machine agrees.
        unseen: whether pairs of words that are held out may be drawn, and often are.
    """

    def __init__(self, seed: int, unseen: bool):
        self._bits = random.Random(seed).getrandbits
        self._seen, self._unseen = choices(False), choices(True) if unseen else None
        self.begin(0)

    def begin(self, room: int):
        """Begin another sentence, with room for so many English words."""
        self.room = room
        self.met = False  # whether a held-out pair was drawn
        self.timed = False  # whether something says when; once is enough
        self.joins: int | None = None  # which conjunction came last
        self.nominals: list[Nominal] = []
        self.sites: list[Site] = []
        self.clauses: list[Clause] = []

    # Chance

    def below(self, number):
        return self._bits(24) % number

    def one_in(self, number):
        return self._bits(24) % number == 0

    def pick(self, options):
        return options[self._bits(24) % len(options)]

    def other(self, options, than):
        """Pick a noun that is not `than`: a dog sees a cat."""
        noun = self.pick(options)
        while noun is than:
            noun = self.pick(options)
        return noun

    def choose(self, table, key):
        """Pick what goes with `key`, or None if nothing does."""
        if self._unseen is not None and self.one_in(2):
            options = getattr(self._unseen, table)[key]
            if options:
                return self.pick(options)
        options = getattr(self._seen, table)[key]
        return self.pick(options) if options else None

    def note(self, noun, other):
        """Note that a noun and an adjective or verb stand together."""
        if self._unseen is not None and held_out(noun, other):
            self.met = True

    # Parts

    def nominal(self, noun, definite=False, depth=0, single=False):
        """Make a nominal; `depth` says how deep relative clauses may nest in it."""
        plural = not noun.mass and not single and self.one_in(3)
        nominal = Nominal(
            noun, plural, self.pick(determiners(noun.mass, plural, definite, noun.ownable)), depth
        )
        self.room -= 2
        self.nominals.append(nominal)
        return nominal

    def governed(self, preposition, nominal):
        """Put a preposition before a nominal."""
        self.room -= 1 + preposition.count(" ")
        words = tuple(preposition.split())
        return Fixed(next(p for p in phrases("preposition") if p.english == words), nominal)

    def pronoun(self):
        self.room -= 1
        return Pronoun(self.pick(PERSONS))

    def clause(self, past, asked=False, nested=False):
        """Make a clause with nothing in it that it could lack."""
        if self.below(5) < 2:
            subject = self.pronoun()
        else:
            noun = self.pick(usual_subjects())
            subject = self.nominal(noun, definite=noun.mass, depth=1)
        clause = Clause(subject, [])
        if not nested:
            self.clauses.append(clause)
        if isinstance(subject, Pronoun):
            double = subject.word != "i"  # "je suis venu et ai dormi" is bookish
        else:
            double = subject.noun.kind in ANIMATE
        first = None
        if double and not nested and not asked and self.room > 6 and self.one_in(5):
            # "Sees a man who eats and sleeps": who sleeps? So nothing nests in the first of two.
            first = self.predicate(subject, past, depth=0, plain=True)
            clause.predicates.append(first)
            self.sites.pop()
            self.room -= 1
        second = self.predicate(subject, past, depth=2, plain=first is not None, first=first)
        clause.predicates.append(second)
        return clause

    def predicate(self, subject, past, depth, *, verb=None, plain=False, placed=False, first=None):
        """Make a predicate.

        Args:
            subject: whose it is.
            past: its tense.
            depth: how deep relative clauses may nest in what it takes.
            verb: given in a relative clause that describes its object, which is then left out.
            plain: leave out "not", "can" and the like.
            placed: leave out where it happens.
            first: the predicate that this one is joined to.
        """
        noun = subject.noun if isinstance(subject, Nominal) else None
        kind = "person" if noun is None else noun.kind
        gap = verb is not None
        if not gap:
            clauses = depth == 2 and not plain and not past and self.room > 5
            may_be = noun is None or (subject.bare and not subject.before and not subject.after)
            verb = self._verb(noun, may_be, past, clauses, placed, first)
        predicate = Predicate(verb, past)
        site = Site(predicate, noun, kind, depth, placed)
        self.room -= 1
        if verb is None:
            self.room -= 1
            predicate.adjective = self._quality(noun)
            subject.bare = False  # "The red car is big": one of the two is enough
        elif noun is not None:
            self.note(noun, verb)
        if not plain:
            self._modify(predicate, kind)
        if verb is not None and verb.of_clause:
            predicate.clause = self.clause(self.one_in(2), nested=True)
            return predicate
        self.sites.append(site)
        if verb is not None:
            site.placed |= verb.french_preposition in ("à", "de", "dans")
            if not gap and verb.takes[kind]:
                self._object(predicate, subject, noun, verb.takes[kind], depth)
            if verb.to_whom:
                whom = self.nominal(self.other(nouns_of("person"), noun), True, depth)
                predicate.recipient = self.governed("to", whom)
        return predicate

    def _verb(self, noun, may_be, past, clauses, placed, first):
        """Choose a verb, or None for "is" and an adjective."""
        if first is not None and first.verb is None:
            may_be = False
        while not (may_be and self.one_in(7)):
            verb = self.pick(persons_do()) if noun is None else self.choose("verbs", noun)
            if verb is None:
                break
            fits = clauses if verb.of_clause else verb.english[2] or not past
            again = first is not None and verb is first.verb
            if fits and not again and not (placed and verb.french_preposition):
                return verb
        return None

    def _quality(self, noun):
        if noun is None:
            return self.pick(persons_are())
        adjective = self.choose("predicative", noun)
        self.note(noun, adjective)
        return adjective

    def _modify(self, predicate, kind):
        """Add "not", "never", "can" and the like, or, most often, nothing."""
        verb, chance = predicate.verb, self.below(24)
        if verb is not None and verb.of_clause:
            return  # "does not think that he is": French would want a subjunctive
        if chance < 5:
            predicate.negation = "not" if chance else "never"
            self.room -= 2 if chance else 1
        chance = self.below(8)
        if predicate.past or verb is None or verb.state or kind not in ANIMATE:
            return
        if chance < 4 and predicate.negation != "never":
            predicate.modal = ("can", "must", "want to", "going to")[chance]
            self.room -= (1, 1, 2, 3)[chance]

    def _object(self, predicate, subject, noun, takes, depth):
        verb = predicate.verb
        direct = verb.french_preposition is None
        if direct and takes[0].kind == "person" and self.one_in(4):
            # Nobody says "I see me"; and "m'a vu" or "m'a vue" depends on who I am.
            free = subject.form in (SINGULAR, PLURAL) and (not predicate.past or verb.state)
            predicate.pronoun = self.pick(tuple(OBJECTS) if free else ("him", "her", "them"))
            self.room -= 1
        else:
            definite = verb.state or not direct
            depth = 0 if verb.to_whom else depth
            single = verb.french_preposition == "dans"  # who lives in two villages?
            predicate.object = self.nominal(self.other(takes, noun), definite, depth, single)
