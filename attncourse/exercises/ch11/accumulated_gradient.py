"""An exercise of chapter 11: the gradient of several batches, as if they were one."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F

from attncourse.exercises.ch11.smoothed_loss import draw_labels
from attncourse.exercises.judging import FLOAT64, STRIDED, Case, Exercise, Input, Misconception


def accumulated_gradient(weight, inputs, labels, sizes):
    weight = weight.detach().requires_grad_()
    for x, y in zip(inputs.split(sizes), labels.split(sizes), strict=True):
        loss = torch.nn.functional.cross_entropy(x @ weight.mT, y)  # the mean over this batch
        (loss * len(y) / len(labels)).backward()
    return weight.grad


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


# -- the ways to go wrong --------------------------------------------------------------------------


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


EXERCISE = Exercise(
    name="accumulated_gradient",
    chapter="11",
    signature="accumulated_gradient(weight, inputs, labels, sizes) -> (vocabulary, width)",
    inputs=(
        Input("weight", "vocabulary width"),
        Input("inputs", "token width"),
        Input("labels", "token vocabulary", draw=draw_labels),
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
        FLOAT64,
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
