"""`additive_score` (chapter 03)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from answers import normal, solve, unknown_answers, wrong_answers

from attncourse import AdditiveScore


def test_the_additive_score_agrees_with_the_packages():
    score = AdditiveScore(query_dim=3, key_dim=2, hidden_dim=11).double()
    weights = (score.query_projection.weight, score.key_projection.weight, score.output.weight[0])
    query, key = normal(2, 5, 3), normal(2, 7, 2)
    got = solve("additive_score", query, key, *weights)
    torch.testing.assert_close(got, score(query, key))


# -- answers as readers write them -----------------------------------------------------------------


def additive_linear(query, key, query_weight, key_weight, output_weight):
    hidden = (
        F.linear(query, query_weight)[..., :, None, :] + F.linear(key, key_weight)[..., None, :, :]
    )
    return (hidden * output_weight).sum(-1)


def additive_outermost(query, key, query_weight, key_weight, output_weight):
    q = query @ query_weight.transpose(0, 1) @ output_weight
    k = key @ key_weight.transpose(0, 1) @ output_weight
    return (q.unsqueeze(-1) + k.unsqueeze(-2)).tanh()


test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "additive_score",
    [
        (additive_linear, "the tanh is missing"),
        (additive_outermost, "the tanh comes after the output weight"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "additive_score",
    [
        lambda q, k, qw, kw, w: (
            torch.sigmoid((q @ qw.mT).unsqueeze(-2) + (k @ kw.mT).unsqueeze(-3)) @ w
        )
    ],
)
