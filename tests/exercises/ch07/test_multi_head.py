"""`multi_head` (chapter 07)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from answers import normal, right_answers, solve, unknown_answers, wrong_answers
from torch import nn

import attncourse
from attncourse import MultiHeadAttention, attend
from attncourse.exercises import EXERCISES


def test_several_heads_agree_with_the_packages_layer():
    layer = MultiHeadAttention(6, num_heads=3, bias=False).double()
    for projection in layer.children():
        nn.init.eye_(projection.weight)
    query, key, value = normal(2, 5, 6), normal(2, 7, 6), normal(2, 7, 6)
    mask = torch.rand(2, 5, 7) < 0.5
    mask[0, 0] = False
    got = solve("multi_head", query, key, value, 3, mask)
    torch.testing.assert_close(got, layer(query, key, value, mask))
    assert (got[0, 0] == 0).all()


def test_one_case_has_a_row_with_nothing_to_attend_to():
    assert "empty row" in {case.mask for case in EXERCISES["multi_head"].cases}


# -- answers as readers write them -----------------------------------------------------------------


def heads_by_attend(query, key, value, num_heads, mask):
    parts = (solve("split_heads", x, num_heads) for x in (query, key, value))
    return solve("merge_heads", attend(*parts, mask.unsqueeze(1)))


def heads_one_by_one(query, key, value, num_heads, mask):
    slices = zip(*(x.chunk(num_heads, dim=-1) for x in (query, key, value)), strict=True)
    return torch.cat([attend(q, k, v, mask) for q, k, v in slices], dim=-1)


def split_viewed(x, num_heads):
    return x.reshape(x.size(0), num_heads, -1, x.size(2) // num_heads)


def _in_heads(
    attention, split=EXERCISES["split_heads"].solution, merge=EXERCISES["merge_heads"].solution
):
    def answer(query, key, value, num_heads, mask):
        parts = [split(x, num_heads) for x in (query, key, value)]
        return merge(attention(*parts, mask))

    return answer


def _weighed(weigh):
    return lambda q, k, v, mask: weigh(q @ k.mT / q.size(-1) ** 0.5, mask) @ v


def heads_root_of_embed(query, key, value, num_heads, mask):
    attention = _in_heads(
        lambda q, k, v, mask: attend(q, k, v, mask[:, None], scale=query.size(-1) ** -0.5)
    )
    return attention(query, key, value, num_heads, mask)


heads_inverted = _in_heads(lambda q, k, v, mask: attend(q, k, v, ~mask[:, None]))


heads_masked_late = _in_heads(_weighed(lambda s, m: s.softmax(-1).masked_fill(~m[:, None], 0)))


heads_unmasked = _in_heads(lambda q, k, v, mask: F.scaled_dot_product_attention(q, k, v))


heads_of_words = _in_heads(lambda q, k, v, mask: attend(q, k, v, mask[:, None]), split_viewed)


heads_compete = _in_heads(
    _weighed(lambda s, m: F.softmax(s.masked_fill(~m[:, None], -1e9), dim=1) * m[:, None])
)


heads_share_weights = _in_heads(
    _weighed(lambda s, m: attncourse.masked_softmax(s.mean(dim=1, keepdim=True), m[:, None]))
)


heads_nan = _in_heads(
    _weighed(lambda s, m: s.masked_fill(m.logical_not()[:, None], -torch.inf).softmax(-1))
)


heads_uniform = _in_heads(_weighed(lambda s, m: torch.where(m[:, None], s, -1e9).softmax(-1)))


heads_without_an_axis = _in_heads(_weighed(lambda s, m: s.masked_fill(~m, -1e9).softmax(-1)))


heads_without_an_axis_by_attend = _in_heads(attend)


def heads_ignored(query, key, value, num_heads, mask):
    return attend(query, key, value, mask)


test_a_right_answer_in_other_words_passes = right_answers(
    "multi_head", [heads_by_attend, heads_one_by_one]
)
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "multi_head",
    [
        (heads_root_of_embed, "divided by the root of embed_dim"),
        (heads_inverted, "the other way round"),
        (heads_masked_late, "the mask comes after the softmax"),
        (heads_unmasked, "the mask has no effect"),
        (heads_of_words, "read straight off the memory"),
        (heads_compete, "your softmax runs over the heads"),
        (heads_share_weights, "there is one softmax for all heads"),
        (heads_ignored, "there is one softmax for all heads"),
        (heads_nan, "gets NaN"),
        (heads_uniform, "then averages everything"),
        (heads_without_an_axis, "the mask has no axis for the heads"),
        (heads_without_an_axis_by_attend, "the mask has no axis for the heads"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "multi_head", [lambda q, k, v, h, m: heads_by_attend(q, 0.5 * k, v, h, m)]
)
