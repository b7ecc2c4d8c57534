"""attncourse.data.repeats: rows that repeat with a period of their own."""

from __future__ import annotations

from itertools import islice

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support import refused

from attncourse.data.repeats import RepeatBatches, draw_repeats


def drawn(count: int, seed: int = 0, **options):
    return draw_repeats(count, **options, generator=torch.Generator().manual_seed(seed))


def period_of(row: list[int]) -> int:
    """Say after how many tokens the first one comes again."""
    return row.index(row[0], 1)


@given(st.integers(0, 2**32))
def test_a_row_is_different_tokens_again_and_again(seed):
    rows = drawn(5, seed)
    for row, repeated in zip(rows.tokens.tolist(), rows.repeated.tolist(), strict=True):
        period = period_of(row)
        assert 8 <= period <= 24
        assert len(set(row)) == len(set(row[:period])) == period
        assert row == [row[place % period] for place in range(48)]
        # the token behind place 0, 1, ... was seen before from place `period` on
        assert repeated == [row[place] in row[:place] for place in range(1, 48)]


def test_what_comes_next_came_after_the_same_token_before():
    rows = drawn(50)
    for row, repeated in zip(rows.tokens.tolist(), rows.repeated.tolist(), strict=True):
        for place, known in enumerate(repeated):
            before = row[:place]
            if known and row[place] in before:
                assert row[before.index(row[place]) + 1] == row[place + 1]


def test_periods_and_tokens_are_equally_likely():
    rows = drawn(8500)
    periods = torch.tensor([period_of(row) for row in rows.tokens.tolist()]).bincount()
    assert periods[:8].sum() == 0
    expected = 8500 / 17
    assert ((periods[8:] - expected).abs() < 5 * expected**0.5).all()
    first = rows.tokens[:, 0].bincount(minlength=64)
    assert ((first - 8500 / 64).abs() < 5 * (8500 / 64) ** 0.5).all()


def test_what_followed_a_token_in_another_row_says_nothing():
    """The successor of a token is any of the other 63, as often as any other."""
    rows = drawn(8000).tokens
    after = rows[:, 1][rows[:, 0] == 5]
    counts = after.bincount(minlength=64)
    assert counts[5] == 0
    assert counts.max() <= 12  # two of each expected


def test_the_same_seed_draws_the_same_rows():
    assert torch.equal(drawn(5).tokens, drawn(5).tokens)
    assert not torch.equal(drawn(5).tokens, drawn(5, seed=1).tokens)


def test_batches_go_on_without_end_and_never_repeat():
    generator = torch.Generator().manual_seed(0)
    batches = RepeatBatches(3, generator=generator, length=30, longest=12)
    seen = [rows.tokens for rows in islice(batches, 4)]
    assert all(tokens.shape == (3, 30) for tokens in seen)
    assert not any(torch.equal(seen[0], tokens) for tokens in seen[1:])
    assert isinstance(RepeatBatches(3).generator, torch.Generator)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"count": 0}, ValueError, ["count", "positive", "0"]),
        ({"length": 2.0}, TypeError, ["length", "integer", "float"]),
        ({"shortest": 0}, ValueError, ["shortest", "positive", "0"]),
        ({"shortest": 9, "longest": 8}, ValueError, ["longest", "9", "8"]),
        ({"length": 24}, ValueError, ["longest", "less than length", "24"]),
        ({"num_tokens": 23}, ValueError, ["num_tokens", "24", "23"]),
    ],
    ids=str,
)
def test_rows_that_cannot_be_drawn_are_refused(own_errors, options, error, words):
    with refused(error, *words):
        drawn(**{"count": 2} | options)
