"""The steps by which a sentence grows (chapter 04).

Each step adds something to a part that chance picks, or nothing where it does not fit.
"""

from __future__ import annotations

from attncourse.data.grammar.choices import OWNERS, determiners, held_out, nouns_of, takers
from attncourse.data.grammar.clauses import Relative
from attncourse.data.grammar.drafting import ANIMATE, Draft
from attncourse.data.grammar.lexicon import phrases
from attncourse.data.grammar.nominals import Fixed, Group, Nominal
from attncourse.data.grammar.words import NUMERALS


def add_adjective(draft: Draft):
    """The dog, the black dog."""
    nominal = draft.pick(draft.nominals) if draft.nominals else None
    place = draft.pick(("before", "after"))
    if nominal is None or not nominal.bare or getattr(nominal, place) is not None:
        return
    adjective = draft.choose(place, nominal.noun)
    if adjective is not None:
        draft.note(nominal.noun, adjective)
        setattr(nominal, place, adjective)
        draft.room -= 1


def add_numeral(draft: Draft):
    """The dogs, the two dogs."""
    nominal = draft.pick(draft.nominals) if draft.nominals else None
    if nominal is None or not nominal.plural or nominal.owner or nominal.numeral:
        return
    if nominal.determiner in ("the", "these", *OWNERS):
        nominal.numeral = draft.pick(tuple(NUMERALS))
        draft.room -= 1


def add_owner(draft: Draft):
    """The dog, the boy's dog."""
    nominal = draft.pick(draft.nominals) if draft.nominals else None
    if nominal is None or not nominal.noun.ownable or nominal.owner or nominal.numeral:
        return
    person = draft.other(nouns_of("person"), nominal.noun)
    determiner = draft.pick(determiners(False, False, True, person.ownable))
    nominal.owner = Nominal(person, False, determiner)
    draft.nominals.append(nominal.owner)
    draft.room -= 2


def add_frequency(draft: Draft):
    """The dog often sleeps."""
    site = draft.pick(draft.sites) if draft.sites else None
    if site is None or site.timed or site.predicate.verb is None:
        return
    predicate = site.predicate
    if not (predicate.modal or predicate.negation or predicate.verb.state):
        predicate.frequency = Fixed(draft.pick(phrases("frequency")))
        site.timed = True
        draft.room -= 1


def add_time(draft: Draft):
    """The dog slept yesterday; yesterday, the dog slept."""
    clause = draft.clauses[-1]
    predicate = clause.predicates[0]
    site = next((site for site in draft.sites if site.predicate is predicate), None)
    if site is None or site.timed or draft.timed or predicate.negation == "never":
        return
    if predicate.verb is None or predicate.verb.state:
        return  # nobody is Italian since yesterday
    future = predicate.modal == "going to"
    phrase = draft.pick(phrases("past" if predicate.past else "future" if future else "present"))
    site.timed = draft.timed = True
    draft.room -= len(phrase.english)
    if len(draft.clauses) == 1 and draft.one_in(2):
        clause.opening = Fixed(phrase)
        draft.room -= 1
    else:
        clause.closing = Fixed(phrase)


def add_place(draft: Draft):
    """The dog sleeps in the garden."""
    site = draft.pick(draft.sites) if draft.sites else None
    if site is None or site.placed or site.predicate.verb is None:
        return
    noun = draft.pick(nouns_of("building", "area", "spot"))
    at = "on" if noun.kind == "spot" else "in"
    around = ("behind", "in front of") if noun.kind == "building" else ()
    word = draft.pick((at, at, "near", "far from", *around))
    nominal = draft.nominal(noun, True, site.depth, single=word == at)
    site.predicate.place = draft.governed(word, nominal)
    site.placed = True


def add_company(draft: Draft):
    """The boy sings with the girl."""
    site = draft.pick(draft.sites) if draft.sites else None
    if site is None or site.kind not in ANIMATE or site.predicate.company is not None:
        return
    verb = site.predicate.verb
    if verb is None or verb.state or verb.to_whom or verb.french_preposition is not None:
        return
    gives = site.kind == "person" and verb.english_preposition is None and verb.takes["person"]
    word = draft.pick(("with", "without", "for") if gives else ("with", "without"))
    noun = draft.other(nouns_of("person"), site.noun)
    site.predicate.company = draft.governed(word, draft.nominal(noun, True, site.depth))


def add_second_subject(draft: Draft):
    """The boy sings, the boy and the girl sing."""
    clause = draft.pick(draft.clauses)
    first = clause.subject
    if not isinstance(first, Nominal) or first.relative is not None:
        return
    noun = draft.other(nouns_of(first.noun.kind), first.noun)
    if not any(held_out(noun, part.verb or part.adjective) for part in clause.predicates):
        first.depth = 0
        second = draft.nominal(noun, noun.mass, depth=1)
        second.bare = first.bare
        clause.subject = Group(first, second)
        draft.room -= 1


def add_second_object(draft: Draft):
    """He eats an apple, he eats an apple and a pear."""
    site = draft.pick(draft.sites) if draft.sites else None
    first = site.predicate.object if site is not None else None
    if not isinstance(first, Nominal) or first.relative is not None or site.predicate.negation:
        return  # after a negation French would say "ni"
    verb = site.predicate.verb
    if verb.french_preposition is None:
        noun = draft.other(verb.takes[site.kind], first.noun)
        second = draft.nominal(noun, verb.state, first.depth)
        first.depth = 0
        site.predicate.object = Group(first, second)
        draft.room -= 1


def add_relative(draft: Draft):
    """The dog, the dog that sleeps, the dog that the boy sees."""
    nominal = draft.pick(draft.nominals) if draft.nominals else None
    if nominal is None or nominal.depth == 0 or nominal.relative is not None:
        return
    noun, depth, past = nominal.noun, nominal.depth - 1, draft.one_in(2)
    role = draft.pick(("subject", "object", "place"))
    bare = nominal.bare and not nominal.before and not nominal.after
    if role == "subject" and (bare or noun.kind in ANIMATE):
        subject, predicate = nominal, draft.predicate(nominal, past, depth)
    elif role == "place" and noun.kind in ("building", "area", "spot"):
        person = draft.other(nouns_of("person"), noun)
        subject = draft.pronoun() if draft.one_in(3) else draft.nominal(person)
        predicate = draft.predicate(subject, past, depth, placed=True)
    else:
        role, past = "object", past or draft.one_in(2)
        options = takers(noun.kind)
        if not options:
            return
        verb, who = draft.pick(options)
        if verb.english[2] is None:
            past = False
        if who == "person" and draft.one_in(3):
            subject = draft.pronoun()
        else:
            doer = draft.choose("subjects", (verb, who))
            if doer is noun:
                return
            subject = draft.nominal(doer)
        predicate = draft.predicate(subject, past, depth, verb=verb)
    nominal.relative = Relative(nominal, role, subject, predicate)
    draft.room -= 1


def add_clause(draft: Draft):
    """The dog sleeps, the dog sleeps because it is tired."""
    if len(draft.clauses) < 4:
        last = draft.clauses[-1]
        # In turn from a place that chance picks, so that no two are alike in a row.
        draft.joins = draft.below(4) if draft.joins is None else draft.joins + 1
        conjunction = phrases("conjunction")[draft.joins % 4]
        last.next = (Fixed(conjunction), draft.clause(last.predicates[0].past))
        draft.room -= 1


SMALL = (add_adjective, add_adjective, add_frequency, add_numeral)
MEDIUM = (*SMALL, add_time, add_place, add_company, add_owner)
LARGE = (
    *(add_adjective, add_time, add_place, add_company, add_owner),
    *(add_second_subject, add_second_object, add_relative, add_relative, add_relative),
    *(add_clause, add_clause),
)
# A question is one clause, and "when did he rarely sleep" none at all.
NOT_ASKED = frozenset({add_time, add_frequency, add_clause})
