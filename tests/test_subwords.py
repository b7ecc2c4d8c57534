"""attncourse.data.vocabulary.subwords: parts of words, numbered and read back."""

from __future__ import annotations

import os
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st
from support import refused
from texts import CAPTIONS, TEXTS, composed

from attncourse.data.vocabulary import BOS, EOS, PAD, SPECIALS, UNK, BytePairVocabulary

BYTE_PAIRS = BytePairVocabulary.train(CAPTIONS, size=71)


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


def test_only_words_are_built():
    """Kind: an inherited call that could only fail."""
    assert not hasattr(BytePairVocabulary, "build")


def test_merges_of_what_is_not_there_are_refused():
    with refused(ValueError, "'a'", "'b'", "'ab'"):
        BytePairVocabulary(["a", "b"], [("a", "b")])


def test_the_library_is_not_imported_with_the_module():
    code = "import sys, attncourse.data.vocabulary as v; sys.exit('tokenizers' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
