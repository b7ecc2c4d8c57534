"""Exercises with leading axes (chapters 02 and 03): their cases, and what is shown of them."""

from __future__ import annotations

import math

import pytest
import torch

import attncourse
from attncourse.exercises import EXERCISES, check


@pytest.mark.parametrize(
    "name", ["nadaraya_watson", "masked_softmax", "scaled_dot_product_attention", "additive_score"]
)
def test_the_cases_reach_every_corner(name):
    cases = EXERCISES[name].cases
    assert any(len(case.lead) > 1 for case in cases)
    assert any(case.strided for case in cases)
    assert {torch.float32, torch.float64, torch.bfloat16} <= {case.dtype for case in cases}
    assert any(max(case.scale.values(), default=1.0) >= 100 for case in cases)
    sizes = EXERCISES[name].sizes
    assert sizes["query"] != sizes["key"] != sizes.get("width")
    if "mask" in {argument.name for argument in EXERCISES[name].inputs}:
        assert {"random", "causal", "padding", "empty row"} <= {case.mask for case in cases}


@pytest.mark.parametrize("name", ["masked_softmax", "scaled_dot_product_attention"])
def test_with_more_leading_axes_a_row_is_empty_in_one_map_only(name):
    exercise = EXERCISES[name]
    case = next(case for case in exercise.cases if len(case.lead) > 1)
    empty = ~exercise.arguments(case, 0)[-1].any(-1)
    assert empty.sum() == 1
    assert not empty.all(1).any()


def _empty_in_any_head(scores, mask):
    weights = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1)
    return torch.where(mask.any(1, keepdim=True), weights, 0.0)


def _attention_empty_in_any_head(query, key, value, mask=None):
    mask = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool) if mask is None else mask
    return _empty_in_any_head(query @ key.mT / math.sqrt(query.shape[-1]), mask) @ value


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("masked_softmax", _empty_in_any_head),
        ("scaled_dot_product_attention", _attention_empty_in_any_head),
        ("masked_softmax", lambda scores, mask: attncourse.masked_softmax(scores, mask, dim=1)),
    ],
)
def test_a_mistake_in_leading_axes_is_shown_in_numbers(name, wrong):
    lines = check(name, wrong).message.splitlines()
    got, wanted = (next(x for x in lines if x.startswith(f"  {n} ")) for n in ("got", "wanted"))
    assert "[[[[" in got
    assert "[[[[" in wanted
    assert got.split(maxsplit=1)[1] != wanted.split(maxsplit=1)[1]
