"""An exercise of chapter 11: the loss with label smoothing."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from attncourse.exercises.judging import FLOAT64, STRIDED, Case, Exercise, Input, Misconception


def smoothed_loss(logits, labels, smoothing):
    log_probability = torch.log_softmax(logits, dim=-1)  # (tokens, vocabulary)
    wanted = log_probability.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    spread = log_probability.mean(-1)  # all tokens of the vocabulary alike
    return -((1 - smoothing) * wanted + smoothing * spread).mean()


def draw_labels(shape, case, generator):
    """Draw labels for all axes but the last, which is as long as there are tokens to draw from."""
    return torch.randint(shape[-1], shape[:-1], generator=generator)


# -- the ways to go wrong --------------------------------------------------------------------------


def _target(labels, vocabulary, smoothing):
    return (1 - smoothing) * F.one_hot(labels, vocabulary) + smoothing / vocabulary


def _log_softmax(logits):
    return logits.log_softmax(-1)


def _mean(losses):
    return losses.sum(-1).mean()


def _loss(target=_target, log=_log_softmax, total=_mean):
    """The loss by a whole target distribution, each choice open to be wrong."""

    def function(logits, labels, smoothing):
        wanted = target(labels, logits.shape[-1], smoothing).to(logits)
        return total(-wanted * log(logits))

    return function


def _others(labels, vocabulary, smoothing):
    one = F.one_hot(labels, vocabulary)
    return (1 - smoothing) * one + smoothing / (vocabulary - 1) * (1 - one)


def _short(labels, vocabulary, smoothing):
    one = F.one_hot(labels, vocabulary)
    return (1 - smoothing) * one + smoothing / vocabulary * (1 - one)


def _whole(labels, vocabulary, smoothing):
    return F.one_hot(labels, vocabulary) + smoothing / vocabulary


def _whole_and_others(labels, vocabulary, smoothing):
    one = F.one_hot(labels, vocabulary)
    return one + smoothing / vocabulary * (1 - one)


def _each_whole(labels, vocabulary, smoothing):
    return (1 - smoothing) * F.one_hot(labels, vocabulary) + smoothing


def _plain(logits, labels, smoothing=0.0):
    return F.cross_entropy(logits, labels)


def _mixed(logits, labels, smoothing):
    probability = (1 - smoothing) * logits.softmax(-1) + smoothing / logits.shape[-1]
    return -probability.log().gather(-1, labels.unsqueeze(-1)).mean()


def _divergence(logits, labels, smoothing):
    target = _target(labels, logits.shape[-1], smoothing).to(logits)
    return smoothed_loss(logits, labels, smoothing) + torch.xlogy(target, target).sum(-1).mean()


EXERCISE = Exercise(
    name="smoothed_loss",
    chapter="11",
    signature="smoothed_loss(logits, labels, smoothing) -> one number, nats per token",
    inputs=(
        Input("logits", "token vocabulary"),
        Input("labels", "token vocabulary", draw=draw_labels),
        Input("smoothing", draw=lambda shape, case, generator: 0.1),
    ),
    sizes={"token": 7, "vocabulary": 5},
    cases=(
        Case(label="a smoothing of 0.1"),
        Case(
            label="no smoothing",
            given={"smoothing": 0.0},
            hint="With a smoothing of 0 it is the mean cross-entropy.",
        ),
        Case(label="a smoothing of 0.4", given={"smoothing": 0.4}),
        Case(
            label="nothing but smoothing",
            given={"smoothing": 1.0},
            hint="With a smoothing of 1 the label does not matter.",
        ),
        Case(label="one token of a vocabulary of three", sizes={"token": 1, "vocabulary": 3}),
        Case(
            label="as many tokens as the vocabulary has",
            sizes={"token": 5, "vocabulary": 5},
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
            "you spread the smoothing over the other tokens only. That is another convention; "
            "here, as in PyTorch, it is spread over the whole vocabulary, the label included, "
            "which so gets 1 - smoothing + smoothing / vocabulary",
            (_loss(_others),),
        ),
        Misconception(
            "the label still has a weight of 1, and the smoothing comes on top: the target sums to "
            "more than one. What is spread is taken from the label, which keeps 1 - smoothing",
            (_loss(_whole), _loss(_whole_and_others)),
        ),
        Misconception(
            "the label goes without its share of what is spread, so the target sums to less than "
            "one: it is one of the vocabulary as well",
            (_loss(_short),),
        ),
        Misconception(
            "every token of the vocabulary gets the whole smoothing; it is divided among them",
            (_loss(_each_whole),),
        ),
        Misconception(
            "the shares are exchanged: the label keeps 1 - smoothing, and smoothing is spread",
            (
                _loss(
                    lambda labels, vocabulary, smoothing: _target(labels, vocabulary, 1 - smoothing)
                ),
            ),
        ),
        Misconception(
            "the smoothing has no effect: you return the plain cross-entropy",
            (_plain,),
        ),
        Misconception(
            "what is spread is missing: the cross-entropy is made smaller, and all gradients with "
            "it, but the target stays a single token",
            (lambda logits, labels, smoothing: (1 - smoothing) * _plain(logits, labels),),
        ),
        Misconception(
            "the smoothing is a number of your own; it comes as an argument",
            (lambda logits, labels, smoothing: smoothed_loss(logits, labels, 0.1),),
        ),
        Misconception(
            "you smooth what the model says. The target is smoothed: the model is asked to leave "
            "the others something, and its answer is taken as it is",
            (
                _mixed,
                lambda logits, labels, smoothing: _plain((1 - smoothing) * logits, labels),
                lambda logits, labels, smoothing: _plain(
                    (1 - smoothing) * logits + smoothing / logits.shape[-1], labels
                ),
                lambda logits, labels, smoothing: _plain(
                    (1 - smoothing) * logits + smoothing * logits.mean(-1, keepdim=True), labels
                ),
            ),
        ),
        Misconception(
            "your mean runs over tokens and vocabulary, so the loss is divided by the size of the "
            "vocabulary. Sum over the vocabulary, then take the mean over the tokens",
            (_loss(total=torch.mean),),
        ),
        Misconception(
            "the sum over the tokens is not divided by their number",
            (_loss(total=torch.sum),),
        ),
        Misconception(
            "the losses are not put together: wanted is one number, the mean over the tokens",
            (
                _loss(total=lambda losses: losses.sum(-1)),
                _loss(total=lambda losses: losses),
            ),
        ),
        Misconception(
            "you return the divergence from the target: the cross-entropy less the target's own "
            "entropy. That trains alike, as the entropy is constant, but the number is another",
            (_divergence,),
        ),
        Misconception(
            "the minus sign is missing: the log of a probability is negative, a loss is not",
            (_loss(log=lambda logits: -logits.log_softmax(-1)),),
        ),
        Misconception(
            "your softmax runs over the tokens; it runs over the vocabulary, the last axis",
            (_loss(log=lambda logits: logits.log_softmax(0)),),
        ),
        Misconception(
            "the logits go through softmax twice: log_softmax and F.cross_entropy take logits",
            (
                _loss(log=lambda logits: logits.softmax(-1).log_softmax(-1)),
                lambda logits, labels, smoothing: F.cross_entropy(
                    logits.softmax(-1), labels, label_smoothing=smoothing
                ),
            ),
        ),
        Misconception(
            "there is no softmax: a logit is no log-probability before it is normalised",
            (_loss(log=lambda logits: logits),),
        ),
        Misconception(
            "there is no logarithm: you average probabilities",
            (
                _loss(log=lambda logits: logits.softmax(-1)),
                _loss(log=lambda logits: -logits.softmax(-1)),
            ),
        ),
        Misconception(
            "your loss leaves the logs on its way. Where a model is sure, a probability is rounded "
            "to 0 or exp overflows, and the loss is infinite or NaN: use log_softmax",
            (
                _loss(log=lambda logits: logits.softmax(-1).log()),
                _loss(log=lambda logits: logits - logits.exp().sum(-1, keepdim=True).log()),
                lambda logits, labels, smoothing: (
                    -(
                        (1 - smoothing)
                        * logits.softmax(-1).log().gather(-1, labels.unsqueeze(-1)).squeeze(-1)
                        + smoothing * logits.softmax(-1).log().mean(-1)
                    ).mean()
                ),
            ),
        ),
    ),
    hint="Write the target for a vocabulary of five, smoothing 0.1: what does the label get, what "
    "does each other? The loss has two parts: the label's log-probability, and the mean of all.",
    solution=smoothed_loss,
)
