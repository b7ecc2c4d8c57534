"""`feed_forward` (chapter 09)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from answers import normal, right_answers, solve, unknown_answers, wrong_answers
from torch import nn

from attncourse.transformer import FeedForward


def test_layer_norm_and_network_agree_with_pytorchs():
    x, gain, bias = normal(2, 3, 5), normal(5), normal(5)
    got = solve("layer_norm", x, gain, bias, 0.5)
    torch.testing.assert_close(got, F.layer_norm(x, (5,), gain, bias, 0.5))
    network = FeedForward(5, ffn_dim=7).double()
    nn.init.normal_(network.expand.bias)
    nn.init.normal_(network.contract.bias)
    first, second = network.expand, network.contract
    got = solve("feed_forward", x, first.weight, first.bias, second.weight, second.bias)
    torch.testing.assert_close(got, network(x))


# -- answers as readers write them -----------------------------------------------------------------


def network_by_linear(x, first_weight, first_bias, second_weight, second_bias):
    return F.linear(F.relu(F.linear(x, first_weight, first_bias)), second_weight, second_bias)


def network_by_clamp(x, first_weight, first_bias, second_weight, second_bias):
    hidden = (torch.einsum("...e,fe->...f", x, first_weight) + first_bias).clamp(min=0)
    return torch.einsum("...f,ef->...e", hidden, second_weight) + second_bias


def network_straight(x, a, b, c, d):
    return F.linear(F.linear(x, a, b), c, d)


def network_late(x, a, b, c, d):
    return F.relu(F.linear(F.linear(x, a, b), c, d))


def network_gelu(x, a, b, c, d):
    return F.linear(F.gelu(F.linear(x, a, b)), c, d)


def network_without_biases(x, a, b, c, d):
    return F.linear(F.linear(x, a).relu(), c)


def network_untransposed(x, a, b, c, d):
    return torch.relu(torch.matmul(x, a) + b) @ c + d


def network_residual(x, a, b, c, d):
    return x + F.linear(F.relu(F.linear(x, a, b)), c, d)


test_a_right_answer_in_other_words_passes = right_answers(
    "feed_forward", [network_by_linear, network_by_clamp]
)
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "feed_forward",
    [
        (network_straight, "there is no ReLU"),
        (network_late, "the ReLU comes after the second layer"),
        (network_gelu, "another bend than ReLU"),
        (network_without_biases, "the biases have no effect"),
        (network_untransposed, "the weights are not transposed"),
        (network_residual, "the input is added"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "feed_forward", [lambda x, a, b, c, d: network_by_linear(x, a, b - 0.25, c, d)]
)
