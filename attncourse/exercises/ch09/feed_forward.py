"""An exercise of chapter 09: the network that every word goes through."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from attncourse.exercises.judging import (
    COUNT_FROM_THE_END,
    FLOAT64,
    STRIDED,
    Case,
    Exercise,
    Input,
    Misconception,
    numbers,
)


def feed_forward(x, first_weight, first_bias, second_weight, second_bias):
    hidden = torch.relu(x @ first_weight.mT + first_bias)  # (..., length, ffn)
    return hidden @ second_weight.mT + second_bias


def _network(between=torch.relu, last=lambda y: y, first=1, second=1, add=lambda x, y: y):
    """A network with another bend, biases left out, or something added."""

    def function(x, first_weight, first_bias, second_weight, second_bias):
        hidden = between(x @ first_weight.mT + first * first_bias)
        return add(x, last(hidden @ second_weight.mT + second * second_bias))

    return function


def _untransposed(x, first_weight, first_bias, second_weight, second_bias):
    hidden = torch.relu(x @ first_weight + first_bias)
    return hidden @ second_weight + second_bias


def _one_untransposed(x, first_weight, first_bias, second_weight, second_bias):
    return feed_forward(x, first_weight, first_bias, second_weight.mT, second_bias)


def _exchanged(x, first_weight, first_bias, second_weight, second_bias):
    return feed_forward(x, second_weight.mT, first_bias, first_weight.mT, second_bias)


def _off_the_bend(shape, case, generator):
    """Draw biases that leave nothing at exactly 0, where ReLU may have either of two slopes."""
    return numbers(shape, case, generator) + 0.125


EXERCISE = Exercise(
    name="feed_forward",
    chapter="09",
    signature="feed_forward(x, first_weight, first_bias, second_weight, second_bias) "
    "-> the shape of x",
    inputs=(
        Input("x", "... length embed"),
        Input("first_weight", "ffn embed"),
        Input("first_bias", "ffn", draw=_off_the_bend),
        Input("second_weight", "embed ffn"),
        Input("second_bias", "embed"),
    ),
    sizes={"length": 5, "embed": 3, "ffn": 7},
    cases=(
        Case(label="five words"),
        Case(label="a batch of sentences", lead=(2,)),
        Case(label="one word", sizes={"length": 1}),
        Case(label="a network as wide as a word", sizes={"embed": 3, "ffn": 3}),
        Case(label="as many words as features", sizes={"length": 3, "embed": 3}),
        Case(
            label="more leading axes",
            lead=(2, 3),
            sizes={"embed": 11, "ffn": 13},  # no length twice
            hint=COUNT_FROM_THE_END,
        ),
        STRIDED,
        FLOAT64,
        Case(label="bfloat16", dtype=torch.bfloat16, scale={"second_weight": 0.25}),
    ),
    misconceptions=(
        Misconception(
            "there is no ReLU: two linear layers in a row are one, and nothing was gained by the "
            "width in between",
            (_network(lambda y: y),),
        ),
        Misconception(
            "the ReLU comes after the second layer. There it only cuts off what is below 0 in the "
            "answer, and the two layers before it are as good as one; it belongs between them",
            (_network(lambda y: y, torch.relu),),
        ),
        Misconception(
            "there is a second ReLU at the end, so no feature of the answer can be negative",
            (_network(last=torch.relu),),
        ),
        Misconception(
            "between the layers stands another bend than ReLU, which keeps what is above 0 and "
            "makes the rest 0",
            (
                *(_network(bend) for bend in (F.gelu, F.silu, torch.sigmoid, torch.tanh, F.elu)),
                _network(lambda y: F.gelu(y, approximate="tanh")),
                _network(F.leaky_relu),
            ),
        ),
        Misconception(
            "the biases have no effect",
            (_network(first=0, second=0),),
        ),
        Misconception(
            "the first bias has no effect, so all bends of the network lie at 0",
            (
                _network(first=0),
                lambda x, a, b, c, d: (torch.relu(x @ a.mT) + b) @ c.mT + d,
            ),
        ),
        Misconception(
            "the second bias has no effect",
            (_network(second=0),),
        ),
        Misconception(
            "the weights are not transposed: they are (out, in), as in nn.Linear, so it is "
            "x @ first_weight.mT",
            (
                _untransposed,
                _one_untransposed,
                lambda x, a, b, c, d: feed_forward(x, a.mT, b, c, d),
            ),
        ),
        Misconception(
            "the two weights are exchanged: first_weight widens, second_weight narrows",
            (_exchanged, lambda x, a, b, c, d: feed_forward(x, c, b, a, d)),
        ),
        Misconception(
            "the input is added. That is the residual connection, which stands outside the network",
            (_network(add=lambda x, y: x + y),),
        ),
        Misconception(
            "you return the hidden layer; the second layer brings it back to the width of a word",
            (lambda x, a, b, c, d: torch.relu(x @ a.mT + b),),
        ),
    ),
    hint="F.linear, or x @ weight.mT + bias, acts on the last axis, whatever stands before it: no "
    "word needs to be named. What makes two layers more than one?",
    solution=feed_forward,
)
