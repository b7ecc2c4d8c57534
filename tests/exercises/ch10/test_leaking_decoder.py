"""`leaking_decoder` (chapter 10)."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from answers import normal, right_answers, said, solve, unknown_answers, wrong_answers

from attncourse import attend
from attncourse.exercises import broken, check


@pytest.mark.parametrize("training", [True, False])
def test_looking_back_agrees_with_attend_whole_and_in_pieces(training):
    x = normal(2, 5, 3)
    whole = solve("leaking_decoder", x, x, x, training)
    torch.testing.assert_close(whole, attend(x, x, x, causal=True))
    pieces = [
        solve("leaking_decoder", x[:, i:j], x[:, :j], x[:, :j], training)
        for i, j in ((0, 2), (2, 3), (3, 5))
    ]
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole)


def test_the_broken_decoder_leaks_when_it_is_judged_and_not_when_it_writes():
    x = normal(1, 5, 3)
    function = broken("leaking_decoder")
    whole = attend(x, x, x, causal=True)
    torch.testing.assert_close(function(x, x, x, True), whole)
    assert not torch.allclose(function(x, x, x, False), whole)
    steps = [function(x[:, t : t + 1], x[:, : t + 1], x[:, : t + 1], False) for t in range(5)]
    torch.testing.assert_close(torch.cat(steps, dim=1), whole)


def test_the_broken_function_fails_by_its_name_and_mended_passes():
    assert said(check("leaking_decoder", broken("leaking_decoder"))).startswith(
        "the future is hidden in training only"
    )
    assert check("leaking_decoder", back_by_places).passed


# -- answers as readers write them -----------------------------------------------------------------


def back_by_the_package(query, key, value, training):
    return attend(query, key, value, causal=True)


def back_by_places(query, key, value, training):
    new, length = query.shape[1], key.shape[1]
    place = torch.arange(length - new, length)
    return attend(query, key, value, place[:, None] >= torch.arange(length))


def back_without_the_switch(query, key, value, training):
    mask = torch.ones(query.shape[1], key.shape[1], dtype=torch.bool).tril()
    return attend(query, key, value, mask)


def back_is_causal(query, key, value, training):
    return F.scaled_dot_product_attention(query, key, value, is_causal=True)


def back_only_in_training(query, key, value, training):
    return attend(query, key, value, causal=training)


def back_open(query, key, value, training):
    return F.scaled_dot_product_attention(query, key, value)


test_a_right_answer_in_other_words_passes = right_answers(
    "leaking_decoder", [back_by_the_package, back_by_places]
)
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "leaking_decoder",
    [
        (back_without_the_switch, "the mask begins at the first key"),
        (back_is_causal, "the mask begins at the first key"),
        (back_only_in_training, "the future is hidden in training only"),
        (back_open, "nothing is hidden"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "leaking_decoder", [lambda q, k, v, training: back_by_places(2 * q, k, v, training)]
)
