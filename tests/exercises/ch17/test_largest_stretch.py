"""`largest_stretch` (chapter 17)."""

from __future__ import annotations

import torch
from answers import normal, right_answers, solve, unknown_answers, wrong_answers


def test_many_rounds_find_the_largest_singular_value():
    weight, vector = normal(3, 5), normal(5)
    got = solve("largest_stretch", weight, vector, 500)
    torch.testing.assert_close(got, torch.linalg.svdvals(weight)[0])


# -- answers as readers write them -----------------------------------------------------------------


def by_functional(weight, vector, rounds):
    v = torch.nn.functional.normalize(vector, dim=0)
    for _ in range(rounds):
        u = torch.nn.functional.normalize(torch.mv(weight, v), dim=0, eps=0)
        v = torch.nn.functional.normalize(torch.mv(weight.t(), u), dim=0, eps=0)
    return torch.linalg.vector_norm(weight @ v)


def by_the_square(weight, vector, rounds):
    square = weight.T @ weight
    for _ in range(rounds):
        vector = square @ vector
        vector = vector / vector.norm()
    return (weight @ vector).norm()


def by_svd(weight, vector, rounds):
    return torch.linalg.svdvals(weight).max()


def frobenius(weight, vector, rounds):
    return torch.linalg.matrix_norm(weight)


def growing(weight, vector, rounds):
    for _ in range(rounds):
        vector = weight.T @ (weight @ vector)
    return (weight @ vector).norm()


def from_the_rows(weight, vector, rounds):
    return weight.norm(dim=1).max()


test_a_right_answer_in_other_words_passes = right_answers(
    "largest_stretch", [by_functional, by_the_square]
)
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "largest_stretch",
    [
        (by_svd, "this is the exact value"),
        (frobenius, "this is the Frobenius norm"),
        (growing, "the vectors grow from round to round"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "largest_stretch", [from_the_rows]
)
