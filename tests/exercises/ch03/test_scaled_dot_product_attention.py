"""`scaled_dot_product_attention` (chapter 03)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from answers import normal, solve, unknown_answers, wrong_answers

import attncourse
from attncourse.exercises import check


def test_softmax_and_attention_agree_with_torchs_kernel():
    query, key, value = normal(2, 5, 3), normal(2, 7, 3), normal(2, 7, 11)
    mask = torch.rand(2, 5, 7) < 0.5
    mask[0, 0] = False
    want = F.scaled_dot_product_attention(query, key, value, mask)
    got = solve("scaled_dot_product_attention", query, key, value, mask)
    torch.testing.assert_close(got, want)
    weights = solve("masked_softmax", query @ key.mT / 3**0.5, mask)
    torch.testing.assert_close(weights @ value, want)


def test_a_root_taken_as_a_float32_tensor_is_right():
    def attention(query, key, value, mask=None):
        scores = query @ key.mT / torch.sqrt(torch.tensor(query.shape[-1]))
        return attncourse.masked_softmax(scores, mask) @ value

    verdict = check("scaled_dot_product_attention", attention)
    assert verdict.passed, verdict


def test_two_mistakes_at_once_are_not_passed_off_as_one():
    def two(query, key, value, mask=None):
        scores = query @ key.mT  # no root, and more leading axes come out otherwise
        if query.dim() > 2:
            scores = scores + 1.5 * torch.arange(key.shape[-2]).to(scores)
        return attncourse.masked_softmax(scores, mask) @ value

    verdict = check("scaled_dot_product_attention", two)
    assert verdict.kind == "wrong"
    assert "if your scores are not divided by the root of the width; but" in verdict.message


# -- answers as readers write them -----------------------------------------------------------------


def attention_no_root(query, key, value, mask=None):
    scores = torch.einsum("...qd,...kd->...qk", query, key)
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return torch.einsum("...qk,...kv->...qv", F.softmax(scores, -1), value)


def attention_root_of_keys(query, key, value, mask=None):
    scores = torch.matmul(query, key.transpose(-2, -1)) / key.size(-2) ** 0.5
    return attncourse.masked_softmax(scores, mask) @ value


def attention_over_d(query, key, value, mask=None):
    scores = query @ key.transpose(-1, -2) / query.size(-1)
    if mask is not None:
        scores = scores.masked_fill(~mask, -1e9)
    return scores.softmax(dim=-1) @ value


def attention_size_of_axis_one(query, key, value, mask=None):
    scores = torch.matmul(query, key.transpose(-2, -1)) / key.size(1) ** 0.5
    return attncourse.masked_softmax(scores, mask) @ value


def attention_by_torch_inverted(query, key, value, mask=None):
    return F.scaled_dot_product_attention(query, key, value, None if mask is None else ~mask)


def attention_without_mask(query, key, value, mask=None):
    return F.scaled_dot_product_attention(query, key, value)


def attention_not_transposed(query, key, value, mask=None):
    scores = query @ key / math.sqrt(query.shape[-1])
    return scores.softmax(-1) @ value


def attention_large_t(query, key, value, mask=None):
    scores = query @ key.T / math.sqrt(query.size(-1))
    return attncourse.masked_softmax(scores, mask) @ value


def attention_plus(query, key, value, mask=None):
    scores = query @ key.mT / query.size(-1) ** 0.5
    if mask is not None:
        scores = scores + mask
    return F.softmax(scores, dim=-1) @ value


test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "scaled_dot_product_attention",
    [
        (attention_plus, "the mask is added to the scores"),
        (attention_no_root, "not divided by the root of the width"),
        (attention_root_of_keys, "root of the number of keys"),
        (attention_over_d, "divided by the width itself"),
        (attention_size_of_axis_one, "root counts its axis from the"),
        (attention_by_torch_inverted, "the other way round"),
        (attention_without_mask, "the mask has no effect"),
        (attention_not_transposed, "the key is not transposed"),
        (attention_large_t, "transposed from the front"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "scaled_dot_product_attention",
    [lambda query, key, value, mask=None: attncourse.attend(query, key, value, mask, scale=0.5)],
)
