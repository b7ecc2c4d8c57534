"""`sequence_loss` (chapter 04)."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from answers import normal, right_answers, solve, unknown_answers, wrong_answers

from attncourse import padding_mask
from attncourse.exercises import EXERCISES
from attncourse.training import sequence_loss


def test_the_loss_agrees_with_the_packages():
    logits, labels = normal(3, 7, 5), torch.randint(5, (3, 7))
    mask = padding_mask(torch.tensor([7, 1, 4]))
    got = solve("sequence_loss", logits, labels, mask)
    torch.testing.assert_close(got, sequence_loss(logits, labels, mask))


def test_the_loss_of_knowing_nothing_is_the_log_of_the_vocabulary():
    mask = torch.tensor([[True, True], [True, False]])
    got = solve("sequence_loss", torch.zeros(2, 2, 8), torch.zeros(2, 2, dtype=torch.int64), mask)
    assert got.item() == pytest.approx(math.log(8))


def test_labels_hold_something_at_padding_in_one_case_only():
    exercise, filled = EXERCISES["sequence_loss"], []
    for seed, case in enumerate(exercise.cases):
        _, labels, mask = exercise.arguments(case, seed)
        assert mask[0].all()
        assert (labels[mask] > 0).all()
        if labels[~mask].any():
            filled.append(case.label)
    assert filled == ["something else than 0 at padding"]


# -- answers as readers write them -----------------------------------------------------------------


def loss_by_torch(logits, labels, mask):
    return F.cross_entropy(logits[mask], labels[mask])


def loss_of_all(logits, labels, mask):
    return F.cross_entropy(logits.reshape(-1, logits.size(-1)), labels.reshape(-1))


def loss_of_sentences(logits, labels, mask):
    means = [F.cross_entropy(a[m], b[m]) for a, b, m in zip(logits, labels, mask, strict=True)]
    return torch.stack(means).mean()


def loss_shrunk(logits, labels, mask):
    each = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
    return each.masked_fill(~mask, 0).mean()


def loss_over_time(logits, labels, mask):
    each = -F.log_softmax(logits, dim=1).gather(2, labels[..., None])[..., 0]
    return each[mask].mean()


def loss_in_bits(logits, labels, mask):
    return F.cross_entropy(logits[mask], labels[mask]) * math.log2(math.e)


def loss_summed(logits, labels, mask):
    return F.cross_entropy(logits[mask], labels[mask], reduction="sum")


def loss_softmax_twice(logits, labels, mask):
    return F.cross_entropy(F.softmax(logits[mask], dim=-1), labels[mask])


def loss_ignoring_zero(logits, labels, mask):
    return F.cross_entropy(logits.transpose(1, 2), labels, ignore_index=0)


def loss_untransposed(logits, labels, mask):
    each = F.cross_entropy(logits, labels, reduction="none")
    return (each * mask).sum() / mask.sum()


def loss_log_of_softmax(logits, labels, mask):
    right = F.softmax(logits, dim=-1).gather(2, labels[..., None])[..., 0]
    return -right.log()[mask].mean()


test_a_right_answer_in_other_words_passes = right_answers("sequence_loss", [loss_by_torch])
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "sequence_loss",
    [
        (loss_of_all, "padding is counted"),
        (loss_of_sentences, "the mean of the sentences' means"),
        (loss_shrunk, "you divide by batch times length"),
        (loss_over_time, "your softmax runs over another axis"),
        (loss_untransposed, "your softmax runs over another axis"),
        (loss_in_bits, "your loss is in bits"),
        (loss_summed, "the sum is not divided"),
        (loss_softmax_twice, "through softmax twice"),
        (loss_ignoring_zero, "you leave out the labels that are 0"),
        (loss_log_of_softmax, "your loss leaves the logs"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "sequence_loss", [lambda x, y, m: F.cross_entropy(x[m], y[m], label_smoothing=0.1)]
)
