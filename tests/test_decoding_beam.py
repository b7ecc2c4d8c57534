"""attncourse.decoding.beam: against search by hand and over everything."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from searched import (
    EOS,
    MARKS,
    Markov,
    Remembering,
    ends_after,
    kinds,
    likelier_later,
    lists,
    log_probability,
    score,
    tables,
)
from support import refused

from attncourse.decoding import beam_search, greedy


def test_a_beam_finds_a_likelier_sentence_than_greedy():
    model = likelier_later()
    first = greedy(model, kinds(1), **MARKS, max_length=7)
    assert first.tokens.tolist() == [[3, 5, EOS]]
    assert first.log_probability.item() == pytest.approx(math.log(0.24))
    second = beam_search(model, kinds(1), **MARKS, max_length=7, beam_size=2)
    assert second.tokens.tolist() == [[4, EOS]]
    assert second.log_probability.item() == pytest.approx(math.log(0.4))


def test_the_length_penalty_is_that_of_the_paper():
    # 4 and the end: ln 0.4 / (7/6)^a. 3, 5 and the end: ln 0.24 / (8/6)^a. They are equal
    # where (8/7)^a = ln 0.24 / ln 0.4, at a = 3.31
    model = likelier_later()
    turn = math.log(math.log(0.24) / math.log(0.4)) / math.log(8 / 7)
    for penalty, expected in ((turn - 1e-3, [4, EOS]), (turn + 1e-3, [3, 5, EOS])):
        decoded = beam_search(
            model, kinds(1), **MARKS, max_length=7, beam_size=4, length_penalty=penalty
        )
        assert lists(decoded) == [expected]
    assert decoded.log_probability.item() == pytest.approx(math.log(0.24))  # not divided


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("penalty", [20, np.float16(500.0), 5000.0, 1e308], ids=repr)
@pytest.mark.usefixtures("own_errors")
def test_no_length_penalty_overflows(penalty, dtype):
    # Kind: a number that is admitted must not overflow on the way. Where the length decides, the
    # longest beginnings win, and among equals in length the likelier one.
    model = likelier_later()
    model.tables = model.tables.clamp(min=-30.0).to(dtype)
    model.tables[:, 3, EOS] = model.tables[:, [4, 5, 6, 7], 3] = -torch.inf
    model.tables[0, [4, 5, 6, 7], EOS] = 0.0
    decoded = beam_search(
        model, kinds(1), **MARKS, max_length=3, beam_size=4, length_penalty=penalty
    )
    assert lists(decoded) == [[3, 5, EOS]]


def test_sentences_whose_beam_is_decided_leave_the_batch():
    model = ends_after(2, 5, 1, 5, 3, beside=-20.0)  # no break-off is as likely as the sentence
    decoded = beam_search(model, kinds(5), **MARKS, max_length=11, beam_size=3)
    assert lists(decoded) == [[3, 2], [3, 4, 5, 6, 2], [2], [3, 4, 5, 6, 2], [3, 4, 2]]
    assert model.rows == [5, 4 * 3, 3 * 3, 2 * 3, 2 * 3]


# Against a search over everything


def best_of_all(model, kind: int, vocabulary: int, max_length: int, penalty: float) -> float:
    """Score every sentence that ends in time, and every one that is cut; give the best score."""
    words = [token for token in range(vocabulary) if token != EOS]
    ended = [
        [*body, EOS]
        for length in range(max_length)
        for body in itertools.product(words, repeat=length)
    ]
    cut = [list(body) for body in itertools.product(words, repeat=max_length)]
    return max(score(log_probability(model, kind, one), len(one), penalty) for one in ended + cut)


@given(
    st.integers(0, 10**6),
    st.integers(3, 4),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.6, 1.0, 2.5, 500.0, 5000.0]),  # the last two: a penalty overflows
    st.booleans(),
)
@settings(max_examples=40)
def test_a_beam_wide_enough_finds_the_best_of_all(seed, vocabulary, max_length, penalty, history):
    model = (Remembering if history else Markov)(tables(3, vocabulary, seed))
    if history:
        model.tables = model.tables[..., :vocabulary]
    decoded = beam_search(
        model,
        kinds(3),
        **MARKS,
        max_length=max_length,
        beam_size=vocabulary**max_length,
        length_penalty=penalty,
    )
    for kind, tokens in enumerate(lists(decoded)):
        assert EOS not in tokens[:-1]
        exact = log_probability(model, kind, tokens)
        assert decoded.log_probability[kind].item() == pytest.approx(exact, rel=1e-12)
        best = best_of_all(model, kind, vocabulary, max_length, penalty)
        assert score(exact, len(tokens), penalty) == pytest.approx(best, rel=1e-12, abs=1e-12)


@given(st.integers(0, 10**6), st.integers(1, 9), st.sampled_from([0.0, 1.0, 5.0]))
def test_a_beam_of_one_is_greedy(seed, max_length, penalty):
    model = Remembering(tables(5, 5, seed))
    first = greedy(model, kinds(5), **MARKS, max_length=max_length)
    second = beam_search(
        model, kinds(5), **MARKS, max_length=max_length, beam_size=1, length_penalty=penalty
    )
    assert torch.equal(first.tokens, second.tokens)
    assert torch.equal(first.lengths, second.lengths)
    torch.testing.assert_close(first.log_probability, second.log_probability)


@given(st.integers(0, 10**6), st.integers(1, 6), st.sampled_from([0.0, 0.8]))
def test_sentences_do_not_hear_each_other(seed, beam_size, penalty):
    model = Remembering(tables(5, 7, seed))
    options = {**MARKS, "max_length": 6, "beam_size": beam_size, "length_penalty": penalty}
    together = beam_search(model, kinds(5), **options)
    for kind, tokens in enumerate(lists(together)):
        alone = beam_search(model, kinds(5)[kind : kind + 1], **options)
        assert lists(alone) == [tokens]
        torch.testing.assert_close(alone.log_probability[0], together.log_probability[kind])


@given(st.integers(0, 10**6), st.integers(1, 5), st.sampled_from([0.0, 0.8, 3.0, 5000.0]))
@settings(max_examples=40)
def test_stopping_early_loses_nothing(seed, beam_size, penalty):
    # Followed to the end without ever stopping, written plainly with lists.
    vocabulary, max_length = 5, 6
    model = Remembering(tables(1, vocabulary, seed))
    beam, ended = [(0.0, [])], []
    for length in range(1, max_length + 1):
        longer = [
            (log_probability(model, 0, [*tokens, token]), [*tokens, token])
            for _, tokens in beam
            for token in range(vocabulary)
        ]
        longer = sorted(longer, reverse=True)[:beam_size]
        ended += [one for one in longer if one[1][-1] == EOS or length == max_length]
        beam = [one for one in longer if one[1][-1] != EOS]
    total, tokens = max(ended, key=lambda one: score(one[0], len(one[1]), penalty))
    decoded = beam_search(
        model,
        kinds(1),
        **MARKS,
        max_length=max_length,
        beam_size=beam_size,
        length_penalty=penalty,
    )
    assert lists(decoded) == [tokens]
    assert decoded.log_probability.item() == pytest.approx(total)


@pytest.mark.parametrize("after", [math.nan, math.inf, -math.inf])
def test_what_follows_no_beginning_does_not_matter(after):
    # A beam of three has places without a beginning where only two tokens may come, and behind the
    # end mark.
    table = tables(5, 7)
    table[:, :, [0, 1, 4, 5, 6]] = -torch.inf
    wanted = beam_search(Markov(table), kinds(5), **MARKS, max_length=4, beam_size=3)
    table[:, [0, EOS, 4, 5, 6]] = after
    decoded = beam_search(Markov(table), kinds(5), **MARKS, max_length=4, beam_size=3)
    assert lists(decoded) == lists(wanted)
    assert torch.equal(decoded.log_probability, wanted.log_probability)


def test_a_vocabulary_smaller_than_the_beam_is_no_trouble():
    model = Markov(tables(3, 3))
    few = beam_search(model, kinds(3), **MARKS, max_length=5, beam_size=3**5)
    assert max(model.rows) > 3 * 3
    assert few.log_probability.isfinite().all()


# Bad input


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"beam_size": 0}, ValueError, ["beam_size", "positive", "0"]),
        ({"beam_size": 2.5}, TypeError, ["beam_size", "integer", "float"]),
        ({"length_penalty": -0.5}, ValueError, ["length_penalty", "0 or more", "-0.5"]),
        ({"length_penalty": math.nan}, ValueError, ["length_penalty", "nan"]),
        ({"length_penalty": math.inf}, ValueError, ["length_penalty", "finite", "inf"]),
        ({"length_penalty": "1"}, TypeError, ["length_penalty", "number", "str"]),
    ],
)
def test_beams_that_make_no_sense_are_refused(own_errors, changes, error, words):
    with refused(error, *words):
        beam_search(ends_after(2), kinds(1), **MARKS, max_length=5, **changes)
