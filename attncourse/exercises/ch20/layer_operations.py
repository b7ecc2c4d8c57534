"""An exercise of chapter 20: what a layer of self-attention costs, beside a GRU."""

from __future__ import annotations

import torch

from attncourse.exercises.judging import Case, Input, Misconception, Several


def layer_operations(length, width):
    projections = 4 * 2 * length * width**2  # query, key, value, output
    pairs = 2 * 2 * length**2 * width  # scores and means
    recurrent = 6 * 2 * length * width**2  # three gates, input and state
    return projections + pairs, recurrent


def _operations(projections=4, pairs=2, recurrent=6, each=2, of_pairs=lambda n, d: n**2 * d):
    """The same with other numbers of matrices and of products for each pair."""

    def function(length, width):
        matrix = each * length * width**2
        return (
            projections * matrix + pairs * each * of_pairs(length, width),
            recurrent * matrix,
        )

    return function


def _drawn(least, most):
    def draw(shape, case, generator):
        return int(torch.randint(least, most, (), generator=generator))

    return draw


def _given(length, width, label, hint=""):
    return Case(label=label, given={"length": length, "width": width}, hint=hint)


EXERCISE = Several(
    name="layer_operations",
    chapter="20",
    signature="layer_operations(length, width) -> attention, gru: two whole numbers",
    parts=("attention", "gru"),
    inputs=(Input("length", draw=_drawn(2, 40)), Input("width", draw=_drawn(40, 90))),
    sizes={},
    cases=(
        _given(3, 2, "three words of width 2"),
        _given(1, 5, "a single word", "It is compared with itself, too."),
        _given(7, 11, "seven words of width 11"),
        Case(label="a short sentence, wide vectors"),
        _given(12, 512, "a sentence of 12 words, width 512"),
        _given(512, 512, "as many words as numbers in a vector", "Here both cost the same."),
        _given(4096, 512, "4,096 words, width 512"),
    ),
    misconceptions=(
        Misconception(
            "you count multiplications alone: each comes with an addition, so it is twice as many",
            (_operations(each=1),),
        ),
        Misconception(
            "the pairs are missing: scores and means cost 2 * width each for every pair of words. "
            "A counter that does not know the fused kernel makes the same mistake",
            (_operations(pairs=0),),
        ),
        Misconception(
            "only the scores are counted: the means over the values cost as much again",
            (_operations(pairs=1),),
        ),
        Misconception(
            "three projections are counted, but there is a fourth: the matrix behind the mean",
            (_operations(projections=3),),
        ),
        Misconception(
            "the projections are missing: four matrices meet every word",
            (_operations(projections=0),),
        ),
        Misconception(
            "the pairs grow with the length alone: there are length * length of them",
            (_operations(of_pairs=lambda n, d: n * d), _operations(of_pairs=lambda n, d: n * d**2)),
        ),
        Misconception(
            "the pairs grow with the square of the width: a score is one sum over the width",
            (_operations(of_pairs=lambda n, d: n**2 * d**2),),
        ),
        Misconception(
            "each pair is counted once, but a word asks another and is asked by it: two scores",
            (_operations(of_pairs=lambda n, d: n * (n - 1) // 2 * d),),
        ),
        Misconception(
            "the GRU has three matrices here: each of its three parts has one for the input and "
            "one for the state",
            (_operations(recurrent=3),),
        ),
        Misconception(
            "eight matrices are an LSTM's; a GRU has six",
            (_operations(recurrent=8),),
        ),
        Misconception(
            "the GRU's state meets one word after the other, not all with all: its cost grows with "
            "the length",
            (
                lambda length, width: (
                    layer_operations(length, width)[0],
                    12 * length**2 * width,
                ),
                lambda length, width: (
                    layer_operations(length, width)[0],
                    12 * length**2 * width**2,
                ),
            ),
        ),
        Misconception(
            "length and width have changed places",
            (lambda length, width: layer_operations(width, length),),
        ),
        Misconception(
            "the two stand the other way round: return attention, gru",
            (lambda length, width: layer_operations(length, width)[::-1],),
        ),
    ),
    hint="A (width, width) matrix costs 2 * width ** 2 a word. Count the matrices of each layer; "
    "then, for attention, what one pair of words costs, twice: a score, and its share of a mean.",
    solution=layer_operations,
)
