"""attncourse.data.batches: padding, lengths, buckets and budgets."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support import refused

from attncourse import padding_mask
from attncourse.data.batches import Batch, Batches, pad
from attncourse.data.vocabulary import BOS, EOS, PAD

IDS = st.integers(4, 97)


@st.composite
def corpora(draw):
    """Draw pairs whose target says which source it belongs to, in a length of its own."""
    sources = draw(st.lists(st.lists(IDS, min_size=1, max_size=9), min_size=1, max_size=23))
    return [
        (source, [100 + i, *[number + 1 for number in source][: draw(st.integers(0, 9))]])
        for i, source in enumerate(sources)
    ]


@st.composite
def batchings(draw):
    """Draw a corpus and a way to cut it."""
    pairs = draw(corpora())
    least = max(len(source) + len(target) + 2 for source, target in pairs)
    size = draw(
        st.one_of(
            st.builds(dict, sentences=st.integers(1, 7)),
            st.builds(dict, tokens=st.integers(least, least + 61)),
        )
    )
    seed = draw(st.none() | st.integers(0, 2**32))
    return pairs, {**size, "bucket": draw(st.sampled_from([1, 2, 5, 100]))}, seed


def batches_of(case) -> Batches:
    pairs, options, seed = case
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    return Batches(pairs, **options, generator=generator)


def corpus(count: int = 211, longest: int = 29) -> list[tuple[list[int], list[int]]]:
    generator = torch.Generator().manual_seed(3)
    lengths = torch.randint(1, longest + 1, (count,), generator=generator).tolist()
    return [([5] * n, [6] * (n + i % 3)) for i, n in enumerate(lengths)]


# Padding


def test_rows_are_filled_up_with_noughts():
    ids, lengths = pad([[7, 8, 9], [5], [4, 6]])
    assert ids.tolist() == [[7, 8, 9], [5, 0, 0], [4, 6, 0]]
    assert lengths.tolist() == [3, 1, 2]
    assert ids.dtype == lengths.dtype == torch.int64


def test_a_width_may_be_asked_for():
    assert pad([[7], []], length=3)[0].tolist() == [[7, 0, 0], [0, 0, 0]]
    assert pad([[], []])[0].shape == (2, 0)


def test_what_cannot_be_padded_is_refused(own_errors):
    with refused(TypeError, "sequences", "encode"):
        pad(["ab", "c"])
    with refused(TypeError, "sequences", "integers", "float32"):
        pad([[1.7, 2]])
    with refused(ValueError, "sequences", "none"):
        pad([])
    with refused(ValueError, "length 2", "3"):
        pad([[7, 8, 9]], length=2)


@given(st.lists(st.lists(IDS, max_size=11), min_size=1, max_size=7))
def test_padding_stands_at_the_end_and_nowhere_else(sequences):
    ids, lengths = pad(sequences)
    assert ids.shape == (len(sequences), max(map(len, sequences)))
    assert torch.equal(ids != PAD, padding_mask(lengths, ids.shape[1]))
    for row, length, sequence in zip(ids.tolist(), lengths.tolist(), sequences, strict=True):
        assert row[:length] == sequence


# A batch


def test_a_batch_by_hand():
    batch = Batch.of([([4, 5], [6]), ([7], [8, 9, 10]), ([3, 3, 3, 3], [4])], indices=[1, 0])
    assert batch.source.tolist() == [[7, 0], [4, 5]]
    assert batch.source_lengths.tolist() == [1, 2]
    assert batch.target.tolist() == [[BOS, 8, 9, 10, EOS], [BOS, 6, EOS, 0, 0]]
    assert batch.target_lengths.tolist() == [5, 3]
    assert batch.indices.tolist() == [1, 0]
    assert len(batch) == 2
    assert batch.num_tokens == 2 * 2 + 2 * 5


def test_the_labels_are_what_follows_each_token_that_the_decoder_reads():
    batch = Batch.of([([4], [6, 7]), ([4], [8])])
    assert batch.decoder_input.tolist() == [[BOS, 6, 7], [BOS, 8, EOS]]
    assert batch.labels.tolist() == [[6, 7, EOS], [8, EOS, PAD]]


def test_a_batch_moves_whole(device):
    batch = Batch.of([([4, 5], [6]), ([7], [8, 9])])
    moved = batch.to(device)
    for name in ("source", "source_lengths", "target", "target_lengths", "indices"):
        assert getattr(moved, name).device.type == device.type
        assert torch.equal(getattr(moved, name).cpu(), getattr(batch, name))


def test_a_batch_moves_to_a_device_that_holds_no_data():
    moved = Batch.of([([4, 5], [6])]).to("meta")
    assert {moved.source.device.type, moved.indices.device.type} == {"meta"}


def test_a_batch_cannot_be_changed():
    with pytest.raises(AttributeError):
        Batch.of([([4], [5])]).source = None


# An epoch


@given(batchings())
def test_every_pair_comes_once_and_whole(case):
    pairs = case[0]
    seen = []
    for batch in batches_of(case):
        assert batch.source.shape[1] == batch.source_lengths.max()
        assert batch.target.shape[1] == batch.target_lengths.max()
        assert torch.equal(batch.source != PAD, padding_mask(batch.source_lengths))
        assert torch.equal(batch.target != PAD, padding_mask(batch.target_lengths))
        for row, index in enumerate(batch.indices.tolist()):
            source, target = pairs[index]
            assert batch.source[row, : batch.source_lengths[row]].tolist() == source
            expected = [BOS, *target, EOS]
            assert batch.target[row, : batch.target_lengths[row]].tolist() == expected
            assert target[0] == 100 + index  # the target that was made for this source
        seen += batch.indices.tolist()
    assert sorted(seen) == list(range(len(pairs)))


@given(batchings())
def test_no_batch_is_larger_than_asked_for(case):
    _, options, _ = case
    for batch in batches_of(case):
        if "tokens" in options:
            rows, widths = len(batch), (batch.source.shape[1], batch.target.shape[1])
            assert batch.num_tokens == rows * sum(widths) <= options["tokens"]
        else:
            assert 1 <= len(batch) <= options["sentences"]


@given(batchings())
def test_the_same_seed_gives_the_same_batches(case):
    first, again = batches_of(case), batches_of(case)
    for _ in range(2):
        assert [b.indices.tolist() for b in first] == [b.indices.tolist() for b in again]


@given(corpora(), st.integers(0, 61))
def test_a_batch_by_tokens_is_closed_only_when_the_next_pair_does_not_fit(pairs, more):
    tokens = max(len(source) + len(target) + 2 for source, target in pairs) + more
    plan = Batches(pairs, tokens=tokens).plan()
    assert [i for batch in plan for i in batch] == list(range(len(pairs)))
    for batch, following in pairwise(plan):
        grown = [*batch, following[0]]
        assert Batch.of(pairs, grown).num_tokens > tokens


def test_by_sentences_only_the_last_batch_is_short():
    batches = Batches(corpus(), sentences=13)
    assert [len(batch) for batch in batches] == [13] * 16 + [3]  # 211 = 16 * 13 + 3
    assert len(batches) == 17


def test_without_a_generator_the_order_is_kept_and_every_epoch_is_alike():
    batches = Batches(corpus(), sentences=7)
    for _ in range(2):
        assert [i for b in batches for i in b.indices.tolist()] == list(range(211))


def test_with_a_generator_every_epoch_is_another():
    batches = Batches(corpus(), sentences=7, generator=torch.Generator().manual_seed(0))
    epochs = [[i for b in batches for i in b.indices.tolist()] for _ in range(3)]
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_the_global_generator_is_left_alone():
    state = torch.get_rng_state()
    list(Batches(corpus(), tokens=97, bucket=50, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(torch.get_rng_state(), state)


def test_an_epoch_is_drawn_when_it_begins_so_that_a_saved_generator_repeats_it():
    generator = torch.Generator().manual_seed(0)
    batches = Batches(corpus(), tokens=211, bucket=50, generator=generator)
    list(batches)
    saved = generator.get_state()
    epoch = iter(batches)
    assert not torch.equal(generator.get_state(), saved)
    drawn = generator.get_state()
    first = [batch.indices.tolist() for batch in epoch]
    assert torch.equal(generator.get_state(), drawn)
    generator.set_state(saved)
    assert batches.plan() == first


def test_buckets_bring_like_lengths_together():
    pairs = corpus()

    def padded_share(**options):
        batches = list(Batches(pairs, sentences=11, **options))
        real = sum((b.source_lengths.sum() + b.target_lengths.sum()).item() for b in batches)
        return 1 - real / sum(batch.num_tokens for batch in batches)

    def seeded():
        return torch.Generator().manual_seed(0)

    assert padded_share(generator=seeded()) > 0.4
    assert padded_share(generator=seeded(), bucket=110) < 0.15
    assert padded_share(bucket=211) < 0.1


def test_a_bucket_sorts_its_own_stretch_and_no_other():
    pairs = [([5] * n, [6]) for n in (7, 3, 5, 2, 11, 1, 13)]
    plan = Batches(pairs, sentences=1, bucket=3).plan()
    # stretches (7 3 5) (2 11 1) (13)
    assert [len(pairs[i][0]) for (i,) in plan] == [3, 5, 7, 1, 2, 11, 13]


def test_the_target_counts_before_the_source_and_equal_lengths_keep_their_order():
    pairs = [([5] * s, [6] * t) for s, t in [(2, 3), (7, 1), (1, 3), (7, 1)]]
    assert Batches(pairs, sentences=4, bucket=4).plan() == [[1, 3, 2, 0]]


def test_with_a_generator_short_and_long_batches_mix():
    generator = torch.Generator().manual_seed(0)
    batches = Batches(corpus(), sentences=7, bucket=211, generator=generator)
    widths = [batch.target.shape[1] for batch in batches]
    assert widths != sorted(widths)


def test_the_number_of_batches_by_tokens_is_not_promised():
    batches = Batches(corpus(), tokens=97)
    with refused(TypeError, "plan"):
        len(batches)
    assert len(list(batches)) == len(batches.plan())


# Refusals


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({}, TypeError, ["sentences", "tokens"]),
        ({"sentences": 2, "tokens": 20}, TypeError, ["sentences", "tokens"]),
        ({"sentences": 0}, ValueError, ["sentences", "0"]),
        ({"sentences": 2.0}, TypeError, ["sentences", "integer", "float"]),
        ({"tokens": True}, TypeError, ["tokens", "integer", "bool"]),
        ({"tokens": -3}, ValueError, ["tokens", "-3"]),
        ({"sentences": 2, "bucket": 0}, ValueError, ["bucket", "0"]),
        ({"tokens": 7}, ValueError, ["pair 1", "8 tokens", "5 source", "3 target", "allows 7"]),
    ],
)
def test_sizes_that_make_no_sense_are_refused(options, error, words, own_errors):
    with refused(error, *words):
        Batches([([4], [5]), ([4] * 5, [5])], **options)


def test_empty_sentences_and_corpora_are_refused(own_errors):
    with refused(ValueError, "pairs", "none"):
        Batches([], sentences=3)
    with refused(ValueError, "source", "pair 1", "empty"):
        Batches([([4], [5]), ([], [5])], sentences=3)
    with refused(ValueError, "target", "pair 0", "empty"):
        Batches([([4], [])], sentences=3)
