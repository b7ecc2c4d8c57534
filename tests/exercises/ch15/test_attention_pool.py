"""`attention_pool` (chapter 15)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from answers import normal, right_answers, solve, unknown_answers, wrong_answers

from attncourse.vision import AttentionPool


def test_the_solution_is_the_packages_pool_with_projections_that_change_nothing():
    pool = AttentionPool(5).double()
    with torch.no_grad():
        for layer in pool.attention.children():
            layer.weight.copy_(torch.eye(5))
    question, features = normal(2, 3, 5), normal(2, 5, 7, 4)
    torch.testing.assert_close(
        solve("attention_pool", question, features), pool(question, features)
    )


# -- answers as readers write them -----------------------------------------------------------------


def by_torch(question, features):
    x = features.flatten(2).transpose(1, 2)
    return F.scaled_dot_product_attention(question, x, x)


def by_einsum(question, features):
    scores = torch.einsum("bqc,bchw->bqhw", question, features) / question.size(-1) ** 0.5
    weights = F.softmax(scores.flatten(2), dim=-1).view_as(scores)
    return torch.einsum("bqhw,bchw->bqc", weights, features)


def by_view(question, features):
    x = features.contiguous().view(features.size(0), -1, features.size(1))
    return F.scaled_dot_product_attention(question, x, x)


def over_questions(question, features):
    x = features.flatten(2)
    weights = F.softmax(question @ x / question.size(-1) ** 0.5, dim=1)
    return weights @ x.transpose(1, 2)


def unscaled(question, features):
    x = features.flatten(2)
    return F.softmax(question @ x, dim=-1) @ x.transpose(1, 2)


def by_rows(question, features):
    scores = torch.einsum("bqc,bchw->bqhw", question, features) / question.size(-1) ** 0.5
    return torch.einsum("bqhw,bchw->bqc", F.softmax(scores, dim=-1), features)


test_a_right_answer_in_other_words_passes = right_answers("attention_pool", [by_torch, by_einsum])
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "attention_pool",
    [
        (by_view, "the map was reshaped where it should be turned"),
        (over_questions, "your softmax runs over the questions"),
        (unscaled, "the scores are not divided by the root"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "attention_pool", [by_rows]
)
