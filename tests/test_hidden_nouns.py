"""Nouns hidden in captions (chapter 18)."""

from __future__ import annotations

import pytest

from attncourse.data import hidden_nouns
from attncourse.data.hidden_nouns import KIND_OF, KINDS, hide_nouns

CAPTIONS = [
    ["a", "dog", "runs", "along", "the", "beach", "with", "a", "red", "ball", "."],
    ["two", "men", "in", "blue", "shirts", "sit", "on", "a", "boat", "."],
    ["nothing", "of", "any", "kind", "here", "."],
] * 50


def test_every_noun_of_the_lists_is_hidden_at_a_share_of_one():
    dog, men, *_ = hide_nouns(CAPTIONS, share=1.0)
    assert " ".join(dog.words) == "a <unk> runs along the <unk> with a red ball ."
    assert [(place, KINDS[kind]) for place, kind in enumerate(men.kinds) if kind >= 0] == [
        (1, "person"),
        (4, "clothing"),
        (8, "vehicle"),
    ]


def test_what_is_hidden_shows_nowhere_and_all_else_stays():
    for hidden, words in zip(hide_nouns(CAPTIONS[:2], share=1.0), CAPTIONS[:2], strict=True):
        assert len(hidden.words) == len(hidden.kinds) == len(words)
        for shown, kind, word in zip(hidden.words, hidden.kinds, words, strict=True):
            assert (shown, kind) == (
                ("<unk>", KINDS.index(KIND_OF[word])) if word in KIND_OF else (word, -1)
            )


def test_a_caption_in_which_nothing_is_hidden_is_left_out():
    assert len(hide_nouns(CAPTIONS, share=1.0)) == 100
    assert hide_nouns(CAPTIONS, share=0.0) == []


def test_the_share_is_that_of_the_nouns():
    hidden = hide_nouns(CAPTIONS * 20, share=0.4, seed=3)
    found = sum(kind >= 0 for caption in hidden for kind in caption.kinds)
    assert found / (50 * 20 * 5) == pytest.approx(0.4, abs=0.03)


def test_the_same_seed_hides_the_same_and_another_does_not():
    assert hide_nouns(CAPTIONS, seed=1) == hide_nouns(CAPTIONS, seed=1)
    assert hide_nouns(CAPTIONS, seed=1) != hide_nouns(CAPTIONS, seed=2)


def test_no_noun_is_of_two_kinds():
    words = [word for nouns in hidden_nouns._NOUNS.values() for word in nouns.split()]
    assert len(words) == len(set(words))


def test_a_text_for_a_list_of_words_and_a_share_over_one_are_refused():
    with pytest.raises(TypeError, match=r"captions .*'a dog'"):
        hide_nouns(["a dog"])
    with pytest.raises(ValueError, match=r"share .*1\.5"):
        hide_nouns(CAPTIONS, share=1.5)
