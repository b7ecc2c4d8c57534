"""`smoothed_loss` (chapter 11)."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from answers import normal, right_answers, solve, unknown_answers, wrong_answers

from attncourse.training import sequence_loss
from attncourse.training.projected import projected_loss


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_the_smoothed_loss_agrees_with_pytorchs_and_the_packages(smoothing):
    hidden, weight, labels = normal(7, 3), normal(5, 3), torch.randint(5, (7,))
    logits, mask = hidden @ weight.mT, torch.ones(1, 7, dtype=torch.bool)
    got = solve("smoothed_loss", logits, labels, smoothing)
    torch.testing.assert_close(got, F.cross_entropy(logits, labels, label_smoothing=smoothing))
    torch.testing.assert_close(got, sequence_loss(logits[None], labels[None], mask, smoothing))
    torch.testing.assert_close(got, projected_loss(hidden, weight, labels, smoothing) / 7)


def test_the_smoothed_loss_of_two_tokens_by_hand():
    # probabilities 3/4 and 1/4: the label, the first, is asked for with 0.9, the other with 0.1
    logits = torch.tensor([[3.0, 1.0]], dtype=torch.float64).log()
    got = solve("smoothed_loss", logits, torch.tensor([0]), 0.2)
    assert got.item() == pytest.approx(-0.9 * math.log(3 / 4) - 0.1 * math.log(1 / 4))


# -- answers as readers write them -----------------------------------------------------------------


def smoothed_by_torch(logits, labels, smoothing):
    return F.cross_entropy(logits, labels, label_smoothing=smoothing)


def smoothed_by_target(logits, labels, smoothing):
    target = torch.full_like(logits, smoothing / logits.size(-1))
    target[torch.arange(len(labels)), labels] += 1 - smoothing
    return -(target * F.log_softmax(logits, dim=-1)).sum() / len(labels)


def _by_target(fill):
    def answer(logits, labels, smoothing):
        target = fill(F.one_hot(labels, logits.size(-1)).to(logits), smoothing)
        return -(target * F.log_softmax(logits, -1)).sum(-1).mean()

    return answer


smoothed_others = _by_target(
    lambda one, eps: torch.where(one > 0, 1 - eps, eps / (one.size(-1) - 1)).to(one)
)


smoothed_on_top = _by_target(lambda one, eps: one + eps / one.size(-1))


smoothed_short = _by_target(
    lambda one, eps: torch.where(one > 0, 1 - eps, eps / one.size(-1)).to(one)
)


smoothed_undivided = _by_target(lambda one, eps: one * (1 - eps) + eps)


smoothed_exchanged = _by_target(lambda one, eps: one * eps + (1 - eps) / one.size(-1))


def smoothed_logits(logits, labels, smoothing):
    return F.cross_entropy(logits * (1 - smoothing) + smoothing / logits.size(-1), labels)


def smoothed_probabilities(logits, labels, smoothing):
    p = (1 - smoothing) * F.softmax(logits, -1) + smoothing / logits.size(-1)
    return F.nll_loss(p.log(), labels)


def smoothed_over_the_vocabulary(logits, labels, smoothing):
    target = F.one_hot(labels, logits.size(1)) * (1 - smoothing) + smoothing / logits.size(1)
    return torch.mean(-target * logits.log_softmax(dim=1))


def smoothed_by_divergence(logits, labels, smoothing):
    target = F.one_hot(labels, logits.size(1)) * (1 - smoothing) + smoothing / logits.size(1)
    return F.kl_div(logits.log_softmax(1), target.to(logits), reduction="batchmean")


def smoothed_by_logs_of_softmax(logits, labels, smoothing):
    log = torch.log(torch.softmax(logits, dim=1))
    wanted = log[torch.arange(len(labels)), labels]
    return -((1 - smoothing) * wanted + smoothing * log.mean(1)).mean()


test_a_right_answer_in_other_words_passes = right_answers(
    "smoothed_loss", [smoothed_by_torch, smoothed_by_target]
)
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "smoothed_loss",
    [
        (smoothed_others, "over the other tokens only"),
        (smoothed_on_top, "the label still has a weight of 1"),
        (smoothed_short, "the label goes without its share"),
        (smoothed_undivided, "gets the whole smoothing"),
        (smoothed_exchanged, "the shares are exchanged"),
        (lambda x, y, eps: F.cross_entropy(x, y), "the smoothing has no effect"),
        (smoothed_logits, "you smooth what the model says"),
        (smoothed_probabilities, "you smooth what the model says"),
        (smoothed_over_the_vocabulary, "your mean runs over tokens and vocabulary"),
        (smoothed_by_divergence, "you return the divergence"),
        (smoothed_by_logs_of_softmax, "your loss leaves the logs"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "smoothed_loss", [lambda x, y, eps: 0.9 * smoothed_by_torch(x, y, eps)]
)
