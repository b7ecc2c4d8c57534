"""Exercises of chapter 11 on updates of several batches: their gradient, and a loop to mend."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F

from attncourse.exercises import broken
from attncourse.exercises.exercise import STRIDED, Case, Exercise, Input, Misconception


def accumulated_gradient(weight, inputs, labels, sizes):
    weight = weight.detach().requires_grad_()
    for x, y in zip(inputs.split(sizes), labels.split(sizes), strict=True):
        loss = torch.nn.functional.cross_entropy(x @ weight.mT, y)  # the mean over this batch
        (loss * len(y) / len(labels)).backward()
    return weight.grad


def train(weight, inputs, labels, warmup, accumulate):
    weight = weight.detach().requires_grad_()
    for number, (x, y) in enumerate(zip(inputs, labels, strict=True), 1):
        loss = torch.nn.functional.cross_entropy(x @ weight.mT, y)
        (loss / accumulate).backward()
        if number % accumulate == 0:
            rate = min(1, number // accumulate / warmup)
            weight = (weight - rate * weight.grad).detach().requires_grad_()
    return weight.detach()


def _labels(shape, case, generator):
    """Draw labels; the last axis only says how many tokens there are to draw from."""
    return torch.randint(shape[-1], shape[:-1], generator=generator)


# -- the gradient of several batches ---------------------------------------------------------------


def _sizes(shape, case, generator):
    """Cut tokens into up to three batches, unequal ones unless the case says otherwise."""
    (tokens,) = shape
    if case.mask == "one":
        return (tokens,)
    if case.mask == "equal":
        return (tokens // 3,) * 3 if tokens % 3 == 0 else (1,) * tokens
    first = (tokens + 1) // 2
    second = (tokens - first + 1) // 2
    return tuple(n for n in (first, second, tokens - first - second) if n)


def _summed(weigh, reset=False, rate=0.0):
    """Gradients of the batches' mean losses, summed with another weight each, or with the
    gradient reset, or the weights moved, before every batch."""

    def function(weight, inputs, labels, sizes):
        weight, total = weight.detach().clone().requires_grad_(), torch.zeros_like(weight)
        for x, y in zip(inputs.split(sizes), labels.split(sizes), strict=True):
            loss = F.cross_entropy(x @ weight.mT, y) * weigh(len(y), sizes)
            (gradient,) = torch.autograd.grad(loss, weight)
            total = gradient if reset else total + gradient
            weight = (weight - rate * total).detach().requires_grad_()
        return total

    return function


def _by_share(tokens, sizes):
    return tokens / sum(sizes)


def _not(tokens, sizes):
    return 1


def _by_batches(tokens, sizes):
    return 1 / len(sizes)


ACCUMULATED_GRADIENT = Exercise(
    name="accumulated_gradient",
    chapter="11",
    signature="accumulated_gradient(weight, inputs, labels, sizes) -> (vocabulary, width)",
    inputs=(
        Input("weight", "vocabulary width"),
        Input("inputs", "token width"),
        Input("labels", "token vocabulary", draw=_labels),
        Input("sizes", "token", draw=_sizes),
    ),
    sizes={"token": 7, "width": 3, "vocabulary": 5},
    cases=(
        Case(label="three batches of unequal size"),
        Case(label="three batches of one size", mask="equal", sizes={"token": 6}),
        Case(label="a single batch", mask="one"),
        Case(label="two tokens, one in each batch", sizes={"token": 2}),
        Case(label="inputs of width one", sizes={"width": 1}),
        replace(STRIDED, scale={"weight": 0.5}),
        Case(label="float64", dtype=torch.float64),
    ),
    misconceptions=(
        Misconception(
            "the batches' gradients are added as they are. Each is that of a mean, so the sum is "
            "about as many times too long as there are batches. A batch's loss counts by its share "
            "of all tokens",
            (_summed(_not),),
        ),
        Misconception(
            "you take the mean of the means, so a token of a small batch counts for more. A "
            "batch's loss counts by its share of all tokens",
            (_summed(_by_batches),),
        ),
        Misconception(
            "the gradient is of the sum over the tokens; wanted is that of their mean, so divide "
            "by the number of all tokens",
            (_summed(lambda tokens, sizes: tokens),),
        ),
        Misconception(
            "the sums over the tokens are divided by the number of batches; divide by the number "
            "of all tokens",
            (_summed(lambda tokens, sizes: tokens / len(sizes)),),
        ),
        Misconception(
            "the losses are divided by their own number of tokens a second time: cross_entropy "
            "gives a mean already",
            (
                _summed(lambda tokens, sizes: 1 / tokens),
                _summed(lambda tokens, sizes: 1 / tokens / len(sizes)),
            ),
        ),
        Misconception(
            "the means are divided by the number of all tokens. cross_entropy gives a mean: "
            "multiply it by the batch's tokens first, or ask for the sum",
            (_summed(lambda tokens, sizes: 1 / sum(sizes)),),
        ),
        Misconception(
            "your share is upside down: a batch of few tokens counts for more. It is the batch's "
            "tokens over all tokens",
            (_summed(lambda tokens, sizes: sum(sizes) / tokens),),
        ),
        Misconception(
            "the gradient is set to zero between the batches, so only the last one's is left. "
            "backward() adds to what is there; zero it before the first batch only",
            tuple(_summed(weigh, reset=True) for weigh in (_by_share, _not, _by_batches)),
        ),
        Misconception(
            "the weights move between the batches, so the later gradients are taken elsewhere. One "
            "update comes after the last batch",
            tuple(
                _summed(weigh, reset, rate)
                for weigh in (_by_share, _not, _by_batches)
                for reset in (False, True)
                for rate in (1.0, 0.5, 0.1, 0.01, 0.001)
            ),
        ),
    ),
    hint="The mean over all tokens is a sum of the batches' means, each with a factor. Which? "
    "Check it on two batches, of three tokens and of one.",
    solution=accumulated_gradient,
)


# -- find the bug ----------------------------------------------------------------------------------


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

STEPPED_TRAINING = Exercise(
    name="stepped_training",
    chapter="11",
    signature="train(weight, inputs, labels, warmup, accumulate) -> (vocabulary, width)",
    inputs=(
        Input("weight", "vocabulary width"),
        Input("inputs", "batches token width"),
        Input("labels", "batches token vocabulary", draw=_labels),
        Input("warmup", draw=lambda shape, case, generator: 2),
        Input("accumulate", draw=lambda shape, case, generator: 2),
    ),
    sizes={"token": 3, "width": 2, "vocabulary": 5},
    tied={"batches": lambda sizes: BATCHES},
    cases=(
        Case(label="an update every two batches"),
        Case(label="an update after each batch", given={"accumulate": 1}),
        Case(label="a warm-up of four updates, of three batches each", given={"accumulate": 3, "warmup": 4}),
        Case(label="no warm-up", given={"warmup": 1}),
        Case(label="all batches in one update", given={"accumulate": 6, "warmup": 7}),
        Case(label="batches of one token", sizes={"token": 1}),
        STRIDED,
        Case(label="float64", dtype=torch.float64),
    ),
    misconceptions=(
        Misconception(
            "the losses of an update's batches are added up, and nothing divides them: the "
            "gradient is `accumulate` times too long, as if the learning rate were so much higher. "
            "Adam would hide it, which divides by the gradient's own size; clipping would not",
            (
                broken.train,
                *(_trained(_whole, count) for count in (_batches, _from_zero, _ahead)),
                _trained(_whole),
            ),
        ),
        Misconception(
            "the learning rate counts batches, so the warm-up is over `accumulate` times too soon. "
            "A step of the schedule is an update",
            (_trained(count=_batches),),
        ),
        Misconception(
            "the updates are counted from 0: the first has a rate of 0, and its batches are read "
            "for nothing. The schedule begins with step 1",
            (
                _trained(count=_from_zero),
                _trained(count=lambda number, accumulate: number - 1),
                _trained(count=lambda number, accumulate: number - accumulate),
            ),
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
            (
                lambda weight, inputs, labels, warmup, accumulate: _trained(
                    lambda accumulate: 1 / accumulate**2
                )(weight, inputs, labels, warmup, accumulate),
            ),
        ),
        Misconception(
            "the learning rate goes on rising after the warm-up; here it stays at 1",
            (_trained(rate=lambda update, warmup: update / warmup),),
        ),
    ),
    hint="Feed it the same batch twice, with accumulate=2: the update should be that of the batch "
    "alone. Then print the rate of each update for a warm-up of four.",
    solution=train,
    broken=broken.train,
)

EXERCISES = (ACCUMULATED_GRADIENT, STEPPED_TRAINING)
