"""attncourse.attention.efficient: the window, the online softmax, and linear attention."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support import (
    BATCH,
    COMPILES,
    DTYPES,
    HEADS,
    KEYS,
    QUERIES,
    TOLERANCE,
    VALUE_WIDTH,
    WIDTH,
    allowed_pairs,
    plain_attention,
    refused,
    some_mask,
    tensors,
)
from torch import Tensor

from attncourse import MultiHeadAttention, attend, padding_mask, record_attention
from attncourse.attention import linear_attention, online_softmax_attention, sliding_window
from attncourse.attention.efficient import LEAST_BLOCK, positive_features
from attncourse.masks import block_mask, window_mask

CLOSE = {torch.float64: 1e-10, torch.float32: 1e-5}
CAUSAL = pytest.mark.parametrize("causal", [False, True], ids=["", "causal"])
# Lengths around the ends of blocks of 64, more queries than keys and the other way.
LENGTHS = [(1, 1), (7, 7), (64, 64), (65, 65), (131, 131), (5, 70), (70, 5), (67, 149), (149, 67)]
EVERY_LENGTH = pytest.mark.parametrize("lengths", LENGTHS, ids=str)


def quadratic(query: Tensor, key: Tensor, value: Tensor, allowed: Tensor) -> Tensor:
    """Linear attention pair by pair, in float64."""
    query, key, value = (x.double().cpu() for x in (query, key, value))
    features = [torch.nn.functional.elu(x) + 1 for x in (query, key)]
    weights = (features[0] @ features[1].mT) * allowed
    total = weights.sum(-1, keepdim=True)
    return weights @ value / torch.where(total > 0, total, 1)


def close(got: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(got, wanted.to(got.dtype), rtol=0, atol=CLOSE[got.dtype])


EVERY = {
    "window": lambda *inputs, **more: sliding_window(*inputs, window=3, **more),
    "online": lambda *inputs, **more: online_softmax_attention(*inputs, block=2, **more),
    "linear": lambda *inputs, **more: linear_attention(*inputs, block=2, **more),
}
EACH = pytest.mark.parametrize("name", EVERY)


# Answers by hand


def test_a_window_of_two_averages_neighbours():
    # all scores are equal: means of the values 1, 3, 8 of those not two places away
    query, value = torch.zeros(3, 1), torch.tensor([[1.0], [3.0], [8.0]])
    both = sliding_window(query, query, value, window=2)
    torch.testing.assert_close(both, torch.tensor([[2.0], [4.0], [5.5]]))
    past = sliding_window(query, query, value, window=2, causal=True)
    torch.testing.assert_close(past, torch.tensor([[1.0], [2.0], [5.5]]))


def test_a_window_of_one_gives_each_query_its_own_value():
    query, key, value = tensors(BATCH, queries=71, keys=71)
    for causal in (False, True):
        assert torch.equal(sliding_window(query, key, value, window=1, causal=causal), value)


def test_a_later_and_larger_score_shrinks_what_was_summed_up():
    # scores 0, ln 2, ln 5, one block each: weights 1 : 2 : 5
    query, key = torch.ones(1, 1), torch.tensor([[0.0], [math.log(2)], [math.log(5)]])
    value = torch.tensor([[8.0], [16.0], [24.0]])
    output = online_softmax_attention(query, key, value, scale=1.0, block=1)
    torch.testing.assert_close(output, torch.tensor([[20.0]]))  # (8 + 32 + 120) / 8


def test_scores_that_would_overflow_are_no_danger():
    query, key = torch.ones(1, 1), torch.tensor([[-1e4], [1e4], [0.0]])
    output = online_softmax_attention(query, key, torch.tensor([[1.0], [2.0], [4.0]]), block=1)
    assert output.item() == 2.0


def test_linear_weights_are_products_of_features():
    # features of the keys 0, 2 and ln(1/2): 1, 3, 1/2. The query's feature, 1, cancels.
    key = torch.tensor([[0.0], [2.0], [math.log(0.5)]])
    value = torch.tensor([[9.0], [18.0], [36.0]])
    torch.testing.assert_close(linear_attention(key[:1], key, value), torch.tensor([[18.0]]))
    # one by one: 9; (9 + 54) / 4; (9 + 54 + 18) / 4.5
    wanted = torch.tensor([[9.0], [15.75], [18.0]])
    torch.testing.assert_close(linear_attention(key, key, value, causal=True), wanted)


def test_features_are_positive_and_keep_their_digits():
    x = torch.tensor([-30.0, -1.0, 0.0, 2.0])
    wanted = torch.tensor([math.exp(-30), math.exp(-1), 1.0, 3.0])
    torch.testing.assert_close(positive_features(x), wanted, rtol=1e-6, atol=0)
    x = torch.linspace(-3, 3, 7, dtype=torch.float64).requires_grad_()  # 0 is among them
    close(positive_features(x), torch.nn.functional.elu(x) + 1)
    (gradient,) = torch.autograd.grad(positive_features(x).sum(), x)
    close(gradient, x.detach().clamp(max=0).exp())


# What they are equal to


@CAUSAL
@EVERY_LENGTH
@pytest.mark.parametrize("window", [1, 3, 100, 10**9])
def test_a_window_is_attention_with_a_band_mask(window, lengths, causal):
    query, key, value = tensors(BATCH, HEADS, queries=lengths[0], keys=lengths[1])
    for mask in (None, some_mask(BATCH, 1, 1, lengths[1])):
        band = window_mask(*lengths, window=window)
        wanted = plain_attention(query, key, value, band if mask is None else band & mask, causal)
        close(sliding_window(query, key, value, mask, window=window, causal=causal), wanted)


@CAUSAL
@pytest.mark.parametrize("lengths", [(1, 1), (7, 7), (5, 70), (70, 5), (19, 31)], ids=str)
@pytest.mark.parametrize("block", [1, 7, 64])
def test_the_online_softmax_is_the_softmax(block, lengths, causal):
    query, key, value = tensors(BATCH, HEADS, queries=lengths[0], keys=lengths[1])
    shapes = (BATCH, HEADS, *lengths), lengths, (BATCH, 1, 1, lengths[1]), (lengths[0], 1), ()
    for mask in (None, *(some_mask(*shape) for shape in shapes)):
        output = online_softmax_attention(query, key, value, mask, causal=causal, block=block)
        close(output, plain_attention(query, key, value, mask, causal))


@CAUSAL
@EVERY_LENGTH
@pytest.mark.parametrize("block", [3, 64])
def test_linear_attention_is_its_quadratic_form(block, lengths, causal):
    query, key, value = tensors(BATCH, HEADS, queries=lengths[0], keys=lengths[1])
    for mask in (None, some_mask(BATCH, 1, 1, lengths[1])):
        output = linear_attention(query, key, value, mask, causal=causal, block=block)
        close(output, quadratic(query, key, value, allowed_pairs(*lengths, mask, causal)))


@given(
    st.lists(st.integers(1, 3), max_size=3),
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(1, 12),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_all_three_over_any_axes_and_lengths(leading, queries, keys, size, causal, seed):
    inputs = tensors(*leading, queries=queries, keys=keys, seed=seed)
    mask = some_mask(*leading, 1, keys, seed=seed)
    allowed = allowed_pairs(queries, keys, mask, causal)
    band = allowed_pairs(queries, keys, window_mask(queries, keys, window=size))
    wanted = plain_attention(*inputs, allowed & band)
    close(sliding_window(*inputs, mask, window=size, causal=causal), wanted)
    wanted = plain_attention(*inputs, allowed)
    close(online_softmax_attention(*inputs, mask, causal=causal, block=size), wanted)
    wanted = quadratic(*inputs, allowed)
    close(linear_attention(*inputs, mask, causal=causal, block=size), wanted)


def test_in_float32_they_lie_as_close_as_float32_allows():
    exact = tensors(BATCH, HEADS, queries=131, keys=131)
    inputs = [x.float() for x in exact]
    mask = some_mask(BATCH, 1, 1, 131)
    for causal in (False, True):
        allowed = allowed_pairs(131, 131, mask, causal)
        band = allowed & window_mask(131, window=7)
        close(sliding_window(*inputs, mask, window=7, causal=causal), plain_attention(*exact, band))
        output = online_softmax_attention(*inputs, mask, causal=causal, block=50)
        close(output, plain_attention(*exact, allowed))
        close(linear_attention(*inputs, mask, causal=causal), quadratic(*exact, allowed))


def test_a_scale_is_that_of_attend():
    query, key, value = tensors(BATCH)
    for scale in (0.3, 0.0, -2.0):
        wanted = attend(query, key, value, scale=scale)
        close(sliding_window(query, key, value, window=KEYS, scale=scale), wanted)
        close(online_softmax_attention(query, key, value, scale=scale, block=2), wanted)


# The contract of attention


@EACH
@CAUSAL
def test_the_gradients_are_those_of_finite_differences(name, causal):
    inputs = [x[..., :2].detach().requires_grad_() for x in tensors(queries=3, keys=5)]
    mask, attention = torch.tensor([[True, False, True, True, True]]), EVERY[name]
    assert torch.autograd.gradcheck(lambda *x: attention(*x, mask, causal=causal), inputs)


@EACH
def test_the_gradients_are_those_of_the_plain_form(name):
    inputs = tensors(BATCH, queries=67, keys=71, requires_grad=True)
    mask = some_mask(BATCH, 1, 71)
    allowed = allowed_pairs(67, 71, mask, causal=True)
    if name == "linear":
        plain = quadratic(*inputs, allowed)
    else:
        band = allowed & window_mask(67, 71, window=3)
        plain = plain_attention(*inputs, band if name == "window" else allowed)
    wanted = torch.autograd.grad(plain.square().sum(), inputs)
    got = torch.autograd.grad(EVERY[name](*inputs, mask, causal=True).square().sum(), inputs)
    for ours, theirs in zip(got, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-9)


@EACH
def test_a_query_that_may_see_nothing_gets_zeros_and_finite_gradients(name):
    inputs = tensors(BATCH, queries=7, keys=5, requires_grad=True)
    mask = torch.ones(BATCH, 1, 5, dtype=torch.bool)
    mask[1] = False
    output = EVERY[name](*inputs, mask, causal=True)
    assert not output[0, :2].any()  # two queries more than keys: they stand before all
    assert not output[1].any()
    assert output[0, 2:].any(-1).all()
    output.square().sum().backward()
    assert all(x.grad.isfinite().all() for x in inputs)


@EACH
def test_a_masked_key_does_not_matter_however_large(name):
    query, key, value = tensors(BATCH)
    mask = padding_mask(torch.tensor([KEYS, 3]))[:, None]
    before = EVERY[name](query, key, value, mask)
    key[1, 3:], value[1, 3:] = 1e4, -1e4
    key.requires_grad_()
    after = EVERY[name](query, key, value, mask)
    assert torch.equal(after, before)
    (gradient,) = torch.autograd.grad(after.sum(), key)
    assert not gradient[1, 3:].any()


@EACH
def test_nan_shows(name):
    query, key, value = tensors(BATCH)
    query[0, 1] = math.nan
    output = EVERY[name](query, key, value)
    assert output[0, 1].isnan().all()
    assert output[1].isfinite().all()
    query, key, value = tensors(BATCH)
    value[1, 2] = math.nan
    assert EVERY[name](query, key, value)[1, 0].isnan().all()


@EACH
@DTYPES
def test_the_dtype_is_that_of_the_query(name, dtype, device):
    inputs = tensors(BATCH, HEADS)
    exact = EVERY[name](*inputs)
    output = EVERY[name](*(x.to(device, dtype) for x in inputs))
    assert output.dtype == dtype
    assert output.device.type == device.type
    torch.testing.assert_close(output.double().cpu(), exact, rtol=0, atol=TOLERANCE[dtype])


@EACH
def test_in_bfloat16_sums_are_taken_in_float32(name):
    # 1,024 equal weights: the mean of ones is 1, where a sum in bfloat16 ends at 256
    query = torch.zeros(1, 2, 1024, 5, dtype=torch.bfloat16)
    value = torch.ones(1, 2, 1024, 3, dtype=torch.bfloat16)
    more = {"online": {"block": 256}, "linear": {"block": 64}, "window": {"window": 512}}
    attention = {
        "online": online_softmax_attention,
        "linear": linear_attention,
        "window": sliding_window,
    }[name]
    assert torch.equal(attention(query, query, value, **more[name]), value)


@EACH
@CAUSAL
@pytest.mark.parametrize(("queries", "keys"), [(0, 7), (5, 0), (0, 0)])
def test_no_query_and_no_key_give_nothing_and_zeros(name, queries, keys, causal):
    inputs = tensors(BATCH, queries=queries, keys=keys)
    output = EVERY[name](*inputs, causal=causal)
    assert output.shape == (BATCH, queries, VALUE_WIDTH)
    assert not output.any()
    inputs = tensors(0, HEADS)
    assert EVERY[name](*inputs, causal=causal).shape == (0, HEADS, QUERIES, VALUE_WIDTH)


@EACH
@pytest.mark.filterwarnings("ignore:There is a performance drop")  # PyTorch's own
def test_each_maps_over_an_axis(name):
    inputs = tensors(BATCH, HEADS)
    mapped = torch.func.vmap(lambda *x: EVERY[name](*x, causal=True))(*inputs)
    close(mapped, EVERY[name](*inputs, causal=True))


@EACH
@COMPILES
def test_each_compiles_in_one_graph(name):
    inputs, mask = tensors(BATCH, HEADS), some_mask(BATCH, 1, 1, KEYS)
    compiled = torch.compile(EVERY[name], backend="aot_eager", fullgraph=True)
    close(compiled(*inputs, mask, causal=True), EVERY[name](*inputs, mask, causal=True))


# Time and memory are in proportion to the length: what is computed is counted


def pairs_computed(monkeypatch, call) -> int:
    """Count the scores that a call asks `attend` for."""
    asked = []

    def counting(query, key, *rest, **options):
        asked.append(query.shape[:-1].numel() * key.shape[-2])
        return attend(query, key, *rest, **options)

    monkeypatch.setattr("attncourse.attention.efficient.attend", counting)
    call()
    return sum(asked)


@pytest.mark.parametrize(("causal", "seen"), [(False, 64 + 2 * 19), (True, 64 + 19)])
def test_a_window_computes_pairs_in_proportion_to_the_length(monkeypatch, causal, seen):
    assert LEAST_BLOCK == 64
    for length in (640, 1280):
        x = torch.randn(1, length, 3)
        pairs = pairs_computed(
            monkeypatch, lambda x=x: sliding_window(x, x, x, window=20, causal=causal)
        )
        assert pairs == length * seen


# The same masks through the layers


@pytest.mark.parametrize("mask", [window_mask(7, window=2), block_mask(7, block=3)])
def test_a_window_or_a_block_mask_goes_through_a_layer(mask):
    layer, x = MultiHeadAttention(6, num_heads=3).double(), torch.randn(2, 7, 6).double()
    with record_attention(layer) as maps:
        layer(x, mask=mask, causal=True)
    assert torch.equal(maps[""] > 0, mask.tril().expand(2, 3, 7, 7))


def test_a_layers_window_is_the_function():
    layer, x = MultiHeadAttention(6, num_heads=3).double(), torch.randn(2, 17, 6).double()
    projections = layer.query_projection, layer.key_projection, layer.value_projection
    q, k, v = (project(x).unflatten(-1, (3, 2)).transpose(1, 2) for project in projections)
    attended = sliding_window(q, k, v, window=4, causal=True)
    wanted = layer(x, mask=window_mask(17, window=4), causal=True)
    close(layer.output_projection(attended.transpose(1, 2).flatten(2)), wanted)


# What is refused


@EACH
def test_what_is_no_query_key_and_value_is_refused(own_errors, name):
    query, key, value = tensors(BATCH)
    attention = EVERY[name]
    with refused(TypeError, "query", "list"):
        attention([1.0], key, value)
    with refused(TypeError, "value", "NoneType"):
        attention(query, key, None)
    with refused(TypeError, "dtype", "float64", "float32"):
        attention(query, key.float(), value)
    with refused(ValueError, "query and key", "width", str(WIDTH), "3"):
        attention(query, key[..., :3], value)
    with refused(ValueError, "key and value", "length", "7 and 6"):
        attention(query, key, value[:, :6])
    with refused(ValueError, "leading axes"):
        attention(query[0], key, value)
    with refused(TypeError, "causal", "True or False", "'no'"):
        attention(query, key, value, causal="no")
    with refused(TypeError, "mask", "boolean", "float32"):
        attention(query, key, value, torch.ones(KEYS))
    with refused(ValueError, "mask", "(2, 7)", "broadcast"):
        attention(query, key, value, torch.ones(BATCH, KEYS, dtype=torch.bool))
    with refused(ValueError, "mask", "device"):
        attention(query, key, value, torch.ones(KEYS, dtype=torch.bool, device="meta"))


@pytest.mark.parametrize("name", ["window", "linear"])
def test_a_mask_of_single_pairs_is_refused(own_errors, name):
    inputs = tensors(BATCH)
    for shape in ((QUERIES, KEYS), (BATCH, QUERIES, KEYS), (QUERIES, 1)):
        with refused(ValueError, "mask", str(shape), "single pairs", "(..., 1, key)"):
            EVERY[name](*inputs, torch.ones(shape, dtype=torch.bool))


@pytest.mark.parametrize(
    ("attention", "size"),
    [
        (sliding_window, "window"),
        (online_softmax_attention, "block"),
        (linear_attention, "block"),
    ],
)
def test_a_window_or_a_block_of_nothing_is_refused(own_errors, attention, size):
    inputs = tensors(BATCH)
    for value in (0, -3):
        with refused(ValueError, size, "positive", str(value)):
            attention(*inputs, **{size: value})
    for value in (2.0, True, "7"):
        with refused(TypeError, size, "integer", type(value).__name__):
            attention(*inputs, **{size: value})


@pytest.mark.parametrize(
    ("attention", "size"),
    [
        (sliding_window, "window"),
        (online_softmax_attention, "block"),
        (linear_attention, "block"),
    ],
)
def test_a_size_may_be_numpys(own_errors, attention, size):
    inputs = tensors(BATCH)
    sizes = {size: np.int64(3), "causal": True}
    close(attention(*inputs, **sizes), attention(*inputs, **{size: 3, "causal": True}))


@pytest.mark.parametrize("name", ["window", "online"])
def test_a_scale_that_is_no_finite_number_is_refused(own_errors, name):
    inputs = tensors(BATCH)
    with refused(TypeError, "scale", "number", "str"):
        EVERY[name](*inputs, scale="1")
    with refused(ValueError, "scale", "finite", "nan"):
        EVERY[name](*inputs, scale=math.nan)
