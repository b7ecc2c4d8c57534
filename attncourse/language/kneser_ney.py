"""Counting instead of learning (chapter 18): an n-gram model with Kneser-Ney smoothing.

p(w | h) = (c(h w) - D) / c(h) + D * different(h) / c(h) * p(w | h without its first word)
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from attncourse.checks import require_integer, require_several
from attncourse.data.vocabulary import BOS, EOS


class KneserNey:
    r"""Say which token comes next, from how often it did after the last few (chapter 18).

    $$p(w \mid h) = \frac{\max(c(hw) - D, 0)}{c(h)}
      + D\, \frac{|\{w' : c(hw') > 0\}|}{c(h)}\; p(w \mid h_{2:})$$

    Of the longest histories c counts occurrences. Of shorter ones it counts before how many
    different words a sequence stands to its left: "Francisco" is frequent, but only after "San".

    Args:
        sentences: token ids, without marks. An end mark is counted and predicted too.
        order: how many tokens a longest sequence has, that is predicted included.
        num_words: how many different tokens may be predicted, the end mark included; the share
            that nothing else claims is spread over them evenly.

    Raises:
        TypeError: if a size is not an integer, or `sentences` is one text.
        ValueError: if a size is not positive, or there is no sentence.

    Source: Kneser and Ney 1995, interpolated as in Chen and Goodman 1999, section 3. A discount a
    level, n1 / (n1 + 2 n2), of how many sequences came once and twice.

    Example:
        >>> model = KneserNey([[4, 5], [4, 6]], order=2, num_words=4)
        >>> round(model.probability(4, []), 3), round(model.probability(5, [4]), 3)
        (0.733, 0.3)
    """

    def __init__(self, sentences: Iterable[Sequence[int]], *, order: int, num_words: int):
        require_integer("order", order, least=1)
        require_integer("num_words", num_words, least=1)
        require_several("sentences", sentences, "lists of token ids")
        self.order = order
        self.num_words = num_words
        counts = Counter(
            gram for ids in sentences for gram in zip(*self._shifted(ids), strict=False)
        )
        if not counts:
            raise ValueError("sentences must hold at least one, got none")
        self.levels = []  # from the longest history down to the empty one
        for _ in range(order):
            self.levels.append(_Level(counts))
            counts = Counter(gram[1:] for gram in counts)  # how many stand before, not how often

    def probability(self, token: int, history: Sequence[int]) -> float:
        """Give p(token | history), the history being all tokens of the sentence so far."""
        longest = (BOS,) * (self.order - 1) + tuple(history)
        share = 1 / self.num_words
        for length, level in enumerate(reversed(self.levels)):
            share = level.share(token, longest[len(longest) - length :], share)
        return share

    def perplexity(self, sentences: Iterable[Sequence[int]]) -> float:
        """Give the perplexity per token on some sentences, end marks included."""
        total, count = 0.0, 0
        for ids in sentences:
            marked = [*ids, EOS]
            for place, token in enumerate(marked):
                total -= math.log(self.probability(token, marked[:place]))
            count += len(marked)
        return math.exp(total / count)

    def _shifted(self, ids: Sequence[int]) -> list[list[int]]:
        """The sentence, and the same from its second mark on, and so on: in a column, n-grams."""
        marked = [*[BOS] * (self.order - 1), *ids, EOS]
        return [marked[start:] for start in range(self.order)]


class _Level:
    """What follows the histories of one length."""

    def __init__(self, counts: Counter):
        self.after: dict[tuple, Counter] = defaultdict(Counter)
        for gram, count in counts.items():
            self.after[gram[:-1]][gram[-1]] = count
        self.totals = {history: tokens.total() for history, tokens in self.after.items()}
        often = Counter(counts.values())
        # Of few sentences it would be 0 or 1.
        self.discount = often[1] / (often[1] + 2 * often[2]) if often[1] and often[2] else 0.5

    def share(self, token: int, history: tuple, below: float) -> float:
        """Mix what is counted after a history with the share for a shorter one."""
        if history not in self.after:
            return below
        tokens, total = self.after[history], self.totals[history]
        kept = max(tokens[token] - self.discount, 0) if token in tokens else 0.0
        return (kept + self.discount * len(tokens) * below) / total
