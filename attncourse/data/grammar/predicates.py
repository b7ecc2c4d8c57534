"""Predicates, in English and in French (chapter 04): what is said of a subject."""

from __future__ import annotations

from attncourse.data.grammar.lexicon import Adjective, Verb
from attncourse.data.grammar.nominals import SINGULAR, Fixed, Group, Nominal
from attncourse.data.grammar.words import OBJECTS

# By form: I, he, we, you, they.
IS = ("am", "is", "are", "are", "are")
WAS = ("was", "was", "were", "were", "were")
ETRE = ("suis", "est", "sommes", "êtes", "sont")
ETAIT = ("étais", "était", "étions", "étiez", "étaient")
AVOIR = ("ai", "a", "avons", "avez", "ont")
REFLEXIVE = ("me", "se", "nous", "vous", "se")
MODALS = {
    "can": ("peux", "peut", "pouvons", "pouvez", "peuvent"),
    "must": ("dois", "doit", "devons", "devez", "doivent"),
    "want to": ("veux", "veut", "voulons", "voulez", "veulent"),
    "going to": ("vais", "va", "allons", "allez", "vont"),
}


class Predicate:
    """A verb, or "is" and an adjective, with what follows it."""

    def __init__(self, verb: Verb | None, past: bool):
        self.verb, self.past = verb, past
        self.adjective: Adjective | None = None  # if there is no verb
        self.modal: str | None = None
        self.negation: str | None = None  # "not" or "never"
        self.frequency: Fixed | None = None
        self.pronoun: str | None = None  # the object, if it is one
        self.object: Nominal | Group | None = None
        self.gap: Nominal | None = None  # the object that a relative clause took away
        self.clause = None  # a `Clause`: "says that ..."
        self.recipient: Fixed | None = None
        self.company: Fixed | None = None
        self.place: Fixed | None = None

    def english(self, out, subject, asked=False):
        verb, form, modal = self.verb, subject.form, self.modal
        helper = None
        if verb is None or modal == "going to":
            helper = (WAS if self.past else IS)[form]
        elif modal in ("can", "must"):
            helper = modal
        elif asked or self.negation == "not":
            helper = "did" if self.past else "does" if form == SINGULAR else "do"
        self.at_helper = None
        if helper is not None:
            self.at_helper = len(out)
            out.append(helper)
        if asked:
            subject.english(out)
        self.at_not = len(out)
        if self.negation == "not" and helper == "can":
            self.at_not = self.at_helper
            out[-1] = "cannot"
        elif self.negation is not None:
            out.append(self.negation)
        if self.frequency is not None:
            self.frequency.english(out)
        self.at_modal = len(out)
        if modal == "want to":
            out += ["wants" if helper is None and form == SINGULAR else "want", "to"]
        elif modal == "going to":
            out += ["going", "to"]
        self.at_verb = len(out)
        if verb is None:
            out.append(self.adjective.english)
        else:
            base, third, past = verb.english
            finite = past if self.past else third if form == SINGULAR else base
            out.append(base if helper is not None or modal is not None else finite)
            if verb.english_preposition is not None:
                self.at_preposition = len(out)
                out.append(verb.english_preposition)
        self._rest(out, "english")

    def _rest(self, out, language):
        if self.pronoun is not None and language == "english":
            self.at_pronoun = len(out)
            out.append(self.pronoun)
        if self.clause is not None:
            if language == "english":
                self.at_that = len(out)
                out.append("that")
            else:
                out.append(("que", "conjunction", (self.at_that,), ()))
        if self.object is not None:
            said = getattr(self.object, language)
            # "Pas de chien", but "pas avec un chien".
            after_preposition = language == "french" and self.verb.french_preposition is not None
            if self.negation is None or after_preposition:
                said(out)
            else:
                said(out, True)
        for part in (self.clause, self.recipient, self.company, self.place):
            if part is not None:
                getattr(part, language)(out)

    def french(self, out, subject):
        verb, form, heads = self.verb, subject.form, subject.heads
        at, helper = (self.at_verb,), () if self.at_helper is None else (self.at_helper,)
        compound = self.past and verb is not None and not verb.state
        particle = ()  # "looks for" is one word in French
        if verb is not None and verb.english_preposition and not verb.french_preposition:
            particle = (self.at_preposition,)
        clitics = []
        if verb is not None and verb.reflexive:
            clitics.append((REFLEXIVE[form], "pronoun", (), (*at, *heads)))
        if self.pronoun is not None:
            clitics.append((OBJECTS[self.pronoun], "pronoun", (self.at_pronoun,), ()))
        if self.negation is not None:
            out.append(("ne", "negation", (self.at_not,), ()))
        if self.modal is None:
            out += clitics
        if self.modal is not None:
            to = self.modal in ("want to", "going to")
            sure, other = ((self.at_modal,), helper) if to else (helper, ())
            out.append((MODALS[self.modal][form], "verb", sure, other + heads))
        elif verb is None:
            out.append(((ETAIT if self.past else ETRE)[form], "verb", helper, heads))
        elif compound:
            having = (ETRE if verb.with_etre else AVOIR)[form]
            out.append((having, "auxiliary", helper or at, at + heads))
        else:
            finite = (verb.imperfect if self.past else verb.present)[form]
            out.append((finite, "verb", at, helper + heads + particle))
        if self.negation is not None:
            after = "pas" if self.negation == "not" else "jamais"
            out.append((after, "negation", (self.at_not,), ()))
        if self.frequency is not None:
            self.frequency.french(out)
        if self.modal is not None:
            out += clitics
            to = (self.at_verb - 1,) if to else ()
            out.append((verb.infinitive, "verb", at, to + particle))
        elif verb is None:
            said = self.adjective.french[subject.feminine][subject.plural]
            out.append((said, "adjective", at, heads))
        elif compound:
            feminine, plural, agrees = self._participle(subject)
            out.append((verb.participle[feminine][plural], "verb", at, helper + agrees + particle))
        if verb is not None and verb.french_preposition is not None:
            own = verb.english_preposition is not None
            sure, other = ((self.at_preposition,), ()) if own else ((), at)
            out.append((verb.french_preposition, "preposition", sure, other))
        self._rest(out, "french")

    def _participle(self, subject):
        """Say what a participle agrees with: the subject after être, an object before avoir."""
        if self.verb.with_etre:
            return subject.feminine, subject.plural, subject.heads
        if self.pronoun is not None:
            return self.pronoun == "her", self.pronoun == "them", (self.at_pronoun,)
        if self.gap is not None:
            return self.gap.feminine, self.gap.plural, self.gap.heads
        return False, False, ()
