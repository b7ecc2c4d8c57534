"""An exercise of chapter 09: layer normalisation."""

from __future__ import annotations

import torch

from attncourse.exercises.judging import (
    BFLOAT16,
    COUNT_FROM_THE_END,
    FLOAT64,
    STRIDED,
    Case,
    Exercise,
    Input,
    Misconception,
    numbers,
)


def layer_norm(x, gain, bias, eps):
    centred = x - x.mean(-1, keepdim=True)
    variance = centred.square().mean(-1, keepdim=True)
    return centred / torch.sqrt(variance + eps) * gain + bias


def _tokens(shape, case, generator):
    """Draw tokens: as ever, with one number in all features of a token, or far from zero."""
    if case.mask == "constant":
        return numbers((*shape[:-1], 1), case, generator).expand(shape).clone()
    return numbers(shape, case, generator) + (64 if case.mask == "far" else 0)


def _centred(x, dim):
    return x - x.mean(dim, keepdim=True)


def _biased(x, dim):
    return x.var(dim, correction=0, keepdim=True)


def _unbiased(x, dim):
    return x.var(dim, keepdim=True)


def _of_squares(x, dim):
    return x.square().mean(dim, keepdim=True)


def _inside(variance, eps):
    return torch.sqrt(variance + eps)


def _outside(variance, eps):
    return torch.sqrt(variance) + eps


def _moved(normal, gain, bias):
    return normal * gain + bias


def _norm(centre=_centred, spread=_biased, root=_inside, move=_moved, dim=-1):
    """A normalisation, each choice open to be wrong."""

    def function(x, gain, bias, eps):
        over = dim(x) if callable(dim) else dim
        return move(centre(x, over) / root(spread(x, over), eps), gain, bias)

    return function


EXERCISE = Exercise(
    name="layer_norm",
    chapter="09",
    signature="layer_norm(x, gain, bias, eps) -> the shape of x",
    inputs=(
        Input("x", "... length width", draw=_tokens),
        Input("gain", "width"),
        Input("bias", "width"),
        Input("eps", draw=lambda shape, case, generator: 1e-5),
    ),
    sizes={"length": 5, "width": 7},
    cases=(
        Case(label="five words"),
        Case(label="a batch of sentences", lead=(3,)),
        Case(label="as many words as features", lead=(3,), sizes={"length": 7, "width": 7}),
        Case(label="as many sentences as features", lead=(7,)),
        Case(label="one word", sizes={"length": 1}),
        Case(
            label="a large eps",
            lead=(3,),
            given={"eps": 0.5},
            hint="eps is added to the variance, under the root.",
        ),
        Case(
            label="words whose features are all alike",
            mask="constant",
            hint="The variance is zero: eps under the root keeps the division from 0/0, and its "
            "gradient finite.",
        ),
        Case(label="small numbers", lead=(3,), scale={"x": 0.001}),
        Case(label="more leading axes", lead=(2, 3), hint=COUNT_FROM_THE_END),
        STRIDED,
        FLOAT64,
        BFLOAT16,
        Case(
            label="numbers far from zero",
            mask="far",
            hint="The mean of the squares less the square of the mean is the difference of two "
            "large numbers: subtract the mean first, then square.",
            bonus=True,
        ),
    ),
    misconceptions=(
        Misconception(
            "your variance divides by width - 1, as torch's std and var do unless told otherwise. "
            "Layer norm divides by width: correction=0",
            (_norm(spread=_unbiased),),
        ),
        Misconception(
            "your standard deviation divides by width - 1, and eps is added to it, outside the "
            "root. Some well-known code does both; the layer's own form is the root of the "
            "variance plus eps, with the variance over width",
            (_norm(spread=_unbiased, root=_outside),),
        ),
        Misconception(
            "eps is added outside the root, to the standard deviation; it belongs to the variance",
            (_norm(root=_outside),),
        ),
        Misconception(
            "eps has no effect, so a word whose features are all alike is 0/0",
            (
                _norm(root=lambda variance, eps: torch.sqrt(variance)),
                _norm(
                    root=lambda variance, eps: torch.sqrt(variance),
                    move=lambda normal, gain, bias: _moved(normal.nan_to_num(0.0), gain, bias),
                ),
                _norm(spread=_unbiased, root=lambda variance, eps: torch.sqrt(variance)),
            ),
        ),
        Misconception(
            "you use an eps of your own; it is an argument",
            tuple(
                _norm(root=lambda variance, eps, own=own: torch.sqrt(variance + own))
                for own in (1e-5, 1e-6, 1e-8)
            ),
        ),
        Misconception(
            "you normalise over the words: each feature gets mean 0 along the sentence, so a word "
            "depends on how long the sentence is. The axis is the features, the last",
            (_norm(dim=-2), _norm(spread=_unbiased, dim=-2)),
        ),
        Misconception(
            "you normalise over the first axis. In a batch that is the sentences, as batch norm "
            "does, so one sentence changes another. The axis is the features, the last",
            (_norm(dim=0), _norm(spread=_unbiased, dim=0)),
        ),
        Misconception(
            "you normalise over words and features together; each word is normalised by itself",
            (_norm(dim=(-2, -1)), _norm(spread=_unbiased, dim=(-2, -1))),
        ),
        Misconception(
            "one mean and one variance serve the whole input; each word has its own",
            (
                _norm(dim=lambda x: tuple(range(x.dim()))),
                _norm(spread=_unbiased, dim=lambda x: tuple(range(x.dim()))),
            ),
        ),
        Misconception(
            "the mean is not subtracted. RMS norm does without it; layer norm does not",
            (
                _norm(centre=lambda x, dim: x, spread=_of_squares),
                _norm(centre=lambda x, dim: x),
            ),
        ),
        Misconception(
            "you divide by the root of the mean square; the variance is that of what is left when "
            "the mean is gone",
            (_norm(spread=_of_squares),),
        ),
        Misconception(
            "you divide by the variance; divide by its root",
            (_norm(root=lambda variance, eps: variance + eps),),
        ),
        Misconception(
            "you subtract the mean but do not divide: the spread stays what it was",
            (_norm(root=lambda variance, eps: 1),),
        ),
        Misconception(
            "gain and bias have no effect",
            (_norm(move=lambda normal, gain, bias: normal),),
        ),
        Misconception(
            "the gain has no effect",
            (_norm(move=lambda normal, gain, bias: normal + bias),),
        ),
        Misconception(
            "the bias has no effect",
            (_norm(move=lambda normal, gain, bias: normal * gain),),
        ),
        Misconception(
            "the bias is added before the gain, which then multiplies it too",
            (_norm(move=lambda normal, gain, bias: (normal + bias) * gain),),
        ),
        Misconception(
            "you multiply by 1 + gain; here the gain itself is the factor",
            (_norm(move=lambda normal, gain, bias: normal * (1 + gain) + bias),),
        ),
    ),
    hint="Everything happens along the last axis, with keepdim=True: subtract the mean, divide by "
    "the root of (variance + eps). Then gain and bias, one number of each for a feature.",
    solution=layer_norm,
)
