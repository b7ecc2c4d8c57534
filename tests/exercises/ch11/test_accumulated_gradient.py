"""`accumulated_gradient` (chapter 11)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from answers import normal, right_answers, solve, unknown_answers, wrong_answers

from attncourse.exercises import EXERCISES


def test_the_gradient_of_the_parts_is_that_of_the_whole():
    weight, inputs, labels = normal(5, 3).requires_grad_(), normal(7, 3), torch.randint(5, (7,))
    F.cross_entropy(inputs @ weight.mT, labels).backward()
    for sizes in ((7,), (4, 2, 1), (1,) * 7):
        got = solve("accumulated_gradient", weight, inputs, labels, sizes)
        torch.testing.assert_close(got, weight.grad)


def test_the_batches_of_an_update_hold_all_tokens_once():
    exercise = EXERCISES["accumulated_gradient"]
    unequal = 0
    for case in exercise.cases:
        for lengths in ({}, *exercise.smaller(case)):
            _, inputs, labels, sizes = exercise.arguments(case, 0, lengths)
            assert sum(sizes) == len(inputs) == len(labels)
            assert min(sizes) > 0
            unequal += len(set(sizes)) > 1
    assert unequal


# -- answers as readers write them -----------------------------------------------------------------


def accumulated_by_sums(weight, inputs, labels, sizes):
    weight = weight.clone().detach().requires_grad_(True)
    start = 0
    for size in sizes:
        end = start + size
        logits = F.linear(inputs[start:end], weight)
        F.cross_entropy(logits, labels[start:end], reduction="sum").backward()
        start = end
    return weight.grad / sum(sizes)


def accumulated_by_hand(weight, inputs, labels, sizes):
    error = F.softmax(inputs @ weight.T, dim=-1) - F.one_hot(labels, len(weight))
    return error.T @ inputs / len(labels)


def _accumulated(factor, before=lambda weight: None):
    def answer(weight, inputs, labels, sizes):
        weight = weight.detach().clone().requires_grad_()
        for x, y in zip(inputs.split(sizes), labels.split(sizes), strict=True):
            before(weight)
            (F.cross_entropy(F.linear(x, weight), y) * factor(y, labels, sizes)).backward()
        return weight.grad

    return answer


def _zero(weight):
    weight.grad = None


def _move(weight):
    if weight.grad is not None:
        weight.data -= 0.1 * weight.grad


def _share(y, labels, sizes):
    return len(y) / len(labels)


test_a_right_answer_in_other_words_passes = right_answers(
    "accumulated_gradient", [accumulated_by_sums, accumulated_by_hand]
)
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "accumulated_gradient",
    [
        (_accumulated(lambda *_: 1), "are added as they are"),
        (_accumulated(lambda y, n, sizes: 1 / len(sizes)), "mean of the means"),
        (_accumulated(lambda y, n, sizes: len(y)), "the sum over the tokens"),
        (_accumulated(_share, _zero), "set to zero between the batches"),
        (_accumulated(lambda *_: 1, _zero), "set to zero between the batches"),
        (_accumulated(_share, _move), "the weights move between the batches"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "accumulated_gradient", [lambda *given: 0.3 * accumulated_by_hand(*given)]
)
