"""An exercise of chapter 18: does a head look at what came after this token the last time?"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from attncourse.exercises.judging import BFLOAT16, FLOAT64, STRIDED, Case, Exercise, Input
from attncourse.exercises.judging import Misconception as Mistake


def induction_score(weights, tokens):
    length = tokens.shape[1]
    same = tokens[:, :, None] == tokens[:, None, :]  # (row, query, key)
    earlier = same & torch.ones(length, length, dtype=torch.bool).tril(-1)
    after = earlier.roll(1, dims=-1)  # one place to the right; the last key is never earlier
    return (weights * after).sum(-1)[earlier.any(-1)].mean()


def _weights(shape, case, generator):
    """Draw causal weights whose rows sum to one, in sixteenths so that they are exact."""
    rows, length, _ = shape
    votes = torch.randint(length, (rows, length, 16), generator=generator)
    votes = votes % torch.arange(1, length + 1)[:, None]  # none in the future
    return F.one_hot(votes, length).sum(2) / 16


def _tokens(shape, case, generator):
    return torch.randint(1, 4, shape, generator=generator)


def _earlier(tokens):
    length = tokens.shape[1]
    same = tokens[:, :, None] == tokens[:, None, :]
    return same & torch.ones(length, length, dtype=torch.bool).tril(-1)


def _shifted(places, by):
    """The same places, so many further to the right."""
    return F.pad(places, (by, -by))


def _score(places=lambda earlier: _shifted(earlier, 1), total=None):
    """The score of weights on other places, or put together in another way."""

    def function(weights, tokens):
        earlier = _earlier(tokens)
        on = (weights * places(earlier)).sum(-1)
        return on[earlier.any(-1)].mean() if total is None else total(on, earlier.any(-1))

    return function


def _per_place(weights, tokens):
    earlier = _earlier(tokens)
    after = _shifted(earlier, 1)
    return ((weights * after).sum(-1) / after.sum(-1).clamp(min=1))[earlier.any(-1)].mean()


def _latest(earlier):
    """Of the earlier occurrences the last one alone."""
    place = torch.arange(earlier.shape[-1])
    last = torch.where(earlier, place, -1).amax(-1, keepdim=True)
    return earlier & (place == last)


def _first(earlier):
    return earlier & (earlier.cumsum(-1) == 1)


EXERCISE = Exercise(
    name="induction_score",
    chapter="18",
    signature="induction_score(weights, tokens) -> a tensor without axes",
    inputs=(
        Input("weights", "row length length", draw=_weights),
        Input("tokens", "row length", draw=_tokens),
    ),
    sizes={"row": 5, "length": 11},
    cases=(
        Case(label="five rows"),
        Case(label="one row", sizes={"row": 1, "length": 7}),
        Case(
            label="a row that is repeated once, and a perfect head",
            given={
                "weights": F.one_hot(torch.tensor([[0, 1, 1, 2]]), 4).float(),
                "tokens": torch.tensor([[1, 2, 1, 2]]),
            },
            hint="Queries 2 and 3 ask for what came after places 0 and 1: places 1 and 2. The head "
            "looks there and nowhere else, so its score is 1.",
        ),
        Case(label="rows of very different kinds", sizes={"row": 2, "length": 17}),
        STRIDED,
        FLOAT64,
        BFLOAT16,
    ),
    misconceptions=(
        Mistake(
            "you measure the weight on the earlier occurrences themselves. What is to be copied "
            "stands one place after them",
            (_score(lambda earlier: earlier),),
        ),
        Mistake(
            "you look one place in front of the earlier occurrence; what is to be copied stands "
            "after it",
            (_score(lambda earlier: _shifted(earlier, -1)),),
        ),
        Mistake(
            "you count queries whose token is new to the row. They have nothing to copy, so even a "
            "perfect head would not get 1",
            (
                _score(total=lambda on, seen: on.mean()),
                _score(total=lambda on, seen: (on * seen).mean()),
            ),
        ),
        Mistake(
            "you take each row's mean and then the mean of the rows, so a query of a row with few "
            "repetitions counts for more",
            (_score(total=lambda on, seen: ((on * seen).sum(1) / seen.sum(1)).mean()),),
        ),
        Mistake(
            "the sum is not divided by the number of queries",
            (_score(total=lambda on, seen: (on * seen).sum()),),
        ),
        Mistake(
            "the weights of a query are averaged over the places. They are shares: sum them up",
            (_per_place,),
        ),
        Mistake(
            "only the latest occurrence counts; the token may have stood there several times, and "
            "each has a successor",
            (_score(lambda earlier: _shifted(_latest(earlier), 1)),),
        ),
        Mistake(
            "only the first occurrence counts; the token may have stood there several times, and "
            "each has a successor",
            (_score(lambda earlier: _shifted(_first(earlier), 1)),),
        ),
        Mistake(
            "this is how much a head looks one place back, whatever the tokens are",
            (lambda weights, tokens: weights.diagonal(-1, 1, 2).mean(),),
        ),
    ),
    hint="Compare all pairs of tokens, (row, query, key), and keep the keys in front of their "
    "query. Then move this mask one key to the right.",
    solution=induction_score,
)
