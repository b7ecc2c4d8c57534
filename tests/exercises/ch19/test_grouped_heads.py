"""`grouped_heads` (chapter 19)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from answers import normal, right_answers, said, solve, wrong_answers

from attncourse import MultiHeadAttention
from attncourse.exercises import broken, check


def test_the_solution_is_the_packages_layer_with_projections_that_change_nothing():
    layer = MultiHeadAttention(20, num_heads=4, num_kv_heads=2, bias=False).double()
    query, key, value = normal(3, 4, 7, 5), normal(3, 2, 11, 5), normal(3, 2, 11, 5)
    wanted = layer._attend_heads(query, key, value, None, False)
    torch.testing.assert_close(solve("grouped_heads", query, key, value), wanted)


def test_the_broken_function_is_right_if_there_is_one_head_of_keys_or_one_for_each():
    for shared in (1, 4):
        given = normal(3, 4, 7, 5), normal(3, shared, 11, 5), normal(3, shared, 11, 5)
        torch.testing.assert_close(broken("grouped_heads")(*given), solve("grouped_heads", *given))


def test_the_broken_function_fails_by_its_name():
    assert said(check("grouped_heads", broken("grouped_heads"))).startswith("the heads of keys go")


# -- answers as readers write them -----------------------------------------------------------------


def by_torch(query, key, value):
    return F.scaled_dot_product_attention(query, key, value, enable_gqa=True)


def groups_as_rows(query, key, value):
    batch, heads, length, width = query.shape
    q = query.reshape(batch, key.shape[1], -1, width)
    answer = F.scaled_dot_product_attention(q, key, value)
    return answer.reshape(batch, heads, length, width)


def in_turn(query, key, value):
    shared = query.size(1) // key.size(1)
    key, value = torch.cat([key] * shared, 1), torch.cat([value] * shared, 1)
    return F.scaled_dot_product_attention(query, key, value)


def values_in_turn(query, key, value):
    shared = query.size(1) // key.size(1)
    key, value = key.repeat_interleave(shared, 1), torch.cat([value] * shared, 1)
    return F.scaled_dot_product_attention(query, key, value)


test_a_right_answer_in_other_words_passes = right_answers(
    "grouped_heads", [by_torch, groups_as_rows]
)
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "grouped_heads",
    [(in_turn, "the heads of keys go round"), (values_in_turn, "only one of the two stands")],
)
