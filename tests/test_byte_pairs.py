"""attncourse.data.vocabulary.byte_pairs: twenty lines of plain Python, and the library's result."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import refused
from texts import CAPTIONS

from attncourse.data.vocabulary import BytePairVocabulary
from attncourse.data.vocabulary.byte_pairs import cut_word, join_pair, learn_merges


def test_the_commonest_pair_is_joined_first():
    # ▁ab ▁ab ▁ac: ▁ and a meet 3 times, a and b 2, a and c 1; then ▁a and b 2, ▁a and c 1
    words = {"ab": 2, "ac": 1}
    assert learn_merges(words, 7) == [("▁", "a"), ("▁a", "b")]
    assert learn_merges(words, 7, min_count=1) == [("▁", "a"), ("▁a", "b"), ("▁a", "c")]
    assert learn_merges(words, 1) == [("▁", "a")]
    assert learn_merges({}, 7) == learn_merges(words, 0) == []


def test_pairs_that_overlap_are_joined_from_the_left():
    assert join_pair("aaaaab", ("a", "a")) == ("aa", "aa", "a", "b")


def test_merges_apply_in_the_order_of_learning():
    assert cut_word("abc", [("b", "c"), ("▁", "a"), ("▁a", "b")]) == ["▁a", "bc"]


def test_a_count_below_one_is_refused(own_errors):
    with refused(ValueError, "min_count", "0"):
        learn_merges({"ab": 1}, 1, min_count=0)


def agree(words: list[str], size: int, min_count: int) -> None:
    """The library finds the same pairs in the same order, and cuts every word in the same way."""
    vocabulary = BytePairVocabulary.train([" ".join(words)], size=size, min_count=min_count)
    signs = {sign for word in words for sign in word} | {"▁"}
    merges = learn_merges(Counter(words), size - 4 - len(signs), min_count=min_count)
    assert list(vocabulary.merges[: len(merges)]) == merges
    for word in words:
        assert cut_word(word, vocabulary.merges) == vocabulary.pieces(word)


@pytest.mark.parametrize("size", [71, 131])
def test_the_library_finds_the_same_in_captions(size):
    agree([word for text in CAPTIONS for word in text.split() if word.isalpha()], size, 2)


@given(st.lists(st.text("abc", min_size=1, max_size=7), min_size=1, max_size=13), st.integers(1, 3))
def test_the_library_finds_the_same_in_any_words(words, min_count):
    """Few letters: many ties, and one piece found by two pairs."""
    agree(words, 4 + 4 + 11, min_count)
