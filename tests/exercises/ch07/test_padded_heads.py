"""`padded_heads` (chapter 07)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from answers import normal, right_answers, said, solve, unknown_answers, wrong_answers

import attncourse
from attncourse import attend
from attncourse.exercises import broken, check


def test_padded_heads_agree_with_attend():
    query, key, value = normal(2, 3, 5, 7), normal(2, 3, 5, 7), normal(2, 3, 5, 7)
    mask = attncourse.padding_mask(torch.tensor([5, 2]))
    got = solve("padded_heads", query, key, value, mask)
    torch.testing.assert_close(got, attend(query, key, value, mask[:, None, None]))


def test_the_broken_heads_let_real_words_read_padding():
    query, key, value = normal(1, 2, 4, 3), normal(1, 2, 4, 3), normal(1, 2, 4, 3)
    mask = torch.tensor([[True, True, True, False]])
    other = value.clone()
    other[:, :, 3] += 1
    for function, leaks in ((broken("padded_heads"), True), (padded_by_torch, False)):
        one, two = function(query, key, value, mask), function(query, key, other, mask)
        assert torch.equal(one[:, :, :3], two[:, :, :3]) is not leaks
        assert one.isfinite().all()


def test_the_broken_function_fails_by_its_name_and_mended_passes():
    assert said(check("padded_heads", broken("padded_heads"))).startswith(
        "the mask lies along the queries"
    )
    assert check("padded_heads", padded_by_torch).passed


# -- answers as readers write them -----------------------------------------------------------------


def padded_by_torch(query, key, value, mask):
    return F.scaled_dot_product_attention(query, key, value, mask[:, None, None, :])


def padded_by_minus_1e9(query, key, value, mask):
    scores = query @ key.transpose(-2, -1) / query.size(-1) ** 0.5
    hidden = mask.logical_not().unsqueeze(1).unsqueeze(2)
    return F.softmax(scores.masked_fill(hidden, -1e9), dim=-1) @ value


def _padded(hide):
    def answer(query, key, value, mask):
        scores = torch.einsum("bhqd,bhkd->bhqk", query, key) / query.size(-1) ** 0.5
        return torch.einsum("bhqk,bhkd->bhqd", F.softmax(hide(scores, mask), -1), value)

    return answer


padded_nan_rows = _padded(lambda s, mask: s.masked_fill(~mask[:, None, :, None], -torch.inf))


padded_inverted = _padded(lambda s, mask: s.masked_fill(mask[:, None, None], -1e9))


padded_both_ways = _padded(
    lambda s, m: torch.where(m[:, None, None] & m[:, None, :, None], s, -1e9)
)


padded_unmasked = _padded(lambda s, mask: s)


def padded_by_the_layers_polarity(query, key, value, mask):
    return F.scaled_dot_product_attention(query, key, value, mask.logical_not()[:, None, None, :])


test_a_right_answer_in_other_words_passes = right_answers(
    "padded_heads", [padded_by_torch, padded_by_minus_1e9]
)
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "padded_heads",
    [
        (padded_nan_rows, "the mask lies along the queries"),
        (padded_inverted, "the other way round"),
        (padded_by_the_layers_polarity, "the other way round"),
        (padded_both_ways, "hides padding both as key and as query"),
        (padded_unmasked, "padding is read"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "padded_heads", [lambda q, k, v, m: padded_by_torch(q, k, v - v.mean(), m)]
)
