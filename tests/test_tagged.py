"""attncourse.data.tagged: words as pieces, texts as batches."""

from __future__ import annotations

import pytest
import torch
from support import refused

from attncourse.data.bio import TaggedText
from attncourse.data.tagged import TaggedBatches, tagged_batch, word_pieces

TAGS = ["O", "B-place", "I-place"]
TEXTS = [
    TaggedText(("in", "velora"), ("O", "B-place")),
    TaggedText(("no",), ("O",)),
    TaggedText(("a", "new", "york"), ("O", "B-place", "I-place")),
]


def test_a_word_has_as_many_trigrams_as_letters():
    for word in ("a", "is", "velora", "ünï"):
        pieces = word_pieces(word, buckets=997)
        assert len(pieces) == len(word)
        assert all(0 < piece < 997 for piece in pieces)


def test_words_share_the_pieces_that_they_have_in_common():
    many = {"buckets": 10**6}
    # <ve vel elo lor or> and <ve vel elo lon on>: the first three
    assert word_pieces("velor", **many)[:3] == word_pieces("velon", **many)[:3]
    assert not set(word_pieces("velor", **many)[3:]) & set(word_pieces("velon", **many)[3:])


def test_the_numbers_are_the_same_on_every_machine():
    # by hand from the CRC-32 of "<a>", in any program: 0x6FB782AB = 1874297515
    assert word_pieces("a", buckets=101) == (1 + 1874297515 % 100,)


def test_capitals_count_only_with_the_whole_word():
    assert word_pieces("Oslo", buckets=997) == word_pieces("oslo", buckets=997)
    big, small = (word_pieces(word, buckets=10**6, whole=True) for word in ("Oslo", "oslo"))
    assert len(big) == len(small) == 4 + 2  # trigrams, the word, its shape
    assert [one == other for one, other in zip(big, small, strict=True)] == [True] * 5 + [False]
    # runs are one sign: Xx9 for both
    shapes = {word_pieces(word, buckets=10**6, whole=True)[-1] for word in ("Ab12", "Zeb3")}
    assert len(shapes) == 1


def test_a_batch_holds_its_texts_and_padding_nothing():
    batch = tagged_batch(TEXTS, TAGS, buckets=997)
    assert batch.pieces.shape == (3, 3, 6)
    assert batch.mask.tolist() == [[True, True, False], [True, False, False], [True] * 3]
    assert batch.tags.tolist() == [[0, 1, 0], [0, 0, 0], [0, 1, 2]]
    assert not batch.pieces[~batch.mask].any()
    assert tuple(batch.pieces[0, 1].tolist()) == word_pieces("velora", buckets=997)
    assert batch.pieces[1, 0].tolist() == [*word_pieces("no", buckets=997), 0, 0, 0, 0]


def test_an_epoch_holds_every_text_once_in_an_order_that_chance_draws():
    texts = [TaggedText(("a",) * n, ("O",) * n) for n in range(1, 14)]
    batches = TaggedBatches(texts, TAGS, buckets=97, size=5)
    epochs = []
    for _ in range(2):
        epoch = list(batches)
        assert [len(batch.pieces) for batch in epoch] == [5, 5, 3]
        assert len(epoch) == len(batches)
        epochs.append([n for batch in epoch for n in batch.mask.sum(1).tolist()])
        assert sorted(epochs[-1]) == list(range(1, 14))
    assert epochs[0] != epochs[1]
    in_order = TaggedBatches(texts, TAGS, buckets=97, size=5, shuffle=False)
    assert [n for batch in in_order for n in batch.mask.sum(1).tolist()] == list(range(1, 14))


def test_texts_that_do_not_fit_are_refused(own_errors):
    options = {"buckets": 97}
    with refused(ValueError, "texts", "none"):
        tagged_batch([], TAGS, **options)
    with refused(ValueError, "texts[1]", "2 words", "1 tags"):
        tagged_batch([TEXTS[0], TaggedText(("a", "b"), ("O",))], TAGS, **options)
    with refused(ValueError, "texts[0]", "0 words"):
        tagged_batch([TaggedText((), ())], TAGS, **options)
    with refused(ValueError, "texts[0]", "'B-person'", "tags"):
        tagged_batch([TaggedText(("a",), ("B-person",))], TAGS, **options)
    with refused(ValueError, "texts[0]", "'B-person'"):  # before any training
        TaggedBatches([TaggedText(("a",), ("B-person",))], TAGS, size=3, **options)


@pytest.mark.parametrize(
    ("word", "buckets", "error", "said"),
    [
        ("", 97, ValueError, "word"),
        (7, 97, TypeError, "int"),
        ("a", 1, ValueError, "got 1"),
        ("a", 97.0, TypeError, "buckets"),
    ],
)
def test_pieces_that_cannot_be_numbered_are_refused(own_errors, word, buckets, error, said):
    with refused(error, said):
        word_pieces(word, buckets=buckets)


def test_a_batch_moves_as_a_tuple_does():
    batch = tagged_batch(TEXTS, TAGS, buckets=97)
    moved = type(batch)(*(part.to("meta") for part in batch))
    assert {part.device for part in moved} == {torch.device("meta")}
