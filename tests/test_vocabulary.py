"""attncourse.data.vocabulary: words and parts of words, numbered and read back."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support import refused

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
    split_words,
)

CAPTIONS = [
    "a dog runs over the grass",
    "a small dog and a cat",
    "two cats sleep on the grass , and a dog 's toy lies there .",
    "un chien court dans l' herbe",
    "ein Hund läuft über die Wiese",
] * 3
BYTE_PAIRS = BytePairVocabulary.train(CAPTIONS, size=71)

# ▁ stands for a space in byte pairs; surrogates are no characters.
LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="▁")
TEXTS = st.text(LETTERS, max_size=40)


def composed(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


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


# Byte pairs


def test_the_commonest_pairs_become_pieces():
    # ▁ab ▁ab ▁ac: ▁ and a meet 3 times, a and b 2, a and c 1; then ▁a and b 2, ▁a and c 1
    vocabulary = BytePairVocabulary.train(["ab ab ac"], size=10)
    assert vocabulary.merges == (("▁", "a"), ("▁a", "b"))
    assert vocabulary.tokens == (*SPECIALS, "a", "b", "c", "▁", "▁a", "▁ab")
    assert vocabulary.pieces("ac ab ba") == ["▁a", "c", "▁ab", "▁", "b", "a"]
    assert vocabulary.encode("ac ab ba") == [8, 6, 9, 7, 5, 4]
    assert vocabulary.decode([8, 6, 9, 7, 5, 4]) == "ac ab ba"


def test_an_unknown_letter_is_one_piece_and_the_rest_stays():
    ids = BYTE_PAIRS.encode("a d☃g")
    assert ids.count(UNK) == 1
    assert BYTE_PAIRS.decode(ids) == "a d<unk>g"


def test_no_piece_joins_a_word_with_what_stands_beside_it():
    vocabulary = BytePairVocabulary.train(["the end. the end."] * 7, size=80)
    assert vocabulary.pieces("the end.") == ["▁the", "▁end", "."]


@given(st.text(st.sampled_from(sorted(set("".join(CAPTIONS)))), max_size=40))
def test_byte_pairs_come_back_as_they_went(text):
    ids = BYTE_PAIRS.encode(text)
    assert UNK not in ids
    assert len(ids) == len(BYTE_PAIRS.pieces(text))
    assert all(0 <= number < len(BYTE_PAIRS) for number in ids)
    assert BYTE_PAIRS.decode([BOS, *ids, EOS, PAD]) == composed(text)


@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_byte_pairs_read_back_any_text_they_were_trained_on(texts):
    letters = {letter for text in texts for letter in composed(text)} - {" "} | {"▁"}
    vocabulary = BytePairVocabulary.train(texts, size=len(SPECIALS) + len(letters) + 13)
    for text in texts:
        assert vocabulary.decode(vocabulary.encode(text)) == composed(text)


def test_training_gives_the_same_pieces_in_every_process_and_on_any_number_of_threads():
    # Many ties: these are what a hash table's order would decide.
    code = (
        "from attncourse.data.vocabulary import BytePairVocabulary as B\n"
        "words = [a + b + c for a in 'abcd' for b in 'efgh' for c in 'ijk']\n"
        "print(B.train([' '.join(words)] * 2, size=71).state())"
    )
    results = set()
    for threads in ("1", "7"):
        variables = {**os.environ, "RAYON_NUM_THREADS": threads}
        variables["TOKENIZERS_PARALLELISM"] = "false" if threads == "1" else "true"
        ran = subprocess.run(
            [sys.executable, "-c", code], env=variables, capture_output=True, check=True, text=True
        )
        results.add(ran.stdout)
    assert len(results) == 1
    assert "merges" in results.pop()


def test_the_size_that_characters_need_is_named_and_enough(own_errors):
    # 4 special tokens, ▁, a, b
    assert len(BytePairVocabulary.train(["ab ab"], size=7)) == 7
    with refused(ValueError, "size", "at least 7", "got 6"):
        BytePairVocabulary.train(["ab ab"], size=6)
    with refused(ValueError, "min_count", "at least 1"):
        BytePairVocabulary.train(["ab"], size=70, min_count=0)
    with refused(TypeError, "sentences", "one str"):
        BytePairVocabulary.train("ab", size=70)


def test_pairs_below_the_minimum_count_stay_apart():
    vocabulary = BytePairVocabulary.train(["ab ab ab cd cd"], size=70, min_count=3)
    assert vocabulary.pieces("ab cd") == ["▁ab", "▁", "c", "d"]


def test_merges_of_what_is_not_there_are_refused():
    with refused(ValueError, "'a'", "'b'", "'ab'"):
        BytePairVocabulary(["a", "b"], [("a", "b")])


def test_a_missing_library_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with refused(ImportError, "pip install tokenizers"):
        BytePairVocabulary.train(["ab"], size=70)
    assert Vocabulary.build(["a dog"]).encode("dog") == [5]  # words need nothing


def test_the_library_is_not_imported_with_the_module():
    code = "import sys, attncourse.data.vocabulary as v; sys.exit('tokenizers' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


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


# Splitting


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A dog's toy.", "a dog 's toy ."),
        ("Two T-shirts, isn't it?", "two t-shirts , isn 't it ?"),
        ("L'herbe qu’elle aime, jusqu'ici !", "l' herbe qu' elle aime , jusqu' ici !"),
        ("Männer – 3 Hüte", "männer – 3 hüte"),
        ("it's 'fine'", "it 's 'fine '"),
        ("un\u00a0mot\u202f!", "un mot !"),
        ("", ""),
    ],
)
def test_words_and_marks_are_set_apart(text, expected):
    assert split_words(text) == expected


@given(TEXTS)
def test_splitting_loses_nothing_but_space_and_case(text):
    def bare(text):
        text = unicodedata.normalize("NFC", text).replace("’", "'").lower()
        return "".join(text.split())

    assert bare(split_words(text)) == bare(text)
