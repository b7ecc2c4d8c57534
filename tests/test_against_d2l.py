"""Our layers against those of "Dive into Deep Learning" (Zhang et al. 2023), weights copied.

d2l takes (batch, query, width) and tells padding by `valid_lens`, the number of real keys: one for
each element of the batch, or one for each query. The last tests say where d2l is wrong.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support import BATCH, KEYS, QUERIES, VALUE_WIDTH, WIDTH, tensors

from attncourse import (
    AdditiveScore,
    NadarayaWatson,
    attend,
    attention_weights,
    masked_softmax,
    padding_mask,
)
from attncourse.kernels import log_kernel

KEY_WIDTH, HIDDEN = 3, 17
PER_SEQUENCE = torch.tensor([3, 6])
PER_QUERY = torch.tensor([[1, 2, 3, 4, 5], [7, 6, 5, 4, 3]])


def as_mask(valid_lens: torch.Tensor | None) -> torch.Tensor | None:
    """Write d2l's lengths as a mask (batch, 1 or query, key)."""
    if valid_lens is None:
        return None
    mask = padding_mask(valid_lens.flatten(), KEYS)
    return mask.view(BATCH, -1, KEYS)


# How far two correct computations may lie apart, inputs being of order one.
CLOSE = {torch.float64: 1e-12, torch.float32: 1e-6}

LENGTHS = pytest.mark.parametrize(
    "valid_lens", [None, PER_SEQUENCE, PER_QUERY], ids=["unmasked", "per sequence", "per query"]
)


@pytest.mark.equals("masked_softmax", "d2l.torch.masked_softmax", within=CLOSE)
@LENGTHS
def test_masked_softmax_agrees(d2l, valid_lens, same):
    scores = torch.randn(BATCH, QUERIES, KEYS)
    theirs = d2l.masked_softmax(scores.clone(), valid_lens)
    same(masked_softmax(scores, as_mask(valid_lens)), theirs)


@pytest.mark.equals("attend", "d2l.torch.DotProductAttention", within=CLOSE)
@LENGTHS
def test_scaled_dot_product_attention_agrees(d2l, valid_lens, same):
    query, key, value = tensors(BATCH)
    theirs = d2l.DotProductAttention(dropout=0.5).eval()
    output = theirs(query, key, value, valid_lens)
    mask = as_mask(valid_lens)
    same(attend(query, key, value, mask), output)
    same(attention_weights(query, key, mask), theirs.attention_weights)


@pytest.mark.equals("AdditiveScore", "d2l.torch.AdditiveAttention", within=CLOSE)
@LENGTHS
def test_additive_attention_agrees_with_weights_copied(d2l, valid_lens, same):
    query, key = torch.randn(BATCH, QUERIES, WIDTH), torch.randn(BATCH, KEYS, KEY_WIDTH)
    value = torch.randn(BATCH, KEYS, VALUE_WIDTH)
    theirs = d2l.AdditiveAttention(num_hiddens=HIDDEN, dropout=0.5).eval()
    output = theirs(query, key, value, valid_lens)
    score = AdditiveScore(WIDTH, KEY_WIDTH, HIDDEN)
    with torch.no_grad():
        score.query_projection.weight.copy_(theirs.W_q.weight)
        score.key_projection.weight.copy_(theirs.W_k.weight)
        score.output.weight.copy_(theirs.w_v.weight)
    mask = as_mask(valid_lens)
    same(attend(query, key, value, mask, score=score), output)
    same(attention_weights(query, key, mask, score=score), theirs.attention_weights)


def test_gradients_of_additive_attention_agree(d2l):
    query, key = torch.randn(BATCH, QUERIES, WIDTH), torch.randn(BATCH, KEYS, KEY_WIDTH)
    value = torch.randn(BATCH, KEYS, VALUE_WIDTH)
    theirs = d2l.AdditiveAttention(num_hiddens=HIDDEN, dropout=0.5).eval()
    theirs(query, key, value, PER_SEQUENCE).square().sum().backward()
    score = AdditiveScore(WIDTH, KEY_WIDTH, HIDDEN)
    score.query_projection.weight = torch.nn.Parameter(theirs.W_q.weight.detach().clone())
    score.key_projection.weight = torch.nn.Parameter(theirs.W_k.weight.detach().clone())
    score.output.weight = torch.nn.Parameter(theirs.w_v.weight.detach().clone())
    attend(query, key, value, as_mask(PER_SEQUENCE), score=score).square().sum().backward()
    for ours, wanted in (
        (score.query_projection, theirs.W_q),
        (score.key_projection, theirs.W_k),
        (score.output, theirs.w_v),
    ):
        torch.testing.assert_close(ours.weight.grad, wanted.weight.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.equals("NadarayaWatson", "d2l.torch.rbfkernel", within=CLOSE)
def test_nadaraya_watson_agrees_with_d2ls_gaussian_kernel(d2l, same):
    # The pooling itself stands in d2l's text alone, in chapter 11.2; its library has the kernel,
    # for points on a line and with the variance h^2 as the argument `ls`.
    query, key, value = tensors()
    query, key = query[:, :1], key[:, :1]
    kernel = torch.from_numpy(d2l.rbfkernel(query[:, 0].numpy(), key[:, 0].numpy(), ls=0.5**2))
    expected = kernel / kernel.sum(-1, keepdim=True) @ value
    same(NadarayaWatson("gaussian", 0.5)(query, key, value), expected)


# Where d2l is wrong


def test_d2l_lets_an_empty_row_attend_to_padding_evenly(d2l):
    # Masked scores become -1e6, and a row of equal scores has uniform weights.
    scores, none = torch.randn(BATCH, QUERIES, KEYS), torch.zeros(BATCH, dtype=torch.long)
    uniform = torch.full_like(scores, 1 / KEYS)
    torch.testing.assert_close(d2l.masked_softmax(scores.clone(), none), uniform)
    assert (masked_softmax(scores, as_mask(none)) == 0).all()


def test_d2l_attends_to_padding_where_the_real_scores_are_very_low(d2l):
    scores, one = torch.full((1, 1, 2), -2e6), torch.tensor([1])
    assert d2l.masked_softmax(scores.clone(), one).tolist() == [[[0, 1]]]
    assert masked_softmax(scores, padding_mask(one, 2)[:, None]).tolist() == [[[1, 0]]]


def test_d2l_gives_nan_for_an_empty_row_in_float16(d2l):
    # -1e6 lies beyond float16 and becomes minus infinity; a row of those is 0/0.
    scores, none = torch.zeros(1, 1, 2, dtype=torch.float16), torch.tensor([0])
    assert d2l.masked_softmax(scores.clone(), none).isnan().all()
    assert masked_softmax(scores, padding_mask(none, 2)[:, None]).tolist() == [[[0, 0]]]


def test_d2l_overwrites_the_scores_it_is_given(d2l):
    scores = torch.zeros(BATCH, QUERIES, KEYS)
    d2l.masked_softmax(scores, PER_SEQUENCE)
    assert scores.min().item() == -1e6
    scores = torch.zeros(BATCH, QUERIES, KEYS)
    masked_softmax(scores, as_mask(PER_SEQUENCE))
    assert (scores == 0).all()


def test_what_d2l_calls_epanechikov_is_the_triangular_kernel(d2l):
    # In the text of its chapter 11.2 (not in its library), that name goes with max(0, 1 - |u|).
    assert not hasattr(d2l, "epanechikov")
    u = torch.linspace(0, 2, 41, dtype=torch.float64)
    theirs = np.maximum(0, 1 - np.abs(u.numpy()))
    np.testing.assert_allclose(log_kernel(u, "triangular").exp().numpy(), theirs, atol=1e-12)
    assert np.abs(log_kernel(u, "epanechnikov").exp().numpy() - theirs).max() > 0.2
