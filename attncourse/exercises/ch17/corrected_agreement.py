"""An exercise of chapter 17: how far two corners agree, beyond what chance gives."""

from __future__ import annotations

import torch

from attncourse.exercises.judging import BFLOAT16, FLOAT64, STRIDED, Case, Exercise, Input
from attncourse.exercises.judging import Misconception as Mistake


def corrected_agreement(table):
    shares = table / table.sum()
    chance = shares.sum(1) @ shares.sum(0)
    return (shares.trace() - chance) / (1 - chance)


def _counts(shape, case, generator):
    """Draw counts of pictures, none of them zero, more of them on the diagonal."""
    return torch.randint(1, 9, shape, generator=generator) + 5.0 * torch.eye(*shape)


def _product(shares):
    return shares.sum(1) @ shares.sum(0)


def _pooled(shares):
    both = (shares.sum(0) + shares.sum(1)) / 2
    return both @ both


def _kappa(chance=_product, combine=lambda raw, chance: (raw - chance) / (1 - chance)):
    """The same with another chance, or with raw and chance put together in another way."""

    def function(table):
        shares = table / table.sum()
        return combine(shares.trace(), chance(shares))

    return function


EXERCISE = Exercise(
    name="corrected_agreement",
    chapter="17",
    signature="corrected_agreement(table) -> a tensor without axes",
    inputs=(Input("table", "symbol symbol", draw=_counts),),
    sizes={"symbol": 3},
    cases=(
        Case(label="three symbols"),
        Case(label="two symbols", sizes={"symbol": 2}),
        Case(
            label="a generator that nearly always draws the first",
            given={"table": torch.tensor([[95.0, 2.0], [2.0, 1.0]])},
            hint="The corners agree in 96 pictures of 100, and by chance they would in 94.",
        ),
        Case(
            label="corners with other habits",
            given={"table": torch.tensor([[4.0, 16.0], [4.0, 16.0]])},
            hint="Here one corner knows nothing of the other: the answer is 0.",
        ),
        Case(label="never the same", given={"table": torch.tensor([[0.0, 5.0], [5.0, 0.0]])}),
        Case(label="always the same", given={"table": torch.tensor([[5.0, 0.0], [0.0, 3.0]])}),
        Case(label="five symbols", sizes={"symbol": 5}),
        STRIDED,
        FLOAT64,
        BFLOAT16,
    ),
    misconceptions=(
        Mistake(
            "this is the raw agreement: chance is not taken off. Two corners that always say the "
            "same one thing agree always, and know nothing of each other",
            (_kappa(combine=lambda raw, chance: raw),),
        ),
        Mistake(
            "you take off 1 / n, as if every symbol came as often as every other. Chance depends "
            "on the habits of either corner: its row sums and its column sums",
            (
                _kappa(lambda shares: 1 / len(shares)),
                _kappa(lambda shares: 1 / len(shares), lambda raw, chance: raw - chance),
            ),
        ),
        Mistake(
            "chance is taken off but not divided out: even those who always agree would not get 1",
            (_kappa(combine=lambda raw, chance: raw - chance),),
        ),
        Mistake(
            "you divide by chance. What is left to win beyond chance is 1 - chance",
            (
                _kappa(combine=lambda raw, chance: (raw - chance) / chance),
                _kappa(combine=lambda raw, chance: raw / chance),
            ),
        ),
        Mistake(
            "both corners get the mean of their habits (Scott's pi). Cohen's kappa lets each keep "
            "its own",
            (_kappa(_pooled),),
        ),
        Mistake(
            "chance is made of one corner's habits alone: it takes the product of both",
            (
                _kappa(lambda shares: shares.sum(1) @ shares.sum(1)),
                _kappa(lambda shares: shares.sum(0) @ shares.sum(0)),
            ),
        ),
        Mistake(
            "the counts are not yet shares: divide by their sum first",
            (
                lambda table: (table.trace() - _product(table)) / (1 - _product(table)),
                lambda table: (
                    (table.trace() / table.sum() - _product(table)) / (1 - _product(table))
                ),
            ),
        ),
    ),
    hint="By chance both say symbol s in a share of (row sum of s) * (column sum of s), as shares. "
    "Add these up: it is what has to be taken off.",
    solution=corrected_agreement,
)
