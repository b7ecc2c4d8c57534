"""`cached_step` (chapter 12)."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from answers import normal, right_answers, solve, unknown_answers, wrong_answers
from torch import nn

from attncourse import KeyValueCache, MultiHeadAttention, attend
from attncourse.exercises import EXERCISES, check


def test_step_by_step_is_causal_attention_at_once():
    layer = MultiHeadAttention(6, num_heads=1, bias=False).double()
    nn.init.eye_(layer.output_projection.weight)
    projections = layer.query_projection, layer.key_projection, layer.value_projection
    weights = [projection.weight for projection in projections]
    x, cache = normal(2, 7, 6), KeyValueCache()
    key = value = normal(2, 0, 6)
    outputs = []
    for start, end in ((0, 1), (1, 2), (2, 5), (5, 7)):
        output, key, value = solve("cached_step", x[:, start:end], key, value, *weights)
        torch.testing.assert_close(output, layer(x[:, start:end], causal=True, cache=cache))
        torch.testing.assert_close(key, cache.key[:, 0])
        torch.testing.assert_close(value, cache.value[:, 0])
        outputs.append(output)
    torch.testing.assert_close(torch.cat(outputs, dim=1), layer(x, causal=True))


def test_a_cache_that_is_changed_in_place_is_noticed():
    def shrunk(x, past_key, past_value, *weights):
        past_key /= math.sqrt(past_key.shape[-1])  # else the scores would have to be divided
        return solve("cached_step", x, past_key, past_value, *weights)

    verdict = check("cached_step", shrunk)
    assert verdict.kind == "contract"
    assert "your function changes its argument past_key" in verdict.message


def test_a_cached_step_that_cannot_begin_is_told_where():
    def full(x, past_key, *given):
        past_key[0, 0]  # nothing is there at first
        return solve("cached_step", x, past_key, *given)

    verdict = check("cached_step", full)
    assert verdict.kind == "raised"
    assert "with the first token, when nothing is cached" in " ".join(verdict.message.split())
    assert "torch.cat takes that as it is" in " ".join(verdict.message.split())


@pytest.mark.parametrize("name", ["cached_step", "stepping_decoder"])
def test_some_begin_with_nothing_cached(name):
    exercise = EXERCISES[name]
    assert any(case.sizes.get("past") == 0 for case in exercise.cases)
    assert {case.sizes.get("new", 3) for case in exercise.cases} == {1, 3}
    assert {torch.float32, torch.float64, torch.bfloat16} <= {c.dtype for c in exercise.cases}


# -- answers as readers write them -----------------------------------------------------------------


def cached_by_torch(x, past_key, past_value, query_weight, key_weight, value_weight):
    query, key, value = (F.linear(x, w) for w in (query_weight, key_weight, value_weight))
    key, value = torch.cat((past_key, key), -2), torch.cat((past_value, value), -2)
    place = torch.arange(key.size(1))
    mask = place <= place[past_key.size(1) :, None]
    return F.scaled_dot_product_attention(query, key, value, mask), key, value


def cached_token_by_token(x, key, value, query_weight, key_weight, value_weight):
    outputs = []
    for token in x.split(1, dim=1):
        key = torch.cat((key, token @ key_weight.T), 1)
        value = torch.cat((value, token @ value_weight.T), 1)
        scores = token @ query_weight.T @ key.transpose(1, 2) / key.size(-1) ** 0.5
        outputs.append(F.softmax(scores, -1) @ value)
    return torch.cat(outputs, 1), key, value


def _cached(attention, join=lambda past, new: torch.cat((past, new), dim=1)):
    def answer(x, past_key, past_value, query_weight, key_weight, value_weight):
        key = join(past_key, F.linear(x, key_weight))
        value = join(past_value, F.linear(x, value_weight))
        return attention(F.linear(x, query_weight), key, value), key, value

    return answer


def _causal(query, key, value):
    return attend(query, key, value, causal=True)


def cached_too_late(x, past_key, past_value, query_weight, key_weight, value_weight):
    output = F.scaled_dot_product_attention(x @ query_weight.T, past_key, past_value)
    key, value = torch.cat((past_key, x @ key_weight.T), 1), (past_value, x @ value_weight.T)
    return output, key, torch.cat(value, 1)


def cached_not_grown(x, past_key, past_value, *weights):
    return cached_by_torch(x, past_key, past_value, *weights)[0], past_key, past_value


def cached_new_only(x, past_key, past_value, query_weight, key_weight, value_weight):
    key, value = x @ key_weight.T, x @ value_weight.T
    return attend(x @ query_weight.T, key, value, causal=True), key, value


def cached_projected_again(x, past_key, past_value, query_weight, key_weight, value_weight):
    key = F.linear(torch.cat((past_key, x), 1), key_weight)
    value = F.linear(torch.cat((past_value, x), 1), value_weight)
    return attend(F.linear(x, query_weight), key, value, causal=True), key, value


def cached_returned_crosswise(*given):
    output, key, value = cached_by_torch(*given)
    return output, value, key


test_a_right_answer_in_other_words_passes = right_answers(
    "cached_step", [cached_by_torch, cached_token_by_token]
)
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "cached_step",
    [
        (cached_too_late, "appended too late"),
        (cached_not_grown, "the cache does not grow"),
        (cached_new_only, "what was cached is lost"),
        (
            _cached(_causal, lambda past, new: torch.cat((past[:, 1:], new), 1)),
            "overwrite old ones",
        ),
        (_cached(_causal, lambda past, new: torch.cat((new, past), 1)), "stand before"),
        (_cached(_causal, lambda *keys: torch.cat(keys)), "joined along the wrong axis"),
        (
            _cached(F.scaled_dot_product_attention, lambda *keys: torch.cat(keys, -1)),
            "joined along the wrong axis",
        ),
        (
            _cached(lambda *given: F.scaled_dot_product_attention(*given, is_causal=True)),
            "the mask begins at the first key",
        ),
        (_cached(F.scaled_dot_product_attention), "see their own future"),
        (cached_projected_again, "what is cached is projected again"),
        (cached_returned_crosswise, "keys and values are exchanged"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "cached_step", [lambda x, *given: cached_by_torch(0.5 * x, *given)]
)
