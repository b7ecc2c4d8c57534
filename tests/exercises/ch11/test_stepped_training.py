"""`stepped_training` (chapter 11)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from answers import normal, right_answers, said, solve, unknown_answers, wrong_answers
from torch import nn

from attncourse.exercises import EXERCISES, broken, check


def test_training_in_parts_is_training_on_the_whole():
    weight, inputs, labels = normal(5, 2), normal(6, 3, 2), torch.randint(5, (6, 3))
    parts = solve("stepped_training", weight, inputs, labels, 4, 3)
    large = inputs.reshape(2, 9, 2), labels.reshape(2, 9)
    torch.testing.assert_close(parts, solve("stepped_training", weight, *large, 4, 1))


def test_every_update_has_all_its_batches():
    exercise = EXERCISES["stepped_training"]
    for case in exercise.cases:
        _, inputs, _, _, accumulate = exercise.arguments(case, 0)
        assert len(inputs) % accumulate == 0


def test_weights_that_are_stepped_in_place_are_noticed():
    def stepped(weight, inputs, labels, warmup, accumulate):
        parameter = nn.Parameter(weight)  # shares its memory with what was given
        optimiser = torch.optim.SGD([parameter], lr=1.0)
        F.cross_entropy(inputs[0] @ parameter.mT, labels[0]).backward()
        optimiser.step()
        return parameter.detach()

    verdict = check("stepped_training", stepped)
    assert verdict.kind == "contract"
    assert "your function changes its argument weight" in verdict.message


def test_the_broken_loop_is_right_only_when_each_batch_is_an_update():
    weight, inputs, labels = normal(5, 2), normal(6, 3, 2), torch.randint(5, (6, 3))
    function = broken("stepped_training")
    for accumulate, right in ((1, True), (2, False), (3, False)):
        got = function(weight, inputs, labels, 3, accumulate)
        want = solve("stepped_training", weight, inputs, labels, 3, accumulate)
        assert torch.allclose(got, want) is right


def test_of_two_faults_one_is_named_and_the_other_once_that_is_mended():
    assert said(check("stepped_training", broken("stepped_training"))).startswith(
        "the losses of an update's batches are added up"
    )
    for half, says in (
        (_train(_each, lambda n, k: n), "the learning rate counts batches"),
        (_train(lambda k: 1, _updates), "the losses of an update's batches are added up"),
    ):
        assert said(check("stepped_training", half)).startswith(says)
    assert check("stepped_training", _train(_each, _updates)).passed


# -- answers as readers write them -----------------------------------------------------------------


def train_by_optim(weight, inputs, labels, warmup, accumulate):
    weight = nn.Parameter(weight.detach().clone())
    optimiser = torch.optim.SGD([weight], lr=1.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda n: min(1, (n + 1) / warmup))
    for number, (x, y) in enumerate(zip(inputs, labels, strict=True), 1):
        (F.cross_entropy(x @ weight.T, y) / accumulate).backward()
        if number % accumulate == 0:
            optimiser.step()
            schedule.step()
            optimiser.zero_grad()
    return weight.data


def train_by_whole_updates(weight, inputs, labels, warmup, accumulate):
    inputs, labels = inputs.split(accumulate), labels.split(accumulate)
    for update, (x, y) in enumerate(zip(inputs, labels, strict=True), 1):
        weight = weight.detach().requires_grad_()
        loss = F.cross_entropy((x @ weight.mT).flatten(0, 1), y.flatten())
        (gradient,) = torch.autograd.grad(loss, weight)
        weight = weight - min(1, update / warmup) * gradient
    return weight.detach()


def _train(divide, step_rate, due=lambda number, accumulate: number % accumulate == 0, zero=True):
    def answer(weight, inputs, labels, warmup, accumulate):
        weight = weight.clone().requires_grad_()
        for number in range(1, len(inputs) + 1):
            loss = F.cross_entropy(F.linear(inputs[number - 1], weight), labels[number - 1])
            (loss / divide(accumulate)).backward()
            if due(number, accumulate):
                rate = step_rate(number, accumulate) / warmup
                with torch.no_grad():
                    weight -= min(rate, 1.0) * weight.grad
                if zero:
                    weight.grad.zero_()
        return weight.detach()

    return answer


def _each(accumulate):
    return accumulate


def _updates(number, accumulate):
    return number // accumulate


test_a_right_answer_in_other_words_passes = right_answers(
    "stepped_training", [train_by_optim, train_by_whole_updates]
)
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "stepped_training",
    [
        (_train(lambda k: 1, _updates), "are added up, and nothing divides them"),
        (_train(_each, lambda n, k: n), "the learning rate counts batches"),
        (_train(_each, lambda n, k: n // k - 1), "the updates are counted from 0"),
        (_train(_each, _updates, lambda n, k: True), "every batch makes an update"),
        (_train(_each, _updates, zero=False), "not set to zero after an update"),
        (_train(lambda k: 6, _updates), "by the number of all batches"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "stepped_training", [lambda w, *given: train_by_whole_updates(0.5 * w, *given)]
)
