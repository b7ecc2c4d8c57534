"""`paired_difference` (chapter 20)."""

from __future__ import annotations

import pytest
import torch
from answers import normal, right_answers, solve, unknown_answers, wrong_answers


def test_a_lead_that_never_changes_has_no_error():
    ours, theirs = torch.tensor([0.5, 0.75, 1.0]), torch.tensor([0.25, 0.5, 0.75])
    mean, error = solve("paired_difference", ours, theirs)
    assert (mean.item(), error.item()) == (0.25, 0.0)


def test_three_seeds_by_hand():
    # Differences 1, 2 and 6: mean 3, squares 4 + 1 + 9 = 14, variance 7, error sqrt(7 / 3).
    mean, error = solve("paired_difference", torch.tensor([3.0, 4.0, 7.0]), torch.tensor([2, 2, 1]))
    assert mean.item() == 3.0
    assert error.item() == pytest.approx((7 / 3) ** 0.5, rel=1e-6)


def test_it_is_the_libraries_standard_error():
    stats = pytest.importorskip("scipy.stats")
    ours, theirs = normal(7), normal(7)
    mean, error = solve("paired_difference", ours, theirs)
    tested = stats.ttest_rel(ours, theirs)
    assert (mean / error).item() == pytest.approx(tested.statistic, rel=1e-12)
    assert error.item() == pytest.approx(stats.sem(ours - theirs), rel=1e-12)


# -- answers as readers write them -----------------------------------------------------------------


def by_hand(ours, theirs):
    n = ours.size(0)
    leads = [ours[i] - theirs[i] for i in range(n)]
    mean = sum(leads) / n
    squares = sum((lead - mean) ** 2 for lead in leads)
    return mean, (squares / (n * (n - 1))) ** 0.5


def means_apart(ours, theirs):
    error = torch.std(ours - theirs, dim=0, correction=1) * len(ours) ** -0.5
    return ours.mean() - theirs.mean(), error


def deviation(ours, theirs):
    leads = torch.stack([a - b for a, b in zip(ours, theirs, strict=True)])
    return leads.mean(), leads.std(dim=0)


def welch(ours, theirs):
    n = len(ours)
    return ours.mean() - theirs.mean(), torch.sqrt(ours.var() / n + theirs.var() / n)


def with_n(ours, theirs):
    leads = ours - theirs
    return leads.mean(), (leads - leads.mean()).square().mean().sqrt() / len(leads) ** 0.5


def turned(ours, theirs):
    leads = theirs - ours
    return leads.mean(), leads.std() / len(leads) ** 0.5


def luckiest(ours, theirs):
    return max(ours) - max(theirs), (ours - theirs).std() / len(ours) ** 0.5


def median(ours, theirs):
    leads = ours - theirs
    return leads.median(), leads.std() / len(leads) ** 0.5


test_a_right_answer_in_other_words_passes = right_answers(
    "paired_difference", [by_hand, means_apart]
)
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "paired_difference",
    [
        (deviation, "this is the standard deviation"),
        (welch, "the seeds are not paired"),
        (with_n, "you divide the squares by n"),
        (turned, "the sign is turned round"),
        (luckiest, "you compare the best seed with the best"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "paired_difference", [median]
)
