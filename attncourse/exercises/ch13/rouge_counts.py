"""An exercise of chapter 13: the two numbers of which ROUGE-L is made."""

from __future__ import annotations

from collections import Counter
from functools import cache

import torch

from attncourse.exercises.judging import Case, Input, Misconception, Several


def rouge_counts(summary, reference):
    lengths = [0] * (len(reference) + 1)
    for word in summary:
        before = lengths[:]
        for j, other in enumerate(reference, 1):
            same = word == other
            lengths[j] = before[j - 1] + 1 if same else max(before[j], lengths[j - 1])
    return lengths[-1], len(summary) + len(reference)


def _words(shape, case, generator):
    """Draw words of a small vocabulary, so that they come again."""
    vocabulary = ("rosa", "voss", "buys", "the", "inn")
    return [vocabulary[i] for i in torch.randint(5, shape, generator=generator)]


def _split(text):
    return text.split()


def _counts(common=lambda a, b: rouge_counts(a, b)[0], total=lambda a, b: len(a) + len(b)):
    """Counts of which one is made in another way."""
    return lambda summary, reference: (common(summary, reference), total(summary, reference))


def _in_a_row(a, b):
    starts = ((i, j) for i in range(len(a)) for j in range(len(b)))

    def run(i, j):
        length = 0
        while i + length < len(a) and j + length < len(b) and a[i + length] == b[j + length]:
            length += 1
        return length

    return max((run(i, j) for i, j in starts), default=0)


def _next_in_turn(a, b):
    """Take each word of a at its next place in b, which may jump over too much."""
    place = found = 0
    for word in a:
        if word in b[place:]:
            place = b.index(word, place) + 1
            found += 1
    return found


def _twice(a, b):
    """A step that does not leave the word of the summary behind: it may match again."""

    @cache
    def best(i, j):
        if i == len(a) or j == len(b):
            return 0
        if a[i] == b[j]:
            return 1 + best(i, j + 1)
        return max(best(i + 1, j), best(i, j + 1))

    return best(0, 0)


EXERCISE = Several(
    name="rouge_counts",
    chapter="13",
    signature="rouge_counts(summary, reference) -> common, total: two whole numbers",
    parts=("common", "total"),
    inputs=(
        Input("summary", "summary", draw=_words),
        Input("reference", "reference", draw=_words),
    ),
    sizes={"summary": 11, "reference": 7},
    cases=(
        Case(label="two texts"),
        Case(
            label="words in between",
            given={
                "summary": _split("rosa <unk> buys the inn"),
                "reference": _split("rosa voss buys the old inn"),
            },
            hint="The name differs and 'old' is missing; the other four stand in the same order.",
        ),
        Case(
            label="the right words backwards",
            given={
                "summary": _split("inn the buys rosa"),
                "reference": _split("rosa buys the inn"),
            },
            hint="No two of them stand in the same order, so one is common.",
        ),
        Case(
            label="a word that lures too far",
            given={
                "summary": _split("inn rosa buys the"),
                "reference": _split("rosa buys the inn"),
            },
            hint="Whoever takes 'inn' first has nothing left behind it. Leave it out, and three "
            "are common.",
        ),
        Case(
            label="one word many times",
            given={"summary": ["the"] * 3, "reference": _split("the inn the")},
        ),
        Case(label="a summary of one word", sizes={"summary": 1}),
        Case(label="an empty summary", sizes={"summary": 0}),
    ),
    misconceptions=(
        Misconception(
            "order is ignored: you count the words that both have. Common are only words that "
            "stand in the same order",
            (
                _counts(lambda a, b: (Counter(a) & Counter(b)).total()),
                _counts(lambda a, b: len(set(a) & set(b))),
                _counts(lambda a, b: sum(word in b for word in a)),
            ),
        ),
        Misconception(
            "you count words in a row. Other words may stand between them",
            (_counts(_in_a_row),),
        ),
        Misconception(
            "a word counts only at the same place. One word more at the beginning, and nothing "
            "would be common",
            (_counts(lambda a, b: sum(x == y for x, y in zip(a, b, strict=False))),),
        ),
        Misconception(
            "you take each word at its next place, which may jump over the rest. Sometimes a word "
            "must be left out: compare both ways and take the larger",
            (_counts(_next_in_turn), _counts(lambda a, b: _next_in_turn(b, a))),
        ),
        Misconception(
            "a word of one text is used for several of the other. After a match go on behind it in "
            "both",
            (_counts(_twice), _counts(lambda a, b: _twice(b, a))),
        ),
        Misconception(
            "the total is the length of one text; it is that of both together",
            (
                _counts(total=lambda a, b: len(a)),
                _counts(total=lambda a, b: len(b)),
                _counts(total=lambda a, b: max(len(a), len(b))),
            ),
        ),
        Misconception(
            "the two stand the other way round: return common, total",
            (lambda *texts: rouge_counts(*texts)[::-1],),
        ),
    ),
    hint="Let L(i, j) be what the first i and the first j words have in common. If the two last "
    "words are equal, it is one more than L(i - 1, j - 1). If not, one of them is left out.",
    solution=rouge_counts,
)
