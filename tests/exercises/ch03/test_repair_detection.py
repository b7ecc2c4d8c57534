"""`repair_detection` (chapter 03)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from answers import said, unknown_answers, wrong_answers

import attncourse
from attncourse.exercises import broken, check


def test_every_box_gets_the_same_in_the_broken_detector():
    found = broken("repair_detection")(torch.randn(2, 7, 5), torch.randn(2, 5, 3, 3))
    assert (found == found[:, :1]).all()


def test_the_broken_functions_fault_is_named():
    assert said(check("repair_detection", broken("repair_detection"))).startswith(
        "all boxes get one vector"
    )


# -- answers as readers write them -----------------------------------------------------------------


def boxes_alike(query, features):
    spots = features.flatten(2).transpose(1, 2)
    weights = F.softmax(spots.pow(2).sum(-1), dim=-1)
    return (weights[:, None] @ spots).repeat(1, query.size(1), 1)


def boxes_compete(query, features):
    spots = features.flatten(2).transpose(1, 2)
    weights = F.softmax(query @ spots.transpose(1, 2) / query.size(-1) ** 0.5, dim=1)
    return weights @ spots


test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "repair_detection",
    [
        (boxes_alike, "all boxes get one vector"),
        (boxes_compete, "your softmax runs over the boxes"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "repair_detection",
    [
        lambda query, features: attncourse.attend(
            query, features.flatten(2).mT, features.flatten(2).mT, scale=0.3
        )
    ],
)
