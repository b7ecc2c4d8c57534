"""`ask_each` (chapter 16)."""

from __future__ import annotations

import torch
from answers import normal, right_answers, said, solve, unknown_answers, wrong_answers

from attncourse import attend
from attncourse.exercises import broken, check


def test_the_solution_is_attend_with_the_same_queries_for_every_picture():
    queries, features = normal(4, 3), normal(2, 3, 5, 7)
    positions = features.flatten(2).mT
    expected = attend(queries.expand(2, -1, -1), positions, positions, scale=1.0)
    torch.testing.assert_close(solve("ask_each", queries, features), expected)


def test_the_broken_function_gives_every_query_the_same():
    got = broken("ask_each")(normal(4, 3), normal(2, 3, 5, 7))
    assert got.shape == (2, 4, 3)
    assert (got == got[:, :1]).all()
    assert said(check("ask_each", broken("ask_each"))).startswith("all queries get the same answer")


# -- answers as readers write them -----------------------------------------------------------------


def by_einsum(queries, features):
    scores = torch.einsum("qc,bchw->bqhw", queries, features)
    weights = scores.flatten(2).softmax(-1).view_as(scores)
    return torch.einsum("bqhw,bchw->bqc", weights, features)


def one_by_one(queries, features):
    x = features.flatten(2)
    return torch.stack([x @ torch.softmax(x.mT @ query, -1)[..., None] for query in queries], 1)[
        ..., 0
    ]


def over_queries(queries, features):
    weights = torch.softmax(torch.einsum("qc,bchw->bqhw", queries, features), dim=1)
    return torch.einsum("bqhw,bchw->bqc", weights, features)


def by_rows(queries, features):
    weights = torch.softmax(torch.einsum("qc,bchw->bqhw", queries, features), dim=-1)
    return torch.einsum("bqhw,bchw->bqc", weights, features)


test_a_right_answer_in_other_words_passes = right_answers("ask_each", [by_einsum, one_by_one])
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "ask_each", [(over_queries, "your softmax runs over the queries")]
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers("ask_each", [by_rows])
