"""`rouge_counts` (chapter 13)."""

from __future__ import annotations

import difflib
from collections import Counter
from functools import cache

import pytest
from answers import right_answers, solve, unknown_answers, wrong_answers

from attncourse.metrics import rouge_l


def test_counts_by_hand():
    assert solve("rouge_counts", ["a", "x", "b"], ["a", "b", "c"]) == (2, 6)
    assert solve("rouge_counts", [], ["a", "b"]) == (0, 2)
    assert solve("rouge_counts", ["b", "a"], ["a", "b"]) == (1, 4)


def test_they_make_the_score():
    texts = "rosa voss buys an inn", "rosa buys the old inn now"
    common, total = solve("rouge_counts", *(text.split() for text in texts))
    assert rouge_l(*([text] for text in texts)).score == pytest.approx(200 * common / total)


# -- answers as readers write them -----------------------------------------------------------------


def counts_by_recursion(summary, reference):
    @cache
    def common(i, j):
        if i == 0 or j == 0:
            return 0
        if summary[i - 1] == reference[j - 1]:
            return common(i - 1, j - 1) + 1
        return max(common(i - 1, j), common(i, j - 1))

    return common(len(summary), len(reference)), len(summary) + len(reference)


def counts_of_bags(summary, reference):
    return (Counter(summary) & Counter(reference)).total(), len(summary) + len(reference)


def counts_in_a_row(summary, reference):
    matcher = difflib.SequenceMatcher(None, summary, reference, autojunk=False)
    size = matcher.find_longest_match(0, len(summary), 0, len(reference)).size
    return size, len(summary) + len(reference)


def counts_by_place(summary, reference):
    same = [a for a, b in zip(summary, reference, strict=False) if a == b]
    return len(same), len(summary) + len(reference)


def counts_in_turn(summary, reference):
    rest, common = list(reference), 0
    for word in summary:
        if word in rest:
            rest = rest[rest.index(word) + 1 :]
            common += 1
    return common, len(summary) + len(reference)


test_a_right_answer_in_other_words_passes = right_answers("rouge_counts", [counts_by_recursion])
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "rouge_counts",
    [
        (counts_of_bags, "order is ignored"),
        (counts_in_a_row, "words in a row"),
        (counts_by_place, "only at the same place"),
        (counts_in_turn, "jump over the rest"),
        (lambda a, b: (counts_by_recursion(a, b)[0], len(b)), "length of one text"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "rouge_counts", [lambda a, b: (counts_by_recursion(a, b)[0] + 1, len(a) + len(b))]
)
