"""Sentences drawn by chance, of a length that is asked for (chapter 04).

A sentence starts as a bare clause and grows, by an adjective, an adverb, a relative clause, a
second clause, until it has about the number of words that is wanted.
"""

from __future__ import annotations

from attncourse.data.grammar.clauses import Pair, say
from attncourse.data.grammar.drafting import Draft
from attncourse.data.grammar.growth import LARGE, MEDIUM, NOT_ASKED, SMALL
from attncourse.data.grammar.lexicon import phrases
from attncourse.data.grammar.nominals import Fixed


class Drawer:
    """Draws one sentence after another, the same ones for the same seed (chapter 04).

    Args:
        seed: what chance is drawn from.
        unseen: whether each sentence must hold a pair of words that is held out; otherwise none
            does.

    Example:
        >>> pair = Drawer(seed=3).draw(words=6)
        >>> " ".join(pair.source), " ".join(pair.target)
        ('i swam yesterday .', "j' ai nagé hier .")
    """

    def __init__(self, seed: int, unseen: bool = False):
        self._draft = Draft(seed, unseen)
        self._unseen = unseen

    def draw(self, words: int) -> Pair:
        """Draw a sentence of about so many English words, its mark included."""
        while True:
            pair = self._sentence(words)
            if self._draft.met == self._unseen:
                return pair

    def _sentence(self, words):
        draft = self._draft
        draft.begin(words - 1)
        asked = words < 20 and draft.one_in(8)
        clause = draft.clause(draft.one_in(2), asked)
        question = None
        if asked:
            first = clause.predicates[0]
            first.negation = None
            if draft.one_in(2):
                lasting = first.verb is None or first.verb.state
                question = Fixed(phrases("question")[0 if lasting else draft.below(2)])
                draft.room -= 1
        for _ in range(2 * words):  # enough, though now and then a step finds nothing to do
            if draft.room <= 0:
                break
            step = draft.pick(SMALL if draft.room < 3 else MEDIUM if draft.room < 6 else LARGE)
            if not asked or step not in NOT_ASKED:
                step(draft)
        return say(clause, asked, question)
