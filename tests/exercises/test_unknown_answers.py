"""Answers that no misconception explains: the right ones pass, and the wrong ones get an honest
"unknown" with a counterexample."""

from __future__ import annotations

import math

import pytest
import torch

import attncourse
from attncourse.exercises import check

# -- right -----------------------------------------------------------------------------------------


def test_a_root_taken_as_a_float32_tensor_is_right():
    def attention(query, key, value, mask=None):
        scores = query @ key.mT / torch.sqrt(torch.tensor(query.shape[-1]))
        return attncourse.masked_softmax(scores, mask) @ value

    verdict = check("scaled_dot_product_attention", attention)
    assert verdict.passed, verdict


# -- unknown ---------------------------------------------------------------------------------------

UNKNOWN = [
    (
        "soft_lookup",
        lambda query, key, value: torch.softmax(key @ query + 0.01 * key[:, 0], 0) @ value,
    ),
    ("soft_lookup", lambda query, key, value: torch.softmax(key @ query, 0) @ value + 0.1),
    (
        "nadaraya_watson",
        lambda query, key, value, bandwidth: (
            attncourse.NadarayaWatson("epanechnikov", float(bandwidth) * 9)
            .to(query)(query, key, value)
            .to(query)
        ),
    ),
    ("masked_softmax", lambda scores, mask: attncourse.masked_softmax(scores * 0.9, mask)),
    (
        "scaled_dot_product_attention",
        lambda query, key, value, mask=None: attncourse.attend(query, key, value, mask, scale=0.5),
    ),
    (
        "additive_score",
        lambda q, k, qw, kw, w: (
            torch.sigmoid((q @ qw.mT).unsqueeze(-2) + (k @ kw.mT).unsqueeze(-3)) @ w
        ),
    ),
    (
        "repair_detection",
        lambda query, features: attncourse.attend(
            query, features.flatten(2).mT, features.flatten(2).mT, scale=0.3
        ),
    ),
    ("repair_pooling", lambda query, key, value: value[(key @ query).argmax()]),
    ("repair_generation", lambda features: features * 2),
]


@pytest.mark.parametrize(
    ("name", "wrong"), UNKNOWN, ids=[f"{n}-{i}" for i, (n, _) in enumerate(UNKNOWN)]
)
def test_an_unknown_mistake_gets_no_name_but_a_counterexample(name, wrong):
    verdict = check(name, wrong)
    assert verdict.kind == "wrong", verdict
    assert verdict.message.startswith("Not yet: it first fails with ")
    assert "\n  got " in verdict.message
    assert "\n  wanted " in verdict.message


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


def test_half_precision_explains_nothing():
    def clamped(scores, mask):  # right, but float16 rounds 1e-9 to zero
        scores = scores.masked_fill(~mask, -torch.inf)
        top = scores.amax(-1, keepdim=True).nan_to_num(neginf=0.0)
        raised = (scores - top).exp()
        return raised / raised.sum(-1, keepdim=True).clamp(min=1e-9)

    verdict = check("masked_softmax", clamped)
    assert verdict.kind == "wrong"
    assert verdict.message.startswith("Not yet: it first fails with float16.\nfloat16 is narrow")
    assert "1e-9 is rounded to zero" in verdict.message
    assert "There, the answer is" not in verdict.message


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


def test_two_mistakes_at_once_are_not_passed_off_as_one():
    def two(query, key, value, mask=None):
        scores = query @ key.mT  # no root, and more leading axes come out otherwise
        if query.dim() > 2:
            scores = scores + 1.5 * torch.arange(key.shape[-2]).to(scores)
        return attncourse.masked_softmax(scores, mask) @ value

    verdict = check("scaled_dot_product_attention", two)
    assert verdict.kind == "wrong"
    assert "if your scores are not divided by the root of the width; but" in verdict.message
