"""attncourse.data.vocabulary: words, numbered and read back; both kinds saved and loaded."""

from __future__ import annotations

import json
import os
import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support import refused
from texts import CAPTIONS, TEXTS, composed

from attncourse.data.vocabulary import (
    BOS,
    EOS,
    PAD,
    SPECIALS,
    UNK,
    BytePairVocabulary,
    Vocabulary,
    from_state,
    load_vocabulary,
)

BYTE_PAIRS = BytePairVocabulary.train(CAPTIONS, size=71)


# Words


def test_words_are_numbered_from_four_the_commonest_first():
    # counts by hand: a 3, dog 2, cat 1, and 1
    vocabulary = Vocabulary.build(["a dog and a cat", "a dog"])
    assert vocabulary.tokens == ("<pad>", "<bos>", "<eos>", "<unk>", "a", "dog", "and", "cat")
    assert (PAD, BOS, EOS, UNK) == (0, 1, 2, 3)
    assert vocabulary.encode("cat and a dog") == [7, 6, 4, 5]
    assert len(vocabulary) == 8
    assert "dog" in vocabulary
    assert "cow" not in vocabulary


def test_the_minimum_count_is_the_least_that_is_kept():
    sentences = ["a a a b b c"]
    kept = {n: Vocabulary.build(sentences, min_count=n).tokens[4:] for n in (1, 2, 3, 4)}
    assert kept == {1: ("a", "b", "c"), 2: ("a", "b"), 3: ("a",), 4: ()}


def test_the_largest_size_keeps_the_commonest():
    assert Vocabulary.build(["a a a b b c"], max_size=6).tokens == (*SPECIALS, "a", "b")


def test_the_order_of_the_sentences_does_not_matter():
    sentences = list(CAPTIONS)
    first = Vocabulary.build(sentences)
    random.Random(5).shuffle(sentences)
    assert Vocabulary.build(sentences).tokens == first.tokens


def test_a_sentence_may_be_a_text_or_its_words():
    vocabulary = Vocabulary.build([("a", "dog"), "a cat"])
    assert vocabulary.encode(["a", "dog"]) == vocabulary.encode("a  dog\n") == [4, 6]


def test_an_unknown_word_is_number_three_and_reads_so():
    vocabulary = Vocabulary.build(["a dog"])
    assert vocabulary.encode("a cow") == [4, UNK]
    assert vocabulary.pieces("a cow") == ["a", "cow"]
    assert vocabulary.decode([4, UNK]) == "a <unk>"


def test_decoding_ends_at_the_first_end_and_leaves_out_begin_and_padding():
    vocabulary = Vocabulary.build(["a dog"])
    assert vocabulary.decode([BOS, 4, 5, PAD, 5, EOS, 4, EOS, PAD]) == "a dog dog"


@pytest.mark.parametrize("make", [lambda s: Vocabulary.build(s), lambda s: BYTE_PAIRS])
@pytest.mark.parametrize("special", SPECIALS)
def test_a_special_token_in_a_text_is_not_one(make, special):
    vocabulary = make([f"a dog {special}"])
    assert vocabulary.tokens.count(special) == 1
    assert {PAD, BOS, EOS}.isdisjoint(vocabulary.encode(f"a {special} dog"))
    assert special not in vocabulary


def test_one_letter_in_two_forms_is_one_letter():
    vocabulary = Vocabulary.build(["un b\u00e9b\u00e9"])
    assert vocabulary.encode("un be\u0301be\u0301") == vocabulary.encode("un b\u00e9b\u00e9")
    assert BYTE_PAIRS.encode("la\u0308uft") == BYTE_PAIRS.encode("l\u00e4uft")


@given(TEXTS)
def test_words_come_back_as_they_went(text):
    assume(not set(text.split()) & set(SPECIALS))
    vocabulary = Vocabulary.build([text])
    ids = vocabulary.encode(text)
    assert UNK not in ids
    assert vocabulary.decode([BOS, *ids, EOS, PAD]) == composed(text)


@given(st.lists(TEXTS, max_size=7), st.integers(1, 3), TEXTS)
def test_every_word_of_a_text_has_a_number_that_stands_for_it_or_for_the_unknown(
    texts, count, other
):
    vocabulary = Vocabulary.build(texts, min_count=count)
    words = [word for text in texts for word in composed(text).split()]
    for word, number in zip(composed(other).split(), vocabulary.encode(other), strict=True):
        known = words.count(word) >= count and word not in SPECIALS
        assert number == (vocabulary.tokens.index(word) if known else UNK)


def test_bad_arguments_are_refused(own_errors):
    with refused(TypeError, "sentences", "one str"):
        Vocabulary.build("a dog")
    with refused(ValueError, "min_count", "at least 1", "0"):
        Vocabulary.build(["a dog"], min_count=0)
    with refused(ValueError, "max_size", "more than 4", "got 4"):
        Vocabulary.build(["a dog"], max_size=4)
    with refused(TypeError, "words", "one str"):
        Vocabulary("dogs")
    for wrong in (5, None, [1, 2]):
        with refused(TypeError, "a text or its words", repr(wrong)):
            Vocabulary.build(["a dog"]).encode(wrong)
    with refused(TypeError, "a text or its words", "[1, 2]"):
        Vocabulary.build([[1, 2]])
    with refused(TypeError, "a text or its words", "1"):
        Vocabulary([1, 2])
    with refused(ValueError, "'a'", "twice"):
        Vocabulary(["a", "b", "a"])
    with refused(ValueError, "'<eos>'", "twice"):
        Vocabulary(["<eos>"])
    for word in ("", "two words", " a"):
        with refused(ValueError, "white space", repr(word)):
            Vocabulary([word])


@pytest.mark.parametrize("number", [-1, 6])
def test_a_number_without_a_token_is_refused(number):
    with refused(ValueError, "ids", "0 ... 5", str(number)):
        Vocabulary(["a", "dog"]).decode([4, number])


# Saved and loaded

BOTH = pytest.mark.parametrize("vocabulary", [Vocabulary.build(CAPTIONS), BYTE_PAIRS], ids=repr)


@BOTH
def test_what_was_saved_loads_equal(vocabulary, tmp_path):
    path = tmp_path / "new" / "vocabulary.json"
    vocabulary.save(path)
    loaded = load_vocabulary(path)
    assert type(loaded) is type(vocabulary)
    assert loaded == vocabulary
    assert loaded.tokens == vocabulary.tokens
    for text in (*CAPTIONS, "a cow läuft ☃"):
        assert loaded.encode(text) == vocabulary.encode(text)
    again = tmp_path / "again.json"
    loaded.save(again)
    assert again.read_bytes() == path.read_bytes()
    assert [p.name for p in path.parent.iterdir()] == ["vocabulary.json"]


@BOTH
def test_a_vocabulary_goes_into_a_larger_json_file(vocabulary):
    assert from_state(json.loads(json.dumps({"x": vocabulary.state()}))["x"]) == vocabulary


def test_different_vocabularies_are_not_equal():
    assert Vocabulary(["a", "b"]) != Vocabulary(["b", "a"])
    assert Vocabulary(BYTE_PAIRS.tokens[4:]) != BYTE_PAIRS
    assert Vocabulary(["a"]) != "a"


@BOTH
def test_a_file_cut_off_anywhere_is_refused(vocabulary, tmp_path):
    path = tmp_path / "vocabulary.json"
    vocabulary.save(path)
    whole = path.read_bytes()
    for cut in (0, 1, 17, len(whole) // 2, len(whole) - 3):
        path.write_bytes(whole[:cut])
        with refused(ValueError, str(path), "not a whole vocabulary"):
            load_vocabulary(path)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[]", "kind"),
        ("{}", "kind"),
        ('{"kind": "images"}', "'images'"),
        ('{"kind": ["words"]}', "kind"),
        ('{"kind": "words"}', "tokens"),
        ('{"kind": "words", "tokens": "abc"}', "tokens"),
        ('{"kind": "words", "tokens": [1]}', "tokens"),
        ('{"kind": "words", "tokens": ["a", "a"]}', "twice"),
        ('{"kind": "byte pairs", "tokens": ["a"]}', "merges"),
        ('{"kind": "byte pairs", "tokens": ["a"], "merges": ["aa"]}', "merges"),
        ('{"kind": "byte pairs", "tokens": ["a"], "merges": [["a", "a"]]}', "merges"),
        ("\xff", "utf-8"),
    ],
)
def test_a_foreign_file_is_refused(tmp_path, own_errors, text, word):
    path = tmp_path / "foreign.json"
    path.write_bytes(text.encode("latin-1"))
    with refused(ValueError, str(path), word):
        load_vocabulary(path)


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_vocabulary(tmp_path / "none.json")


def test_a_save_that_fails_leaves_the_old_vocabulary(tmp_path, monkeypatch):
    path = tmp_path / "vocabulary.json"
    Vocabulary(["old"]).save(path)

    def fail(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        Vocabulary(["new"]).save(path)
    assert load_vocabulary(path) == Vocabulary(["old"])
    assert len(list(tmp_path.iterdir())) == 1
