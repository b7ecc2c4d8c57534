"""`symmetric_attention` (chapter 06)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from answers import normal, right_answers, said, solve, unknown_answers, wrong_answers

from attncourse import attend
from attncourse.exercises import broken, check


def test_looking_around_is_self_attention_without_what_is_padding():
    x, weights = normal(1, 5, 7), (normal(3, 7), normal(3, 7), normal(2, 7))
    mask = torch.tensor([[True, True, True, False, False]])
    got = solve("symmetric_attention", x, mask, *weights)
    torch.testing.assert_close(got[:, :3], solve("self_attention", x[:, :3], *weights))


def test_the_broken_scores_are_symmetric_and_the_mended_are_not():
    # With x itself as query and key, and the identity as value, the output over its row sums shows
    # the weights; their logarithms differ from a symmetric matrix by one number a row.
    x, weights = (
        torch.eye(5).double()[None] + 0.3 * normal(1, 5, 5),
        (normal(3, 5), normal(3, 5)),
    )
    scores = x @ x.mT
    torch.testing.assert_close(scores, scores.mT)
    query, key = x @ weights[0].mT, x @ weights[1].mT
    assert not torch.allclose(query @ key.mT, (query @ key.mT).mT)
    mask = torch.ones(1, 5, dtype=torch.bool)
    got = broken("symmetric_attention")(x, mask, *weights, torch.eye(5).double())
    torch.testing.assert_close(got, (scores / math.sqrt(5)).softmax(-1) @ x)


def test_the_broken_function_fails_by_its_name_and_mended_passes():
    assert said(check("symmetric_attention", broken("symmetric_attention"))).startswith(
        "query and key are the input itself"
    )
    assert check("symmetric_attention", looking_by_attend).passed


# -- answers as readers write them -----------------------------------------------------------------


def looking_by_attend(x, mask, query_weight, key_weight, value_weight):
    query, key, value = (F.linear(x, w) for w in (query_weight, key_weight, value_weight))
    return attend(query, key, value, mask[:, None, :])


def looking_half_mended(x, mask, query_weight, key_weight, value_weight):
    query, key = x @ query_weight.mT, x @ key_weight.mT
    scores = query @ key.mT / math.sqrt(x.shape[-1])
    scores = scores.masked_fill(~mask[:, None], -torch.inf)
    return torch.softmax(scores, dim=-1) @ (x @ value_weight.mT)


def looking_with_one_side(x, mask, query_weight, key_weight, value_weight):
    scores = (x @ query_weight.mT) @ x.mT / math.sqrt(len(query_weight))
    return F.softmax(scores.masked_fill(~mask[:, None], -1e9), -1) @ (x @ value_weight.mT)


test_a_right_answer_in_other_words_passes = right_answers(
    "symmetric_attention", [looking_by_attend]
)
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "symmetric_attention",
    [
        (looking_half_mended, "the root is still that of the embedding's"),
        (looking_with_one_side, "one of the two is still the input itself"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "symmetric_attention", [lambda x, m, q, k, v: looking_by_attend(x, m, 1.1 * q, k, v)]
)
