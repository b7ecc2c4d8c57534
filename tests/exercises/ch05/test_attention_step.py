"""`attention_step` (chapter 05)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from answers import normal, right_answers, solve, unknown_answers, wrong_answers

from attncourse import AdditiveScore, attend, masked_softmax, padding_mask


def test_a_step_of_attention_agrees_with_the_packages():
    score = AdditiveScore(query_dim=2, key_dim=7, hidden_dim=11).double()
    weights = (score.query_projection.weight, score.key_projection.weight, score.output.weight[0])
    state, memory = normal(3, 2), normal(3, 5, 7)
    mask = padding_mask(torch.tensor([5, 1, 3]))
    context, looked = solve("attention_step", state, memory, mask, *weights)
    want = attend(state[:, None], memory, memory, mask[:, None], score=score)[:, 0]
    torch.testing.assert_close(context, want)
    torch.testing.assert_close(
        looked, masked_softmax(score(state[:, None], memory), mask[:, None])[:, 0]
    )
    assert (looked[~mask] == 0).all()


# -- answers as readers write them -----------------------------------------------------------------


def attention_with_einsum(state, memory, mask, query_weight, key_weight, output_weight):
    hidden = torch.tanh(
        F.linear(memory, key_weight) + F.linear(state, query_weight).unsqueeze(dim=1)
    )
    scores = torch.einsum("bsh,h->bs", hidden, output_weight)
    weights = F.softmax(torch.where(mask, scores, -1e9), dim=1)
    return torch.einsum("bs,bsd->bd", weights, memory), weights


def _attention(weigh, score=lambda hidden, vector: hidden.tanh() @ vector):
    def answer(state, memory, mask, query_weight, key_weight, output_weight):
        hidden = F.linear(state, query_weight)[:, None] + F.linear(memory, key_weight)
        weights = weigh(score(hidden, output_weight), mask)
        return torch.bmm(weights[:, None], memory)[:, 0], weights

    return answer


attention_without_mask = _attention(lambda scores, mask: F.softmax(scores, 1))


attention_masked_late = _attention(lambda s, mask: F.softmax(s, 1).masked_fill(~mask, 0))


attention_inverted = _attention(lambda s, mask: F.softmax(s.masked_fill(mask, -torch.inf), 1))


attention_over_the_batch = _attention(lambda s, mask: F.softmax(torch.where(mask, s, -1e9), 0))


attention_linear = _attention(
    lambda s, mask: F.softmax(torch.where(mask, s, -torch.inf), 1), torch.matmul
)


def attention_by_dots(state, memory, mask, query_weight, key_weight, output_weight):
    query, key = F.linear(state, query_weight), F.linear(memory, key_weight)
    scores = torch.einsum("bh,bsh->bs", query, key)
    weights = scores.masked_fill(mask.logical_not(), -1e9).softmax(1)
    return torch.einsum("bs,bsd->bd", weights, memory), weights


def attention_of_mixed_axes(state, memory, mask, query_weight, key_weight, output_weight):
    hidden = torch.tanh(F.linear(state, query_weight) + F.linear(memory, key_weight))
    weights = (hidden @ output_weight).masked_fill(~mask, -torch.inf).softmax(1)
    return torch.einsum("bs,bsd->bd", weights, memory), weights


def attention_turned_round(*arguments):
    return tuple(reversed(attention_with_einsum(*arguments)))


attention_plus = _attention(lambda scores, mask: (scores + mask).softmax(-1))


test_a_right_answer_in_other_words_passes = right_answers("attention_step", [attention_with_einsum])
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "attention_step",
    [
        (attention_plus, "the mask is added to the scores"),
        (attention_without_mask, "padding is read"),
        (attention_masked_late, "the mask comes after the softmax"),
        (attention_inverted, "your mask is the other way round"),
        (attention_over_the_batch, "your softmax runs over the batch"),
        (attention_linear, "the tanh is missing"),
        (attention_by_dots, "your score is a dot product"),
        (attention_of_mixed_axes, "the state has no axis for the tokens"),
        (attention_turned_round, "the two stand the other way round"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "attention_step",
    [
        _attention(
            lambda s, mask: masked_softmax(s, mask),
            lambda hidden, vector: hidden.sigmoid() @ vector,
        )
    ],
)
