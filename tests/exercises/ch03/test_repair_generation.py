"""`repair_generation` (chapter 03)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from answers import normal, said, solve, unknown_answers, wrong_answers

import attncourse
from attncourse import attend, attention_weights
from attncourse.exercises import broken, check


def test_the_broken_generator_leaves_a_map_of_one_by_one():
    assert broken("repair_generation")(torch.randn(2, 5, 3, 7)).shape == (2, 5, 1, 1)


def test_an_image_is_a_set_of_positions():
    query, features = normal(2, 7, 5), normal(2, 5, 3, 11)
    spots = features.permute(0, 2, 3, 1).reshape(2, 33, 5)
    want = attend(query, spots, spots)
    torch.testing.assert_close(solve("repair_detection", query, features), want)
    one = solve("repair_classification", query[:, 0], features)
    torch.testing.assert_close(one, want[:, 0])
    mixed = attention_weights(spots, spots) @ spots
    want = mixed.reshape(2, 3, 11, 5).permute(0, 3, 1, 2)
    torch.testing.assert_close(solve("repair_generation", features), want)


def test_the_broken_functions_fault_is_named():
    assert said(check("repair_generation", broken("repair_generation"))).startswith(
        "the sum over the positions leaves no map"
    )


# -- answers as readers write them -----------------------------------------------------------------


def map_not_turned_back(features):
    spots = features.flatten(2).transpose(1, 2)
    return attncourse.attend(spots, spots, spots).reshape(features.shape)


def map_of_channels(features):
    rows = features.flatten(2)
    weights = F.softmax(rows @ rows.transpose(1, 2) / rows.size(-1) ** 0.5, dim=-1)
    return (weights @ rows).view(features.shape)


test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "repair_generation",
    [
        (map_not_turned_back, "the way back is missing a transpose"),
        (map_of_channels, "the channels attend to each other"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "repair_generation", [lambda features: features * 2]
)
