"""`soft_lookup` (chapter 01)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from answers import normal, solve, unknown_answers, wrong_answers

from attncourse import attend
from attncourse.exercises import check


def test_a_lookup_is_attention_with_one_query():
    query, key, value = normal(3), normal(5, 3), normal(5, 2)
    for name in ("soft_lookup", "repair_pooling"):
        want = attend(query[None], key, value, scale=1.0)[0]
        torch.testing.assert_close(solve(name, query, key, value), want)


def test_the_counterexample_is_small_and_computed_right():
    def shifted(query, key, value):
        return torch.softmax(key @ query, 0) @ value + 1

    # One key: its weight is 1, so its value, -2, is the answer.
    assert check("soft_lookup", shifted).message.splitlines()[2:7] == [
        "  query   [2]",
        "  key     [[-2]]",
        "  value   [[-1]]",
        "  got     [0]",
        "  wanted  [-1]",
    ]


# -- answers as readers write them -----------------------------------------------------------------


def lookup_one_column(query, key, value):
    scores = torch.matmul(key, query.view(-1, 1))
    weights = F.softmax(scores, dim=1)
    return (weights * value).sum(dim=0)


def lookup_best(query, key, value):
    best = torch.einsum("nd,d->n", key, query).argmax().item()
    return value[best]


def lookup_scaled(query, key, value):
    w = F.softmax(torch.mv(key, query) * query.shape[0] ** -0.5, dim=0)
    return torch.einsum("n,nv->v", w, value)


def lookup_linear(query, key, value):
    scores = (key * query).sum(dim=1)
    weights = scores / torch.sum(scores)
    return torch.mv(value.t(), weights)


def lookup_of_values(query, key, value):
    return F.softmax(value @ query, dim=-1) @ value


def lookup_of_a_sigmoid(query, key, value):
    return torch.sigmoid(key @ query) @ value


test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "soft_lookup",
    [
        (lookup_of_a_sigmoid, "your weights do not sum to one"),
        (lookup_one_column, "every weight is 1"),
        (lookup_best, "a hard lookup"),
        (lookup_scaled, "divided by the root of the width"),
        (lookup_linear, "divided by their sum"),
        (lookup_of_values, "compare the query with the values"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "soft_lookup",
    [
        lambda query, key, value: torch.softmax(key @ query + 0.01 * key[:, 0], 0) @ value,
        lambda query, key, value: torch.softmax(key @ query, 0) @ value + 0.1,
    ],
)
