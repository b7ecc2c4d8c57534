"""Find the bug (chapter 11): a training loop whose updates are of several batches."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from attncourse.exercises.ch11 import _broken
from attncourse.exercises.ch11.smoothed_loss import draw_labels
from attncourse.exercises.judging import FLOAT64, STRIDED, Case, Exercise, Input, Misconception


def train(weight, inputs, labels, warmup, accumulate):
    weight = weight.detach().requires_grad_()
    for number, (x, y) in enumerate(zip(inputs, labels, strict=True), 1):
        loss = torch.nn.functional.cross_entropy(x @ weight.mT, y)
        (loss / accumulate).backward()
        if number % accumulate == 0:
            rate = min(1, number // accumulate / warmup)
            weight = (weight - rate * weight.grad).detach().requires_grad_()
    return weight.detach()


# -- the ways to go wrong --------------------------------------------------------------------------


def _trained(
    factor=lambda accumulate: 1 / accumulate,
    count=lambda number, accumulate: number // accumulate,
    rate=lambda update, warmup: min(1, update / warmup),
    due=lambda number, accumulate: number % accumulate == 0,
    keep=lambda gradient, due: 0 if due else gradient,
):
    """A training, each choice open to be wrong; `keep` says what is left of a gradient."""

    def function(weight, inputs, labels, warmup, accumulate):
        gradient = 0
        for number, (x, y) in enumerate(zip(inputs, labels, strict=True), 1):
            here = weight.detach().requires_grad_()
            loss = F.cross_entropy(x @ here.mT, y) * factor(accumulate)
            gradient = gradient + torch.autograd.grad(loss, here)[0]
            now = due(number, accumulate)
            if now:
                weight = weight - rate(count(number, accumulate), warmup) * gradient
            gradient = keep(gradient, now)
        return weight.detach()

    return function


def _whole(accumulate):
    return 1


def _batches(number, accumulate):
    return number


def _from_zero(number, accumulate):
    return number // accumulate - 1


def _ahead(number, accumulate):
    return number // accumulate + 1


BATCHES = 6  # a number that 1, 2, 3 and 6 divide

EXERCISE = Exercise(
    name="stepped_training",
    chapter="11",
    signature="train(weight, inputs, labels, warmup, accumulate) -> (vocabulary, width)",
    inputs=(
        Input("weight", "vocabulary width"),
        Input("inputs", "batches token width"),
        Input("labels", "batches token vocabulary", draw=draw_labels),
        Input("warmup", draw=lambda shape, case, generator: 2),
        Input("accumulate", draw=lambda shape, case, generator: 2),
    ),
    sizes={"token": 3, "width": 2, "vocabulary": 5},
    tied={"batches": lambda sizes: BATCHES},
    cases=(
        Case(label="an update every two batches"),
        Case(label="an update after each batch", given={"accumulate": 1}),
        Case(
            label="a warm-up of four updates, of three batches each",
            given={"accumulate": 3, "warmup": 4},
        ),
        Case(label="no warm-up", given={"warmup": 1}),
        Case(label="all batches in one update", given={"accumulate": 6, "warmup": 7}),
        Case(label="batches of one token", sizes={"token": 1}),
        STRIDED,
        FLOAT64,
    ),
    misconceptions=(
        Misconception(
            "the losses of an update's batches are added up, and nothing divides them: the "
            "gradient is `accumulate` times too long, as if the learning rate were so much higher. "
            "Adam all but hides it, as it divides by the gradient's own size",
            (
                _broken.train,
                *(_trained(_whole, count) for count in (_batches, _from_zero, _ahead)),
                _trained(_whole),
            ),
        ),
        Misconception(
            "the learning rate counts batches, so the warm-up ends `accumulate` times too soon. "
            "A step of the schedule is an update",
            (
                _trained(count=_batches),
                _trained(count=lambda number, accumulate: number - 1),
                _trained(count=lambda number, accumulate: number - accumulate),
            ),
        ),
        Misconception(
            "the updates are counted from 0: the first has a rate of 0, and its batches are read "
            "for nothing. The schedule begins with step 1",
            (_trained(count=_from_zero),),
        ),
        Misconception(
            "the schedule runs one update ahead. It begins with step 1",
            (_trained(count=_ahead),),
        ),
        Misconception(
            "every batch makes an update. The weights move once `accumulate` batches are read",
            tuple(
                _trained(factor, count, due=lambda number, accumulate: True)
                for factor in (_whole, lambda accumulate: 1 / accumulate)
                for count in (_batches, lambda number, accumulate: number // accumulate)
            ),
        ),
        Misconception(
            "the gradient is not set to zero after an update, so old batches move the weights "
            "again and again",
            tuple(
                _trained(factor, count, keep=lambda gradient, due: gradient)
                for factor in (lambda accumulate: 1 / accumulate, _whole)
                for count in (lambda number, accumulate: number // accumulate, _batches)
            ),
        ),
        Misconception(
            "the gradient is set to zero at each batch, so only the last one of an update counts",
            tuple(
                _trained(factor, count, keep=lambda gradient, due: 0)
                for factor in (lambda accumulate: 1 / accumulate, _whole)
                for count in (lambda number, accumulate: number // accumulate, _batches)
            ),
        ),
        Misconception(
            "the losses are divided by the number of all batches; divide by that of one update's",
            (_trained(lambda accumulate: 1 / BATCHES),),
        ),
        Misconception(
            "both are divided, the loss and the learning rate; one of them is enough",
            (_trained(lambda accumulate: 1 / accumulate**2),),
        ),
        Misconception(
            "the learning rate goes on rising after the warm-up; here it stays at 1",
            (_trained(rate=lambda update, warmup: update / warmup),),
        ),
    ),
    hint="Feed it the same batch twice, with accumulate=2: the update should be that of the batch "
    "alone. Then print the rate of each update for a warm-up of four.",
    solution=train,
    broken=_broken.train,
)
