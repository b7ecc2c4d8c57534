"""attncourse.data.extended: numbers for the unknown words of one article."""

from __future__ import annotations

import pytest
from support import refused

from attncourse.data.extended import ExtendedVocabulary
from attncourse.data.vocabulary import BOS, EOS, PAD, UNK, Vocabulary

VOCABULARY = Vocabulary(["rosa", "swims", "in", "rome"])  # 4 to 7
ARTICLE = ["rosa", "voss", "swims", "in", "nuru", "said", "voss"]


def test_unknown_words_get_the_numbers_behind_the_vocabulary_in_their_order():
    extended = ExtendedVocabulary(VOCABULARY, ARTICLE)
    assert extended.unknown == ("voss", "nuru", "said")
    assert extended.encode(ARTICLE) == [4, 8, 5, 6, 9, 10, 8]


def test_a_summary_shares_the_numbers_of_its_article():
    extended = ExtendedVocabulary(VOCABULARY, ARTICLE)
    assert extended.encode(["voss", "in", "rome"]) == [8, 6, 7]
    assert extended.encode(["smit", "swims"]) == [UNK, 5]  # nobody's


def test_the_same_number_is_another_word_in_another_article():
    other = ExtendedVocabulary(VOCABULARY, ["smit", "swims"])
    assert other.decode([8]) == ["smit"]
    assert ExtendedVocabulary(VOCABULARY, ARTICLE).decode([8]) == ["voss"]


def test_what_is_encoded_is_decoded():
    extended = ExtendedVocabulary(VOCABULARY, ARTICLE)
    assert extended.decode(extended.encode(ARTICLE)) == ARTICLE


def test_a_summary_ends_at_its_end_mark_and_padding_is_no_word():
    extended = ExtendedVocabulary(VOCABULARY, ARTICLE)
    assert extended.decode([BOS, 8, PAD, 5, EOS, 7]) == ["voss", "swims"]
    assert extended.decode([4, 13, UNK]) == ["rosa", "<unk>", "<unk>"]  # 13 is nobody's


def test_one_sign_and_two_that_look_alike_are_one_name():
    extended = ExtendedVocabulary(VOCABULARY, ["nu\N{COMBINING DIAERESIS}ru", "swims"])
    assert extended.encode(["n\N{LATIN SMALL LETTER U WITH DIAERESIS}ru"]) == [8]


# Bad input


def test_an_empty_article_is_refused(own_errors):
    with refused(ValueError, "article", "at least one word", "none"):
        ExtendedVocabulary(VOCABULARY, [])


def test_a_text_in_place_of_its_words_is_refused(own_errors):
    with refused(TypeError, "article", "several words", "str"):
        ExtendedVocabulary(VOCABULARY, "rosa voss swims")


@pytest.mark.parametrize("most", [0, 2])
def test_more_unknown_words_than_a_model_has_room_for_are_refused(own_errors, most):
    with refused(ValueError, "article", "3 unknown words", "max_unknown", str(most)):
        ExtendedVocabulary(VOCABULARY, ARTICLE, max_unknown=most)
    with refused(ValueError, "max_unknown", "not be negative", "-1"):
        ExtendedVocabulary(VOCABULARY, ARTICLE, max_unknown=-1)
