"""An exercise of chapter 02: kernel regression."""

from __future__ import annotations

import torch

from attncourse.exercises.judging import (
    COUNT_FROM_THE_END,
    FLOAT64,
    STRIDED,
    Case,
    Exercise,
    Input,
    Misconception,
    not_averaging,
)


def nadaraya_watson(query, key, value, bandwidth):
    difference = query.unsqueeze(-2) - key.unsqueeze(-3)  # (..., query, key, width)
    distance = difference.square().sum(-1) / bandwidth**2  # squared, in bandwidths
    weights = torch.softmax(-distance / 2, dim=-1)
    return weights @ value


def _regression(log_kernel, normalise=lambda scores: scores.softmax(-1)):
    """Nadaraya-Watson with another kernel or normalisation, from differences (.., q, k, width)."""

    def function(query, key, value, bandwidth):
        difference = query.unsqueeze(-2) - key.unsqueeze(-3)
        return normalise(log_kernel(difference, bandwidth)) @ value

    return function


def _gaussian(difference, h):
    return -difference.square().sum(-1) / (2 * h**2)


def _distance(difference):
    return difference.square().sum(-1).sqrt()


def _one_axis(query, key, value, bandwidth):
    scores = -((query - key.mT) ** 2) / (2 * bandwidth**2)
    return scores.softmax(-1) @ value


def _triangular(empty):
    def normalise(kernel):
        weights = kernel / kernel.sum(-1, keepdim=True)
        return weights if empty is None else weights.nan_to_num(empty)

    return _regression(lambda d, h: (1 - _distance(d) / h).clamp(min=0), normalise)


def _plus(epsilon):
    return lambda scores: scores.exp() / (scores.exp().sum(-1, keepdim=True) + epsilon)


def _above(epsilon):
    return lambda scores: scores.exp() / scores.exp().sum(-1, keepdim=True).clamp(min=epsilon)


EXERCISE = Exercise(
    name="nadaraya_watson",
    chapter="02",
    signature="nadaraya_watson(query, key, value, bandwidth) -> (..., query, value_width)",
    inputs=(
        Input("query", "... query width"),
        Input("key", "... key width"),
        Input("value", "... key value_width"),
        Input("bandwidth", draw=lambda shape, case, generator: 0.5),
    ),
    sizes={"query": 5, "key": 7, "width": 3, "value_width": 2},
    cases=(
        Case(label="points on a line", sizes={"width": 1, "value_width": 1}),
        Case(label="points in space"),
        Case(label="a wide kernel", given={"bandwidth": 3.0}),
        Case(label="as many queries as keys", sizes={"query": 5, "key": 5}),
        Case(label="as many keys as coordinates", sizes={"key": 3, "width": 3}),
        Case(
            label="a bandwidth that is learned",
            given={"bandwidth": torch.tensor(0.5, device="cpu")},
            hint="The bandwidth may be a tensor: keep float() and math away from it.",
        ),
        Case(
            label="more leading axes",
            lead=(2, 3),
            sizes={"query": 11, "width": 5, "value_width": 13},  # no length twice
            given={"bandwidth": 1.5},  # as five coordinates are far apart
            hint=COUNT_FROM_THE_END,
        ),
        STRIDED,
        FLOAT64,
        Case(
            label="bfloat16",
            dtype=torch.bfloat16,
            bonus=True,
            hint="Some functions of torch do not know half precision; the plain formula does.",
        ),
        Case(
            label="queries far from every key",
            scale={"query": 100.0},
            bonus=True,
            hint="There every kernel is rounded to zero, and the division is 0/0. On paper your "
            "formula is the same as the softmax of the log of the kernel, which has no "
            "such gap.",
        ),
    ),
    misconceptions=(
        Misconception(
            "you multiply by the bandwidth; divide the distance by it, so that a wide kernel "
            "reaches far",
            (
                _regression(lambda d, h: -d.square().sum(-1) * h**2 / 2),
                _regression(lambda d, h: -d.square().sum(-1) * h / 2),
                _regression(lambda d, h: -d.square().sum(-1) / 2 * h**2 / 2),
            ),
        ),
        Misconception(
            "the bandwidth is not used",
            (
                _regression(lambda d, h: -d.square().sum(-1) / 2),
                _regression(lambda d, h: -d.square().sum(-1)),
            ),
        ),
        Misconception(
            "the bandwidth is not squared: it divides the distance before that is squared",
            (
                _regression(lambda d, h: -d.square().sum(-1) / (2 * h)),
                _regression(lambda d, h: -d.square().sum(-1) / h),
            ),
        ),
        Misconception(
            "the half is missing from the exponent, so your kernel is narrower than it says",
            (_regression(lambda d, h: -d.square().sum(-1) / h**2),),
        ),
        Misconception(
            "the distance is not squared",
            (
                _regression(lambda d, h: -_distance(d) / (2 * h**2)),
                _regression(lambda d, h: -_distance(d) / (2 * h)),
                _regression(lambda d, h: -_distance(d) / h),
                _regression(lambda d, h: -_distance(d) / h**2),
                _regression(lambda d, h: -d.abs().sum(-1) / (2 * h**2)),
            ),
        ),
        Misconception(
            "the minus sign is missing: far points get the most weight",
            (_regression(lambda d, h: -_gaussian(d, h)),),
        ),
        Misconception(
            "your weights do not sum to one: divide the kernels of each query by their sum",
            (
                _regression(_gaussian, torch.exp),
                _regression(_gaussian, lambda s: s.exp() / s.shape[-1]),
            ),
            shows=not_averaging(2),
        ),
        Misconception(
            "you add a small number to the sum of the kernels, or keep the sum above it. Far from "
            "the keys the kernels are smaller still, so the weights sum to less than one. Divide "
            "by the sum alone, or take the softmax of the log of the kernel",
            (
                *(_regression(_gaussian, _plus(10.0**-n)) for n in range(5, 13)),
                *(_regression(_gaussian, _above(10.0**-n)) for n in range(5, 9)),
            ),
        ),
        Misconception(
            "you normalise over the queries; the weights of each query must sum to one over the "
            "keys, the last axis",
            (
                _regression(_gaussian, lambda s: s.softmax(-2)),
                _regression(_gaussian, lambda s: s.softmax(0)),
                _regression(_gaussian, lambda s: s.exp() / s.exp().sum(-2, keepdim=True)),
            ),
        ),
        Misconception(
            "you count the axis to normalise from the front; with more leading axes it is "
            "another one. The keys are always the last: dim=-1",
            (
                _regression(_gaussian, lambda s: s.softmax(1)),
                _regression(_gaussian, lambda s: s.exp() / s.exp().sum(1, keepdim=True)),
            ),
        ),
        Misconception(
            "your kernel is triangular, 1 - u; the Gaussian is exp(-u^2 / 2)",
            (_triangular(None), _triangular(0.0)),
        ),
        Misconception(
            "you add the differences of the coordinates before squaring, so a step to the right "
            "and a step back cancel: square first, then sum over the last axis",
            (_regression(lambda d, h: -d.sum(-1).square() / (2 * h**2)),),
        ),
        Misconception(
            "only the first coordinate counts: the squared distance sums over all of them, the "
            "last axis",
            (_regression(lambda d, h: -d[..., 0].square() / (2 * h**2)),),
        ),
        Misconception(
            "you average the squared differences over the coordinates; the squared distance is "
            "their sum",
            (_regression(lambda d, h: -d.square().mean(-1) / (2 * h**2)),),
        ),
        Misconception(
            "your distance works for points on a line only. Give the query and the key an axis "
            "each, (..., query, 1, width) and (..., 1, key, width), and sum over the width",
            (_one_axis,),
        ),
        Misconception(
            "the distance sums over the wrong axis: over the keys, not over the coordinates",
            (_regression(lambda d, h: -d.square().sum(-2) / (2 * h**2)),),
        ),
    ),
    hint="Give the query the shape (..., query, 1, width) and the key (..., 1, key, width): "
    "their difference has every pair. Square it and sum over the last axis.",
    solution=nadaraya_watson,
)
