"""`encoder_block` (chapter 09)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from answers import normal, right_answers, said, solve, unknown_answers, wrong_answers

from attncourse import attend
from attncourse.exercises import broken, check
from attncourse.transformer import Residual


def test_the_block_agrees_with_the_packages_residual():
    x, first, second = normal(2, 5, 7), normal(11, 7), normal(7, 11)
    add = Residual(7, norm_first=True).double()
    want = add(x, lambda x: attend(x, x, x))
    want = add(want, lambda x: torch.relu(x @ first.mT) @ second.mT)
    torch.testing.assert_close(solve("encoder_block", x, first, second), want)


def test_the_broken_block_forgets_the_size_of_what_comes_in():
    x, first, second = normal(1, 5, 7), normal(11, 7), normal(7, 11)
    function = broken("encoder_block")
    torch.testing.assert_close(
        function(100 * x, first, second), function(x, first, second), rtol=1e-3, atol=1e-3
    )
    far = block_in_one_breath(100 * x, first, second)
    assert (far - 100 * x).norm() < 0.5 * far.norm()


def test_the_broken_function_fails_by_its_name_and_mended_passes():
    assert said(check("encoder_block", broken("encoder_block"))).startswith(
        "the residual starts from the normalised input"
    )
    assert check("encoder_block", block_in_one_breath).passed


# -- answers as readers write them -----------------------------------------------------------------


def _norm(x):
    return F.layer_norm(x, x.shape[-1:])


def block_in_one_breath(x, first_weight, second_weight):
    normed = _norm(x)
    y = x + F.scaled_dot_product_attention(normed, normed, normed)
    return y + F.linear(F.relu(F.linear(_norm(y), first_weight)), second_weight)


def block_half_mended(x, first_weight, second_weight):
    normed = _norm(x)
    x = x + attend(normed, normed, normed)
    x = _norm(x)
    return x + torch.relu(x @ first_weight.mT) @ second_weight.mT


def block_norm_after(x, first_weight, second_weight):
    x = _norm(x + attend(x, x, x))
    return _norm(x + F.linear(F.relu(F.linear(x, first_weight)), second_weight))


def block_without_residual(x, first_weight, second_weight):
    normed = _norm(x)
    x = attend(normed, normed, normed)
    return F.linear(F.relu(F.linear(_norm(x), first_weight)), second_weight)


def block_raw_keys(x, first_weight, second_weight):
    y = x + attend(_norm(x), x, x)
    return y + F.linear(F.relu(F.linear(_norm(y), first_weight)), second_weight)


test_a_right_answer_in_other_words_passes = right_answers("encoder_block", [block_in_one_breath])
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "encoder_block",
    [
        (block_half_mended, "one of the two residuals"),
        (block_norm_after, "the norm comes after the sum"),
        (block_without_residual, "a residual is missing"),
        (block_raw_keys, "a sublayer reads x without a norm"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "encoder_block", [lambda x, a, b: block_in_one_breath(x, a, b) + 0.5 * x]
)
