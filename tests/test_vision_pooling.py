"""attncourse.vision.pooling: one vector a question from a map of features."""

from __future__ import annotations

import pytest
import torch
from references import redrawn
from support import DTYPES, TOLERANCE, refused

from attncourse import record_attention
from attncourse.vision import AttentionPool, FiLMPool, GlobalPool

BATCH, ASKED, EMBED, ROWS, COLUMNS = 2, 3, 5, 7, 11

POOLS = {
    "attention": lambda: AttentionPool(EMBED),
    "mean": lambda: GlobalPool(EMBED, how="mean", hidden_dim=13),
    "max": lambda: GlobalPool(EMBED, how="max", hidden_dim=13),
    "FiLM": lambda: FiLMPool(EMBED),
}
EVERY_POOL = pytest.mark.parametrize("name", POOLS)


def question(dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(BATCH, ASKED, EMBED, dtype=dtype)


def features(dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(BATCH, EMBED, ROWS, COLUMNS, dtype=dtype)


def identity_pool() -> AttentionPool:
    """Projections that change nothing, so that the answer can be done by hand."""
    pool = AttentionPool(2)
    with torch.no_grad():
        for layer in pool.attention.children():
            layer.weight.copy_(torch.eye(2))
    return pool


def test_by_hand_a_question_takes_the_position_that_answers():
    # Scores 100 * (1, 0, 0, 0): all the weight lies on the first position, (1, 2).
    x = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]], [[2.0, 6.0], [4.0, 8.0]]]])
    pool, ask = identity_pool(), torch.tensor([[[100 * 2**0.5, 0.0], [0.0, 0.0]]])
    with record_attention(pool) as maps:
        answer = pool(ask, x)
    # The second question asks nothing and gets the mean, (1/4, 5).
    torch.testing.assert_close(answer, torch.tensor([[[1.0, 2.0], [0.25, 5.0]]]))
    torch.testing.assert_close(
        maps["attention"], torch.tensor([[[[1.0, 0, 0, 0], [0.25] * 4]]]), atol=1e-6, rtol=0
    )


def test_the_global_pools_by_hand():
    x = torch.tensor([[[[1.0, 3.0]], [[-2.0, 4.0]]]])  # two features of a map of 1x2
    for how, pooled in (("mean", [2.0, 1.0]), ("max", [3.0, 4.0])):
        pool = GlobalPool(2, how=how, hidden_dim=4)
        seen = []
        pool.join.register_forward_pre_hook(lambda _, given, seen=seen: seen.append(given[0]))
        pool(torch.tensor([[[7.0, 8.0], [0.0, 9.0]]]), x)
        assert seen[0].tolist() == [[[*pooled, 7.0, 8.0], [*pooled, 0.0, 9.0]]]


def test_film_by_hand():
    pool = FiLMPool(1)
    with torch.no_grad():
        for layer, weight in ((pool.before, [[1.0]]), (pool.after, [[1.0]])):
            layer.weight.copy_(torch.tensor(weight))
            layer.bias.zero_()
        pool.modulation.weight.copy_(torch.tensor([[1.0], [-1.0]]))
        pool.modulation.bias.zero_()
    # Question q: max over positions of relu((1 + q) x - q).
    x = torch.tensor([[[[2.0, -3.0]]]])
    assert pool(torch.tensor([[[0.0], [1.0], [-3.0]]]), x).tolist() == [[[2.0], [3.0], [9.0]]]


@EVERY_POOL
def test_each_question_is_answered_as_if_alone(name):
    pool, ask, x = redrawn(POOLS[name]()), question(), features()
    together = pool(ask, x)
    assert together.shape == (BATCH, ASKED, EMBED)
    for i in range(ASKED):
        torch.testing.assert_close(pool(ask[:, i : i + 1], x), together[:, i : i + 1])


@EVERY_POOL
def test_where_in_the_map_a_feature_stands_does_not_matter(name):
    pool, ask, x = redrawn(POOLS[name]()), question(), features()
    turned = x.flatten(2)[..., torch.randperm(ROWS * COLUMNS)].view_as(x)
    torch.testing.assert_close(pool(ask, turned), pool(ask, x))


@EVERY_POOL
@DTYPES
def test_every_pool_works_in_every_dtype(name, dtype):
    pool, ask, x = redrawn(POOLS[name]()), question(), features()
    exact = pool(ask, x)
    got = pool.to(dtype)(ask.to(dtype), x.to(dtype))
    assert got.dtype == dtype
    scale = exact.abs().max().item()
    assert (got.double() - exact).abs().max() < 2 * TOLERANCE[dtype] * max(1, scale)


def test_a_masked_position_may_hold_anything_and_gets_no_weight():
    pool, ask, x = redrawn(AttentionPool(EMBED)), question(), features()
    mask = torch.rand(BATCH, ROWS, COLUMNS) < 0.5
    other = torch.where(mask[:, None], x, 1000.0)
    with record_attention(pool) as maps:
        one, two = pool(ask, x, padding_mask=mask), pool(ask, other, padding_mask=mask)
    assert torch.equal(one, two)
    first = maps["attention"][:, :, :ASKED].view(BATCH, 1, ASKED, ROWS, COLUMNS)
    assert (first * ~mask[:, None, None]).sum() == 0
    torch.testing.assert_close(first.sum((-1, -2)), torch.ones_like(first[..., 0, 0]))


def test_the_pools_of_the_chapter_have_as_many_weights_as_each_other():
    def count(pool):
        return sum(weights.numel() for weights in pool.parameters())

    attention, film = AttentionPool(64), FiLMPool(64)
    mean = GlobalPool(64, how="mean", hidden_dim=86)
    assert count(attention) == count(film) == 4 * (64 * 64 + 64)
    assert abs(count(mean) - count(attention)) < 0.02 * count(attention)


@pytest.mark.usefixtures("own_errors")
def test_bad_input_is_named():
    with refused(ValueError, "how", "'sum'"):
        GlobalPool(EMBED, how="sum", hidden_dim=3)
    with refused(ValueError, "hidden_dim", "0"):
        GlobalPool(EMBED, how="mean", hidden_dim=0)
    with refused(TypeError, "embed_dim"):
        FiLMPool(2.0)
    pool = AttentionPool(EMBED).double()
    with refused(ValueError, "features", "(2, 5, 77)"):
        pool(question(), features().flatten(2))
    with refused(ValueError, "padding_mask", "(2, 7, 11)", "(2, 77)"):
        pool(question(), features(), padding_mask=torch.ones(BATCH, 77, dtype=torch.bool))
    with refused(ValueError, "7"):
        pool(question(), torch.zeros(BATCH, 7, 2, 2, dtype=torch.float64))
