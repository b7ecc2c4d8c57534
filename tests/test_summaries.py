"""attncourse.metrics.summaries: ROUGE-L, and whether the name is right."""

from __future__ import annotations

import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support import refused

from attncourse.metrics import (
    longest_common_subsequence,
    name_accuracy,
    rouge_l,
    rouge_l_interval,
)

TEXTS = st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), max_size=11)


@pytest.mark.parametrize(
    ("a", "b", "length"),
    [
        ("a b c d", "a b c d", 4),
        ("a b c d", "d c b a", 1),  # any one, but no two in this order
        ("a x b y c", "a b c", 3),
        ("a b a b", "b a b a", 3),
        ("a a a", "a", 1),  # a word is used once
        ("", "a", 0),
    ],
)
def test_words_in_common_by_hand(a, b, length):
    assert longest_common_subsequence(a.split(), b.split()) == length


def plain(a, b):
    """By its definition, without a table."""
    if not a or not b:
        return 0
    if a[0] == b[0]:
        return 1 + plain(a[1:], b[1:])
    return max(plain(a[1:], b), plain(a, b[1:]))


@given(TEXTS.map(lambda words: words[:7]), TEXTS.map(lambda words: words[:7]))
def test_words_in_common_by_the_definition(a, b):
    assert longest_common_subsequence(a, b) == plain(a, b)


@given(TEXTS, TEXTS)
def test_words_in_common_are_as_many_from_either_side_and_from_behind(a, b):
    common = longest_common_subsequence(a, b)
    assert common == longest_common_subsequence(b, a)
    assert common == longest_common_subsequence(a[::-1], b[::-1])
    assert common <= min(len(a), len(b))


def test_a_score_by_hand():
    # 5 of the summary's 6 words are among the reference's 7, in order: "<unk>" is a word too.
    (summary, reference) = "rosa <unk> buys inn in rome", "rosa voss buys old inn in rome"
    score = rouge_l([summary], [reference])
    assert score.precision == pytest.approx(100 * 5 / 6)
    assert score.recall == pytest.approx(100 * 5 / 7)
    assert score.score == pytest.approx(100 * 10 / 13)


def test_of_two_summaries_the_mean_counts_and_not_their_words_together():
    texts = ["a", "a b c d"], ["a", "e f g h"]
    assert rouge_l(*texts).score == 50  # 1 of 1 and 0 of 4


def test_capitals_and_punctuation_do_not_count():
    assert rouge_l(["Rosa Voss, swims!"], ["rosa voss swims"]).score == 100


def test_letters_beyond_ascii_are_kept():
    assert rouge_l(["ümit élan"], ["umit lan"]).score == 0


def test_nothing_in_common_is_nought_and_no_error():
    assert rouge_l(["", "a"], ["a", ""]) == (0, 0, 0)


@pytest.mark.equals("metrics.rouge_l", "rouge_score.rouge_scorer.RougeScorer", within=1e-9)
def test_as_the_library_says_on_300_pairs(same):
    scorer = pytest.importorskip("rouge_score.rouge_scorer", reason="rouge-score is missing")
    theirs = scorer.RougeScorer(["rougeL"], use_stemmer=False)
    draw = random.Random(3)
    words = ["The", "cat", "sat", "on", "2", "mats", "isn't", "red-hot", ",", "."]
    for _ in range(300):
        written, wanted = (" ".join(draw.choices(words, k=draw.randint(0, 13))) for _ in "ab")
        (found,) = theirs.score(wanted, written).values()
        expected = [100.0 * found.fmeasure, 100.0 * found.precision, 100.0 * found.recall]
        same([float(number) for number in rouge_l([written], [wanted])], expected)


def test_the_interval_is_of_the_score_and_of_the_lead():
    references = [f"a b c {i}" for i in range(40)]
    better, worse = [f"a b c {i % 30}" for i in range(40)], ["a b"] * 40
    interval = rouge_l_interval(better, references)
    assert interval.value == pytest.approx(rouge_l(better, references).score)
    assert interval.low < interval.value < interval.high
    lead = rouge_l_interval(better, references, baseline=worse)
    wanted = rouge_l(better, references).score - rouge_l(worse, references).score
    assert lead.value == pytest.approx(wanted)
    assert lead.low > 0


# Names


def test_a_name_is_right_where_it_is_a_word_of_the_summary():
    summaries = ["rosa voss swims", "rosa vossen swims", "rosa <unk> swims", "VOSS!"]
    assert name_accuracy(summaries, ["Voss"] * 4).value == 0.5  # the first and the last
    assert name_accuracy(["ana de la cruz", "ana cruz de la"], ["de la cruz"] * 2).value == 0.5


def test_the_interval_of_names_holds_the_share():
    summaries = ["voss"] * 60 + ["smit"] * 40
    value, low, high = name_accuracy(summaries, ["voss"] * 100)
    assert value == 0.6
    # Two deviations of a share of 0.6 among 100: 2 * sqrt(0.24 / 100), about 0.1.
    assert low == pytest.approx(0.5, abs=0.03)
    assert high == pytest.approx(0.7, abs=0.03)
    generator = torch.Generator().manual_seed(5)
    assert name_accuracy(summaries, ["voss"] * 100, generator=generator).value == 0.6


def test_no_right_name_has_no_width():
    assert name_accuracy(["a", "b"], ["c", "c"]) == (0, 0, 0)


# Bad input


def test_an_empty_list_of_names_is_refused(own_errors):
    with refused(ValueError, "names", "at least one name"):
        name_accuracy([], [])


def test_names_that_do_not_fit_are_refused(own_errors):
    with refused(ValueError, "2 of hypotheses", "1 of names"):
        name_accuracy(["a", "b"], ["a"])
    with refused(ValueError, "names[1]", "' '"):
        name_accuracy(["a", "b"], ["a", " "])
    with refused(TypeError, "names", "several names", "str"):
        name_accuracy(["a"], "a")
    with refused(TypeError, "hypotheses", "str"):
        name_accuracy("a", ["a"])


def test_summaries_that_do_not_fit_are_refused(own_errors):
    with refused(ValueError, "hypotheses", "at least one", "none"):
        rouge_l([], [])
    with refused(ValueError, "hypotheses and references", "2 and 1"):
        rouge_l(["a", "b"], ["a"])
    with refused(TypeError, "references", "str"):
        rouge_l(["a"], "a")
