"""attncourse.decoding.writing: greedy search by hand, draws against odds."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from searched import (
    BOS,
    EOS,
    LOWEST,
    MARKS,
    Markov,
    Remembering,
    ends_after,
    kinds,
    lists,
    log_probability,
    tables,
)
from support import refused
from torch import Tensor

from attncourse.decoding import greedy, sample


def test_greedy_takes_the_likeliest_token_each_time():
    # from <bos>: 3 with 1/2; from 3: 4 with 3/4; from 4: the end with 2/3
    logits = torch.full((1, 5, 5), LOWEST, dtype=torch.float64)
    logits[0, BOS, [3, 4, EOS]] = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64).log()
    logits[0, 3, [4, EOS]] = torch.tensor([0.75, 0.25], dtype=torch.float64).log()
    logits[0, 4, [EOS, 3]] = torch.tensor([2 / 3, 1 / 3], dtype=torch.float64).log()
    decoded = greedy(Markov(logits), kinds(1), **MARKS, max_length=7)
    assert decoded.tokens.tolist() == [[3, 4, EOS]]
    assert decoded.lengths.tolist() == [3]
    assert decoded.log_probability.item() == pytest.approx(math.log(1 / 2 * 3 / 4 * 2 / 3))


def test_finished_sentences_leave_the_batch():
    model = ends_after(2, 5, 1, 5, 3)
    decoded = greedy(model, kinds(5), **MARKS, max_length=11)
    assert lists(decoded) == [[3, 2], [3, 4, 5, 6, 2], [2], [3, 4, 5, 6, 2], [3, 4, 2]]
    assert decoded.tokens[2].tolist() == [2, 0, 0, 0, 0]
    assert model.rows == [5, 4, 3, 2, 2]


def test_greedy_reads_what_it_wrote():
    model = Markov(tables(5, 7, seed=3))
    decoded = greedy(model, kinds(5), **MARKS, max_length=6)
    left = [row for row in lists(decoded) if len(row) == len(model.rows)]
    assert model.read.tolist() == [[BOS, *row[:-1]] for row in left]


@given(st.integers(0, 10**6))
def test_what_stands_behind_the_end_is_padding(seed):
    decoded = greedy(Markov(tables(7, 5, seed)), kinds(7), bos=BOS, eos=EOS, pad=4, max_length=9)
    assert decoded.tokens.shape[1] == decoded.lengths.max()
    for row, length in zip(decoded.tokens.tolist(), decoded.lengths.tolist(), strict=True):
        assert EOS not in row[: length - 1]
        assert row[length - 1] == EOS or length == 9
        assert row[length:] == [4] * (len(row) - length)


# Sampling

ODDS = torch.tensor([0.4, 0.3, 0.15, 0.1, 0.05], dtype=torch.float64)  # of tokens 0 to 4


def shares(**options) -> Tensor:
    """Draw one token a sentence; give how often each of five came."""
    rows = 40_000
    logits = ODDS.log().expand(1, 5, 5) + 3  # a constant on all logits means nothing
    drawn = sample(
        Markov(logits),
        torch.zeros(rows, 1, dtype=torch.int64),
        **MARKS,
        max_length=1,
        generator=torch.Generator().manual_seed(5),
        **options,
    )
    return drawn.tokens[:, 0].bincount(minlength=5) / rows


@pytest.mark.parametrize(
    ("options", "odds"),
    [
        ({}, [0.4, 0.3, 0.15, 0.1, 0.05]),
        ({"top_k": 2}, [4 / 7, 3 / 7, 0, 0, 0]),
        ({"top_k": 97}, [0.4, 0.3, 0.15, 0.1, 0.05]),
        # 0.4 and 0.3 are 0.7 together, no less than 0.7 and less than 0.71
        ({"top_p": 0.699}, [4 / 7, 3 / 7, 0, 0, 0]),
        ({"top_p": 0.71}, [8 / 17, 6 / 17, 3 / 17, 0, 0]),
        ({"top_p": 0.001}, [1, 0, 0, 0, 0]),
        ({"top_p": 1.0}, [0.4, 0.3, 0.15, 0.1, 0.05]),
        # with half the temperature odds are squared: 16 : 9 : 2.25 : 1 : 0.25
        ({"temperature": 0.5}, [64 / 114, 36 / 114, 9 / 114, 4 / 114, 1 / 114]),
        # the share is that of the tokens that top_k left, after the temperature: 16 : 9 : 2.25
        ({"temperature": 0.5, "top_k": 3, "top_p": 0.6}, [16 / 25, 9 / 25, 0, 0, 0]),
    ],
    ids=str,
)
def test_tokens_are_drawn_by_their_odds(options, odds):
    odds = torch.tensor(odds)
    drawn = shares(**options)
    assert torch.equal(drawn > 0, odds > 0)
    # four deviations of a share of 40,000 draws
    assert ((drawn - odds).abs() <= 4 * (odds * (1 - odds) / 40_000).sqrt() + 1e-9).all()


def test_equals_of_the_last_that_may_be_drawn_may_be_drawn():
    logits = torch.tensor([3.0, 1.0, 1.0, 0.0]).log().expand(1, 4, 4)
    drawn = sample(
        Markov(logits), torch.zeros(999, 1).long(), **MARKS, max_length=1, top_k=2
    ).tokens
    assert set(drawn.flatten().tolist()) == {0, 1, 2}


def test_the_generator_decides_and_the_callers_chance_is_left_alone():
    model = Markov(tables(5, 7))

    def drawn(seed):
        generator = torch.Generator().manual_seed(seed)
        return lists(sample(model, kinds(5), **MARKS, max_length=11, generator=generator))

    before = torch.get_rng_state()
    assert drawn(3) == drawn(3) != drawn(4)
    assert torch.equal(torch.get_rng_state(), before)


@given(st.integers(0, 10**6))
def test_a_draw_has_the_models_own_probability(seed):
    model = Remembering(tables(5, 5, seed))
    drawn = sample(model, kinds(5), **MARKS, max_length=6, temperature=2.0, top_p=0.9)
    for kind, tokens in enumerate(lists(drawn)):
        assert EOS not in tokens[:-1]
        exact = log_probability(model, kind, tokens)
        assert drawn.log_probability[kind].item() == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("top_p", [1e-30, 1e-46, 1e-300])
def test_a_share_may_be_as_small_as_a_float(top_p):
    model = Markov(tables(1, 7).float())
    drawn = sample(model, kinds(1), **MARKS, max_length=9, top_p=top_p)
    assert torch.equal(drawn.tokens, greedy(model, kinds(1), **MARKS, max_length=9).tokens)


@pytest.mark.parametrize("temperature", [1e-45, 1e-39, 1e39, 1e300])
def test_a_temperature_may_be_as_extreme_as_a_float(temperature):
    table = tables(1, 7).float()
    table[:, :, 5] = -torch.inf  # what a model can never say
    model = Markov(table)
    drawn = sample(model, kinds(1), **MARKS, max_length=9, temperature=temperature)
    assert 5 not in drawn.tokens
    if temperature < 1:
        assert torch.equal(drawn.tokens, greedy(model, kinds(1), **MARKS, max_length=9).tokens)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"temperature": 0.0}, ValueError, ["temperature", "positive", "0.0"]),
        ({"temperature": math.nan}, ValueError, ["temperature", "nan"]),
        ({"temperature": "1"}, TypeError, ["temperature", "number", "str"]),
        ({"top_k": 0}, ValueError, ["top_k", "positive", "0"]),
        ({"top_k": 2.0}, TypeError, ["top_k", "integer", "float"]),
        ({"top_p": 0.0}, ValueError, ["top_p", "above 0", "0.0"]),
        ({"top_p": 1.5}, ValueError, ["top_p", "at most 1", "1.5"]),
        ({"top_p": True}, TypeError, ["top_p", "number", "bool"]),
    ],
)
def test_draws_that_make_no_sense_are_refused(own_errors, changes, error, words):
    with refused(error, *words):
        sample(ends_after(2), kinds(1), **MARKS, max_length=5, **changes)
