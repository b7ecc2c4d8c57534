"""Nouns hidden in captions (chapter 18)."""

from __future__ import annotations

import pytest
import torch

from attncourse.data import hidden_nouns
from attncourse.data.hidden_nouns import KIND_OF, KINDS, HiddenNounBatches, hide_nouns
from attncourse.data.vocabulary import BOS, EOS, PAD, UNK, Vocabulary

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


@pytest.fixture
def vocabulary():
    return Vocabulary.build(CAPTIONS)


def test_kinds_stand_at_their_words_behind_the_begin_mark(vocabulary):
    (batch,) = HiddenNounBatches(hide_nouns(CAPTIONS[:2], share=1.0), vocabulary, batch_size=2)
    assert batch.tokens.shape == (2, 13)
    assert batch.padding_mask.sum(1).tolist() == [13, 12]
    (a,), (runs,) = vocabulary.encode("a"), vocabulary.encode("runs")
    assert batch.tokens[0, :4].tolist() == [BOS, a, UNK, runs]
    assert batch.tokens[1, -2:].tolist() == [EOS, PAD]
    places = (batch.kinds >= 0).nonzero().tolist()
    assert places == [[0, 2], [0, 6], [1, 2], [1, 5], [1, 9]]
    kinds = [KINDS[kind] for kind in batch.kinds[batch.kinds >= 0]]
    assert kinds == ["animal", "place", "person", "clothing", "vehicle"]


def test_an_epoch_has_each_caption_once_and_another_order_than_the_last(vocabulary):
    hidden = hide_nouns(CAPTIONS, share=0.7)
    generator = torch.Generator().manual_seed(0)
    batches = HiddenNounBatches(hidden, vocabulary, batch_size=7, generator=generator)

    def epoch() -> list[tuple[int, ...]]:
        return [tuple(row[row >= 0].tolist()) for batch in batches for row in batch.kinds]

    first, second = epoch(), epoch()
    assert sorted(first) == sorted(second)
    assert sorted(first) == sorted(tuple(k for k in c.kinds if k >= 0) for c in hidden)
    assert first != second
    assert len(batches) == len(list(batches)) == -(-len(hidden) // 7)


def test_without_a_generator_the_order_stays(vocabulary):
    hidden = hide_nouns(CAPTIONS, share=1.0)
    batches = HiddenNounBatches(hidden, vocabulary, batch_size=3)
    shown = [row[mask].tolist() for batch in batches for row, mask in zip(*batch[:2], strict=True)]
    assert shown == [[BOS, *vocabulary.encode(caption.words), EOS] for caption in hidden]


def test_batches_of_no_caption_or_no_size_are_refused(vocabulary):
    with pytest.raises(ValueError, match=r"captions .*got none"):
        HiddenNounBatches([], vocabulary, batch_size=3)
    with pytest.raises(ValueError, match=r"batch_size .*0"):
        HiddenNounBatches(hide_nouns(CAPTIONS), vocabulary, batch_size=0)
