"""`linear_causal` (chapter 19)."""

from __future__ import annotations

import torch
from answers import normal, right_answers, solve, unknown_answers, wrong_answers

from attncourse.attention import linear_attention
from attncourse.attention.efficient import positive_features


def test_two_words_by_hand():
    query, key = torch.tensor([[1.0], [1.0]]), torch.tensor([[1.0], [3.0]])
    answer = solve("linear_causal", query, key, torch.tensor([[9.0], [18.0]]))
    torch.testing.assert_close(answer, torch.tensor([[9.0], [15.75]]))  # 9; (9 + 54) / 4


def test_the_solution_is_the_packages_function_of_features():
    query, key, value = normal(2, 67, 3), normal(2, 67, 3), normal(2, 67, 5)
    features = positive_features(query), positive_features(key)
    wanted = linear_attention(query, key, value, causal=True)
    torch.testing.assert_close(solve("linear_causal", *features, value), wanted)


# -- answers as readers write them -----------------------------------------------------------------


def word_by_word(query, key, value):
    state, norm, answers = 0, 0, []
    for q, k, v in zip(query.unbind(-2), key.unbind(-2), value.unbind(-2), strict=True):
        state = state + k.unsqueeze(-1) * v.unsqueeze(-2)
        norm = norm + k
        top = (q.unsqueeze(-1) * state).sum(-2)
        answers.append(top / (q * norm).sum(-1, keepdim=True))
    return torch.stack(answers, -2)


def by_pairs(query, key, value):
    weights = torch.tril(query @ key.transpose(-1, -2))
    return weights @ value / weights.sum(-1, keepdim=True)


def whole_sums(query, key, value):
    state = torch.einsum("...nk,...nv->...kv", key, value)
    return query @ state / (query * key.sum(-2, keepdim=True)).sum(-1, keepdim=True)


def no_division(query, key, value):
    state = torch.einsum("...nk,...nv->...nkv", key, value).cumsum(-3)
    return torch.einsum("...nk,...nkv->...nv", query, state)


def by_the_norm(query, key, value):
    weights = torch.tril(query @ key.transpose(-1, -2))
    return weights @ value / weights.norm(dim=-1, keepdim=True)


test_a_right_answer_in_other_words_passes = right_answers("linear_causal", [word_by_word, by_pairs])
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "linear_causal",
    [
        (whole_sums, "each word sees the words after it"),
        (no_division, "the weights are never divided by their sum"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "linear_causal", [by_the_norm]
)
