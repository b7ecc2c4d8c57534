"""`gated_map` (chapter 17)."""

from __future__ import annotations

import torch
from answers import normal, right_answers, said, solve, unknown_answers, wrong_answers

from attncourse import attend
from attncourse.exercises import broken, check
from attncourse.vision import GatedSelfAttention


def test_the_solution_is_the_packages_layer_with_projections_that_change_nothing():
    layer = GatedSelfAttention(3, normed=False).double()
    with torch.no_grad():
        layer.gate.fill_(0.5)
        for projection in layer.attention.children():
            projection.weight.copy_(torch.eye(3))
    x = normal(2, 3, 5, 7)
    torch.testing.assert_close(solve("gated_map", x, torch.tensor(0.5)), layer(x))


def test_the_broken_function_shows_nothing_while_its_gate_is_closed():
    x = normal(2, 3, 5, 7)
    assert torch.equal(broken("gated_map")(x, 0.0), x)
    assert not torch.allclose(broken("gated_map")(x, 0.5), solve("gated_map", x, 0.5))


def test_the_broken_function_fails_by_its_name():
    verdict = said(check("gated_map", broken("gated_map")))
    assert verdict.startswith("what was found is (batch, position, channels)")


# -- answers as readers write them -----------------------------------------------------------------


def with_attend(x, gate):
    positions = x.flatten(2).transpose(1, 2)
    found = attend(positions, positions, positions)
    return x + gate * found.transpose(1, 2).unflatten(2, x.shape[2:])


def by_einsum(x, gate):
    scores = torch.einsum("bchw,bcyx->bhwyx", x, x) / x.size(1) ** 0.5
    weights = scores.flatten(3).softmax(-1).view_as(scores)
    return x + gate * torch.einsum("bhwyx,bcyx->bchw", weights, x)


def mixed(x, gate):
    return (1 - gate) * x + gate * (with_attend(x, 1.0) - x)


def over_queries(x, gate):
    positions = x.flatten(2).transpose(1, 2)
    weights = torch.softmax(positions @ x.flatten(2) / x.size(1) ** 0.5, dim=1)
    return x + gate * (weights @ positions).transpose(1, 2).reshape(x.shape)


def by_rows(x, gate):
    positions = x.permute(0, 2, 3, 1)
    return x + gate * attend(positions, positions, positions).permute(0, 3, 1, 2)


test_a_right_answer_in_other_words_passes = right_answers("gated_map", [with_attend, by_einsum])
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "gated_map", [(mixed, "the gate mixes the two"), (over_queries, "runs over the queries")]
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers("gated_map", [by_rows])
