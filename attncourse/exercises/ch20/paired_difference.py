"""An exercise of chapter 20: is a difference larger than what another seed would change?"""

from __future__ import annotations

import torch

from attncourse.exercises.judging import (
    BFLOAT16,
    FLOAT64,
    STRIDED,
    Case,
    Input,
    Misconception,
    Several,
)


def paired_difference(ours, theirs):
    difference = ours - theirs  # (seed,)
    error = difference.std() / len(difference) ** 0.5
    return difference.mean(), error


def _paired(mean=lambda d: d.mean(), error=lambda d: d.std() / len(d) ** 0.5, pair=torch.sub):
    """The same with another mean, another error or other pairs."""

    def function(ours, theirs):
        difference = pair(ours, theirs)
        return mean(difference), error(difference)

    return function


def _unpaired(together):
    """An error from each model's spread by itself."""

    def function(ours, theirs):
        return (ours - theirs).mean(), together(ours, theirs) / len(ours) ** 0.5

    return function


def _sorted(ours, theirs):
    return ours.sort().values - theirs.sort().values


def _best(ours, theirs):
    return ours.max() - theirs.max(), paired_difference(ours, theirs)[1]


EXERCISE = Several(
    name="paired_difference",
    chapter="20",
    signature="paired_difference(ours, theirs) -> mean, error: two tensors without axes",
    parts=("mean", "error"),
    inputs=(Input("ours", "seed"), Input("theirs", "seed")),
    sizes={"pairs": 5},
    # Two seeds at least, also in a counterexample: one has no spread.
    tied={"seed": lambda sizes: sizes["pairs"] + 1},
    cases=(
        Case(label="six seeds"),
        Case(
            label="three seeds that rise together",
            given={"ours": torch.tensor([0.5, 0.75, 1.0]), "theirs": torch.tensor([0.25, 0.5, 1])},
            hint="A seed that is good for both models says nothing about their difference.",
        ),
        Case(label="two seeds", sizes={"pairs": 1}),
        Case(
            label="nearly the same lead with each seed",
            given={"ours": torch.tensor([1.0, 2.0, 4.0]), "theirs": torch.tensor([0.5, 1.5, 3.25])},
            hint="The scores spread far and the leads hardly: the error is that of the leads.",
        ),
        Case(label="a dozen seeds", sizes={"pairs": 11}),
        STRIDED,
        FLOAT64,
        BFLOAT16,
    ),
    misconceptions=(
        Misconception(
            "this is the standard deviation: how far one seed strays. The mean of n seeds strays "
            "less, by the root of n",
            (_paired(error=lambda d: d.std()), _paired(error=lambda d: d.std(correction=0))),
        ),
        Misconception(
            "the seeds are not paired: each model's spread is taken by itself, so what a seed does "
            "to both counts as noise. Take the differences first, then their spread",
            (
                _unpaired(lambda a, b: (a.var() + b.var()).sqrt()),
                _unpaired(lambda a, b: a.std() + b.std()),
                _unpaired(lambda a, b: torch.cat([a, b]).std()),
                _unpaired(lambda a, b: a.std() - b.std()),
            ),
        ),
        Misconception(
            "you divide the squares by n. The mean was made from the same n numbers, so they lie "
            "too close to it: divide by n - 1",
            (_paired(error=lambda d: d.std(correction=0) / len(d) ** 0.5),),
        ),
        Misconception(
            "you divide by n, where the root of n belongs",
            (_paired(error=lambda d: d.std() / len(d)),),
        ),
        Misconception(
            "this is a variance: its root is still to be taken",
            (_paired(error=lambda d: d.var()), _paired(error=lambda d: d.var() / len(d))),
        ),
        Misconception(
            "the sign is turned round: above zero has to mean that ours is the larger",
            (lambda ours, theirs: paired_difference(theirs, ours),),
        ),
        Misconception(
            "the signs are lost: a lead of one seed and a lag of another add up, where they should "
            "cancel",
            (_paired(pair=lambda a, b: (a - b).abs()), _paired(mean=lambda d: d.abs().mean())),
        ),
        Misconception(
            "you compare the best seed with the best. The best of n is the luckiest; take the mean "
            "over the seeds",
            (_best,),
        ),
        Misconception(
            "both are sorted first, so that the best meets the best: a pair is one seed, in the "
            "order in which they come",
            (_paired(pair=_sorted),),
        ),
        Misconception(
            "this is the sum over the seeds; the mean was asked for",
            (_paired(mean=lambda d: d.sum()),),
        ),
        Misconception(
            "this is half the range, which grows with every further seed; the error of a mean "
            "shrinks",
            (
                _paired(error=lambda d: (d.max() - d.min()) / 2),
                _paired(error=lambda d: d.max() - d.min()),
            ),
        ),
        Misconception(
            "the two stand the other way round: return mean, error",
            (lambda ours, theirs: paired_difference(ours, theirs)[::-1],),
        ),
    ),
    hint="One number for each seed first: ours less theirs. Then forget the two models. How far do "
    "those numbers stray, and how much less does the mean of n of them?",
    solution=paired_difference,
)
