"""`pool_map` (chapter 15)."""

from __future__ import annotations

import torch
from answers import normal, right_answers, said, solve, unknown_answers, wrong_answers

from attncourse import attend
from attncourse.exercises import broken, check


def test_the_solution_is_attend_with_one_question():
    question, features = normal(2, 3), normal(2, 3, 5, 7)
    positions = features.flatten(2).mT
    got = attend(question[:, None], positions, positions, scale=1.0)[:, 0]
    torch.testing.assert_close(solve("pool_map", question, features), got)


def test_the_broken_function_adds_all_positions_whatever_is_asked():
    features = normal(2, 3, 5, 7)
    for question in (normal(2, 3), normal(2, 3)):
        torch.testing.assert_close(broken("pool_map")(question, features), features.sum((2, 3)))


def test_the_broken_function_fails_by_its_name():
    assert said(check("pool_map", broken("pool_map"))).startswith("every position still gets")


# -- answers as readers write them -----------------------------------------------------------------


def by_einsum(question, features):
    scores = torch.einsum("bc,bchw->bhw", question, features)
    weights = scores.flatten(1).softmax(-1).view_as(scores)
    return torch.einsum("bhw,bchw->bc", weights, features)


def by_matrices(question, features):
    x = features.reshape(features.size(0), features.size(1), -1)
    weights = torch.softmax(question.unsqueeze(1) @ x, dim=-1)
    return (x @ weights.transpose(1, 2)).squeeze(-1)


def over_the_batch(question, features):
    scores = torch.einsum("bc,bchw->bhw", question, features)
    return torch.einsum("bhw,bchw->bc", scores.softmax(0), features)


def by_rows(question, features):
    scores = torch.einsum("bc,bchw->bhw", question, features)
    return torch.einsum("bhw,bchw->bc", scores.softmax(-1), features)


def averaged(question, features):
    return torch.stack([picture.mean((-1, -2)) for picture in features])


test_a_right_answer_in_other_words_passes = right_answers("pool_map", [by_einsum, by_matrices])
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "pool_map",
    [(over_the_batch, "your softmax runs over the batch"), (averaged, "this is a plain mean")],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers("pool_map", [by_rows])
