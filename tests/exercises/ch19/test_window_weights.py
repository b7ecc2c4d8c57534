"""`window_weights` (chapter 19)."""

from __future__ import annotations

import torch
from answers import normal, right_answers, solve, unknown_answers, wrong_answers

from attncourse import masked_softmax
from attncourse.attention import sliding_window
from attncourse.masks import causal_mask, window_mask


def test_equal_scores_by_hand():
    wanted = torch.tensor([[1.0, 0, 0], [0.5, 0.5, 0], [0, 0.5, 0.5]])
    torch.testing.assert_close(solve("window_weights", torch.zeros(3, 3), 2), wanted)


def test_the_solution_is_what_the_packages_window_does():
    query, key, value = normal(11, 3), normal(11, 3), normal(11, 5)
    weights = solve("window_weights", query @ key.mT, 4)
    wanted = sliding_window(query, key, value, window=4, causal=True, scale=1.0)
    torch.testing.assert_close(weights @ value, wanted)


# -- answers as readers write them -----------------------------------------------------------------


def with_the_package(scores, window):
    length = scores.shape[-1]
    return masked_softmax(scores, window_mask(length, window=window) & causal_mask(length))


def by_places(scores, window):
    place = torch.arange(scores.size(-1))
    behind = place.unsqueeze(1) - place.unsqueeze(0)
    hidden = torch.logical_or(behind < 0, behind >= window)
    return torch.softmax(scores.masked_fill(hidden, float("-inf")), dim=-1)


def one_too_many(scores, window):
    every = torch.ones_like(scores, dtype=torch.bool)
    return scores.masked_fill(~every.tril().triu(-window), float("-inf")).softmax(-1)


def both_sides(scores, window):
    return masked_softmax(scores, window_mask(scores.shape[-1], window=window))


def one_too_few(scores, window):
    every = torch.ones_like(scores, dtype=torch.bool)
    near = every.tril().triu(2 - window) | torch.eye(scores.shape[-1], dtype=torch.bool)
    return scores.masked_fill(~near, float("-inf")).softmax(-1)


test_a_right_answer_in_other_words_passes = right_answers(
    "window_weights", [with_the_package, by_places]
)
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "window_weights",
    [
        (one_too_many, "your window is one key too wide"),
        (both_sides, "your window reaches into the future"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "window_weights", [one_too_few]
)
