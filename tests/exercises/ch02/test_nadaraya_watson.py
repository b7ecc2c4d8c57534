"""`nadaraya_watson` (chapter 02)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from answers import normal, solve, unknown_answers, wrong_answers

import attncourse
from attncourse import NadarayaWatson


def test_kernel_regression_agrees_with_the_packages():
    query, key, value = normal(2, 5, 3), normal(2, 7, 3), normal(2, 7, 2)
    got = solve("nadaraya_watson", query, key, value, 0.7)
    model = NadarayaWatson(bandwidth=0.7).double()
    torch.testing.assert_close(got, model(query, key, value), rtol=1e-6, atol=1e-6)


# -- answers as readers write them -----------------------------------------------------------------


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


def regression_density(query, key, value, bandwidth):
    distance = (query.unsqueeze(-2) - key.unsqueeze(-3)).norm(dim=-1) / bandwidth
    density = torch.exp(-0.5 * distance**2) / (bandwidth * math.sqrt(2 * math.pi))
    return density @ value / key.shape[-2]


test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "nadaraya_watson",
    [
        (regression_density, "your weights do not sum to one"),
        (regression_wide, "you multiply by the bandwidth"),
        (regression_half, "the half is missing"),
        (regression_sum, "your weights do not sum to one"),
        (regression_plus, "you add a small number to the sum"),
        (regression_line, "works for points on a line only"),
        (regression_manhattan_of_sums, "add the differences of the coordinates"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "nadaraya_watson",
    [
        lambda query, key, value, bandwidth: (
            attncourse.NadarayaWatson("epanechnikov", float(bandwidth) * 9)
            .to(query)(query, key, value)
            .to(query)
        )
    ],
)
