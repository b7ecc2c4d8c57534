"""An exercise of chapter 13: from weights on places to probabilities of words."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from attncourse.exercises.judging import (
    BFLOAT16,
    FLOAT64,
    STRIDED,
    Case,
    Exercise,
    Input,
    Misconception,
)

WORDS = 7


def copy_distribution(weights, source, num_words):
    words = torch.zeros(*weights.shape[:2], num_words, dtype=weights.dtype)
    places = source[:, None].expand(weights.shape)  # (batch, target, source)
    return words.scatter_add(-1, places, weights)


def _places(weights, source):
    return source[:, None].expand(weights.shape)


def _empty(weights, num_words):
    return weights.new_zeros(*weights.shape[:2], num_words)


def _last_place(weights, source, num_words):
    # One place after the other: of equal indices, scatter_ may take any.
    words = _empty(weights, num_words)
    for i in range(source.shape[1]):
        words.scatter_(-1, _places(weights, source)[..., i : i + 1], weights[..., i : i + 1])
    return words


def _first_place(weights, source, num_words):
    return _last_place(weights.flip(-1), source.flip(-1), num_words)


def _reduced(reduce):
    def function(weights, source, num_words):
        words = _empty(weights, num_words)
        return words.scatter_reduce(
            -1, _places(weights, source), weights, reduce, include_self=False
        )

    return function


def _same_article(weights, source, num_words):
    return copy_distribution(weights, source[:1].expand_as(source), num_words)


def _counted(weights, source, num_words):
    words = F.one_hot(source, num_words).to(weights.dtype)
    return words.mean(1, keepdim=True).expand(-1, weights.shape[1], -1)


def _softmaxed(weights, source, num_words):
    return copy_distribution(weights, source, num_words).softmax(-1)


def _summed_over_the_summary(weights, source, num_words):
    total = weights.sum(1, keepdim=True).expand_as(weights)
    return copy_distribution(total, source, num_words)


def _normalised(weights, source, num_words):
    words = copy_distribution(weights, source, num_words)
    return words / words.sum(-1, keepdim=True).clamp(min=1e-9)


def weights_of(shape, case, generator):
    """Draw weights of eighths: not negative, exact in every dtype; they need not sum to one."""
    return torch.randint(0, 9, shape, generator=generator) / 8


def _ids(shape, case, generator):
    """Draw ids of few words, so that some come twice."""
    return torch.randint(0, WORDS, shape, generator=generator)


EXERCISE = Exercise(
    name="copy_distribution",
    chapter="13",
    signature="copy_distribution(weights, source, num_words) -> (batch, target, num_words)",
    inputs=(
        Input("weights", "batch target source", draw=weights_of),
        Input("source", "batch source", draw=_ids),
        Input("num_words", draw=lambda shape, case, generator: WORDS),
    ),
    sizes={"batch": 2, "target": 3, "source": 5},
    cases=(
        Case(label="two articles"),
        Case(
            label="a word that comes twice",
            sizes={"batch": 1, "target": 1, "source": 3},
            given={"source": torch.tensor([[4, 2, 4]])},
            hint="Its probability is the sum of the weights at both places.",
        ),
        Case(label="one word of a summary", sizes={"target": 1}),
        Case(label="an article of one word", sizes={"source": 1}),
        Case(label="more words than the article has", given={"num_words": 29}),
        Case(label="as many articles as words in each", sizes={"batch": 5, "target": 5}),
        STRIDED,
        FLOAT64,
        BFLOAT16,
    ),
    misconceptions=(
        Misconception(
            "a word that comes twice keeps the weight of one place only. It is as likely as all "
            "its places together: add, do not assign",
            (_last_place, _first_place, _reduced("amax"), _reduced("amin")),
        ),
        Misconception(
            "the weights of a word's places are averaged. To copy it, either place will do: their "
            "weights add up",
            (_reduced("mean"),),
        ),
        Misconception(
            "every article gets the words of the first one: the ids are (batch, source), a row an "
            "article",
            (_same_article,),
        ),
        Misconception(
            "the weights do not matter: you count how often each word comes",
            (_counted,),
        ),
        Misconception(
            "you take a softmax of probabilities. The weights are the result of one already, and a "
            "word that is not in the article would become likely",
            (_softmaxed,),
        ),
        Misconception(
            "the words of the summary share their weights: each of them has its own look at the "
            "article",
            (_summed_over_the_summary,),
        ),
        Misconception(
            "you divide by the sum. The weights of an article sum to one already; in an article of "
            "padding alone they sum to zero",
            (_normalised,),
        ),
    ),
    hint="Attention averages values. Which value must stand at each place so that the average is a "
    "list of probabilities, one for each word?",
    solution=copy_distribution,
)
