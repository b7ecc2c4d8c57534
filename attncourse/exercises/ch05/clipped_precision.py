"""An exercise of chapter 05: the clipped precision from which BLEU is made."""

from __future__ import annotations

import torch

from attncourse.exercises.judging import Case, Input, Misconception, Several


def clipped_precision(hypothesis, reference, n):
    def ngrams(words):
        return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]

    ours, theirs = ngrams(hypothesis), ngrams(reference)
    matches = sum(min(ours.count(ngram), theirs.count(ngram)) for ngram in set(ours))
    return matches, len(ours)


def _words(shape, case, generator):
    """Draw words of a small vocabulary, so that they come again."""
    vocabulary = ("the", "a", "cat", "mat", "sat", "on")
    return [vocabulary[i] for i in torch.randint(6, shape, generator=generator)]


def _split(text):
    return text.split()


def _ngrams(words, n):
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def _clipped(ours, theirs):
    return sum(min(ours.count(ngram), theirs.count(ngram)) for ngram in set(ours))


def _known(ours, theirs):
    return sum(ngram in theirs for ngram in ours)


def _distinct(ours, theirs):
    return len(set(ours) & set(theirs))


def _tried(ours, theirs):
    return len(ours)


def _precision(matches=_clipped, total=_tried, cut=_ngrams):
    """A precision that cuts, matches or counts its n-grams in another way."""

    def function(hypothesis, reference, n):
        ours, theirs = cut(hypothesis, n), cut(reference, n)
        return matches(ours, theirs), total(ours, theirs)

    return function


def _all_words(hypothesis, reference, n):
    return _clipped(hypothesis, reference), len(_ngrams(hypothesis, n))


def _up_to(hypothesis, reference, n):
    parts = [clipped_precision(hypothesis, reference, size) for size in range(1, n + 1)]
    return sum(part[0] for part in parts), sum(part[1] for part in parts)


def _unfloored(hypothesis, reference, n):
    return clipped_precision(hypothesis, reference, n)[0], len(hypothesis) - n + 1


def _every_word(hypothesis, reference, n):
    return clipped_precision(hypothesis, reference, n)[0], len(hypothesis)


MATCHES = (_clipped, _known, _distinct)

EXERCISE = Several(
    name="clipped_precision",
    chapter="05",
    signature="clipped_precision(hypothesis, reference, n) -> matches, total: two whole numbers",
    parts=("matches", "total"),
    inputs=(
        Input("hypothesis", "hypothesis", draw=_words),
        Input("reference", "reference", draw=_words),
        Input("n", draw=lambda shape, case, generator: 2),
    ),
    sizes={"hypothesis": 11, "reference": 7},
    cases=(
        Case(label="pairs of words"),
        Case(
            label="one word seven times",
            given={
                "n": 1,
                "hypothesis": ["the"] * 7,
                "reference": _split("the cat is on the mat"),
            },
            hint="The reference has the word twice, so two of the seven match.",
        ),
        Case(label="single words", given={"n": 1}),
        Case(
            label="the right words in the wrong order",
            given={
                "hypothesis": _split("sat the on cat the mat"),
                "reference": _split("the cat sat on the mat"),
            },
        ),
        Case(
            label="triples",
            given={
                "n": 3,
                "hypothesis": _split("a cat sat on a mat and a cat sat on the mat"),
                "reference": _split("the cat sat on the mat and a cat sat on a bed"),
            },
        ),
        Case(
            label="a hypothesis shorter than its reference",
            given={
                "n": 1,
                "hypothesis": _split("the cat sat"),
                "reference": _split("the cat sat on the mat"),
            },
        ),
        Case(
            label="a hypothesis shorter than n",
            sizes={"hypothesis": 2},
            given={"n": 4},
            hint="It has no sequence of n words: nothing matches, and the total is 0.",
        ),
        Case(label="an empty hypothesis", sizes={"hypothesis": 0}),
    ),
    misconceptions=(
        Misconception(
            'the matches are not clipped: every repetition counts, and "the the the" is perfect. '
            "An n-gram matches at most as often as the reference has it",
            (_precision(_known),),
        ),
        Misconception(
            "you count kinds of n-grams, as in a set. One that comes twice in both matches twice",
            (
                _precision(_distinct, lambda ours, theirs: len(set(ours))),
                _precision(_distinct),
            ),
        ),
        Misconception(
            "you divide by the reference's number of n-grams. That is recall; precision asks what "
            "share of the hypothesis is right",
            tuple(_precision(matches, lambda ours, theirs: len(theirs)) for matches in MATCHES),
        ),
        Misconception(
            "order is ignored: you match n words that may stand anywhere. An n-gram is n words in "
            "a row, in their order",
            (
                _all_words,
                lambda hypothesis, reference, n: clipped_precision(hypothesis, reference, 1),
                _precision(cut=lambda words, n: [tuple(sorted(g)) for g in _ngrams(words, n)]),
                _precision(cut=lambda words, n: [frozenset(g) for g in _ngrams(words, n)]),
            ),
        ),
        Misconception(
            "an n-gram matches only at the same place. Where in the sentence it stands does not "
            "matter",
            (
                _precision(
                    lambda ours, theirs: sum(a == b for a, b in zip(ours, theirs, strict=False))
                ),
            ),
        ),
        Misconception(
            "the n-grams do not overlap: the next one begins one word further on, not n",
            (_precision(cut=lambda words, n: _ngrams(words, n)[::n]),),
        ),
        Misconception(
            "the last n-gram is missing: of a sentence of L words there are L - n + 1",
            (_precision(cut=lambda words, n: _ngrams(words, n)[:-1]),),
        ),
        Misconception(
            "the end of the sentence gives n-grams that are too short: of L words there are "
            "L - n + 1",
            (
                _precision(
                    cut=lambda words, n: [tuple(words[i : i + n]) for i in range(len(words))]
                ),
            ),
        ),
        Misconception(
            "the total is the number of words; n-grams are fewer, by n - 1",
            (_every_word,),
        ),
        Misconception(
            "a hypothesis shorter than n has a negative total: it has no n-grams, so 0",
            (_unfloored,),
        ),
        Misconception(
            "you take the larger of the two counts; a match needs both, so it is the smaller",
            (
                _precision(
                    lambda ours, theirs: sum(
                        max(ours.count(ngram), theirs.count(ngram)) for ngram in set(ours)
                    )
                ),
            ),
        ),
        Misconception(
            "you count what the reference has, also where the hypothesis has it less often: take "
            "the smaller of the two counts",
            (_precision(lambda ours, theirs: sum(theirs.count(ngram) for ngram in set(ours))),),
        ),
        Misconception(
            "all lengths up to n are counted together; asked is length n alone",
            (_up_to,),
        ),
        Misconception(
            "the two stand the other way round: return matches, total",
            (lambda *arguments: clipped_precision(*arguments)[::-1],),
        ),
    ),
    hint="List the n-grams of both sentences as tuples. For each kind that the hypothesis has, "
    "count it in both: how many of them can be right?",
    solution=clipped_precision,
)
