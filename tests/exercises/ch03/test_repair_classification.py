"""`repair_classification` (chapter 03)."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from answers import said, wrong_answers

from attncourse.exercises import broken, check


def test_classification_runs_only_with_as_many_positions_as_channels_and_then_sums():
    query, lucky = torch.randn(2, 6), torch.randn(2, 6, 2, 3)
    torch.testing.assert_close(broken("repair_classification")(query, lucky), lucky.sum((2, 3)))
    with pytest.raises(RuntimeError):
        broken("repair_classification")(query, torch.randn(2, 6, 2, 5))


def test_the_broken_functions_fault_is_named():
    assert said(check("repair_classification", broken("repair_classification"))).startswith(
        "channels meet positions"
    )


# -- answers as readers write them -----------------------------------------------------------------


def image_viewed(query, features):
    spots = features.view(features.size(0), -1, features.size(1))
    weights = F.softmax(torch.bmm(spots, query[..., None]) / query.size(1) ** 0.5, dim=1)
    return (weights * spots).sum(1)


def image_summed(query, features):
    spots = features.permute(0, 2, 3, 1).flatten(1, 2)
    weights = F.softmax(spots @ query[:, :, None] / query.size(1) ** 0.5, dim=-1)
    return (weights * spots).sum(1)


def image_without_a_question(query, features):
    spots = features.flatten(2)
    weights = F.softmax(spots.norm(dim=1), dim=-1)
    return torch.einsum("bp,bcp->bc", weights, spots)


test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "repair_classification",
    [
        (image_viewed, "numbers in another order"),
        (image_summed, "every weight is 1"),
        (image_without_a_question, "your scores never see the query"),
    ],
)
