"""`positions_from_zero` (chapter 08)."""

from __future__ import annotations

import torch
from answers import normal, right_answers, said, solve, unknown_answers, wrong_answers

from attncourse.exercises import broken, check
from attncourse.positions import SinusoidalPositions


def test_placing_agrees_with_the_package_at_any_offset():
    embedded = normal(2, 3, 8)
    for written in (0, 1, 1000):
        got = solve("positions_from_zero", embedded, written)
        torch.testing.assert_close(got, SinusoidalPositions(8)(embedded, written))


def test_word_by_word_the_broken_positions_are_all_the_first():
    sentence = torch.zeros(1, 6, 8)
    for function, right in ((broken("positions_from_zero"), False), (placed_from_a_table, True)):
        whole = function(sentence, 0)
        single = torch.cat([function(sentence[:, t : t + 1], t) for t in range(6)], dim=1)
        assert torch.allclose(whole, SinusoidalPositions(8).code(6)[None])
        assert torch.allclose(single, whole) is right


def test_the_broken_function_fails_by_its_name_and_mended_passes():
    assert said(check("positions_from_zero", broken("positions_from_zero"))).startswith(
        "every call counts from 0"
    )
    assert check("positions_from_zero", placed_from_a_table).passed


# -- answers as readers write them -----------------------------------------------------------------


def placed_by_the_package(embedded, written):
    return SinusoidalPositions(embedded.shape[-1])(embedded, offset=written)


def placed_from_a_table(embedded, written):
    new, width = embedded.shape[1:]
    return embedded + solve("sinusoidal_code", written + new, width)[written:].to(embedded.dtype)


def place_all_alike(embedded, written):
    return embedded + solve("sinusoidal_code", written + 1, embedded.shape[2])[-1].to(
        embedded.dtype
    )


def place_one_late(embedded, written):
    return SinusoidalPositions(embedded.shape[-1])(embedded, written + 1)


test_a_right_answer_in_other_words_passes = right_answers(
    "positions_from_zero", [placed_by_the_package, placed_from_a_table]
)
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "positions_from_zero",
    [
        (place_all_alike, "all new words get one position"),
        (place_one_late, "off by one"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "positions_from_zero", [lambda e, written: placed_by_the_package(e * 1.5, written)]
)
