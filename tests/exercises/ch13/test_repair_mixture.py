"""`repair_mixture` (chapter 13)."""

from __future__ import annotations

import torch
from answers import normal, right_answers, said, solve, unknown_answers, wrong_answers

from attncourse.exercises import broken, check


def test_half_written_and_half_copied_by_hand():
    written, copied = torch.tensor([[[0.8, 0.2, 0.0]]]), torch.tensor([[[0.0, 0.4, 0.6]]])
    got = solve("repair_mixture", written, copied, torch.tensor([[[0.5]]])).exp()
    torch.testing.assert_close(got, torch.tensor([[[0.4, 0.3, 0.3]]]))


def test_the_broken_mixture_forbids_what_only_one_of_the_two_has():
    written, copied = torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[0.0, 1.0]]])
    assert (broken("repair_mixture")(written, copied, torch.tensor([[[0.5]]])) == -torch.inf).all()


def test_mended_probabilities_sum_to_one_and_broken_ones_do_not():
    written, copied = normal(2, 3, 7).softmax(-1), normal(2, 3, 7).softmax(-1)
    gate = normal(2, 3, 1).sigmoid()
    sums = solve("repair_mixture", written, copied, gate).exp().sum(-1)
    torch.testing.assert_close(sums, torch.ones(2, 3).double())
    assert (broken("repair_mixture")(written, copied, gate).exp().sum(-1) < 0.99).all()


def test_the_broken_function_fails_by_its_name():
    verdict = check("repair_mixture", broken("repair_mixture"))
    assert said(verdict).startswith("the logarithms are mixed")


# -- answers as readers write them -----------------------------------------------------------------


def mixed_by_lerp(written, copied, gate):
    return torch.lerp(written, copied, gate.expand_as(written)).log()


def mixed_by_einsum(written, copied, gate):
    shares = torch.cat([1 - gate, gate], dim=-1)
    return torch.einsum("...s,...sw->...w", shares, torch.stack([written, copied], -2)).log()


def mixed_by_the_wrong_share(written, copied, gate):
    return torch.log(gate * written + (1 - gate) * copied)


def mixed_by_addition(written, copied, gate):
    return torch.log(copied + written)


test_a_right_answer_in_other_words_passes = right_answers(
    "repair_mixture", [mixed_by_lerp, mixed_by_einsum]
)
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "repair_mixture",
    [
        (mixed_by_the_wrong_share, "the other way round"),
        (mixed_by_addition, "sum to more than one"),
        (lambda w, c, g: torch.exp(mixed_by_lerp(w, c, g)), "the logarithm is missing"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "repair_mixture", [lambda w, c, g: mixed_by_lerp(w, c, g).roll(1, -1)]
)
