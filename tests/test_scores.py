"""Scoring functions: each pair's score by hand, by loops, and refused."""

from __future__ import annotations

import math

import pytest
import torch
from support import (
    BATCH,
    COMPILES,
    DTYPES,
    HEADS,
    KEYS,
    QUERIES,
    TOLERANCE,
    WIDTH,
    refused,
    tensors,
)
from torch import nn

from attncourse import AdditiveScore, BilinearScore, DotProductScore, ScaledDotProductScore

KEY_WIDTH, HIDDEN = 13, 17

EVERY_SCORE = pytest.mark.parametrize(
    "make",
    [
        DotProductScore,
        ScaledDotProductScore,
        lambda: BilinearScore(WIDTH, WIDTH),
        lambda: AdditiveScore(WIDTH, WIDTH, HIDDEN),
    ],
    ids=["dot", "scaled", "bilinear", "additive"],
)
TWO_WIDTHS = pytest.mark.parametrize(
    "make",
    [lambda: BilinearScore(WIDTH, KEY_WIDTH), lambda: AdditiveScore(WIDTH, KEY_WIDTH, HIDDEN)],
    ids=["bilinear", "additive"],
)


# Answers by hand


def test_the_dot_product_of_each_pair():
    # 1*3 + 2*4 = 11, 1*5 + 2*(-1) = 3, 1*0 + 2*2 = 4
    query, key = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0], [5.0, -1.0], [0.0, 2.0]])
    assert DotProductScore()(query, key).tolist() == [[11, 3, 4]]


def test_the_scaled_dot_product_divides_by_the_root_of_the_width():
    # (1 + 2 + 3 + 4 + 5 + 6 + 7 + 8 + 9) / sqrt(9) = 15
    query, key = torch.arange(1.0, 10.0)[None], torch.ones(1, 9)
    assert ScaledDotProductScore()(query, key).item() == pytest.approx(15)


def test_the_bilinear_score_reads_its_matrix_from_query_to_key():
    # (1, 2) W = (1*1 + 2*0, 1*0 + 2*3, 1*2 + 2*(-1)) = (1, 6, 0); times (4, 5, 6) = 4 + 30
    score = BilinearScore(2, 3)
    with torch.no_grad():
        score.weight.copy_(torch.tensor([[1.0, 0.0, 2.0], [0.0, 3.0, -1.0]]))
    assert score(torch.tensor([[1.0, 2.0]]), torch.tensor([[4.0, 5.0, 6.0]])).item() == 34


def test_the_additive_score_adds_inside_the_tanh():
    # W_q q = (2, 0.5), W_k k = (-1.5, 1): tanh of the sums (0.5, 1.5), times v = (7, 5)
    score = AdditiveScore(1, 1, 2).double()
    with torch.no_grad():
        score.query_projection.weight.copy_(torch.tensor([[2.0], [0.5]]))
        score.key_projection.weight.copy_(torch.tensor([[-1.5], [1.0]]))
        score.output.weight.copy_(torch.tensor([[7.0, 5.0]]))
    one = torch.ones(1, 1, dtype=torch.float64)
    by_hand = 7 * math.tanh(0.5) + 5 * math.tanh(1.5)
    assert score(one, one).item() == pytest.approx(by_hand, rel=1e-12)


# What each computes, pair by pair


@EVERY_SCORE
def test_each_pair_is_scored_alone(make):
    score = make().double()
    query, key, _ = tensors(BATCH, HEADS)
    scores = score(query, key)
    assert scores.shape == (BATCH, HEADS, QUERIES, KEYS)
    for b, h, i, j in torch.cartesian_prod(*map(torch.arange, scores.shape)).tolist():
        alone = score(query[b, h, i : i + 1], key[b, h, j : j + 1])
        torch.testing.assert_close(scores[b, h, i, j], alone.squeeze())


@TWO_WIDTHS
def test_query_and_key_may_have_two_widths(make):
    scores = make()(torch.randn(BATCH, QUERIES, WIDTH), torch.randn(BATCH, KEYS, KEY_WIDTH))
    assert scores.shape == (BATCH, QUERIES, KEYS)


def test_the_bilinear_score_agrees_with_nn_bilinear():
    score, bilinear = BilinearScore(WIDTH, KEY_WIDTH), nn.Bilinear(WIDTH, KEY_WIDTH, 1, bias=False)
    with torch.no_grad():
        bilinear.weight.copy_(score.weight)
    query, key = torch.randn(QUERIES, WIDTH), torch.randn(KEYS, KEY_WIDTH)
    pairs = bilinear(
        query.repeat_interleave(KEYS, dim=0).contiguous(), key.repeat(QUERIES, 1).contiguous()
    )
    torch.testing.assert_close(score(query, key), pairs.view(QUERIES, KEYS), rtol=1e-4, atol=1e-5)


def test_the_additive_score_is_an_mlp_on_query_and_key_side_by_side():
    score = AdditiveScore(WIDTH, KEY_WIDTH, HIDDEN)
    mlp = nn.Sequential(
        nn.Linear(WIDTH + KEY_WIDTH, HIDDEN, bias=False),
        nn.Tanh(),
        nn.Linear(HIDDEN, 1, bias=False),
    )
    with torch.no_grad():
        mlp[0].weight.copy_(
            torch.cat([score.query_projection.weight, score.key_projection.weight], dim=1)
        )
        mlp[2].weight.copy_(score.output.weight)
    query, key = torch.randn(QUERIES, WIDTH), torch.randn(KEYS, KEY_WIDTH)
    pairs = torch.cat(
        [query[:, None].expand(-1, KEYS, -1), key[None].expand(QUERIES, -1, -1)], dim=-1
    )
    torch.testing.assert_close(score(query, key), mlp(pairs).squeeze(-1))


def test_a_bilinear_score_with_the_unit_matrix_is_the_dot_product():
    score = BilinearScore(WIDTH, WIDTH)
    nn.init.eye_(score.weight)
    query, key, _ = tensors(BATCH, dtype=torch.float32)
    torch.testing.assert_close(score(query, key), DotProductScore()(query, key))


@pytest.mark.parametrize("width", [3, 29, 997])
def test_scaled_scores_have_variance_one_at_any_width(width):
    # 4096 pairs: the sample variance of d independent products strays by about 4% (at d = 3, 6%)
    scores = ScaledDotProductScore()(torch.randn(4096, 1, width), torch.randn(4096, 1, width))
    assert scores.var().item() == pytest.approx(1, abs=0.2)


def test_products_may_leave_the_range_of_float16():
    # 64 products of 250 * 250 sum to 4,000,000, beyond 65,504, as does an eighth of them
    full = torch.full((1, 64), 250.0, dtype=torch.float16)
    bilinear = BilinearScore(64, 64).half()
    nn.init.eye_(bilinear.weight)
    assert DotProductScore()(full, full).item() == 4e6
    assert ScaledDotProductScore()(full, full).item() == 5e5
    assert bilinear(full, full).item() == 4e6


def test_zero_width_scores_zero():
    assert ScaledDotProductScore()(torch.ones(2, 0), torch.ones(3, 0)).tolist() == [[0] * 3] * 2


def test_an_adapter_may_stand_for_an_additive_scores_projection():
    # kind of fault: a check asks for what only nn.Linear has
    score = AdditiveScore(WIDTH, 3, 17)
    query, key = torch.randn(BATCH, QUERIES, WIDTH), torch.randn(BATCH, KEYS, 3)
    before = score(query, key)
    for name in ("query_projection", "key_projection", "output"):
        setattr(score, name, nn.Sequential(getattr(score, name)))
    assert torch.equal(score(query, key), before)
    with refused(ValueError, "key", "width 3", "11"):
        score(query, query)


@DTYPES
@EVERY_SCORE
def test_the_dtype_and_the_device_are_those_of_the_inputs(make, dtype, device):
    query, key, _ = tensors(dtype=dtype, device=device)
    score = make().to(device, dtype)
    scores = score(query, key)
    additive = isinstance(score, AdditiveScore)  # the others are products
    assert scores.dtype == (dtype if additive else torch.promote_types(dtype, torch.float32))
    assert scores.device == query.device
    exact = score.double()(query.double(), key.double())
    atol = 10 * TOLERANCE[dtype]  # the plain dot product reaches 10
    torch.testing.assert_close(scores.double(), exact, rtol=TOLERANCE[dtype], atol=atol)


@EVERY_SCORE
def test_non_contiguous_inputs_give_the_same_scores(make):
    score = make().double()
    query, key, _ = tensors(BATCH)
    strided = query.mT.contiguous().mT, key.mT.contiguous().mT
    assert not strided[0].is_contiguous()
    torch.testing.assert_close(score(*strided), score(query, key))


@EVERY_SCORE
def test_gradients_are_those_of_finite_differences(make):
    score = make().double()
    query, key, _ = tensors(requires_grad=True)
    names, weights = (
        zip(*score.named_parameters(), strict=True) if [*score.parameters()] else ((), ())
    )

    def of_everything(query, key, *weights):
        return torch.func.functional_call(
            score, dict(zip(names, weights, strict=True)), (query, key)
        )

    assert torch.autograd.gradcheck(of_everything, (query, key, *weights))


@COMPILES
@EVERY_SCORE
def test_scores_compile_in_one_graph(make):
    score = make().double()
    query, key, _ = tensors()
    compiled = torch.compile(score, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(query, key), score(query, key))


def test_the_parameters_have_no_bias():
    def count(score: nn.Module) -> int:
        return sum(weight.numel() for weight in score.parameters())

    assert count(DotProductScore()) == count(ScaledDotProductScore()) == 0
    assert count(BilinearScore(WIDTH, KEY_WIDTH)) == WIDTH * KEY_WIDTH
    assert count(AdditiveScore(WIDTH, KEY_WIDTH, HIDDEN)) == HIDDEN * (WIDTH + KEY_WIDTH + 1)


def test_a_fresh_bilinear_score_keeps_to_xaviers_bound():
    weight = BilinearScore(WIDTH, KEY_WIDTH).weight
    bound = math.sqrt(6 / (WIDTH + KEY_WIDTH))
    assert 0.9 * bound < weight.abs().max().item() <= bound


def test_the_printed_form_names_the_widths():
    assert repr(BilinearScore(2, 3)) == "BilinearScore(query_dim=2, key_dim=3)"


# Bad input


@EVERY_SCORE
@pytest.mark.parametrize("name", ["query", "key"])
def test_what_is_no_tensor_is_refused(own_errors, make, name):
    pair = {"query": torch.ones(5, WIDTH), "key": torch.ones(7, WIDTH)}
    with refused(TypeError, name, "tensor", "list"):
        make()(**pair | {name: [1.0]})


@EVERY_SCORE
@pytest.mark.parametrize("name", ["query", "key"])
def test_integers_are_refused(own_errors, make, name):
    pair = {"query": torch.ones(5, WIDTH), "key": torch.ones(7, WIDTH)}
    with refused(TypeError, name, "floating point", "torch.int64"):
        make()(**pair | {name: pair[name].long()})


@EVERY_SCORE
@pytest.mark.parametrize("name", ["query", "key"])
def test_another_rank_is_refused(own_errors, make, name):
    pair = {"query": torch.ones(5, WIDTH), "key": torch.ones(7, WIDTH)}
    with refused(ValueError, name, "(..., length, width)", f"({WIDTH},)"):
        make()(**pair | {name: torch.ones(WIDTH)})


@EVERY_SCORE
@pytest.mark.parametrize(("query", "key"), [((2,), (3,)), ((2,), (1,)), ((1, 2), (2,)), ((), (2,))])
def test_leading_axes_that_disagree_are_refused(own_errors, make, query, key):
    query, key = torch.ones(*query, 5, WIDTH), torch.ones(*key, 7, WIDTH)
    with refused(
        ValueError, "query and key", "leading axes", f"{(*query.shape,)} and {(*key.shape,)}"
    ):
        make()(query, key)


@EVERY_SCORE
def test_dtypes_that_disagree_are_refused(own_errors, make):
    with refused(TypeError, "query and key", "dtype", "torch.float32 and torch.float64"):
        make()(torch.ones(5, WIDTH), torch.ones(7, WIDTH, dtype=torch.float64))


@EVERY_SCORE
def test_devices_that_disagree_are_refused(own_errors, make):
    with refused(ValueError, "query and key", "device", "cpu and meta"):
        make()(torch.ones(5, WIDTH), torch.ones(7, WIDTH, device="meta"))


@pytest.mark.parametrize("score", [DotProductScore(), ScaledDotProductScore()])
def test_widths_that_disagree_are_refused(own_errors, score):
    with refused(ValueError, "query and key", "width", "11 and 13", "bilinear or additive"):
        score(torch.ones(5, 11), torch.ones(7, 13))


@TWO_WIDTHS
def test_a_width_other_than_announced_is_refused(own_errors, make):
    score = make()
    query, key = torch.ones(5, WIDTH), torch.ones(7, KEY_WIDTH)
    with refused(ValueError, "query", f"width {WIDTH}", "got 3"):
        score(torch.ones(5, 3), key)
    with refused(ValueError, "key", f"width {KEY_WIDTH}", "got 3"):
        score(query, torch.ones(7, 3))


@pytest.mark.parametrize(
    ("make", "widths"),
    [
        (BilinearScore, {"query_dim": 2, "key_dim": 3}),
        (AdditiveScore, {"query_dim": 2, "key_dim": 3, "hidden_dim": 5}),
    ],
)
def test_widths_must_be_positive_integers(own_errors, make, widths):
    for name in widths:
        for width in (0, -1):
            with refused(ValueError, name, "positive", str(width)):
                make(**widths | {name: width})
        for width, kind in ((2.0, "float"), (True, "bool"), ("2", "str")):
            with refused(TypeError, name, "integer", kind):
                make(**widths | {name: width})


@pytest.mark.parametrize("score", [BilinearScore(2, 3), AdditiveScore(2, 3, 5)])
def test_inputs_of_another_dtype_than_the_weights_are_refused(own_errors, score):
    query, key = torch.zeros(7, 2).double(), torch.zeros(11, 3).double()
    with refused(TypeError, "weight", "float64", "float32"):  # whichever is met first
        score(query, key)
