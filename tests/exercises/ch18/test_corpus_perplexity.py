"""`corpus_perplexity` (chapter 18)."""

from __future__ import annotations

import math

import torch
from answers import normal, right_answers, solve, unknown_answers, wrong_answers

from attncourse.metrics import perplexity


def test_the_solution_is_what_the_package_measures():
    logs = -normal(3, 7).abs()
    mask = torch.arange(7) < torch.tensor([7, 2, 5])[:, None]
    got = solve("corpus_perplexity", logs, mask)
    assert abs(got.item() - perplexity(logs[mask].sum().item(), 14)) < 1e-9


# -- answers as readers write them -----------------------------------------------------------------


def by_selection(logs, mask):
    return torch.exp(-logs[mask].mean())


def by_bits(logs, mask):
    return 2 ** (-logs[mask].mean() / math.log(2))


def as_a_root(logs, mask):
    return logs.masked_fill(~mask, 0).sum().mul(-1 / mask.sum()).exp()


def by_texts(logs, mask):
    each = [torch.exp(-own[real].mean()) for own, real in zip(logs, mask, strict=True)]
    return torch.stack(each).mean()


def inverse_mean(logs, mask):
    return logs[mask].exp().reciprocal().mean()


def only_the_loss(logs, mask):
    return -logs[mask].mean()


def median(logs, mask):
    return (-logs[mask].median()).exp()


test_a_right_answer_in_other_words_passes = right_answers(
    "corpus_perplexity", [by_selection, by_bits, as_a_root]
)
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "corpus_perplexity",
    [
        (by_texts, "you take each text's perplexity and then their mean"),
        (inverse_mean, "you average 1 / p"),
        (only_the_loss, "you stop at the loss"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "corpus_perplexity", [median]
)
