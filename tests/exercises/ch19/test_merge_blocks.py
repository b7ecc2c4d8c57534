"""`merge_blocks` (chapter 19)."""

from __future__ import annotations

import math

import torch
from answers import normal, right_answers, solve, unknown_answers, wrong_answers

from attncourse import attend


def test_weights_of_one_two_and_five_in_two_blocks():
    # scores ln 1, ln 2 | ln 5; values 8, 16 | 24: sums 1/2 + 1 and 1, 4 + 16 and 24
    largest, total = torch.tensor([[math.log(2)], [math.log(5)]]), torch.tensor([[1.5], [1.0]])
    output = torch.tensor([[[20.0]], [[24.0]]])
    merged = solve("merge_blocks", largest, total, output)
    torch.testing.assert_close(merged, torch.tensor([[20.0]]))  # (8 + 32 + 120) / 8


def test_the_solution_gives_what_attend_gives_of_all_keys():
    query, key, value = normal(5, 3), normal(11, 3), normal(11, 7)
    scores = query @ key.mT / math.sqrt(3)
    parts = []
    for s, v in zip(scores.split(4, -1), value.split(4), strict=True):
        weights = (s - s.amax(-1, True)).exp()
        parts.append((s.amax(-1), weights.sum(-1), weights @ v))
    merged = solve("merge_blocks", *(torch.stack(each) for each in zip(*parts, strict=True)))
    torch.testing.assert_close(merged, attend(query, key, value))


# -- answers as readers write them -----------------------------------------------------------------


def one_after_the_other(largest, total, output):
    m, s, o = largest[0], total[0], output[0]
    for m_, s_, o_ in zip(largest[1:], total[1:], output[1:], strict=True):
        new = torch.maximum(m, m_)
        old, fresh = torch.exp(m - new), torch.exp(m_ - new)
        s, o = s * old + s_ * fresh, o * old[:, None] + o_ * fresh[:, None]
        m = new
    return o / s[:, None]


def by_softmax(largest, total, output):
    shares = torch.softmax(largest, dim=0)
    return torch.einsum("bq,bqw->qw", shares, output) / (shares * total).sum(0).unsqueeze(-1)


def summed(largest, total, output):
    return output.sum(0) / total.sum(0).unsqueeze(-1)


def averaged(largest, total, output):
    return torch.stack([o / s.unsqueeze(-1) for o, s in zip(output, total, strict=True)]).mean(0)


def raised(largest, total, output):
    factor = torch.exp(largest)
    return torch.einsum("bq,bqw->qw", factor, output) / (factor * total).sum(0).unsqueeze(-1)


def by_totals_alone(largest, total, output):
    shares = total / total.sum(0)
    return (shares.unsqueeze(-1) * output).sum(0)


test_a_right_answer_in_other_words_passes = right_answers(
    "merge_blocks", [one_after_the_other, by_softmax]
)
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "merge_blocks",
    [
        (summed, "the sums are added as they are"),
        (averaged, "this is the mean of the blocks' own answers"),
        (raised, "your exp overflows"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "merge_blocks", [by_totals_alone]
)
