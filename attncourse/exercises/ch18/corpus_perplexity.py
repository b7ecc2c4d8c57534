"""An exercise of chapter 18: the perplexity of several texts."""

from __future__ import annotations

import math

import torch

from attncourse.exercises.judging import FLOAT64, STRIDED, Case, Exercise, Input, Misconception


def corpus_perplexity(log_probabilities, mask):
    surprise = -(log_probabilities * mask).sum() / mask.sum()
    return surprise.exp()


def _logs(shape, case, generator):
    """Draw logarithms of probabilities from 1/16 to 1/2."""
    return -torch.randint(1, 5, shape, generator=generator) * math.log(2)


def _real(shape, case, generator):
    """Give the mask of texts of falling lengths, the first filling its row."""
    texts, length = shape
    lengths = torch.tensor([length - row * length // texts for row in range(texts)])
    full = torch.full_like(lengths, length)
    return torch.arange(length) < (full if case.mask == "none padded" else lengths)[:, None]


def _mean(values, mask):
    return (values * mask).sum() / mask.sum()


EXERCISE = Exercise(
    name="corpus_perplexity",
    chapter="18",
    signature="corpus_perplexity(log_probabilities, mask) -> a tensor without axes",
    inputs=(
        Input("log_probabilities", "text length", draw=_logs),
        Input("mask", "text length", draw=_real),
    ),
    sizes={"text": 3, "length": 7},
    cases=(
        Case(label="texts of several lengths"),
        Case(label="one text", sizes={"text": 1}),
        Case(label="no padding", mask="none padded"),
        Case(
            label="a model as unsure as among four words",
            given={
                "log_probabilities": torch.full((2, 3), -math.log(4)),
                "mask": torch.tensor([[True, True, True], [True, False, False]]),
            },
            hint="Every token has a probability of 1/4, so the perplexity is 4.",
        ),
        Case(
            label="a long easy text and a short hard one",
            given={
                "log_probabilities": torch.tensor([[-0.5, -0.5, -0.5, -0.5], [-6.0, 0, 0, 0]]),
                "mask": torch.tensor([[True] * 4, [True, False, False, False]]),
            },
        ),
        STRIDED,
        FLOAT64,
    ),
    misconceptions=(
        Misconception(
            "you stop at the loss: the perplexity is its exponential",
            (lambda logs, mask: -_mean(logs, mask),),
        ),
        Misconception(
            "the minus sign is missing: the result is a mean probability, below 1",
            (lambda logs, mask: _mean(logs, mask).exp(),),
        ),
        Misconception(
            "padding is counted",
            (
                lambda logs, mask: (-logs.mean()).exp(),
                lambda logs, mask: (-(logs * mask).mean()).exp(),
                lambda logs, mask: (-logs.sum() / mask.sum()).exp(),
            ),
        ),
        Misconception(
            "you take each text's perplexity and then their mean. Average the logarithms of all "
            "tokens first; the exponential comes last",
            (lambda logs, mask: (-(logs * mask).sum(1) / mask.sum(1)).exp().mean(),),
        ),
        Misconception(
            "you take the mean of the texts' means, so a token of a short text counts for more. "
            "Sum over all texts, then divide once",
            (lambda logs, mask: (-(logs * mask).sum(1) / mask.sum(1)).mean().exp(),),
        ),
        Misconception(
            "you average 1 / p. The perplexity is the geometric mean of it: average logarithms",
            (lambda logs, mask: _mean((-logs).exp(), mask),),
        ),
        Misconception(
            "you average the probabilities, not their logarithms",
            (lambda logs, mask: 1 / _mean(logs.exp(), mask),),
        ),
        Misconception(
            "2 is raised to a loss in nats. A natural logarithm goes with exp, log2 with 2",
            (lambda logs, mask: 2 ** -_mean(logs, mask),),
        ),
        Misconception(
            "the sum is not divided, so a longer corpus has a larger perplexity",
            (
                lambda logs, mask: (-(logs * mask).sum()).exp(),
                lambda logs, mask: (-(logs * mask).sum() / len(logs)).exp(),
            ),
        ),
        Misconception(
            "the texts are not put together: wanted is one number",
            (
                lambda logs, mask: (-(logs * mask).sum(1) / mask.sum(1)).exp(),
                lambda logs, mask: (-logs * mask).exp(),
            ),
        ),
    ),
    hint="First the mean surprise per real token of the whole corpus, then one exp.",
    solution=corpus_perplexity,
)
