"""`repair_pooling` (chapter 01)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from answers import said, unknown_answers, wrong_answers

from attncourse.exercises import broken, check


def test_the_broken_functions_fault_is_named():
    assert said(check("repair_pooling", broken("repair_pooling"))).startswith(
        "your scores never see the query"
    )


# -- answers as readers write them -----------------------------------------------------------------


def pool_of_keys(query, key, value):
    weights = F.softmax(torch.einsum("nd,nd->n", key, key), dim=0)
    return weights @ value


def pool_by_the_first_number(query, key, value):
    return F.softmax(key[:, 0] * 3, dim=0) @ value


test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "repair_pooling",
    [
        (pool_of_keys, "the keys are compared with themselves"),
        (pool_by_the_first_number, "another question gets the same answer"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "repair_pooling", [lambda query, key, value: value[(key @ query).argmax()]]
)
