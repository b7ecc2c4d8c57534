"""Masks, and the softmax that obeys them."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support import (
    BATCH,
    COMPILES,
    DTYPES,
    KEYS,
    QUERIES,
    TOLERANCE,
    cases,
    plain_weights,
    refused,
    some_mask,
)

from attncourse import causal_mask, masked_softmax, padding_mask
from attncourse.masks import block_mask, window_mask

LN2, LN3 = math.log(2), math.log(3)
T, N = True, False


# masked_softmax: answers by hand


def test_exponentials_of_one_two_three_give_sixths():
    # e^0, e^ln2, e^ln3 = 1, 2, 3, whose sum is 6
    weights = masked_softmax(torch.tensor([0.0, LN2, LN3], dtype=torch.float64))
    torch.testing.assert_close(weights, torch.tensor([1, 2, 3], dtype=torch.float64) / 6)


def test_the_allowed_entries_share_what_the_masked_one_leaves():
    # without the third entry: 1/3 and 2/3
    weights = masked_softmax(torch.tensor([0.0, LN2, LN3]), torch.tensor([T, T, N]))
    torch.testing.assert_close(weights, torch.tensor([1 / 3, 2 / 3, 0]))
    assert weights[2].item() == 0


def test_a_masked_score_has_no_say_even_where_it_is_the_largest():
    weights = masked_softmax(torch.tensor([0.0, 0.0, 1e30]), torch.tensor([T, T, N]))
    assert weights.tolist() == [0.5, 0.5, 0.0]


def test_dim_names_the_axis_that_sums_to_one():
    # columns: e^0 : e^ln3 = 1 : 3, and e^ln2 : e^ln2 = 1 : 1
    scores = torch.tensor([[0.0, LN2], [LN3, LN2]])
    expected = torch.tensor([[1 / 4, 1 / 2], [3 / 4, 1 / 2]])
    torch.testing.assert_close(masked_softmax(scores, dim=0), expected)
    torch.testing.assert_close(masked_softmax(scores, dim=-2), expected)


def test_a_mask_obeys_another_dim_too():
    mask = torch.tensor([[T, N], [N, N]])
    weights = masked_softmax(torch.zeros(2, 2), mask, dim=0)
    assert weights.tolist() == [[1, 0], [0, 0]]


@pytest.mark.parametrize("shape", [(), (1,), (KEYS,), (QUERIES, 1), (1, KEYS), (BATCH, 1, KEYS)])
def test_a_smaller_mask_acts_as_if_it_were_written_out(shape):
    scores = torch.randn(BATCH, QUERIES, KEYS)
    mask = some_mask(*shape)
    assert torch.equal(
        masked_softmax(scores, mask), masked_softmax(scores, mask.expand(BATCH, QUERIES, KEYS))
    )


@DTYPES
def test_an_empty_row_has_weights_and_gradients_of_exactly_zero(dtype):
    scores = torch.randn(QUERIES, KEYS).to(dtype).requires_grad_()
    mask = some_mask(QUERIES, KEYS)
    mask[2] = False
    weights = masked_softmax(scores, mask)
    assert weights.dtype == dtype
    assert (weights[2] == 0).all()
    weights.square().sum().backward()
    assert scores.grad.isfinite().all()
    assert (scores.grad[2] == 0).all()
    assert (scores.grad[~mask] == 0).all()
    assert (scores.grad[mask] != 0).any()


def test_a_score_of_minus_infinity_counts_as_masked():
    scores = torch.tensor([[0.0, -math.inf], [-math.inf, -math.inf]], requires_grad=True)
    weights = masked_softmax(scores)
    assert weights.tolist() == [[1, 0], [0, 0]]
    weights.sum().backward()
    assert scores.grad.isfinite().all()


def test_a_row_is_empty_where_mask_and_minus_infinity_leave_nothing_together():
    weights = masked_softmax(torch.tensor([-math.inf, 4.0]), torch.tensor([T, N]))
    assert weights.tolist() == [0, 0]


@DTYPES
def test_the_largest_scores_of_a_dtype_do_not_overflow(dtype):
    # e^(a - a) and e^(-a - a) = 1 and 0
    largest = torch.finfo(dtype).max / 2
    weights = masked_softmax(torch.tensor([largest, -largest, largest], dtype=dtype))
    assert weights.tolist() == [0.5, 0, 0.5]


def test_scores_without_keys_give_weights_without_keys():
    assert masked_softmax(torch.zeros(QUERIES, 0)).shape == (QUERIES, 0)


def test_the_scores_are_left_as_they_were():
    scores = torch.randn(QUERIES, KEYS)
    before = scores.clone()
    masked_softmax(scores, some_mask(QUERIES, KEYS))
    assert torch.equal(scores, before)


def test_non_contiguous_scores_give_the_same_weights():
    scores, mask = torch.randn(KEYS, QUERIES).T, some_mask(KEYS, QUERIES).T
    torch.testing.assert_close(
        masked_softmax(scores, mask), masked_softmax(scores.contiguous(), mask.contiguous())
    )


def test_without_a_mask_it_is_the_softmax_of_torch():
    scores = torch.randn(BATCH, QUERIES, KEYS)
    torch.testing.assert_close(masked_softmax(scores), scores.softmax(-1))


@DTYPES
def test_it_agrees_with_the_definition(dtype, device):
    scores, mask = torch.randn(BATCH, QUERIES, KEYS).to(dtype), some_mask(QUERIES, KEYS)
    weights = masked_softmax(scores.to(device), mask.to(device)).cpu().double()
    expected = plain_weights(scores.double(), mask)
    torch.testing.assert_close(weights, expected, rtol=0, atol=TOLERANCE[dtype])


def test_its_gradients_are_those_of_finite_differences():
    scores = torch.randn(QUERIES, KEYS, dtype=torch.float64, requires_grad=True)
    mask = some_mask(QUERIES, KEYS)
    mask[1] = False
    assert torch.autograd.gradcheck(lambda scores: masked_softmax(scores, mask), scores)


@given(cases())
def test_rows_are_non_negative_and_sum_to_one_or_are_zero(case):
    scores = case.query @ case.key.mT
    weights = masked_softmax(scores, case.mask)
    assert (weights >= 0).all()
    assert (weights[~case.mask] == 0).all()
    torch.testing.assert_close(weights.sum(-1), case.mask.any(-1).double())


@given(cases(), st.sampled_from([1e3, -1e3, 0.1]))
def test_a_constant_added_to_a_row_changes_nothing(case, constant):
    scores = case.query @ case.key.mT
    torch.testing.assert_close(
        masked_softmax(scores + constant, case.mask),
        masked_softmax(scores, case.mask),
        rtol=0,
        atol=1e-9,
    )


@COMPILES
def test_it_compiles_in_one_graph():
    scores, mask = torch.randn(QUERIES, KEYS), some_mask(QUERIES, KEYS)
    compiled = torch.compile(masked_softmax, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(scores, mask), masked_softmax(scores, mask))


# masked_softmax: bad input


def test_integer_scores_are_refused(own_errors):
    with refused(TypeError, "scores", "floating-point", "torch.int64"):
        masked_softmax(torch.ones(2, 3, dtype=torch.long))


def test_scores_that_are_no_tensor_are_refused(own_errors):
    with refused(TypeError, "scores", "tensor", "list"):
        masked_softmax([1.0, 2.0])


def test_a_float_mask_is_refused(own_errors):
    with refused(TypeError, "mask", "boolean", "torch.float32"):
        masked_softmax(torch.zeros(2, 3), torch.ones(2, 3))


def test_a_mask_that_is_no_tensor_is_refused(own_errors):
    with refused(TypeError, "mask", "boolean", "list"):
        masked_softmax(torch.zeros(2, 3), [True, True, False])


@pytest.mark.parametrize("shape", [(2,), (3, 3), (3, 2), (5, 2, 3), (1, 2, 3)])
def test_a_mask_that_does_not_broadcast_is_refused(own_errors, shape):
    with refused(ValueError, "mask", str(shape), "(2, 3)"):
        masked_softmax(torch.zeros(2, 3), torch.ones(shape, dtype=torch.bool))


def test_a_mask_may_not_widen_an_axis_of_length_one(own_errors):
    # torch would broadcast the scores up to the mask, and give (5, 3)
    with refused(ValueError, "mask", "(5, 3)", "(1, 3)"):
        masked_softmax(torch.zeros(1, 3), torch.ones(5, 3, dtype=torch.bool))


@pytest.mark.parametrize("dim", [2, -3])
def test_a_dim_out_of_range_is_refused(own_errors, dim):
    with refused(ValueError, "dim", "(2, 3)", str(dim)):
        masked_softmax(torch.zeros(2, 3), dim=dim)


def test_scores_without_an_axis_are_refused(own_errors):
    with refused(ValueError, "dim", "()"):
        masked_softmax(torch.tensor(1.0))


# padding_mask


def test_the_first_tokens_are_real_and_the_rest_is_padding():
    mask = padding_mask(torch.tensor([2, 0, 3]))
    assert mask.tolist() == [[T, T, N], [N, N, N], [T, T, T]]


def test_max_length_pads_further():
    mask = padding_mask(torch.tensor([1, 2]), max_length=5)
    assert mask.tolist() == [[T, N, N, N, N], [T, T, N, N, N]]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64])
def test_lengths_may_be_any_integers(dtype):
    assert padding_mask(torch.tensor([1, 2], dtype=dtype)).tolist() == [[T, N], [T, T]]


def test_no_sequences_give_no_rows():
    lengths = torch.zeros(0, dtype=torch.long)
    assert padding_mask(lengths).shape == (0, 0)
    assert padding_mask(lengths, 7).shape == (0, 7)


def test_a_padding_mask_lives_where_its_lengths_live(device):
    mask = padding_mask(torch.tensor([1, 3], device=device))
    assert mask.device.type == device.type
    assert mask.dtype is torch.bool


@given(st.lists(st.integers(0, 9), min_size=1), st.integers(0, 3))
def test_each_row_holds_its_length(lengths, more):
    mask = padding_mask(torch.tensor(lengths), max(lengths) + more)
    assert mask.sum(-1).tolist() == lengths
    assert (mask[:, 1:] <= mask[:, :-1]).all()  # once padded, always padded


@COMPILES
def test_with_a_max_length_it_compiles_in_one_graph():
    lengths = torch.tensor([2, 5])
    compiled = torch.compile(padding_mask, backend="aot_eager", fullgraph=True)
    assert torch.equal(compiled(lengths, 7), padding_mask(lengths, 7))


def test_lengths_that_are_not_integers_are_refused(own_errors):
    for lengths, kind in (
        (torch.tensor([1.0]), "torch.float32"),
        (torch.tensor([True]), "torch.bool"),
        ([1, 2], "list"),
    ):
        with refused(TypeError, "lengths", "integers", kind):
            padding_mask(lengths)


@pytest.mark.parametrize("shape", [(), (2, 3)])
def test_lengths_of_another_rank_are_refused(own_errors, shape):
    with refused(ValueError, "lengths", "(batch,)", str(shape)):
        padding_mask(torch.ones(shape, dtype=torch.long))


@pytest.mark.parametrize("max_length", [None, 7])
def test_a_negative_length_is_refused(own_errors, max_length):
    with refused(ValueError, "lengths", "negative", "-3"):
        padding_mask(torch.tensor([5, -3]), max_length)


def test_a_max_length_below_the_longest_is_refused(own_errors):
    with refused(ValueError, "max_length", "3", "5"):
        padding_mask(torch.tensor([5, 2]), 3)


# causal_mask


def test_equal_lengths_give_the_lower_triangle():
    assert causal_mask(3).tolist() == [[T, N, N], [T, T, N], [T, T, T]]


def test_more_keys_are_aligned_at_the_end():
    assert causal_mask(2, 5).tolist() == [[T, T, T, T, N], [T, T, T, T, T]]


def test_more_queries_leave_the_first_ones_without_keys():
    assert causal_mask(4, 2).tolist() == [[N, N], [N, N], [T, N], [T, T]]


@given(st.integers(0, 6), st.integers(0, 6))
def test_the_last_query_sees_every_key_and_each_before_it_one_less(queries, keys):
    seen = causal_mask(queries, keys).sum(-1).tolist()
    assert seen == [max(0, keys - back) for back in reversed(range(queries))]


def test_a_causal_mask_lives_where_it_is_told(device):
    mask = causal_mask(2, device=device)
    assert mask.device.type == device.type
    assert mask.dtype is torch.bool


@pytest.mark.parametrize(
    ("lengths", "name"),
    [((-1,), "query_length"), ((-1, 2), "query_length"), ((2, -1), "key_length")],
)
def test_a_negative_length_of_a_causal_mask_is_refused(own_errors, lengths, name):
    with refused(ValueError, name, "negative", "-1"):
        causal_mask(*lengths)


@pytest.mark.parametrize("length", [2.5, True, "3"])
def test_a_length_that_is_no_integer_is_refused(own_errors, length):
    kind = type(length).__name__
    with refused(TypeError, "query_length", "integer", kind):
        causal_mask(length)
    with refused(TypeError, "key_length", "integer", kind):
        causal_mask(2, length)
    with refused(TypeError, "max_length", "integer", kind):
        padding_mask(torch.tensor([1, 2]), length)
    with refused(ValueError, "max_length", "-1"):
        padding_mask(torch.tensor([], dtype=torch.int64), -1)


@pytest.mark.parametrize("dim", [1.0, True, None])
def test_a_dim_that_is_no_integer_is_refused(own_errors, dim):
    with refused(TypeError, "dim", "integer", type(dim).__name__):
        masked_softmax(torch.zeros(2, 3), dim=dim)


# window_mask and block_mask


def test_a_window_of_two_is_the_own_key_and_one_on_each_side():
    assert window_mask(4, window=2).tolist() == [
        [T, T, N, N],
        [T, T, T, N],
        [N, T, T, T],
        [N, N, T, T],
    ]
    assert torch.equal(window_mask(3, window=1), torch.eye(3, dtype=torch.bool))
    assert window_mask(3, window=3).all()


def test_the_ends_of_a_window_are_aligned():
    # the queries stand at keys 3 and 4 of five, or two before the first
    assert window_mask(2, 5, window=2).tolist() == [[N, N, T, T, T], [N, N, N, T, T]]
    assert window_mask(4, 2, window=2).tolist() == [[N, N], [T, N], [T, T], [T, T]]


@given(st.integers(0, 7), st.integers(0, 7), st.integers(1, 9))
def test_a_window_counts_places(queries, keys, window):
    mask = window_mask(queries, keys, window=window)
    assert mask.shape == (queries, keys)
    for i in range(queries):
        for j in range(keys):
            assert mask[i, j] == (abs(i + keys - queries - j) < window)


def test_a_block_sees_itself():
    assert block_mask(5, block=2).tolist() == [
        [T, T, N, N, N],
        [T, T, N, N, N],
        [N, N, T, T, N],
        [N, N, T, T, N],
        [N, N, N, N, T],
    ]
    assert block_mask(3, block=3).all()
    assert torch.equal(block_mask(3, block=1), torch.eye(3, dtype=torch.bool))


def test_the_ends_of_blocks_are_aligned():
    # the queries stand at keys 2, 3 and 4 of five, or one before the first
    assert block_mask(3, 5, block=3).tolist() == [
        [T, T, T, N, N],
        [N, N, N, T, T],
        [N, N, N, T, T],
    ]
    assert block_mask(3, 2, block=2).tolist() == [[N, N], [T, T], [T, T]]


@pytest.mark.parametrize(("make", "size"), [(window_mask, "window"), (block_mask, "block")])
def test_windows_and_blocks_live_where_they_are_told_and_may_be_empty(device, make, size):
    assert make(2, device=device, **{size: 3}).device.type == device.type
    for lengths in ((0, 5), (3, 0)):
        assert make(*lengths, **{size: 3}).shape == lengths


@pytest.mark.parametrize(("make", "size"), [(window_mask, "window"), (block_mask, "block")])
def test_windows_and_blocks_that_cannot_be_are_refused(own_errors, make, size):
    for value in (0, -2):
        with refused(ValueError, size, "positive", str(value)):
            make(3, **{size: value})
    with refused(TypeError, size, "integer", "float"):
        make(3, **{size: 2.0})
    with refused(ValueError, "query_length", "-1"):
        make(-1, 3, **{size: 2})
    with refused(TypeError, "key_length", "integer", "str"):
        make(3, "3", **{size: 2})
