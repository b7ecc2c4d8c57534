"""`attend`, its weights, and the recording of them."""

from __future__ import annotations

import copy
import math
import pickle
import shutil

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given
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
    cases,
    plain_attention,
    plain_weights,
    refused,
    some_mask,
    tensors,
)
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from attncourse import (
    AdditiveScore,
    AttentionLayer,
    BilinearScore,
    DotProductScore,
    ScaledDotProductScore,
    attend,
    attention_weights,
    causal_mask,
    padding_mask,
    record_attention,
)

CLOSE = {"rtol": 0, "atol": 1e-12}  # between two correct computations in float64
LEADING = pytest.mark.parametrize(
    "leading", [(), (2,), (2, 3), (2, 3, 2)], ids=["2d", "3d", "4d", "5d"]
)
LENGTHS = pytest.mark.parametrize(
    ("queries", "keys"), [(5, 5), (5, 7), (7, 5), (1, 7), (7, 1)], ids=lambda length: str(length)
)


class Attend(AttentionLayer):
    """The smallest layer: it passes everything on."""

    def forward(self, *inputs, **options):
        return self.attend(*inputs, **options)


class SelfAttend(AttentionLayer):
    """Self-attention over (..., token, width), causal, of chosen dropout."""

    def __init__(self, dropout: float = 0.0):
        super().__init__()
        self.dropout = dropout

    def forward(self, x):
        return self.attend(x, x, x, causal=True, dropout=self.dropout if self.training else 0.0)


@pytest.fixture
def fused_calls(monkeypatch):
    """List the calls of the fused kernel: (mask, options) of each."""
    calls = []
    kernel = F.scaled_dot_product_attention

    def spy(query, key, value, attn_mask=None, **options):
        calls.append((attn_mask, options))
        return kernel(query, key, value, attn_mask, **options)

    monkeypatch.setattr(F, "scaled_dot_product_attention", spy)
    return calls


def both_ways(query, key, value, mask=None, **options):
    """Give the output of the fused kernel and the one computed from the weights."""
    return (
        attend(query, key, value, mask, **options),
        attention_weights(query, key, mask, **options) @ value,
    )


# Answers by hand


def test_two_equal_keys_share_the_query_equally():
    key, value = torch.ones(2, 3), torch.tensor([[10.0], [30.0]])
    assert attend(torch.ones(1, 3), key, value).item() == 20


def test_weights_follow_the_exponentials_of_the_scaled_scores():
    # width 4, root 2: scores (2 ln 2) / 2 and 0, exponentials 2 : 1; 2/3 * 9 + 1/3 * 3 = 7
    query = torch.tensor([[math.log(2), 0.0, 0.0, 0.0]], dtype=torch.float64)
    key = torch.tensor([[2.0, 5.0, 5.0, 5.0], [0.0, 5.0, 5.0, 5.0]], dtype=torch.float64)
    value = torch.tensor([[9.0], [3.0]], dtype=torch.float64)
    assert attend(query, key, value).item() == pytest.approx(7, rel=1e-12)
    weights = attention_weights(query, key)
    torch.testing.assert_close(weights, torch.tensor([[2 / 3, 1 / 3]], dtype=torch.float64))


def test_scale_replaces_the_root():
    # scale 1: exponentials e^(2 ln 2) : 1 = 4 : 1; 4/5 * 9 + 1/5 * 4 = 8
    query, key = torch.tensor([[math.log(2)]]), torch.tensor([[2.0], [0.0]])
    value = torch.tensor([[9.0], [4.0]])
    for output in both_ways(query, key, value, scale=1.0):
        assert output.item() == pytest.approx(8, rel=1e-6)
    for output in both_ways(query, key, value, scale=0.0):  # no score counts: the plain mean
        assert output.item() == pytest.approx(6.5, rel=1e-6)


def test_true_in_the_mask_means_may_attend():
    value = torch.tensor([[10.0], [30.0]])
    mask = torch.tensor([False, True])
    for output in both_ways(torch.ones(1, 3), torch.ones(2, 3), value, mask):
        assert output.item() == 30


def test_each_query_of_a_causal_attention_averages_what_came_before():
    value = torch.tensor([[2.0], [4.0], [9.0]])
    for output in both_ways(torch.zeros(3, 1), torch.zeros(3, 1), value, causal=True):
        torch.testing.assert_close(output, torch.tensor([[2.0], [3.0], [5.0]]))


def test_causal_queries_stand_at_the_end_of_longer_keys():
    value = torch.tensor([[2.0], [4.0], [9.0]])
    for output in both_ways(torch.zeros(2, 1), torch.zeros(3, 1), value, causal=True):
        torch.testing.assert_close(output, torch.tensor([[3.0], [5.0]]))


def test_causal_queries_that_come_before_every_key_get_zeros():
    value = torch.tensor([[2.0], [4.0]])
    for output in both_ways(torch.zeros(3, 1), torch.zeros(2, 1), value, causal=True):
        torch.testing.assert_close(output, torch.tensor([[0.0], [2.0], [3.0]]))


# Agreement with the plain formula and with PyTorch


@pytest.mark.equals("attend", "the formula, pair by pair in float64", within=TOLERANCE)
@DTYPES
@LEADING
@pytest.mark.parametrize("masked", [False, True], ids=["unmasked", "masked"])
@pytest.mark.parametrize("causal", [False, True], ids=["", "causal"])
def test_both_ways_agree_with_the_formula(dtype, leading, masked, causal, device, same):
    query, key, value = tensors(*leading, dtype=dtype, device=device)
    mask = some_mask(*leading, QUERIES, KEYS) if masked else None
    expected = plain_attention(query, key, value, mask, causal)
    on_device = mask if mask is None else mask.to(device)
    for output in both_ways(query, key, value, on_device, causal=causal):
        assert output.dtype == dtype
        assert output.device == query.device
        same(output.cpu(), expected)


@DTYPES
@pytest.mark.parametrize("masked", [False, True], ids=["unmasked", "masked"])
@LENGTHS
def test_gradients_agree_with_those_of_the_formula(dtype, masked, queries, keys, device):
    inputs = tensors(
        BATCH, HEADS, queries=queries, keys=keys, dtype=dtype, device=device, requires_grad=True
    )
    mask = some_mask(queries, keys) if masked else None
    if masked:
        mask[queries // 2] = False  # an empty row
    towards = torch.randn(BATCH, HEADS, queries, VALUE_WIDTH)
    exact = [tensor.detach().cpu().double().requires_grad_() for tensor in inputs]
    expected = torch.autograd.grad(
        plain_attention(*exact, mask, causal=True), exact, towards.double()
    )
    on_device = mask if mask is None else mask.to(device)
    for output in both_ways(*inputs, on_device, causal=True):
        gradients = torch.autograd.grad(output, inputs, towards.to(device, dtype))
        for gradient, wanted in zip(gradients, expected, strict=True):
            assert gradient.dtype == dtype
            # sums over up to 7 keys and 13 widths, each with the error of one product
            torch.testing.assert_close(
                gradient.cpu().double(), wanted, rtol=TOLERANCE[dtype], atol=4 * TOLERANCE[dtype]
            )


@pytest.mark.equals("attend", "torch.nn.functional.scaled_dot_product_attention", within=TOLERANCE)
@DTYPES
def test_it_agrees_with_the_kernel_of_pytorch(dtype, device, same):
    query, key, value = tensors(BATCH, HEADS, dtype=dtype, device=device)
    mask = some_mask(BATCH, 1, QUERIES, KEYS, device=device)
    kernel = F.scaled_dot_product_attention
    for output, reference in (
        (attend(query, key, value), kernel(query, key, value)),
        (attend(query, key, value, mask), kernel(query, key, value, mask)),
        (attend(query, key, value, scale=0.1), kernel(query, key, value, scale=0.1)),
    ):
        same(output, reference)
    query = key  # PyTorch's flag means the same for equal lengths only
    same(attend(query, key, value, causal=True), kernel(query, key, value, is_causal=True))


@LENGTHS
@pytest.mark.parametrize("masked", [False, True], ids=["unmasked", "masked"])
def test_causal_aligns_the_ends_of_any_two_lengths(queries, keys, masked):
    query, key, value = tensors(BATCH, HEADS, queries=queries, keys=keys)
    mask = some_mask(BATCH, 1, 1, keys) if masked else None
    expected = plain_attention(query, key, value, mask, causal=True)
    for output in both_ways(query, key, value, mask, causal=True):
        torch.testing.assert_close(output, expected, **CLOSE)
    joined = causal_mask(queries, keys) if mask is None else mask & causal_mask(queries, keys)
    torch.testing.assert_close(attend(query, key, value, joined), expected, **CLOSE)


@LEADING
def test_every_broadcastable_mask_acts_as_if_it_were_written_out(leading):
    query, key, value = tensors(*leading)
    full = (*leading, QUERIES, KEYS)
    for axes in range(len(full) + 1):
        for ones in range(2**axes):
            shape = [
                1 if ones >> axis & 1 else full[len(full) - axes + axis] for axis in range(axes)
            ]
            mask = some_mask(*shape, seed=ones)
            expected = plain_attention(query, key, value, mask.expand(full))
            for output in both_ways(query, key, value, mask):
                torch.testing.assert_close(output, expected, **CLOSE)


def test_non_contiguous_inputs_give_the_same_output(device):
    query, key, value = tensors(BATCH, HEADS, device=device)
    mask = some_mask(BATCH, 1, QUERIES, KEYS, device=device)
    strided = [
        tensor.transpose(-1, 1).contiguous().transpose(-1, 1) for tensor in (query, key, value)
    ]
    assert not any(tensor.is_contiguous() for tensor in strided)
    mask_strided = mask.mT.contiguous().mT
    expected = attend(query, key, value, mask)
    for output in both_ways(*strided, mask_strided):
        torch.testing.assert_close(output, expected, **CLOSE)


def test_heads_split_by_a_view_and_a_transpose_are_admitted():
    x = torch.randn(BATCH, QUERIES, HEADS * WIDTH, dtype=torch.float64)
    heads = x.view(BATCH, QUERIES, HEADS, WIDTH).transpose(1, 2)
    torch.testing.assert_close(attend(heads, heads, heads), plain_attention(heads, heads, heads))


def test_the_inputs_are_left_as_they_were():
    inputs = (*tensors(BATCH), some_mask(QUERIES, KEYS))
    before = [tensor.clone() for tensor in inputs]
    for _ in (attend(*inputs, causal=True), attention_weights(*inputs[:2], inputs[3], causal=True)):
        assert all(map(torch.equal, inputs, before))


def test_under_autocast_dtypes_may_differ():
    query, key, value = tensors(BATCH, dtype=torch.float32)
    expected = attend(query, key, value)
    with torch.autocast("cpu", torch.bfloat16):
        output = attend(query.bfloat16(), key, value)
    torch.testing.assert_close(output.float(), expected, rtol=0, atol=TOLERANCE[torch.bfloat16])


# Properties


@given(cases())
def test_both_ways_agree_with_the_formula_on_any_case(case):
    expected = plain_attention(*case)
    for output in both_ways(*case):
        torch.testing.assert_close(output, expected, rtol=1e-9, atol=1e-9)


@given(cases(), st.booleans())
def test_rows_of_weights_sum_to_one_or_are_zero(case, causal):
    weights = attention_weights(case.query, case.key, case.mask, causal=causal)
    allowed = allowed_pairs(*case.mask.shape[-2:], case.mask, causal)
    assert (weights >= 0).all()
    assert (weights[~allowed] == 0).all()
    torch.testing.assert_close(weights.sum(-1), allowed.any(-1).double())


@given(cases(), st.sampled_from([0.0, 1e6, -1e30, 1e100]))
def test_what_a_masked_key_or_value_holds_changes_nothing(case, content):
    hidden = ~case.mask.any(-2)  # from every query
    key = case.key.masked_fill(hidden[..., None], content)
    value = case.value.masked_fill(hidden[..., None], content)
    for before, after in zip(
        both_ways(*case), both_ways(case.query, key, value, case.mask), strict=True
    ):
        assert torch.equal(before, after)


@DTYPES
def test_huge_contents_of_masked_slots_reach_neither_outputs_nor_gradients(dtype, device):
    huge = 6e4 if dtype is torch.float16 else 1e30
    query, key, value = tensors(BATCH, dtype=dtype, device=device)
    mask = torch.ones(QUERIES, KEYS, dtype=torch.bool, device=device)
    mask[:, 3] = False
    expected = plain_attention(query, key, value, mask)
    key[:, 3], value[:, 3] = huge, -huge
    inputs = [tensor.requires_grad_() for tensor in (query, key, value)]
    fused, plain = both_ways(*inputs, mask)
    for output in (fused, plain):
        torch.testing.assert_close(
            output.detach().cpu().double(), expected, rtol=0, atol=TOLERANCE[dtype]
        )
    # Without the fused kernel, whose sums are float32, products with 6e4 leave float16's range.
    for output in (fused,) if dtype is torch.float16 else (fused, plain):
        gradients = torch.autograd.grad(output.sum(), inputs)
        assert all(gradient.isfinite().all() for gradient in gradients)
        assert all((gradient[:, 3] == 0).all() for gradient in gradients[1:])


# What is not finite (kind of fault: a NaN is hidden by one path and shown by the others)


def not_finite(case: str, *leading: int, dtype: torch.dtype, length: int = QUERIES):
    """Draw self-attention's query, key and value, some of whose scores are NaN.

    The value is as wide as the query: for any other, PyTorch takes no kernel that hides NaN.
    """
    query, key, _ = tensors(*leading, queries=length, keys=length, dtype=dtype)
    value = torch.randn_like(query)
    if case == "query":
        query[..., 1, :] = math.nan
    elif case == "infinite query":
        query[..., 1, :] = math.inf
    elif case == "keys":
        key[:] = math.nan
    elif case == "first key":
        key[..., 0, :] = math.nan
    return query, key, value


@DTYPES
@LEADING
@pytest.mark.parametrize("options", [{}, {"causal": True}, {"dropout": 0.3}], ids=str)
@pytest.mark.parametrize("case", ["query", "infinite query", "keys", "first key"])
def test_a_nan_shows_on_every_path(dtype, leading, options, case):
    inputs = not_finite(case, *leading, dtype=dtype)
    causal = options.get("causal", False)
    allowed = allowed_pairs(QUERIES, QUERIES, causal=causal)
    # A sum over NaN is NaN, and an infinite query has scores of both signs.
    bad = ((inputs[0] @ inputs[1].mT).isnan() & allowed).any(-1)
    assert bad.any()
    everyone = torch.ones(QUERIES, QUERIES, dtype=torch.bool)
    recorder = Attend()
    with record_attention(recorder):
        recorded = recorder(*inputs, **options)
    for output in (*both_ways(*inputs, **options), attend(*inputs, everyone, **options), recorded):
        assert output[bad].isnan().all()
        assert output[~bad].isfinite().all()


@pytest.mark.parametrize("length", [1, 3, 15, 16, 17, 63, 64, 65, 130, 520])
@pytest.mark.parametrize("causal", [False, True], ids=["", "causal"])
@pytest.mark.parametrize("case", ["keys", "first key"])
def test_a_nan_shows_at_every_length(length, causal, case):
    inputs = not_finite(case, 1, 2, dtype=torch.float32, length=length)
    assert attend(*inputs, causal=causal).isnan().all()


def test_a_nan_shows_in_the_gradients():
    inputs = not_finite("query", BATCH, HEADS, dtype=torch.float32)
    for output in both_ways(*(tensor.requires_grad_() for tensor in inputs)):
        query, key, value = torch.autograd.grad(output.sum(), inputs)
        assert query[..., 1, :].isnan().all()
        assert key.isnan().all()
        assert value.isnan().all()


@COMPILES
def test_a_nan_shows_where_values_cannot_be_asked_for():
    inputs = not_finite("query", BATCH, HEADS, dtype=torch.float32)
    compiled = torch.compile(attend, backend="aot_eager", fullgraph=True)
    for output in (compiled(*inputs), torch.func.vmap(attend)(*inputs)):
        assert output[..., 1, :].isnan().all()
        assert output[..., 0, :].isfinite().all()


def test_zeros_are_no_nan():
    query, key, value = tensors(BATCH, HEADS)
    assert torch.equal(attend(query, key, 0 * value), 0 * attend(query, key, value))
    for widths in ({"keys": 0}, {"queries": 0}):
        assert attend(*tensors(BATCH, HEADS, **widths)).eq(0).all()
    assert attend(query, key, value[..., :0]).shape == (BATCH, HEADS, QUERIES, 0)


# The range of a dtype (kind of fault: one path overflows where another does not)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("score", [None, DotProductScore(), BilinearScore(64, 64)], ids=str)
def test_scores_beyond_float16_are_computed_as_the_kernel_does(dtype, score):
    if isinstance(score, BilinearScore):
        nn.init.eye_(score.weight)
        score = score.to(dtype)
    # 64 products of 250 * 250 sum to 4,000,000, or 500,000 divided by the root of 64
    query = torch.full((1, 2, 64), 250.0, dtype=dtype)
    key, value = query.clone(), torch.tensor([[[10.0], [30.0]]], dtype=dtype)
    key[0, 1] = 249.0
    layer = Attend()
    with record_attention(layer) as maps:
        recorded = layer(query, key, value, score=score)
    weights = attention_weights(query, key, score=score)
    assert weights.dtype == dtype
    assert weights.tolist() == maps[""][0].tolist() == [[[1.0, 0.0]] * 2]
    for output in (recorded, attend(query, key, value, score=score)):
        assert output.flatten().tolist() == [10.0, 10.0]


def test_mixed_precision_does_not_shrink_the_range():
    query = torch.full((1, 2, 64), 250.0)
    with torch.autocast("cpu", torch.float16):
        assert attention_weights(query, query).tolist() == [[[0.5, 0.5]] * 2]
        assert attend(query, query, query).flatten()[0] == 250


@given(cases(), st.data())
def test_masking_a_key_is_the_same_as_leaving_it_out(case, data):
    kept = data.draw(st.integers(1, case.key.shape[-2]))
    mask = torch.arange(case.key.shape[-2]) < kept
    without = attend(
        case.query, case.key[..., :kept, :], case.value[..., :kept, :], case.mask[..., :kept]
    )
    for output in both_ways(case.query, case.key, case.value, case.mask & mask):
        torch.testing.assert_close(output, without, **CLOSE)


@given(cases(), st.randoms(use_true_random=False))
def test_a_permutation_of_the_key_value_pairs_changes_nothing(case, random):
    order = list(range(case.key.shape[-2]))
    random.shuffle(order)
    shuffled = case.query, case.key[..., order, :], case.value[..., order, :], case.mask[..., order]
    for before, after in zip(both_ways(*case), both_ways(*shuffled), strict=True):
        torch.testing.assert_close(before, after, **CLOSE)
    torch.testing.assert_close(
        attention_weights(case.query, case.key, case.mask)[..., order],
        attention_weights(shuffled[0], shuffled[1], shuffled[3]),
        **CLOSE,
    )


@given(cases(), st.randoms(use_true_random=False))
def test_permuted_queries_give_permuted_outputs(case, random):
    order = list(range(case.query.shape[-2]))
    random.shuffle(order)
    output = attend(case.query[..., order, :], case.key, case.value, case.mask[..., order, :])
    torch.testing.assert_close(output, attend(*case)[..., order, :], **CLOSE)


@given(cases(least_leading=1), st.booleans())
def test_what_else_is_in_the_batch_changes_nothing(case, causal):
    together = both_ways(*case, causal=causal)
    for index in range(case.query.shape[0]):
        alone = both_ways(*(tensor[index : index + 1] for tensor in case), causal=causal)
        for one, all_of_them in zip(alone, together, strict=True):
            torch.testing.assert_close(one[0], all_of_them[index], **CLOSE)


@given(cases())
def test_an_output_lies_between_the_values_it_averages(case):
    output = attend(case.query, case.key, case.value)
    assert (output >= case.value.amin(-2, keepdim=True) - 1e-9).all()
    assert (output <= case.value.amax(-2, keepdim=True) + 1e-9).all()


@given(cases(), st.data())
def test_the_future_changes_nothing_in_causal_attention(case, data):
    length = case.key.shape[-2]
    position = data.draw(st.integers(0, length - 1))
    key, value = case.key.clone(), case.value.clone()
    key[..., position:, :] = 7.0
    value[..., position:, :] = -7.0
    for before, after in zip(
        both_ways(case.key, case.key, case.value, causal=True),
        both_ways(case.key, key, value, causal=True),
        strict=True,
    ):
        torch.testing.assert_close(before[..., :position, :], after[..., :position, :], **CLOSE)


@given(cases())
def test_one_step_at_a_time_equals_all_at_once(case):
    key, value = case.key, case.value
    together = attend(key, key, value, causal=True)
    for end in range(1, key.shape[-2] + 1):
        step = attend(
            key[..., end - 1 : end, :], key[..., :end, :], value[..., :end, :], causal=True
        )
        torch.testing.assert_close(step[..., 0, :], together[..., end - 1, :], **CLOSE)


@given(cases())
def test_empty_rows_are_zero_in_outputs_weights_and_gradients(case):
    empty = ~case.mask.any(-1)
    assume(empty.any())
    inputs = [tensor.requires_grad_() for tensor in case[:3]]
    assert (attention_weights(*inputs[:2], case.mask)[empty] == 0).all()
    for output in both_ways(*inputs, case.mask):
        assert (output[empty] == 0).all()
        gradients = torch.autograd.grad(output.square().sum(), inputs)
        assert all(gradient.isfinite().all() for gradient in gradients)
        assert (gradients[0][empty] == 0).all()


@DTYPES
def test_empty_rows_are_zero_in_every_dtype(dtype, device):
    inputs = tensors(BATCH, HEADS, dtype=dtype, device=device, requires_grad=True)
    mask = some_mask(BATCH, 1, QUERIES, KEYS, device=device)
    mask[0] = False  # a whole element of the batch, and one row of the other
    mask[1, :, 2] = False
    for output in both_ways(*inputs, mask):
        assert (output[0] == 0).all()
        assert (output[1, :, 2] == 0).all()
        assert (output[1, :, 0] != 0).any()
        gradients = torch.autograd.grad(output.square().sum(), inputs)
        assert all(gradient.isfinite().all() for gradient in gradients)
        assert all((gradient[0] == 0).all() for gradient in gradients)


def test_no_keys_give_zeros():
    for output in both_ways(*tensors(BATCH, keys=0)):
        assert output.shape == (BATCH, QUERIES, VALUE_WIDTH)
        assert (output == 0).all()


def test_no_queries_give_no_outputs():
    for output in both_ways(*tensors(BATCH, queries=0), causal=True):
        assert output.shape == (BATCH, 0, VALUE_WIDTH)


@pytest.mark.parametrize("causal", [False, True], ids=["", "causal"])
def test_gradients_are_those_of_finite_differences(causal):
    inputs = tensors(BATCH, requires_grad=True)
    mask = some_mask(QUERIES, KEYS)
    mask[3] = False
    for way in (0, 1):

        def output(*inputs, way=way):
            return both_ways(*inputs, mask, causal=causal)[way]

        assert torch.autograd.gradcheck(output, inputs)


# Scores


SCORES = {
    "dot": DotProductScore(),
    "scaled": ScaledDotProductScore(),
    "bilinear": BilinearScore(WIDTH, WIDTH).double(),
    "additive": AdditiveScore(WIDTH, WIDTH, 17).double(),
    "function": lambda query, key: -torch.cdist(query, key),
}


@pytest.mark.parametrize("score", SCORES.values(), ids=SCORES)
def test_any_score_decides_the_weights(score):
    query, key, value = tensors(BATCH, HEADS)
    mask = some_mask(BATCH, 1, QUERIES, KEYS)
    allowed = allowed_pairs(QUERIES, KEYS, mask, causal=True)
    weights = plain_weights(score(query, key), allowed)
    options = {"causal": True, "score": score}
    torch.testing.assert_close(
        attention_weights(query, key, mask, **options), weights, check_dtype=False, **CLOSE
    )
    for output in both_ways(query, key, value, mask, **options):
        torch.testing.assert_close(output, weights @ value, **CLOSE)


def test_the_scaled_score_is_the_default(fused_calls):
    query, key, value = tensors(BATCH)
    default = attend(query, key, value)
    assert torch.equal(attend(query, key, value, score=ScaledDotProductScore()), default)
    assert len(fused_calls) == 2


def test_a_subclass_of_the_scaled_score_speaks_for_itself(fused_calls):
    class Doubled(ScaledDotProductScore):
        def forward(self, query, key):
            return 2 * super().forward(query, key)

    query, key, value = tensors(BATCH)
    doubled = attend(query, key, value, score=Doubled())
    torch.testing.assert_close(doubled, plain_attention(2 * query, key, value), **CLOSE)
    assert not fused_calls


def test_a_score_may_admit_two_widths():
    score = BilinearScore(WIDTH, VALUE_WIDTH)
    query, key = torch.randn(BATCH, QUERIES, WIDTH), torch.randn(BATCH, KEYS, VALUE_WIDTH)
    assert attend(query, key, key, score=score).shape == (BATCH, QUERIES, VALUE_WIDTH)


def test_a_learned_score_gets_its_gradient():
    score = AdditiveScore(WIDTH, WIDTH, 17).double()
    attend(*tensors(BATCH), score=score).sum().backward()
    assert all((weight.grad != 0).any() for weight in score.parameters())


# Dropout


def test_dropout_drops_its_share_and_divides_the_rest():
    query, key, _ = tensors(211, queries=13, keys=31)
    weights = attention_weights(query, key)
    value = torch.eye(31, dtype=torch.float64).expand(211, -1, -1)  # shows the weights used
    for dropped in (
        attention_weights(query, key, dropout=0.3),
        attend(query, key, value, dropout=0.3),
        attend(query, key, value, dropout=0.3, score=ScaledDotProductScore()),
        attend(query, key, value, dropout=0.3, score=Plain()),
    ):
        gone = dropped == 0
        # 85,033 weights: a share of 0.3 has a standard error of 0.0016
        assert gone.double().mean().item() == pytest.approx(0.3, abs=0.01)
        torch.testing.assert_close(dropped[~gone], (weights / 0.7)[~gone])


class Plain(nn.Module):
    """The scaled dot product as a score that the fused kernel does not know."""

    def forward(self, query, key):
        return query @ key.mT / math.sqrt(query.shape[-1])


def test_the_mean_over_dropouts_is_the_output_without():
    query, key, value = tensors(HEADS)
    wide = (query.expand(4001, *query.shape), key.expand(4001, *key.shape))
    value_wide = value.expand(4001, *value.shape)
    exact = attend(query, key, value)
    for output in both_ways(*wide, value_wide, dropout=0.5):
        # each of the 4,001 strays by less than |value| < 4, the mean by less than 4 / sqrt(4001)
        torch.testing.assert_close(output.mean(0), exact, rtol=0, atol=0.15)
        assert (output.std(0) > 0).all()


def test_no_dropout_is_not_random():
    query, key, value = tensors(BATCH)
    assert torch.equal(attend(query, key, value, dropout=0.0), attend(query, key, value))
    assert torch.equal(attention_weights(query, key, dropout=0.0), attention_weights(query, key))


# The fused kernel


def test_the_fused_kernel_runs_when_nothing_records(fused_calls):
    inputs = tensors(BATCH)
    attend(*inputs)
    Attend()(*inputs)
    assert len(fused_calls) == 2


def test_the_causal_flag_travels_when_there_is_no_mask(fused_calls):
    query, key, value = tensors(BATCH, queries=67, keys=67)
    attend(query, key, value, causal=True)
    ((mask, options),) = fused_calls
    assert mask is None
    assert options["is_causal"] is True


@pytest.mark.parametrize("causal", [False, True])
def test_few_keys_travel_with_a_mask_since_the_kernel_loses_nan_without(fused_calls, causal):
    query, key, value = tensors(BATCH, queries=KEYS)
    attend(query, key, value, causal=causal)
    ((mask, options),) = fused_calls
    assert not options["is_causal"]
    if causal:
        assert torch.equal(mask, causal_mask(KEYS))
    else:
        assert (mask == 0).all()  # it is added


@pytest.mark.parametrize(("queries", "masked"), [(QUERIES, False), (KEYS, True)])
def test_otherwise_a_causal_mask_travels_instead_of_the_flag(fused_calls, queries, masked):
    query, key, value = tensors(BATCH, queries=queries)
    attend(query, key, value, some_mask(KEYS) if masked else None, causal=True)
    ((mask, options),) = fused_calls
    assert mask.dtype is torch.bool
    assert not options["is_causal"]


def test_a_single_causal_query_needs_no_mask(fused_calls):
    attend(*tensors(BATCH, queries=1), causal=True)
    ((mask, options),) = fused_calls
    assert (mask == 0).all()  # which hides nothing: it is added
    assert mask.is_floating_point()
    assert not options["is_causal"]


def test_scale_and_dropout_travel_to_the_kernel(fused_calls):
    attend(*tensors(BATCH), scale=0.1, dropout=0.2)
    ((_, options),) = fused_calls
    assert options["scale"] == 0.1
    assert options["dropout_p"] == 0.2


def test_another_score_does_not_run_the_fused_kernel(fused_calls):
    attend(*tensors(BATCH), score=DotProductScore())
    assert not fused_calls


def test_attention_waits_for_no_device():
    class Waits(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            # what .item(), bool(tensor) and `if tensor` call
            assert function is not torch.ops.aten._local_scalar_dense.default
            return function(*args, **kwargs or {})

    query, key, value = tensors(BATCH)
    mask = some_mask(QUERIES, KEYS)
    with Waits():
        attend(query, key, value, mask, causal=True, dropout=0.1)
        attention_weights(query, key, mask, causal=True, dropout=0.1)
    with pytest.raises(AssertionError), Waits():
        query.sum().item()


# Recording


def test_the_recorded_weights_are_those_of_the_pass():
    query, key, value = tensors(BATCH, HEADS)
    layer, mask = Attend(), some_mask(BATCH, 1, QUERIES, KEYS)
    with record_attention(layer) as maps:
        output = layer(query, key, value, mask, causal=True)
    expected = plain_weights(
        query @ key.mT / math.sqrt(WIDTH), allowed_pairs(QUERIES, KEYS, mask, causal=True)
    )
    torch.testing.assert_close(maps[""], expected, check_dtype=False, **CLOSE)
    assert torch.equal(output, maps[""] @ value)
    torch.testing.assert_close(output, attend(query, key, value, mask, causal=True), **CLOSE)


@pytest.mark.parametrize("score", SCORES.values(), ids=SCORES)
def test_any_score_is_recorded(score):
    query, key, value = tensors(BATCH, HEADS)
    layer = Attend()
    with record_attention(layer) as maps:
        output = layer(query, key, value, score=score)
    assert torch.equal(maps[""], attention_weights(query, key, score=score))
    torch.testing.assert_close(output, layer(query, key, value, score=score), **CLOSE)


def test_a_map_has_batch_heads_query_and_key():
    wanted = {
        (): (1, 1, QUERIES, KEYS),
        (2,): (2, 1, QUERIES, KEYS),
        (2, 3): (2, 3, QUERIES, KEYS),
        (5, 2, 3): (10, 3, QUERIES, KEYS),
    }
    for leading, shape in wanted.items():
        layer = Attend()
        with record_attention(layer) as maps:
            layer(*tensors(*leading))
        assert maps[""].shape == shape


def test_maps_go_by_the_qualified_names_of_the_layers():
    model = nn.ModuleDict(
        {"encoder": nn.Sequential(nn.Linear(3, 3), SelfAttend()), "decoder": SelfAttend()}
    )
    x = torch.randn(BATCH, QUERIES, 3)
    with record_attention(model) as maps:
        model["decoder"](model["encoder"](x))
    assert set(maps) == {"encoder.1", "decoder"}
    assert len(maps) == 2
    assert maps["decoder"].shape == (BATCH, 1, QUERIES, QUERIES)
    assert "encoder.1" in repr(maps)


def test_a_layer_that_did_not_run_is_absent():
    model = nn.ModuleDict({"used": SelfAttend(), "spare": SelfAttend()})
    with record_attention(model) as maps:
        assert len(maps) == 0
        model["used"](torch.randn(BATCH, QUERIES, 3))
    assert list(maps) == ["used"]
    assert "spare" not in maps
    with refused(KeyError, "spare", "used"):
        maps["spare"]


def test_only_the_module_named_records(fused_calls):
    inside, outside = SelfAttend(), SelfAttend()
    x = torch.randn(BATCH, QUERIES, 3)
    with record_attention(inside) as maps:
        outside(x)
    assert len(fused_calls) == 1
    assert not maps


def test_the_fused_kernel_rests_while_recording_and_returns_after(fused_calls):
    layer, x = SelfAttend(), torch.randn(BATCH, QUERIES, 3)
    with record_attention(layer) as maps:
        layer(x)
        assert not fused_calls
    recorded = maps[""].clone()
    layer(2 * x)
    assert len(fused_calls) == 1
    assert torch.equal(maps[""], recorded)


def test_steps_are_joined_along_query_and_padded_along_key():
    layer = Attend()
    key, _, _ = tensors(BATCH, queries=3)
    with record_attention(layer) as maps:
        for end in (1, 2, 3):
            layer(key[:, end - 1 : end], key[:, :end], key[:, :end], causal=True)
    with record_attention(layer) as at_once:
        layer(key, key, key, causal=True)
    assert maps[""].shape == (BATCH, 1, 3, 3)
    assert (maps[""].triu(1) == 0).all()
    torch.testing.assert_close(maps[""], at_once[""], **CLOSE)


def test_calls_of_different_batches_are_not_joined_in_silence():
    layer = SelfAttend()
    with record_attention(layer) as maps:
        layer(torch.randn(2, QUERIES, 3))
        layer(torch.randn(3, QUERIES, 3))
    with refused(
        ValueError, "batch", f"(2, 1, {QUERIES}, {QUERIES})", f"(3, 1, {QUERIES}, {QUERIES})"
    ):
        maps[""]
    assert "" in maps
    assert "other" not in maps
    assert repr(maps).count(f"1, {QUERIES}, {QUERIES})") == 2


@pytest.mark.parametrize("scale", [-1.3, 0.0])
def test_a_scale_that_is_not_positive_does_not_undo_the_causal_mask(scale):
    query, key, value = torch.randn(3, 2, 5, 7, 7).unbind()
    torch.testing.assert_close(
        attend(query, key, value, causal=True, scale=scale),
        plain_attention(query, key, value, causal=True, scale=scale).float(),
        rtol=1e-5,
        atol=1e-5,
    )


def test_blocks_nest():
    layer, x = SelfAttend(), torch.randn(BATCH, QUERIES, 3)
    with record_attention(layer) as outer:
        layer(x)
        with record_attention(layer) as inner:
            layer(x)
        layer(x)
    assert outer[""].shape[-2] == 3 * QUERIES
    assert inner[""].shape[-2] == QUERIES


def test_blocks_of_a_module_and_its_part_nest(fused_calls):
    model, x = nn.Sequential(SelfAttend(), SelfAttend()), torch.randn(BATCH, QUERIES, 3)
    with record_attention(model) as whole:
        with record_attention(model[1]) as part:
            model(x)
        assert torch.equal(whole["1"], part[""])
    assert set(whole) == {"0", "1"}
    assert not fused_calls
    model(x)
    assert len(fused_calls) == 2


def test_an_exception_leaves_nothing_recording(fused_calls):
    layer, x = SelfAttend(), torch.randn(BATCH, QUERIES, 3)
    with pytest.raises(ZeroDivisionError), record_attention(layer):
        1 / 0  # noqa: B018
    layer(x)
    assert len(fused_calls) == 1


def test_an_exception_in_an_inner_block_leaves_the_outer_recording():
    layer, x = SelfAttend(), torch.randn(BATCH, QUERIES, 3)
    with record_attention(layer) as outer:
        with pytest.raises(ZeroDivisionError), record_attention(layer):
            1 / 0  # noqa: B018
        layer(x)
    assert outer[""].shape[-2] == QUERIES


def test_with_dropout_the_recorded_weights_are_those_used():
    layer, x = SelfAttend(dropout=0.5), torch.randn(BATCH, 31, 3, dtype=torch.float64)
    with record_attention(layer) as maps:
        output = layer(x)
    weights = attention_weights(x, x, causal=True)
    used = maps[""][:, 0]
    assert torch.equal(output, used @ x)
    dropped = (used == 0) & (weights > 0)
    assert 0.3 < dropped.sum() / (weights > 0).sum() < 0.7
    torch.testing.assert_close(used[used > 0], 2 * weights[used > 0])


def test_in_evaluation_the_recorded_weights_are_whole():
    layer, x = SelfAttend(dropout=0.5).eval(), torch.randn(BATCH, QUERIES, 3)
    with record_attention(layer) as maps:
        layer(x)
    assert torch.equal(maps[""][:, 0], attention_weights(x, x, causal=True))


def test_recorded_maps_are_detached_and_gradients_still_flow():
    layer, x = SelfAttend(), torch.randn(BATCH, QUERIES, 3, requires_grad=True)
    with record_attention(layer) as maps:
        recorded = torch.autograd.grad(layer(x).square().sum(), x)
    assert not maps[""].requires_grad
    torch.testing.assert_close(recorded, torch.autograd.grad(layer(x).square().sum(), x))


def test_the_map_keeps_dtype_and_device(device):
    layer = SelfAttend()
    with record_attention(layer) as maps:
        layer(torch.randn(BATCH, QUERIES, 3, dtype=torch.bfloat16, device=device))
    assert maps[""].dtype is torch.bfloat16
    assert maps[""].device.type == device.type


def test_a_recorded_module_can_be_copied_and_pickled(fused_calls):
    layer, x = SelfAttend(), torch.randn(BATCH, QUERIES, 3)
    with record_attention(layer) as maps:
        layer(x)
        copied_inside = copy.deepcopy(layer)
    for again in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        before = len(fused_calls)
        torch.testing.assert_close(again(x), layer(x))
        assert len(fused_calls) == before + 2
        assert again.state_dict() == layer.state_dict() == {}
    before = len(fused_calls)
    copied_inside(x)  # the copy does not record: nothing would ever end it
    assert len(fused_calls) == before + 1
    assert maps[""].shape[-2] == QUERIES


def test_a_recording_does_not_make_compiled_code_compile_again(fresh_compiler):
    layer, x = SelfAttend(), torch.randn(BATCH, QUERIES, 3)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    before = compiled(x)
    with record_attention(layer):
        layer(x)
    with torch.compiler.set_stance("fail_on_recompile"):
        assert torch.equal(compiled(x), before)


def test_a_layer_met_twice_is_recorded_once_a_call():
    layer = SelfAttend()
    model = nn.Sequential(layer, layer)
    with record_attention(model) as maps:
        model(torch.randn(BATCH, QUERIES, 3))
    assert list(maps) == ["0"]
    assert maps["0"].shape[-2] == 2 * QUERIES


# Compiled


@COMPILES
@pytest.mark.parametrize("masked", [False, True], ids=["unmasked", "masked"])
@pytest.mark.parametrize("causal", [False, True], ids=["", "causal"])
def test_attend_compiles_in_one_graph(masked, causal):
    inputs = *tensors(BATCH, HEADS), some_mask(QUERIES, KEYS) if masked else None
    for function, arguments in (
        (attend, inputs),
        (attention_weights, (*inputs[:2], inputs[3])),
    ):
        compiled = torch.compile(function, backend="aot_eager", fullgraph=True)
        torch.testing.assert_close(
            compiled(*arguments, causal=causal), function(*arguments, causal=causal), **CLOSE
        )


@COMPILES
def test_attend_with_a_learned_score_compiles_in_one_graph():
    inputs, score = tensors(BATCH), AdditiveScore(WIDTH, WIDTH, 17).double()
    compiled = torch.compile(attend, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(*inputs, score=score), attend(*inputs, score=score))


@COMPILES
def test_a_compiled_module_records_any_number_of_calls():
    model = nn.Sequential(nn.Linear(3, 3), SelfAttend())
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    x = torch.randn(BATCH, QUERIES, 3)
    before = compiled(x)
    with record_attention(compiled) as maps:
        outputs = [compiled(x) for _ in range(11)]  # the compiler gives up after 8 versions
    assert list(maps) == ["1"]
    assert maps["1"].shape == (BATCH, 1, 11 * QUERIES, QUERIES)
    for output in (*outputs, compiled(x), model(x)):
        torch.testing.assert_close(output, before)


@COMPILES
def test_recording_again_and_again_compiles_no_more_than_once_again():
    compilations = []

    def backend(graph, example_inputs):
        compilations.append(graph)
        return graph

    compiled = torch.compile(SelfAttend(), backend=backend, fullgraph=True)
    x = torch.randn(BATCH, QUERIES, 3)
    for _ in range(11):
        compiled(x)
        with record_attention(compiled) as maps:
            compiled(x)
        assert maps[""].shape == (BATCH, 1, QUERIES, QUERIES)
    assert len(compilations) <= 2


@COMPILES
def test_the_compilers_prefix_is_stripped_wherever_it_stands():
    def compiled(module: nn.Module) -> nn.Module:
        return torch.compile(module, backend="aot_eager")

    x = torch.randn(BATCH, QUERIES, 3)
    for model, name in (
        (compiled(SelfAttend()), ""),
        (compiled(nn.Sequential(SelfAttend())), "0"),
        (nn.Sequential(compiled(SelfAttend())), "0"),
        (compiled(nn.Sequential(compiled(nn.Sequential(SelfAttend())))), "0.0"),
    ):
        with record_attention(model) as maps:
            model(x)
        assert list(maps) == [name]


@COMPILES
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")
@pytest.mark.skipif(
    not shutil.which("c++"), reason="inductor needs a C++ compiler: install g++ or clang"
)
def test_attend_compiles_with_inductor():
    inputs = *tensors(BATCH, HEADS, dtype=torch.float32), some_mask(QUERIES, KEYS)
    compiled = torch.compile(attend, fullgraph=True)
    torch.testing.assert_close(compiled(*inputs, causal=True), attend(*inputs, causal=True))


# Bad input: every kind is refused by `attend`, `attention_weights` and a layer that records


def recorded(query, key, value, mask=None, **options):
    layer = Attend()
    with record_attention(layer):
        return layer(query, key, value, mask, **options)


def weights_only(query, key, value, mask=None, **options):
    return attention_weights(query, key, mask, **options)


EVERY_WAY = pytest.mark.parametrize(
    "way", [attend, weights_only, recorded], ids=["attend", "weights", "recorded"]
)
WITH_VALUE = pytest.mark.parametrize("way", [attend, recorded], ids=["attend", "recorded"])


def good() -> dict[str, torch.Tensor]:
    return {
        "query": torch.ones(2, 5, 11),
        "key": torch.ones(2, 7, 11),
        "value": torch.ones(2, 7, 13),
    }


@EVERY_WAY
@pytest.mark.parametrize("name", ["query", "key"])
def test_a_query_or_key_of_the_wrong_kind_is_refused(own_errors, way, name):
    with refused(TypeError, name, "must be a tensor", "list"):
        way(**good() | {name: [[1.0]]})
    with refused(TypeError, name, "floating point", "torch.int64"):
        way(**good() | {name: good()[name].long()})
    with refused(ValueError, name, "(..., length, width)", "(11,)"):
        way(**good() | {name: torch.ones(11)})


@EVERY_WAY
@pytest.mark.parametrize("heads", [(), (3,), (3, 1)], ids=["3d", "4d", "5d"])
def test_padding_in_place_of_pairs_is_refused_and_the_right_way_named(own_errors, way, heads):
    # kind: a mask of other axes is taken in silence
    query, key = torch.randn(2, *heads, 5, 11), torch.randn(2, *heads, 7, 11)
    padding = padding_mask(torch.tensor([7, 3]))
    right = f"mask[:, {'None, ' * len(heads)}None, :]"
    for asked in (query, query[..., :1, :]):  # also where each sentence asks once
        with refused(ValueError, "mask", "(2, 7)", "(batch, key)", right):
            way(asked, key, key, padding)
        way(asked, key, key, eval(right, {"mask": padding}))


@WITH_VALUE
def test_a_value_of_the_wrong_kind_is_refused(own_errors, way):
    with refused(TypeError, "value", "must be a tensor", "list"):
        way(**good() | {"value": [[1.0]]})
    with refused(TypeError, "query and value", "dtype", "torch.float32 and torch.int64"):
        way(**good() | {"value": torch.ones(2, 7, 13).long()})
    with refused(ValueError, "value", "(..., length, width)", "(7,)"):
        way(**good() | {"value": torch.ones(7)})


@EVERY_WAY
@pytest.mark.parametrize("leading", [(3,), (1,), (), (2, 1), (1, 2)])
def test_leading_axes_of_query_and_key_are_not_broadcast(own_errors, way, leading):
    shape = (*leading, 7, 11)
    with refused(ValueError, "query and key", "leading axes", "(2, 5, 11)", str(shape)):
        way(**good() | {"key": torch.ones(shape)})


@WITH_VALUE
@pytest.mark.parametrize("leading", [(3,), (1,), (), (2, 1), (1, 2)])
def test_leading_axes_of_key_and_value_are_not_broadcast(own_errors, way, leading):
    shape = (*leading, 7, 13)
    with refused(ValueError, "key and value", "leading axes", "(2, 7, 11)", str(shape)):
        way(**good() | {"value": torch.ones(shape)})


@EVERY_WAY
@pytest.mark.parametrize("score", [None, ScaledDotProductScore(), DotProductScore()])
def test_widths_of_query_and_key_that_disagree_are_refused(own_errors, way, score):
    with refused(ValueError, "query and key", "width", "11 and 3"):
        way(**good() | {"key": torch.ones(2, 7, 3)}, score=score)


@WITH_VALUE
@pytest.mark.parametrize("length", [5, 1])
def test_lengths_of_key_and_value_that_disagree_are_refused(own_errors, way, length):
    with refused(ValueError, f"key and value disagree in length: 7 and {length}"):
        way(**good() | {"value": torch.ones(2, length, 13)})


@WITH_VALUE
@pytest.mark.parametrize("name", ["key", "value"])
def test_dtypes_that_disagree_are_refused(own_errors, way, name):
    with refused(TypeError, f"query and {name}", "dtype", "torch.float32 and torch.float64"):
        way(**good() | {name: good()[name].double()})


@WITH_VALUE
@pytest.mark.parametrize("name", ["key", "value"])
def test_devices_that_disagree_are_refused(own_errors, way, name):
    with refused(ValueError, f"query and {name}", "device", "cpu and meta"):
        way(**good() | {name: good()[name].to("meta")})


@EVERY_WAY
@pytest.mark.parametrize("causal", [False, True], ids=["", "causal"])
def test_a_mask_that_is_not_boolean_is_refused(own_errors, way, causal):
    with refused(TypeError, "mask", "boolean", "torch.float32"):
        way(**good(), mask=torch.ones(5, 7), causal=causal)
    with refused(TypeError, "mask", "boolean", "torch.int64"):
        way(**good(), mask=torch.ones(5, 7, dtype=torch.long), causal=causal)
    with refused(TypeError, "mask", "boolean", "list"):
        way(**good(), mask=[[True]], causal=causal)


@EVERY_WAY
@pytest.mark.parametrize("causal", [False, True], ids=["", "causal"])
@pytest.mark.parametrize(
    "shape", [(2, 7), (7, 5), (5,), (3, 5, 7), (2, 2, 5, 7), (1, 2, 5, 7), (2, 1, 5, 7)]
)
def test_a_mask_that_does_not_broadcast_is_refused(own_errors, way, shape, causal):
    with refused(ValueError, "mask", str(shape), "(2, 5, 7)", "(..., query, key)"):
        way(**good(), mask=torch.ones(shape, dtype=torch.bool), causal=causal)


@EVERY_WAY
def test_a_padding_mask_without_its_query_axis_is_refused(own_errors, way):
    mask = padding_mask(torch.tensor([7, 3]))
    with refused(ValueError, "mask", "(2, 7)", "(2, 5, 7)"):
        way(**good(), mask=mask)
    way(**good(), mask=mask[:, None, :])


@EVERY_WAY
def test_a_mask_larger_than_the_scores_may_not_widen_them(own_errors, way):
    ones = {name: tensor[:1] for name, tensor in good().items()}
    with refused(ValueError, "mask", "(2, 5, 7)", "(1, 5, 7)"):
        way(**ones, mask=torch.ones(2, 5, 7, dtype=torch.bool))
    single = good() | {"query": torch.ones(2, 1, 11)}
    with refused(ValueError, "mask", "(5, 7)", "(2, 1, 7)"):
        way(**single, mask=torch.ones(5, 7, dtype=torch.bool))


@EVERY_WAY
@pytest.mark.parametrize("score", [None, DotProductScore()], ids=["fused", "plain"])
@pytest.mark.parametrize("dropout", [1.0, 1, 1.5, -0.1, math.nan, math.inf])
def test_a_dropout_outside_its_range_is_refused(own_errors, way, score, dropout):
    with refused(ValueError, "dropout", "[0, 1)", str(dropout)):
        way(**good(), score=score, dropout=dropout)


@EVERY_WAY
@pytest.mark.parametrize(
    ("option", "given", "error", "words"),
    [
        ("causal", torch.ones(5, 7, dtype=torch.bool), TypeError, ("True or False", "mask=")),
        ("causal", "no", TypeError, ("True or False", "str")),
        ("causal", 1, TypeError, ("True or False", "int")),
        ("dropout", None, TypeError, ("number", "NoneType")),
        ("dropout", "0.1", TypeError, ("number", "str")),
        ("scale", "x", TypeError, ("number", "str")),
        ("scale", math.nan, ValueError, ("finite", "nan")),
        ("scale", math.inf, ValueError, ("finite", "inf")),
    ],
)
def test_an_option_of_the_wrong_kind_is_refused(own_errors, way, option, given, error, words):
    with refused(error, option, *words):
        way(**good(), **{option: given})


@EVERY_WAY
def test_a_mask_on_another_device_is_refused(own_errors, way):
    elsewhere = torch.ones(5, 7, dtype=torch.bool, device="meta")
    with refused(ValueError, "query and mask", "cpu", "meta"):
        way(**good(), mask=elsewhere)


@EVERY_WAY
def test_a_score_of_another_dtype_is_refused(own_errors, way):
    with refused(TypeError, "scores", "float32", "float64"):
        way(**good(), score=lambda query, key: (query @ key.mT).double())


@EVERY_WAY
@pytest.mark.parametrize("score", [DotProductScore(), ScaledDotProductScore()])
def test_a_scale_beside_a_score_is_refused(own_errors, way, score):
    with refused(ValueError, "scale", "0.5", "score"):
        way(**good(), score=score, scale=0.5)


@EVERY_WAY
@pytest.mark.parametrize("score", ["dot", 1.0, DotProductScore])
def test_a_score_that_cannot_be_called_is_refused(own_errors, way, score):
    with refused(TypeError, "score", "DotProductScore()", repr(score)):
        way(**good(), score=score)


@EVERY_WAY
def test_a_score_of_another_shape_is_refused(own_errors, way):
    def keys_first(query, key):
        return key @ query.mT

    with refused(ValueError, "score", "(2, 7, 5)", "(2, 5, 7)"):
        way(**good(), score=keys_first)
    with refused(ValueError, "score", "NoneType", "(2, 5, 7)"):
        way(**good(), score=lambda query, key: None)


def test_recording_what_is_no_module_is_refused(own_errors):
    with refused(TypeError, "module", "torch.nn.Module", "function"), record_attention(attend):
        pass


def test_recording_a_module_that_does_not_attend_is_refused(own_errors):
    with refused(ValueError, "module", "Linear"), record_attention(nn.Linear(2, 3)):
        pass
