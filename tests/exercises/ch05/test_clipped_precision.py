"""`clipped_precision` (chapter 05)."""

from __future__ import annotations

from collections import Counter

import pytest
from answers import right_answers, solve, unknown_answers, wrong_answers


def test_seven_times_the_has_two_of_seven_right():
    # Papineni et al. 2002, section 2.1
    reference = ["the", "cat", "is", "on", "the", "mat"]
    assert solve("clipped_precision", ["the"] * 7, reference, 1) == (2, 7)
    assert solve("clipped_precision", ["the"] * 7, reference, 2) == (0, 6)
    assert solve("clipped_precision", reference, reference, 4) == (3, 3)
    assert solve("clipped_precision", ["the"], reference, 2) == (0, 0)


@pytest.mark.equals("exercises.ch05.clipped_precision", "sacrebleu.metrics.BLEU", within=0)
def test_precisions_agree_with_those_of_sacrebleu(same):
    pytest.importorskip("sacrebleu")
    from sacrebleu.metrics import BLEU

    hypothesis = "a cat sat on a mat and a cat sat on the mat".split()  # noqa: SIM905
    reference = "the cat sat on the mat and a cat sat on a bed".split()  # noqa: SIM905
    result = BLEU(tokenize="none").corpus_score([" ".join(hypothesis)], [[" ".join(reference)]])
    for n in range(1, 5):
        want = result.counts[n - 1], result.totals[n - 1]
        same(solve("clipped_precision", hypothesis, reference, n), want)


# -- answers as readers write them -----------------------------------------------------------------


def precision_with_counters(hypothesis, reference, n):
    def grams(words):
        return Counter(zip(*(words[i:] for i in range(n)), strict=False))

    ours = grams(hypothesis)
    return (ours & grams(reference)).total(), ours.total()


def precision_not_clipped(hypothesis, reference, n):
    theirs = {" ".join(reference[i : i + n]) for i in range(len(reference) - n + 1)}
    ours = [" ".join(hypothesis[i : i + n]) for i in range(len(hypothesis) - n + 1)]
    return len([gram for gram in ours if gram in theirs]), len(ours)


def precision_of_sets(hypothesis, reference, n):
    ours = {tuple(hypothesis[i : i + n]) for i in range(len(hypothesis) - n + 1)}
    theirs = {tuple(reference[i : i + n]) for i in range(len(reference) - n + 1)}
    return len(ours & theirs), len(ours)


def precision_that_is_recall(hypothesis, reference, n):
    matches, _ = precision_with_counters(hypothesis, reference, n)
    return matches, max(0, len(reference) - n + 1)


def precision_of_words(hypothesis, reference, n):
    return (Counter(hypothesis) & Counter(reference)).total(), len(hypothesis)


def precision_below_zero(hypothesis, reference, n):
    matches, _ = precision_with_counters(hypothesis, reference, n)
    return matches, len(hypothesis) + 1 - n


test_a_right_answer_in_other_words_passes = right_answers(
    "clipped_precision", [precision_with_counters]
)
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "clipped_precision",
    [
        (precision_not_clipped, "the matches are not clipped"),
        (precision_of_sets, "you count kinds of n-grams"),
        (precision_that_is_recall, "That is recall"),
        (precision_of_words, "order is ignored"),
        (precision_below_zero, "has a negative total"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "clipped_precision", [lambda h, r, n: (precision_with_counters(h, r, n)[0], len(h) + 2)]
)
