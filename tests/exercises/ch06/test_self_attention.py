"""`self_attention` (chapter 06)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from answers import normal, right_answers, solve, unknown_answers, wrong_answers
from torch import nn

from attncourse import MultiHeadAttention, attend


def test_self_attention_agrees_with_the_packages_layer_of_one_head():
    layer = MultiHeadAttention(6, num_heads=1, bias=False).double()
    nn.init.eye_(layer.output_projection.weight)
    x = normal(2, 5, 6)
    projections = layer.query_projection, layer.key_projection, layer.value_projection
    got = solve("self_attention", x, *(projection.weight for projection in projections))
    torch.testing.assert_close(got, layer(x))


# -- answers as readers write them -----------------------------------------------------------------


def attention_by_torch(x, query_weight, key_weight, value_weight):
    query, key, value = (F.linear(x, w) for w in (query_weight, key_weight, value_weight))
    return F.scaled_dot_product_attention(query, key, value)


def attention_by_einsum(x, query_weight, key_weight, value_weight):
    query = torch.einsum("ble,he->blh", x, query_weight) * query_weight.size(0) ** -0.5
    key = torch.einsum("ble,he->blh", x, key_weight)
    weights = F.softmax(torch.einsum("bqh,bkh->bqk", query, key), dim=2)
    return torch.einsum("bqk,bke,ve->bqv", weights, x, value_weight)


def _projected(x, *weights):
    return tuple(F.linear(x, weight) for weight in weights)


def attention_no_root(x, *weights):
    query, key, value = _projected(x, *weights)
    return F.softmax(torch.bmm(query, key.transpose(1, 2)), dim=-1) @ value


def attention_root_of_embed(x, *weights):
    query, key, value = _projected(x, *weights)
    return F.scaled_dot_product_attention(query, key, value, scale=x.size(2) ** -0.5)


def attention_over_the_queries(x, *weights):
    query, key, value = _projected(x, *weights)
    return F.softmax(query @ key.mT / query.size(-1) ** 0.5, dim=-2) @ value


def attention_of_raw_values(x, query_weight, key_weight, value_weight):
    query, key = _projected(x, query_weight, key_weight)
    return attend(query, key, x)


def attention_without_weights(x, query_weight, key_weight, value_weight):
    return F.scaled_dot_product_attention(x, x, x)


def attention_symmetric(x, query_weight, key_weight, value_weight):
    key, value = _projected(x, key_weight, value_weight)
    return attend(key, key, value)


def attention_plain_matmul(x, query_weight, key_weight, value_weight):
    query, key, value = (torch.matmul(x, w) for w in (query_weight, key_weight, value_weight))
    return attend(query, key, value)


def attention_causal(x, *weights):
    return attend(*_projected(x, *weights), causal=True)


test_a_right_answer_in_other_words_passes = right_answers(
    "self_attention", [attention_by_torch, attention_by_einsum]
)
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "self_attention",
    [
        (attention_no_root, "not divided by the root of the head's width"),
        (attention_root_of_embed, "the root of the embedding's width"),
        (attention_over_the_queries, "your softmax runs over the queries"),
        (attention_of_raw_values, "the values are not projected"),
        (attention_without_weights, "no weight is used"),
        (attention_symmetric, "one weight makes the query and the key"),
        (attention_plain_matmul, "the weights are not transposed"),
        (attention_causal, "you hide the future"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "self_attention", [lambda x, q, k, v: attention_by_torch(x, q, k, v) * 0.9]
)
