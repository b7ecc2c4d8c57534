"""Wrong answers as readers write them, none taken from the registry: each gets its right name."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

import attncourse
from attncourse.exercises import check


def lookup_one_column(query, key, value):
    scores = torch.matmul(key, query.view(-1, 1))
    weights = F.softmax(scores, dim=1)
    return (weights * value).sum(dim=0)


def lookup_best(query, key, value):
    best = torch.einsum("nd,d->n", key, query).argmax().item()
    return value[best]


def lookup_scaled(query, key, value):
    w = F.softmax(torch.mv(key, query) * query.shape[0] ** -0.5, dim=0)
    return torch.einsum("n,nv->v", w, value)


def lookup_linear(query, key, value):
    scores = (key * query).sum(dim=1)
    weights = scores / torch.sum(scores)
    return torch.mv(value.t(), weights)


def lookup_of_values(query, key, value):
    return F.softmax(value @ query, dim=-1) @ value


def pool_of_keys(query, key, value):
    weights = F.softmax(torch.einsum("nd,nd->n", key, key), dim=0)
    return weights @ value


def pool_by_the_first_number(query, key, value):
    return F.softmax(key[:, 0] * 3, dim=0) @ value


def regression_wide(query, key, value, bandwidth):
    difference = query[..., :, None, :] - key[..., None, :, :]
    weights = F.softmax(-0.5 * (bandwidth * difference).pow(2).sum(-1), dim=-1)
    return weights @ value


def regression_half(query, key, value, bandwidth):
    distance = torch.linalg.vector_norm(query.unsqueeze(-2) - key.unsqueeze(-3), dim=-1)
    kernel = torch.exp(-((distance / bandwidth) ** 2))
    return kernel / kernel.sum(dim=-1, keepdim=True) @ value


def regression_sum(query, key, value, bandwidth):
    distance = (query.unsqueeze(-2) - key.unsqueeze(-3)).pow(2).sum(-1)
    return torch.exp(-distance / (2 * bandwidth * bandwidth)) @ value


def regression_plus(query, key, value, bandwidth):
    distance = (query.unsqueeze(-2) - key.unsqueeze(-3)).pow(2).sum(-1)
    kernel = torch.exp(-distance / (2 * bandwidth**2))
    return (kernel / (kernel.sum(-1, keepdim=True) + 1e-8)) @ value


def regression_line(query, key, value, bandwidth):
    difference = query - key.transpose(-1, -2)
    return F.softmax(-difference.pow(2) / (2 * bandwidth**2), dim=-1) @ value


def regression_manhattan_of_sums(query, key, value, bandwidth):
    difference = (query.unsqueeze(-2) - key.unsqueeze(-3)).sum(-1)
    return F.softmax(-((difference / bandwidth) ** 2) / 2, dim=-1) @ value


def own_point(n):
    index = torch.arange(n)
    return index[:, None] == index[None, :]


def others_as_numbers(n):
    return torch.ones(n, n) - torch.eye(n)


def earlier_points(n):
    index = torch.arange(n)
    return index[:, None] > index[None, :]


def softmax_minus_1e9(scores, mask):
    return F.softmax(torch.where(mask, scores, torch.full_like(scores, -1e9)), dim=-1)


def softmax_minus_1e9_that_half_cannot_hold(scores, mask):
    if scores.dtype is torch.float16:
        return softmax_nan(scores, mask)  # -1e9 became minus infinity
    return softmax_minus_1e9(scores, mask)


def softmax_nan(scores, mask):
    return F.softmax(torch.where(mask, scores, float("-inf")), dim=-1)


def softmax_after(scores, mask):
    return F.softmax(scores, dim=-1).masked_fill(~mask, 0)


def softmax_of_queries(scores, mask):
    return F.softmax(scores.masked_fill(mask == 0, float("-inf")), dim=-2)


def softmax_second_axis(scores, mask):
    return F.softmax(scores.masked_fill(~mask, float("-inf")), dim=1).nan_to_num()


def softmax_polarity(scores, mask):
    return attncourse.masked_softmax(scores, mask.logical_not())


def softmax_overflows(scores, mask):
    top = torch.exp(scores) * mask.to(scores.dtype)
    bottom = top.sum(dim=-1, keepdim=True)
    return torch.where(bottom > 0, top / bottom, torch.zeros_like(top))


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


def additive_linear(query, key, query_weight, key_weight, output_weight):
    hidden = (
        F.linear(query, query_weight)[..., :, None, :] + F.linear(key, key_weight)[..., None, :, :]
    )
    return (hidden * output_weight).sum(-1)


def additive_outermost(query, key, query_weight, key_weight, output_weight):
    q = query @ query_weight.transpose(0, 1) @ output_weight
    k = key @ key_weight.transpose(0, 1) @ output_weight
    return (q.unsqueeze(-1) + k.unsqueeze(-2)).tanh()


def translation_expanded_only(state, encoded, matrix, vector):
    pairs = torch.cat([state.repeat(len(encoded), 1, 1), encoded], dim=2)
    scores = torch.tanh(F.linear(pairs, matrix)) @ vector
    weights = F.softmax(scores, dim=-1)
    return torch.einsum("kb,kbh->bh", weights, encoded)[None]


def translation_outermost(state, encoded, matrix, vector):
    pairs = torch.cat([state.repeat(len(encoded), 1, 1), encoded], dim=2)
    scores = torch.tanh(F.linear(pairs, matrix) @ vector)
    return torch.einsum("kb,kbh->bh", F.softmax(scores, dim=0), encoded)[None]


def summary_reads_padding(state, encoded, matrix, vector, mask):
    pairs = torch.cat([state.repeat(len(encoded), 1, 1), encoded], dim=2)
    scores = torch.tanh(F.linear(pairs, matrix)) @ vector
    return torch.einsum("kb,kbh->bh", F.softmax(scores, dim=0), encoded)[None]


def tags_without_a_question(encoded, vector):
    weights = F.softmax(encoded.tanh() @ vector, dim=0)
    return torch.einsum("ts,tsh->sh", weights, encoded).expand_as(encoded)


def tags_by_position(encoded, vector):
    scores = torch.tanh(encoded[:, :, None] + encoded[:, None]) @ vector
    return scores.softmax(-1) @ encoded


def tags_mixed_up(encoded, vector):
    scores = (encoded @ vector)[..., None] * encoded.mean((0, 1))
    return scores.softmax(1) * encoded


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


def boxes_alike(query, features):
    spots = features.flatten(2).transpose(1, 2)
    weights = F.softmax(spots.pow(2).sum(-1), dim=-1)
    return (weights[:, None] @ spots).repeat(1, query.size(1), 1)


def boxes_compete(query, features):
    spots = features.flatten(2).transpose(1, 2)
    weights = F.softmax(query @ spots.transpose(1, 2) / query.size(-1) ** 0.5, dim=1)
    return weights @ spots


def map_not_turned_back(features):
    spots = features.flatten(2).transpose(1, 2)
    return attncourse.attend(spots, spots, spots).reshape(features.shape)


def map_of_channels(features):
    rows = features.flatten(2)
    weights = F.softmax(rows @ rows.transpose(1, 2) / rows.size(-1) ** 0.5, dim=-1)
    return (weights @ rows).view(features.shape)


NAMED = [
    ("soft_lookup", lookup_one_column, "every weight is 1"),
    ("soft_lookup", lookup_best, "a hard lookup"),
    ("soft_lookup", lookup_scaled, "divided by the root of the width"),
    ("soft_lookup", lookup_linear, "divided by their sum"),
    ("soft_lookup", lookup_of_values, "compare the query with the values"),
    ("repair_pooling", pool_of_keys, "the keys are compared with themselves"),
    ("repair_pooling", pool_by_the_first_number, "another question gets the same answer"),
    ("nadaraya_watson", regression_wide, "you multiply by the bandwidth"),
    ("nadaraya_watson", regression_half, "the half is missing"),
    ("nadaraya_watson", regression_sum, "your weights do not sum to one"),
    ("nadaraya_watson", regression_plus, "you add a small number to the sum"),
    ("nadaraya_watson", regression_line, "works for points on a line only"),
    ("nadaraya_watson", regression_manhattan_of_sums, "add the differences of the coordinates"),
    ("leave_one_out", own_point, "the other way round"),
    ("leave_one_out", others_as_numbers, "your mask holds numbers"),
    ("leave_one_out", earlier_points, "your mask is causal"),
    ("masked_softmax", softmax_minus_1e9, "an empty row is then uniform"),
    ("masked_softmax", softmax_minus_1e9_that_half_cannot_hold, "an empty row is then uniform"),
    ("masked_softmax", softmax_nan, "a row with nothing to attend to is NaN"),
    ("masked_softmax", softmax_after, "the mask comes after the softmax"),
    ("masked_softmax", softmax_of_queries, "your softmax runs over the queries"),
    ("masked_softmax", softmax_second_axis, "counts its axis from the front"),
    ("masked_softmax", softmax_polarity, "the other way round"),
    ("masked_softmax", softmax_overflows, "your exp overflows"),
    ("scaled_dot_product_attention", attention_no_root, "not divided by the root of the width"),
    ("scaled_dot_product_attention", attention_root_of_keys, "root of the number of keys"),
    ("scaled_dot_product_attention", attention_over_d, "divided by the width itself"),
    ("scaled_dot_product_attention", attention_size_of_axis_one, "root counts its axis from the"),
    ("scaled_dot_product_attention", attention_by_torch_inverted, "the other way round"),
    ("scaled_dot_product_attention", attention_without_mask, "the mask has no effect"),
    ("scaled_dot_product_attention", attention_not_transposed, "the key is not transposed"),
    ("scaled_dot_product_attention", attention_large_t, "transposed from the front"),
    ("additive_score", additive_linear, "the tanh is missing"),
    ("additive_score", additive_outermost, "the tanh comes after the output weight"),
    ("repair_translation", translation_expanded_only, "your softmax runs over the batch"),
    ("repair_translation", translation_outermost, "the tanh is outermost"),
    ("repair_summarisation", summary_reads_padding, "padding is read"),
    ("repair_entities", tags_without_a_question, "nobody asks"),
    ("repair_entities", tags_by_position, "the same position of the other sentences"),
    ("repair_entities", tags_mixed_up, "one sentence reads another"),
    ("repair_classification", image_viewed, "numbers in another order"),
    ("repair_classification", image_summed, "every weight is 1"),
    ("repair_classification", image_without_a_question, "your scores never see the query"),
    ("repair_detection", boxes_alike, "all boxes get one vector"),
    ("repair_detection", boxes_compete, "your softmax runs over the boxes"),
    ("repair_generation", map_not_turned_back, "the way back is missing a transpose"),
    ("repair_generation", map_of_channels, "the channels attend to each other"),
]


@pytest.mark.parametrize(("name", "wrong", "says"), NAMED, ids=[w.__name__ for _, w, _ in NAMED])
def test_a_wrong_answer_gets_its_right_name(name, wrong, says):
    verdict = check(name, wrong)
    assert verdict.kind == "misconception", verdict
    assert says in verdict.message.splitlines()[0]
