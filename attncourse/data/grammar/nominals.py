"""Nouns with what belongs to them, in English and in French (chapter 04).

Each node of a sentence first writes its English words and notes where they stand; then it writes
its French words as (word, kind, sure, possible): which English words it renders, and from which
else it takes its form. An article takes it from its noun, the rest of a fixed phrase from that.
"""

from __future__ import annotations

from attncourse.data.grammar.inflection import elides
from attncourse.data.grammar.lexicon import Adjective, Noun, Phrase
from attncourse.data.grammar.words import DETERMINERS, NUMERALS, PRONOUNS

SINGULAR, PLURAL = 1, 4  # which of a verb's five forms follows a noun


class Pronoun:
    """A personal pronoun as the subject."""

    def __init__(self, english):
        self.word = english
        self.said, self.form, self.plural = PRONOUNS[english]
        self.feminine = english == "she"

    def english(self, out):
        self.heads = (len(out),)
        out.append(self.word)

    def french(self, out):
        out.append((self.said, "pronoun", self.heads, ()))


class Nominal:
    """A noun with what belongs to it."""

    def __init__(self, noun: Noun, plural: bool, determiner: str, depth: int = 0):
        self.noun, self.plural, self.determiner = noun, plural, determiner
        self.form = PLURAL if plural else SINGULAR
        self.feminine = noun.feminine
        self.numeral: str | None = None
        self.before: Adjective | None = None
        self.after: Adjective | None = None
        self.owner: Nominal | None = None
        self.relative = None  # a `Relative`, if any
        self.bare = True  # whether adjectives may still be added
        self.depth = depth  # of the relative clauses that may still nest in it

    def english(self, out, negated=False):
        if self.owner is not None:
            self.owner.english(out)
        self.at_determiner = len(out)
        if self.owner is not None:
            out.append("'s")
        else:
            out.append("any" if negated and self.determiner == "some" else self.determiner)
        if self.numeral is not None:
            self.at_numeral = len(out)
            out.append(self.numeral)
        if self.before is not None:
            self.at_before = len(out)
            out.append(self.before.english)
        if self.after is not None:
            self.at_after = len(out)
            out.append(self.after.english)
        self.heads = (len(out),)
        out.append(self.noun.english[self.plural])
        if self.relative is not None:
            self.relative.english(out)

    def french(self, out, negated=False):
        noun = self.noun.french[self.plural]
        before = self.before
        if before is not None:
            adjective = before.french[self.feminine][self.plural]
            if not self.feminine and not self.plural and elides(noun):
                adjective = before.before_vowel
        self._determiner(out, negated, noun if before is None else adjective)
        if self.numeral is not None:
            out.append((NUMERALS[self.numeral], "number", (self.at_numeral,), ()))
        if before is not None:
            out.append((adjective, "adjective", (self.at_before,), self.heads))
        out.append((noun, "noun", self.heads, ()))
        if self.after is not None:
            adjective = self.after.french[self.feminine][self.plural]
            out.append((adjective, "adjective", (self.at_after,), self.heads))
        if self.owner is not None:
            out.append(("de", "preposition", (self.at_determiner,), ()))
            self.owner.french(out)
        if self.relative is not None:
            self.relative.french(out)

    def _determiner(self, out, negated, following):
        at, head, word = (self.at_determiner,), self.heads, self.determiner
        definite = DETERMINERS["the"][2 if self.plural else self.feminine]
        if self.owner is not None:
            out.append((definite, "article", (), at + head))
        elif negated and word in ("a", "some"):
            out.append(("de", "article", at, head))
        elif word == "some" and self.noun.mass:
            out.append(("de", "article", at, head))
            out.append((definite, "article", (), at + head))
        elif word == "some":
            out.append(("des" if self.before is None else "de", "article", at, head))
        elif word == "many":
            out.append(("beaucoup", "determiner", at, ()))
            out.append(("de", "determiner", (), at))
        else:
            said = DETERMINERS[word][2 if self.plural else self.feminine]
            if said in ("ma", "sa") and elides(following):
                said = DETERMINERS[word][0]  # mon école
            elif said == "ce" and elides(following):
                said = "cet"
            kind = "article" if word in ("the", "a") else "determiner"
            out.append((said, "number" if word in NUMERALS else kind, at, head))


class Group:
    """Two nominals joined by "and": plural, and feminine only if both are."""

    form, plural = PLURAL, True

    def __init__(self, first: Nominal, second: Nominal):
        self.first, self.second = first, second
        self.feminine = first.feminine and second.feminine

    def english(self, out):
        self.first.english(out)
        self.at_and = len(out)
        out.append("and")
        self.second.english(out)
        self.heads = self.first.heads + self.second.heads

    def french(self, out):
        self.first.french(out)
        out.append(("et", "conjunction", (self.at_and,), ()))
        self.second.french(out)


class Fixed:
    """A phrase that translates as a whole, with the nominal that it governs, if any."""

    def __init__(self, phrase: Phrase, nominal: Nominal | None = None):
        self.phrase, self.nominal = phrase, nominal

    def english(self, out):
        self.at = len(out)
        out.extend(self.phrase.english)
        if self.nominal is not None:
            self.nominal.english(out)

    def french(self, out):
        for word, sure, possible in self.phrase.french:
            sure = tuple([self.at + offset for offset in sure])
            possible = tuple([self.at + offset for offset in possible])
            out.append((word, self.phrase.kind, sure, possible))
        if self.nominal is not None:
            self.nominal.french(out)
