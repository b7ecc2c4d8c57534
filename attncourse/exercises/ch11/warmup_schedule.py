"""An exercise of chapter 11: the paper's learning rate, step by step."""

from __future__ import annotations

import torch

from attncourse.exercises.judging import Case, Exercise, Input, Misconception, size


def warmup_schedule(step, embed_dim, warmup):
    rising, falling = step * warmup**-1.5, step**-0.5
    return embed_dim**-0.5 * torch.minimum(rising, falling)


def _steps(shape, case, generator):
    """Draw steps in a row: the first ones, or those around the turn."""
    steps, warmup = shape
    first = max(1, warmup - steps // 2) if case.mask == "turn" else 1
    return torch.arange(first, first + steps)


# -- the ways to go wrong --------------------------------------------------------------------------


def _width(embed_dim):
    return embed_dim**-0.5


def _rise(step, warmup):
    return step * warmup**-1.5


def _fall(step, warmup):
    return step**-0.5


def _rate(width=_width, rise=_rise, fall=_fall, choose=torch.minimum, late=0):
    """A schedule, each choice open to be wrong."""

    def function(step, embed_dim, warmup):
        step = step - late
        return width(embed_dim) * choose(rise(step, warmup), fall(step, warmup))

    return function


def _share(step, warmup):
    return step / warmup


def _root_of_share(step, warmup):
    return (warmup / step) ** 0.5


def _flat(step, warmup):
    return warmup**-0.5 + 0 * step


EXERCISE = Exercise(
    name="warmup_schedule",
    chapter="11",
    signature="warmup_schedule(step, embed_dim, warmup) -> (steps,), float32: a learning rate for "
    "each step",
    inputs=(
        Input("step", "steps warmup", draw=_steps),
        Input("embed_dim", "embed", draw=size),
        Input("warmup", "warmup", draw=size),
    ),
    sizes={"steps": 11, "embed": 5, "warmup": 3},
    cases=(
        Case(label="eleven steps, of which three rise"),
        Case(label="the first step alone", sizes={"steps": 1}),
        Case(label="a wider model", sizes={"embed": 7}),
        Case(label="a warm-up of one step", sizes={"warmup": 1}),
        Case(
            label="a training that ends in its warm-up",
            sizes={"steps": 5, "warmup": 11, "embed": 2},
        ),
        Case(
            label="a long warm-up of a narrow model, where the rate turns",
            mask="turn",
            sizes={"warmup": 400, "embed": 2},
        ),
        Case(
            label="the paper's base model, where the rate turns",
            mask="turn",
            sizes={"warmup": 4000, "embed": 512},
        ),
    ),
    misconceptions=(
        Misconception(
            "you take the larger of the two, so the rate falls first and then rises without end. "
            "Wanted is the smaller",
            (_rate(choose=torch.maximum),),
        ),
        Misconception(
            "Python's min() cannot compare many steps at once; torch.minimum does, one by one",
            (
                _rate(choose=min),
                lambda step, embed_dim, warmup: (
                    embed_dim**-0.5 * min(step**-0.5, step * warmup**-1.5)
                ),
            ),
        ),
        Misconception(
            "the rate never falls: it rises with the step, also after the warm-up",
            (_rate(choose=lambda rise, fall: rise),),
        ),
        Misconception(
            "the rate stays at its peak after the warm-up. It falls from there, as 1 over the root "
            "of the step",
            (_rate(fall=_flat),),
        ),
        Misconception(
            "the rate never rises: there is no warm-up, and the first step is the longest",
            (_rate(choose=lambda rise, fall: fall),),
        ),
        Misconception(
            "you count from 0, so the first step has a rate of 0 and changes nothing. The step is "
            "1 at first, as it comes",
            (_rate(late=1),),
        ),
        Misconception(
            "your steps run ahead by one. The step is 1 at first, as it comes",
            (_rate(late=-1),),
        ),
        Misconception(
            "the warm-up has the wrong exponent. With -1.5 the two curves cross at step = warmup, "
            "where both are warmup^-0.5; with another they cross elsewhere",
            tuple(
                _rate(rise=lambda step, warmup, power=power: step * float(warmup) ** power)
                for power in (-0.5, -1.0, -2.0)
            ),
        ),
        Misconception(
            "the rate falls as 1 / step, and that is soon next to nothing. It falls with the root "
            "of the step",
            (
                _rate(fall=lambda step, warmup: 1 / step),
                _rate(
                    rise=lambda step, warmup: step * float(warmup) ** -2,
                    fall=lambda step, warmup: 1 / step,
                ),
            ),
        ),
        Misconception(
            "the root of the step is multiplied with, where it divides: its exponent is -0.5",
            (
                _rate(fall=lambda step, warmup: step**0.5),
                _rate(fall=lambda step, warmup: step**0.5, choose=torch.maximum),
            ),
        ),
        Misconception(
            "your rate reaches 1: it is the factor on a peak rate. The paper's peak is "
            "(embed_dim * warmup)^-0.5",
            (
                _rate(lambda embed_dim: 1, _share, _root_of_share),
                _rate(_width, _share, _root_of_share),
            ),
        ),
        Misconception(
            "the model's width has no effect: a wider model takes shorter steps, by embed_dim^-0.5",
            (_rate(width=lambda embed_dim: 1),),
        ),
        Misconception(
            "embed_dim has the wrong exponent, which is -0.5: a model four times as wide gets half "
            "the rate",
            tuple(
                _rate(width=lambda embed_dim, power=power: float(embed_dim) ** power)
                for power in (0.5, 1, -1, -1.5, -2)
            ),
        ),
    ),
    hint="Two curves: one rises in a straight line, one falls as 1 over the root of the step. "
    "Which is the smaller before step = warmup, and which after?",
    solution=warmup_schedule,
)
