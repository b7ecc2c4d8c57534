"""An exercise of chapter 04: the loss of a padded batch."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from attncourse.exercises.judging import FLOAT64, STRIDED, Case, Exercise, Input, Misconception

VOCABULARY = 5


def sequence_loss(logits, labels, mask):
    log_probability = torch.log_softmax(logits, dim=-1)  # (batch, length, vocabulary)
    surprise = -log_probability.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    return (surprise * mask).sum() / mask.sum()


def _real(shape, case, generator=None):
    """Give the mask of sentences of falling lengths, the first filling its row."""
    batch, length = shape
    lengths = torch.tensor([length - row * length // batch for row in range(batch)])
    full = torch.full_like(lengths, length)
    return torch.arange(length) < (full if case.mask == "none padded" else lengths)[:, None]


def _labels(shape, case, generator):
    """Draw labels, 0 at padding unless the case says that it is filled."""
    labels = torch.randint(1, VOCABULARY, shape, generator=generator)
    return labels if case.mask == "filled" else labels.masked_fill(~_real(shape, case), 0)


def _surprise(logits, labels, dim=-1, log=torch.log_softmax):
    return -log(logits, dim).gather(-1, labels.unsqueeze(-1)).squeeze(-1)


def _mean_of_real(surprise, mask):
    return (surprise * mask).sum() / mask.sum()


def _loss(total=_mean_of_real, **choices):
    """The loss with another way to normalise or to sum up."""

    def function(logits, labels, mask):
        return total(_surprise(logits, labels, **choices), mask)

    return function


def _crossed(logits, labels, mask):
    surprise = F.cross_entropy(logits, labels, reduction="none")  # takes axis 1 for the classes
    return (surprise * mask).sum() / mask.sum()


def _zeroed(logits, labels, mask):
    return _surprise(logits * mask.unsqueeze(-1), labels)


def _small(added):
    return lambda logits, dim: (logits.softmax(dim) + added).log()


def _floor(least):
    return lambda logits, dim: logits.softmax(dim).clamp(min=least).log()


def _log_of_softmax(logits, dim):
    return logits.softmax(dim).log()


def _less_log_of_sum(logits, dim):
    return logits - logits.exp().sum(dim, keepdim=True).log()


def _log_of_quotient(logits, dim):
    raised = logits.exp()
    return (raised / raised.sum(dim, keepdim=True)).log()


EXERCISE = Exercise(
    name="sequence_loss",
    chapter="04",
    signature="sequence_loss(logits, labels, mask) -> one number, nats per real token",
    inputs=(
        Input("logits", "batch length vocabulary"),
        Input("labels", "batch length", draw=_labels),
        Input("mask", "batch length", draw=_real),
    ),
    sizes={"batch": 3, "length": 7},
    tied={"vocabulary": lambda sizes: VOCABULARY},
    cases=(
        Case(label="a padded batch"),
        Case(label="one sentence", sizes={"batch": 1}),
        Case(label="no padding", mask="none padded"),
        Case(label="as many places as tokens in the vocabulary", sizes={"length": 5}),
        Case(label="as many sentences as places", sizes={"batch": 5, "length": 5}),
        Case(
            label="something else than 0 at padding",
            mask="filled",
            hint="The mask alone says what is padding.",
        ),
        Case(
            label="a model that is sure",
            scale={"logits": 1000.0},
            hint="A probability may be rounded to zero, and its log is then minus infinity. "
            "log_softmax never leaves the logs.",
        ),
        STRIDED,
        FLOAT64,
    ),
    misconceptions=(
        Misconception(
            "padding is counted: the mean runs over all places, real or not",
            (
                _loss(lambda surprise, mask: surprise.mean()),
                _loss(lambda surprise, mask: surprise.sum() / mask.sum()),
            ),
        ),
        Misconception(
            "you divide by batch times length, padding included, so the loss shrinks as padding "
            "grows. Divide by the number of real tokens",
            (_loss(lambda surprise, mask: (surprise * mask).mean()),),
        ),
        Misconception(
            "you take the mean of the sentences' means, so a token of a short sentence counts for "
            "more. Sum over the whole batch, then divide once",
            (_loss(lambda surprise, mask: ((surprise * mask).sum(1) / mask.sum(1)).mean()),),
        ),
        Misconception(
            "you divide by the number of sentences; wanted is the loss of a token",
            (_loss(lambda surprise, mask: (surprise * mask).sum(1).mean()),),
        ),
        Misconception(
            "the sum is not divided, so a larger batch has a larger loss. Divide by the number of "
            "real tokens",
            (_loss(lambda surprise, mask: (surprise * mask).sum()),),
        ),
        Misconception(
            "the losses are not put together: wanted is one number for the batch",
            (
                _loss(lambda surprise, mask: surprise * mask),
                _loss(lambda surprise, mask: surprise),
                _loss(lambda surprise, mask: surprise[mask]),
                _loss(lambda surprise, mask: (surprise * mask).sum(1) / mask.sum(1)),
            ),
        ),
        Misconception(
            "your softmax runs over another axis than the vocabulary, which is the last. "
            "F.cross_entropy takes axis 1 for it, so flatten batch and length first",
            (
                _loss(dim=1),
                _loss(dim=0),
                _loss(lambda surprise, mask: surprise.mean(), dim=1),
                _crossed,
                lambda logits, labels, mask: F.cross_entropy(logits, labels),
            ),
        ),
        Misconception(
            "the logits go through softmax twice: F.cross_entropy and log_softmax take logits, "
            "not probabilities",
            (_loss(log=lambda logits, dim: logits.softmax(dim).log_softmax(dim)),),
        ),
        Misconception(
            "your loss is in bits, by log2; nats come from the natural logarithm",
            (
                _loss(log=lambda logits, dim: logits.log_softmax(dim) / math.log(2)),
                _loss(log=lambda logits, dim: logits.softmax(dim).log2()),
            ),
        ),
        Misconception(
            "the minus sign is missing: the log of a probability is negative, a loss is not",
            (_loss(log=lambda logits, dim: -logits.log_softmax(dim)),),
        ),
        Misconception(
            "there is no logarithm: you average probabilities",
            (
                _loss(log=lambda logits, dim: -logits.softmax(dim)),
                _loss(log=lambda logits, dim: logits.softmax(dim)),
                _loss(log=lambda logits, dim: logits.softmax(dim) - 1),
            ),
        ),
        Misconception(
            "there is no softmax: a logit is no log-probability before it is normalised",
            (_loss(log=lambda logits, dim: logits),),
        ),
        Misconception(
            "you set the logits to 0 at padding, which makes all tokens equally likely there, not "
            "the loss zero. The mask belongs on the losses",
            (
                lambda logits, labels, mask: _zeroed(logits, labels, mask).mean(),
                lambda logits, labels, mask: _zeroed(logits, labels, mask).sum() / mask.sum(),
            ),
        ),
        Misconception(
            "you leave out the labels that are 0. The mask says what is padding, whatever the "
            "labels hold there",
            (
                lambda logits, labels, mask: sequence_loss(logits, labels, labels != 0),
                lambda logits, labels, mask: (
                    (_surprise(logits, labels) * (labels != 0)).sum() / mask.sum()
                ),
            ),
        ),
        Misconception(
            "you add a small number to the probability, or keep it above one: where the model is "
            "sure and wrong, the loss then stops growing. Use log_softmax",
            (
                *(_loss(log=_small(10.0**-n)) for n in range(5, 13)),
                *(_loss(log=_floor(10.0**-n)) for n in range(5, 13)),
            ),
        ),
        Misconception(
            "your loss leaves the logs on its way. Where a model is sure, exp overflows or a "
            "probability is rounded to 0, and the loss is infinite or NaN: use log_softmax",
            tuple(
                _loss(total, log=log)
                for total in (_mean_of_real, lambda surprise, mask: surprise[mask].mean())
                for log in (_log_of_softmax, _less_log_of_sum, _log_of_quotient)
            ),
        ),
        Misconception(
            "you return the perplexity, the exponential of the loss",
            (lambda logits, labels, mask: sequence_loss(logits, labels, mask).exp(),),
        ),
    ),
    hint="gather(-1, labels.unsqueeze(-1)) picks the label's number at each place. Then ask two "
    "things of the mean: which places it sums, and by how many it divides.",
    solution=sequence_loss,
)
