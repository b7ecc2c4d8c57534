"""attncourse.attention: `MultiHeadAttention` and the cache of its keys and values."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
import torch
import torch.nn.functional as F
from contract import heads_one_by_one
from references import redrawn, same_heads
from support import COMPILES, DTYPES, TOLERANCE, refused, some_mask
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from attncourse import (
    KeyValueCache,
    MultiHeadAttention,
    attention_weights,
    padding_mask,
    record_attention,
)
from attncourse.positions import RotaryPositions

BATCH, HEADS, QUERIES, KEYS, HEAD_DIM = 2, 3, 5, 7, 11
EMBED, KEY_DIM, VALUE_DIM = HEADS * HEAD_DIM, 13, 17
CLOSE = {"rtol": 0, "atol": 1e-12}  # between two correct computations in float64

# What a layer may be made of; each is EMBED wide but the rotary ones, whose heads must be even.
KINDS = {
    "plain": {},
    "no bias": {"bias": False},
    "one key head": {"num_kv_heads": 1},
    "one head": {"num_heads": 1},
    "head of one feature": {"num_heads": EMBED},
}
EVERY_KIND = pytest.mark.parametrize("kind", KINDS)


def layer_of(**options) -> MultiHeadAttention:
    sizes = {"embed_dim": EMBED, "num_heads": HEADS}
    return redrawn(MultiHeadAttention(**sizes | options))


def rotary_layer(**options) -> MultiHeadAttention:
    return layer_of(embed_dim=12, num_heads=3, rotary=RotaryPositions(4), **options)


def tokens(length: int = QUERIES, width: int = EMBED, batch: int = BATCH) -> torch.Tensor:
    return torch.randn(batch, length, width, dtype=torch.float64)


# Answers by hand


def identity_layer(num_heads: int) -> MultiHeadAttention:
    """Two features wide; queries are zero, values and outputs pass as they are."""
    layer = MultiHeadAttention(2, num_heads=num_heads)
    with torch.no_grad():
        layer.query_projection.weight.zero_()
        layer.value_projection.weight.copy_(torch.eye(2))
        layer.output_projection.weight.copy_(torch.eye(2))
    return layer


def test_a_layer_that_asks_nothing_averages_all():
    x = torch.tensor([[[1.0, 10.0], [5.0, 30.0]]])
    assert identity_layer(1)(x).tolist() == [[[3.0, 20.0]] * 2]


def test_causally_it_averages_what_came_before():
    x = torch.tensor([[[1.0, 10.0], [5.0, 30.0], [9.0, 20.0]]])
    output = identity_layer(2)(x, causal=True)
    torch.testing.assert_close(output, torch.tensor([[[1.0, 10.0], [3.0, 20.0], [5.0, 20.0]]]))


def test_each_head_looks_with_its_own_features():
    # Head one has the first feature, head two the second. The query (a, 0) asks with the first
    # head alone: its scores are 0 and ln 3, so it weighs 1 : 3, and the second head 1 : 1.
    layer = identity_layer(2)
    with torch.no_grad():
        layer.query_projection.weight.copy_(torch.eye(2))
        layer.key_projection.weight.copy_(torch.eye(2))
    query, key = torch.tensor([[[math.log(3), 0.0]]]), torch.tensor([[[0.0, 5.0], [1.0, 2.0]]])
    value = torch.tensor([[[4.0, 10.0], [8.0, 30.0]]])
    torch.testing.assert_close(layer(query, key, value), torch.tensor([[[7.0, 20.0]]]))


def test_a_fresh_layer_has_no_bias_yet_and_glorots_weights():
    layer = MultiHeadAttention(EMBED, num_heads=HEADS, key_dim=KEY_DIM, value_dim=VALUE_DIM)
    widths = {"query": EMBED, "key": KEY_DIM, "value": VALUE_DIM, "output": EMBED}
    for name, width in widths.items():
        projection = getattr(layer, f"{name}_projection")
        assert projection.weight.shape == (EMBED, width)
        assert not projection.bias.any()
        assert projection.weight.abs().max() <= math.sqrt(6 / (EMBED + width))


def test_it_says_what_it_is():
    assert "heads=3, head_dim=11" in repr(layer_of())
    assert "heads=3, kv 1, head_dim=11" in repr(layer_of(num_kv_heads=1))


# A loop over heads


@EVERY_KIND
@pytest.mark.parametrize("causal", [False, True], ids=["", "causal"])
@pytest.mark.parametrize(
    "shape",
    [None, (QUERIES, KEYS), (BATCH, QUERIES, KEYS), (BATCH, 1, KEYS), "heads", (BATCH, 1, 1, KEYS)],
    ids=["unmasked", "2d", "3d", "padding", "4d", "4d padding"],
)
def test_it_is_a_loop_over_heads(kind, shape, causal):
    layer = layer_of(**KINDS[kind])
    if shape == "heads":
        shape = BATCH, layer.num_heads, QUERIES, KEYS
    mask = None if shape is None else some_mask(*shape)
    query, memory = tokens(), tokens(KEYS)
    output = layer(query, memory, mask=mask, causal=causal)
    assert output.shape == (BATCH, QUERIES, EMBED)
    wanted = heads_one_by_one(layer, query, memory, memory, mask, causal)
    torch.testing.assert_close(output, wanted, **CLOSE)


def test_key_and_value_may_have_other_widths():
    layer = layer_of(key_dim=KEY_DIM, value_dim=VALUE_DIM)
    query, key, value = tokens(), tokens(KEYS, KEY_DIM), tokens(KEYS, VALUE_DIM)
    wanted = heads_one_by_one(layer, query, key, value)
    torch.testing.assert_close(layer(query, key, value), wanted, **CLOSE)


def test_the_query_is_the_key_and_the_key_is_the_value_by_default():
    layer, x, memory = layer_of(), tokens(), tokens(KEYS)
    assert torch.equal(layer(x), layer(x, x, x))
    assert torch.equal(layer(x, memory), layer(x, memory, memory))


@pytest.mark.parametrize("kv_heads", [1, 2, 3])
def test_shared_key_heads_are_full_heads_with_repeated_weights(kv_heads):
    width = 6 * 5
    grouped = layer_of(embed_dim=width, num_heads=6, num_kv_heads=kv_heads)
    full = layer_of(embed_dim=width, num_heads=6)
    assert grouped.key_projection.weight.shape == (5 * kv_heads, width)
    with torch.no_grad():
        for name in ("key_projection", "value_projection"):
            few, many = getattr(grouped, name), getattr(full, name)
            many.weight.copy_(
                few.weight.unflatten(0, (kv_heads, 5))
                .repeat_interleave(6 // kv_heads, 0)
                .flatten(0, 1)
            )
            many.bias.copy_(
                few.bias.view(kv_heads, 5).repeat_interleave(6 // kv_heads, 0).flatten()
            )
        full.query_projection.load_state_dict(grouped.query_projection.state_dict())
        full.output_projection.load_state_dict(grouped.output_projection.state_dict())
    x = tokens(width=width)
    torch.testing.assert_close(grouped(x, causal=True), full(x, causal=True), **CLOSE)
    cache = KeyValueCache()
    grouped(x, cache=cache)
    assert cache.key.shape == (BATCH, kv_heads, QUERIES, 5)  # that is what is saved


@pytest.mark.parametrize("kv_heads", [1, 2, 3, 6])
@pytest.mark.parametrize(
    "shape",
    [None, (1, KEYS), (BATCH, 1, KEYS), (BATCH, 6, 1, KEYS), (1, 6, 1, 1), (BATCH, 1, 1, KEYS)],
    ids=str,
)
def test_one_query_with_shared_key_heads_is_a_loop_over_heads(kv_heads, shape):
    layer = layer_of(embed_dim=6 * 5, num_heads=6, num_kv_heads=kv_heads)
    mask = None if shape is None else some_mask(*shape)
    query, memory = tokens(1, 30), tokens(KEYS, 30)
    padding = padding_mask(torch.tensor([KEYS, 3]))
    for causal in (False, True):
        output = layer(query, memory, mask=mask, causal=causal)
        wanted = heads_one_by_one(layer, query, memory, memory, mask, causal)
        torch.testing.assert_close(output, wanted, **CLOSE)
        pairs = padding[:, None, None]
        if mask is not None:
            pairs = pairs & (mask[:, None] if mask.dim() == 3 else mask)
        output = layer(query, memory, mask=mask, padding_mask=padding, causal=causal)
        wanted = heads_one_by_one(layer, query, memory, memory, pairs, causal)
        torch.testing.assert_close(output, wanted, **CLOSE)


def test_for_one_query_no_key_is_repeated(monkeypatch):
    layer, seen = layer_of(embed_dim=30, num_heads=6, num_kv_heads=2), []

    def attend(q, k, v, mask, **options):
        seen.append((q.shape, k.shape, v.shape))
        return q

    monkeypatch.setattr(layer, "attend", attend)
    layer(tokens(1, 30), tokens(KEYS, 30))
    assert seen == [((BATCH, 2, 3, 5), (BATCH, 2, KEYS, 5), (BATCH, 2, KEYS, 5))]


@pytest.mark.parametrize("kv_heads", [1, 2])
def test_one_querys_maps_are_of_the_query_heads(kv_heads):
    layer = layer_of(embed_dim=30, num_heads=6, num_kv_heads=kv_heads)
    query, memory, mask = tokens(1, 30), tokens(KEYS, 30), some_mask(BATCH, 6, 1, KEYS)
    with record_attention(layer) as maps:
        recorded = layer(query, memory, mask=mask)
    assert maps[""].shape == (BATCH, 6, 1, KEYS)
    assert not maps[""][~mask].any()
    torch.testing.assert_close(layer(query, memory, mask=mask), recorded, **CLOSE)


def test_one_query_with_a_shared_key_head_in_training():
    layer = layer_of(num_kv_heads=1, dropout=0.4).train()
    query = tokens(1, batch=0).requires_grad_()
    assert layer(query, tokens(KEYS, batch=0)).shape == (0, 1, EMBED)  # no sentence, no matter
    query, memory = tokens(1), tokens(KEYS)
    draws = torch.stack([layer(query, memory) for _ in range(400)])
    assert (draws.std(0) > 0).all()
    spread = draws.std(0) / 400**0.5
    assert ((draws.mean(0) - layer.eval()(query, memory)).abs() < 6 * spread).all()
    layer = layer_of(embed_dim=6, num_heads=3, num_kv_heads=1)
    mask = torch.tensor([[[True, False, True]], [[False] * 3]])
    assert torch.autograd.gradcheck(
        lambda query, memory: layer(query, memory, mask=mask),
        (tokens(1, 6).requires_grad_(), tokens(3, 6).requires_grad_()),
    )


@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_one_query_with_a_shared_key_head_maps_over_an_axis():
    layer, query, memory = layer_of(num_kv_heads=1), tokens(1, batch=3), tokens(KEYS, batch=3)
    mapped = torch.func.vmap(lambda q, m: layer(q[None], m[None])[0])(query, memory)
    torch.testing.assert_close(mapped, layer(query, memory), **CLOSE)


@DTYPES
def test_the_dtype_is_that_of_the_weights(dtype, device):
    layer, x = layer_of(), tokens()
    exact = layer(x)
    layer, x = layer.to(device, dtype), x.to(device, dtype)
    output = layer(x)
    assert output.dtype == dtype
    assert output.device.type == device.type
    atol = 10 * TOLERANCE[dtype]  # outputs are of order 1 to 3, after two matrices
    torch.testing.assert_close(output.double().cpu(), exact, rtol=0, atol=atol)


def test_mixed_precision_reads_float32_and_gives_the_smaller_dtype(device):
    layer, x = layer_of().float().to(device), tokens().float().to(device)
    with torch.autocast(device.type, torch.bfloat16):
        output = layer(x, causal=True)
    assert output.dtype == torch.bfloat16
    torch.testing.assert_close(output.float(), layer(x, causal=True), rtol=0, atol=0.1)


@pytest.mark.parametrize("shape", [(0, 5), (2, 0)])
def test_no_sentence_and_no_word_give_nothing(shape):
    x = torch.zeros(*shape, EMBED, dtype=torch.float64)
    assert layer_of()(x, causal=True).shape == x.shape


def test_gradients_are_those_of_finite_differences():
    layer = layer_of(embed_dim=6, num_heads=3, num_kv_heads=1)
    x, mask = tokens(3, 6).requires_grad_(), some_mask(BATCH, 3, 3)
    mask[0, 1] = False
    assert torch.autograd.gradcheck(lambda x: layer(x, mask=mask, causal=True), x)


# Padding, which has an argument of its own (kind: a mask of other axes is taken in silence)


@EVERY_KIND
@pytest.mark.parametrize("causal", [False, True], ids=["", "causal"])
@pytest.mark.parametrize("shape", [None, (QUERIES, KEYS), (BATCH, QUERIES, KEYS), "heads"], ids=str)
def test_a_pair_must_be_allowed_by_every_mask(kind, shape, causal):
    layer, query, memory = layer_of(**KINDS[kind]), tokens(), tokens(KEYS)
    if shape == "heads":
        shape = BATCH, layer.num_heads, QUERIES, KEYS
    padding = padding_mask(torch.tensor([KEYS, 3]))
    mask = None if shape is None else some_mask(*shape)
    output = layer(query, memory, mask=mask, padding_mask=padding, causal=causal)
    pairs = padding[:, None]
    if mask is not None:
        pairs = mask & (pairs[:, None] if mask.dim() == 4 else pairs)
    wanted = heads_one_by_one(layer, query, memory, memory, pairs, causal)
    torch.testing.assert_close(output, wanted, **CLOSE)


def test_where_all_lengths_are_equal_a_mask_is_of_pairs_and_a_padding_mask_of_tokens():
    layer, x = layer_of(), tokens(5, batch=5)
    mask = padding_mask(torch.tensor([5, 4, 3, 2, 1]))
    pairs, padding = heads_one_by_one(layer, x, x, x, mask), layer(x, mask=mask[:, None])
    torch.testing.assert_close(layer(x, mask=mask), pairs, **CLOSE)
    torch.testing.assert_close(layer(x, padding_mask=mask), padding, **CLOSE)
    assert (pairs - padding).abs().max() > 0.1


def test_padding_counts_what_is_in_a_cache():
    layer, x, cache = layer_of(), tokens(7), KeyValueCache()
    padding = padding_mask(torch.tensor([7, 3]))
    whole = layer(x, padding_mask=padding, causal=True)
    first = layer(x[:, :4], padding_mask=padding[:, :4], causal=True, cache=cache)
    with refused(ValueError, "padding_mask", "(batch, key)", "(2, 7)", "(2, 3)"):
        layer(x[:, 4:], padding_mask=padding[:, 4:], causal=True, cache=cache)
    second = layer(x[:, 4:], padding_mask=padding, causal=True, cache=cache)
    torch.testing.assert_close(torch.cat([first, second], 1), whole, **CLOSE)
    complete, query = layer.project_memory(x), tokens()
    output = layer(query, padding_mask=padding, cache=complete)
    torch.testing.assert_close(output, layer(query, x, padding_mask=padding), **CLOSE)


def test_padding_in_place_of_pairs_is_refused_and_the_right_way_named(own_errors):
    layer, query, memory = layer_of(), tokens(), tokens(KEYS)
    padding = padding_mask(torch.tensor([KEYS, 3]))
    for words in (query, query[:, :1]):  # also where each sentence asks once
        with refused(ValueError, "mask", "(2, 7)", "(batch, key)", "padding_mask"):
            layer(words, memory, mask=padding)


def test_padding_masks_that_do_not_fit_are_refused(own_errors):
    layer, query, memory = layer_of(), tokens(), tokens(KEYS)
    with refused(TypeError, "padding_mask", "boolean", "int64"):
        layer(query, memory, padding_mask=torch.ones(BATCH, KEYS, dtype=torch.int64))
    with refused(TypeError, "padding_mask", "boolean", "list"):
        layer(query, memory, padding_mask=[[True] * KEYS] * BATCH)
    for shape in ((QUERIES, KEYS), (BATCH, QUERIES), (BATCH, 1, KEYS), (1, KEYS)):
        with refused(ValueError, "padding_mask", "(batch, key)", "(2, 7)", str(shape)):
            layer(query, memory, padding_mask=torch.ones(shape, dtype=torch.bool))
    with refused(ValueError, "padding_mask", "device", "cpu and meta"):
        layer(query, memory, padding_mask=torch.ones(BATCH, KEYS, dtype=torch.bool, device="meta"))


def test_without_masks_the_causal_flag_travels(monkeypatch):
    seen = []
    layer = layer_of()
    monkeypatch.setattr(layer, "attend", lambda q, k, v, mask, **o: seen.append((mask, o)) or q)
    layer(tokens(), causal=True)
    assert seen == [(None, {"causal": True, "dropout": 0.0})]


# nn.MultiheadAttention, whose masks are True at what is ignored


def torch_pair(bias: bool = True, key_dim: int | None = None, value_dim: int | None = None):
    return same_heads(EMBED, HEADS, key_dim, value_dim, bias)


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
def test_self_attention_is_that_of_nn_multi_head_attention(bias):
    ours, theirs = torch_pair(bias)
    x = tokens()
    hidden = torch.ones(QUERIES, QUERIES, dtype=torch.bool).triu(1)
    output, weights = theirs(x, x, x, attn_mask=hidden, average_attn_weights=False)
    torch.testing.assert_close(ours(x, causal=True), output, **CLOSE)
    torch.testing.assert_close(ours(x, mask=~hidden), output, **CLOSE)
    with record_attention(ours) as maps:
        ours(x, causal=True)
    torch.testing.assert_close(maps[""], weights, **CLOSE)


@pytest.mark.parametrize("widths", [(None, None), (KEY_DIM, VALUE_DIM)], ids=["", "two widths"])
def test_cross_attention_is_that_of_nn_multi_head_attention(widths):
    ours, theirs = torch_pair(True, *widths)
    query = tokens()
    key, value = (tokens(KEYS, EMBED if width is None else width) for width in widths)
    padded = torch.tensor([[False] * 7, [False] * 4 + [True] * 3])
    output, weights = theirs(query, key, value, key_padding_mask=padded, average_attn_weights=False)
    with record_attention(ours) as maps:
        torch.testing.assert_close(ours(query, key, value, ~padded[:, None]), output, **CLOSE)
    torch.testing.assert_close(maps[""], weights, **CLOSE)
    # and True means the opposite there
    assert (ours(query, key, value, padded[:, None]) - output).abs().max() > 0.1


def test_a_mask_for_each_head_is_that_of_nn_multi_head_attention():
    ours, theirs = torch_pair()
    query, memory = tokens(), tokens(KEYS)
    mask = some_mask(BATCH, HEADS, QUERIES, KEYS) | torch.eye(QUERIES, KEYS, dtype=torch.bool)
    output, _ = theirs(query, memory, memory, attn_mask=~mask.flatten(0, 1), need_weights=False)
    torch.testing.assert_close(ours(query, memory, mask=mask), output, **CLOSE)


def test_gradients_are_those_of_nn_multi_head_attention():
    ours, theirs = torch_pair()
    x, same = tokens().requires_grad_(), None
    theirs(x, x, x, need_weights=False)[0].square().sum().backward()
    wanted, same = x.grad, x.detach().clone().requires_grad_()
    ours(same).square().sum().backward()
    torch.testing.assert_close(same.grad, wanted, rtol=1e-10, atol=1e-10)
    for name, gradient in zip(
        ("query", "key", "value"), theirs.in_proj_weight.grad.chunk(3), strict=True
    ):
        weight = getattr(ours, f"{name}_projection").weight
        torch.testing.assert_close(weight.grad, gradient, rtol=1e-10, atol=1e-10)


# A query that may attend to nothing


@EVERY_KIND
def test_a_query_without_keys_gets_zero_before_the_output_projection(kind):
    layer = layer_of(**KINDS[kind])
    x = tokens().requires_grad_()
    mask = torch.ones(BATCH, QUERIES, QUERIES, dtype=torch.bool)
    mask[0, 3] = mask[1] = False
    output = layer(x, mask=mask)
    bias = layer.output_projection.bias
    wanted = torch.zeros(EMBED, dtype=torch.float64) if bias is None else bias
    for row in (output[0, 3], *output[1]):
        assert torch.equal(row, wanted)
    assert (output[0, :3] - wanted).abs().amin() > 0
    output.square().sum().backward()
    assert x.grad.isfinite().all()
    assert all(weight.grad.isfinite().all() for weight in layer.parameters())


def test_no_key_at_all_gives_the_output_bias():
    layer = layer_of()
    output = layer(tokens(), tokens(0))
    assert torch.equal(output, layer.output_projection.bias.expand_as(output))


# Word by word


@EVERY_KIND
@pytest.mark.parametrize("gradients", [True, False], ids=["with gradients", "without"])
@pytest.mark.parametrize("chunks", [[1] * 7, [3, 1, 3], [1, 6], [7], [2, 0, 5]], ids=str)
def test_with_a_cache_chunks_are_the_parallel_pass(kind, chunks, gradients):
    layer, x, cache = layer_of(**KINDS[kind]), tokens(7), KeyValueCache()
    with torch.set_grad_enabled(gradients):
        parts = [layer(part, causal=True, cache=cache) for part in x.split(chunks, 1)]
    torch.testing.assert_close(torch.cat(parts, 1), layer(x, causal=True), **CLOSE)
    assert len(cache) == 7


@pytest.mark.parametrize("chunks", [[1] * 7, [3, 1, 3]], ids=str)
@pytest.mark.parametrize("kv_heads", [3, 1])
def test_with_a_cache_rotary_positions_go_on(kv_heads, chunks):
    layer, x, cache = rotary_layer(num_kv_heads=kv_heads), tokens(7, 12), KeyValueCache()
    parts = [layer(part, causal=True, cache=cache) for part in x.split(chunks, 1)]
    torch.testing.assert_close(torch.cat(parts, 1), layer(x, causal=True), **CLOSE)


def test_with_a_cache_the_mask_counts_what_is_in_it():
    layer, x, cache = layer_of(), tokens(7), KeyValueCache()
    mask = some_mask(BATCH, 7, 7)
    first = layer(x[:, :4], mask=mask[:, :4, :4], causal=True, cache=cache)
    second = layer(x[:, 4:], mask=mask[:, 4:], causal=True, cache=cache)
    whole = layer(x, mask=mask, causal=True)
    torch.testing.assert_close(torch.cat([first, second], 1), whole, **CLOSE)


def test_without_causal_a_cache_is_more_keys():
    layer, x, memory, cache = layer_of(), tokens(), tokens(KEYS), KeyValueCache()
    layer(x, memory[:, :3], cache=cache)
    output = layer(x, memory[:, 3:], cache=cache)
    torch.testing.assert_close(output, layer(x, memory), **CLOSE)


@torch.no_grad()
def test_copies_of_a_cache_go_on_in_different_ways():
    """They share memory, and neither sees what the other puts behind the common beginning."""
    layer, x, cache = layer_of(), tokens(8), KeyValueCache()
    for part in x[:, :5].split(1, 1):
        layer(part, causal=True, cache=cache)
    ways = [cache.copy() for _ in range(3)]
    ends = [x[:, 5:], x[:, 5:].flip(1), -x[:, 5:]]
    steps = [[], [], []]
    for i in range(3):  # turn and turn about
        for way, end, found in zip(ways, ends, steps, strict=True):
            found.append(layer(end[:, i : i + 1], causal=True, cache=way))
    for end, found in zip(ends, steps, strict=True):
        whole = layer(torch.cat([x[:, :5], end], 1), causal=True)
        torch.testing.assert_close(torch.cat(found, 1), whole[:, 5:], **CLOSE)
    assert len(cache) == 5
    again = layer(x[:, 5:6], causal=True, cache=cache.select(torch.arange(len(x))))
    torch.testing.assert_close(again, steps[0][0], **CLOSE)


@torch.no_grad()
def test_a_growing_cache_seldom_moves():
    layer, cache, places = layer_of(), KeyValueCache(), set()
    for part in tokens(64).split(1, 1):
        layer(part, causal=True, cache=cache)
        places.add(cache.key.untyped_storage().data_ptr())
    assert len(cache) == 64
    assert len(places) <= 7  # 1, 4, 10, 22, 46, 94 at most


def test_what_grew_without_gradients_goes_on_with_them():
    layer, x, cache = layer_of(), tokens(4), KeyValueCache()
    with torch.no_grad():
        for part in x[:, :3].split(1, 1):
            layer(part, causal=True, cache=cache)
    before = cache.key.clone()
    output = layer(x[:, 3:], causal=True, cache=cache)
    torch.testing.assert_close(output, layer(x, causal=True)[:, 3:], **CLOSE)
    output.square().sum().backward()
    assert torch.equal(cache.key[:, :, :3], before)


def test_what_grew_in_inference_mode_goes_on_outside():
    layer, x, cache = layer_of(), tokens(5), KeyValueCache()
    with torch.inference_mode():
        for part in x[:, :3].split(1, 1):
            layer(part, causal=True, cache=cache)
    with torch.no_grad():
        rest = [layer(part, causal=True, cache=cache) for part in x[:, 3:].split(1, 1)]
    torch.testing.assert_close(torch.cat(rest, 1), layer(x, causal=True)[:, 3:], **CLOSE)


@pytest.mark.parametrize("other_way", ["a copy", "a refused call"])
def test_with_and_without_gradients_by_turns(other_way):
    layer, x, cache = layer_of(), tokens(7), KeyValueCache()
    with torch.no_grad():
        for part in x[:, :5].split(1, 1):
            layer(part, causal=True, cache=cache)
    if other_way == "a refused call":
        with torch.no_grad(), pytest.raises(ValueError, match="mask"):
            layer(-x[:, :1], mask=torch.ones(BATCH, KEYS, dtype=torch.bool), cache=cache)
    way = cache.copy()
    layer(x[:, 5:6], causal=True, cache=way)  # with gradients
    with torch.no_grad():
        if other_way == "a copy":
            layer(-x[:, 5:6], causal=True, cache=cache)
        output = layer(x[:, 6:], causal=True, cache=way)
    torch.testing.assert_close(output, layer(x, causal=True)[:, 6:], **CLOSE)


@torch.no_grad()
@pytest.mark.parametrize("way", [copy.deepcopy, lambda cache: pickle.loads(pickle.dumps(cache))])
def test_a_cache_that_was_copied_or_saved_goes_on(way):
    layer, x, cache = layer_of(), tokens(5), KeyValueCache()
    for part in x[:, :3].split(1, 1):
        layer(part, causal=True, cache=cache)
    again = way(cache)
    rest = [layer(part, causal=True, cache=again) for part in x[:, 3:].split(1, 1)]
    torch.testing.assert_close(torch.cat(rest, 1), layer(x, causal=True)[:, 3:], **CLOSE)
    assert len(cache) == 3


def test_gradients_flow_through_a_cache():
    layer, x = layer_of(), tokens(4).requires_grad_()
    (whole,) = torch.autograd.grad(layer(x, causal=True)[:, 3].square().sum(), x)
    cache = KeyValueCache()
    steps = [layer(part, causal=True, cache=cache) for part in x.split(1, 1)]
    (stepped,) = torch.autograd.grad(steps[3].square().sum(), x)
    torch.testing.assert_close(stepped, whole, rtol=1e-10, atol=1e-10)


def test_what_is_projected_once_serves_many_calls():
    layer = layer_of(key_dim=KEY_DIM, value_dim=VALUE_DIM)
    key, value, mask = tokens(KEYS, KEY_DIM), tokens(KEYS, VALUE_DIM), some_mask(BATCH, 1, KEYS)
    cache = layer.project_memory(key, value)
    assert cache.complete
    assert len(cache) == KEYS
    for _ in range(2):
        query = tokens()
        output = layer(query, mask=mask, cache=cache)
        torch.testing.assert_close(output, layer(query, key, value, mask), **CLOSE)
    assert len(cache) == KEYS


def test_projected_keys_are_the_values_by_default():
    layer, query, memory = layer_of(), tokens(), tokens(KEYS)
    output = layer(query, cache=layer.project_memory(memory))
    torch.testing.assert_close(output, layer(query, memory), **CLOSE)


def test_a_copy_goes_on_by_itself():
    layer, x, cache = layer_of(), tokens(7), KeyValueCache()
    layer(x[:, :3], cache=cache)
    other = cache.copy()
    layer(x[:, 3:], cache=other)
    assert (len(cache), len(other)) == (3, 7)
    layer(x[:, 4:5], cache=cache)
    assert torch.equal(other.key[:, :, :3], cache.key[:, :, :3])
    assert not torch.equal(other.key[:, :, 3], cache.key[:, :, 3])
    complete = layer.project_memory(x).copy()
    assert complete.complete
    assert not cache.copy().complete


@torch.no_grad()
def test_keys_and_values_set_by_hand_are_those_that_count():
    layer, x = layer_of(), tokens(6, batch=3)
    cache, rows = KeyValueCache(), torch.tensor([2, 0, 1])
    for place in range(5):
        layer(x[:, place : place + 1], causal=True, cache=cache)
    cache.key, cache.value = cache.key[rows], cache.value[rows]
    stepped = layer(x[rows, 5:], causal=True, cache=cache)
    torch.testing.assert_close(stepped, layer(x[rows], causal=True)[:, 5:])


def test_selected_rows_go_on_in_their_order():
    layer, x, cache = layer_of(), tokens(4, batch=3), KeyValueCache()
    rows = torch.tensor([2, 0, 0, 1, 2])
    layer(x[:, :3], causal=True, cache=cache)
    chosen = cache.select(rows)
    output = layer(x[rows, 3:], causal=True, cache=chosen)
    torch.testing.assert_close(output, layer(x[rows], causal=True)[:, 3:], **CLOSE)
    assert cache.key.shape[:3] == (3, HEADS, 3)
    assert layer.project_memory(x).select(rows).complete
    assert len(KeyValueCache().select(rows)) == 0


def test_a_cache_shows_what_it_holds():
    layer, cache = layer_of(), KeyValueCache()
    assert (len(cache), repr(cache)) == (0, "KeyValueCache(empty)")
    layer(tokens(), cache=cache)
    assert repr(cache) == "KeyValueCache(key (2, 3, 5, 11))"
    assert repr(layer.project_memory(tokens(KEYS))) == "KeyValueCache(key (2, 3, 7, 11), complete)"


# Rotary positions in a layer


@pytest.mark.parametrize("kv_heads", [3, 1])
def test_each_heads_queries_and_keys_are_turned(kv_heads):
    layer, x = rotary_layer(num_kv_heads=kv_heads), tokens(7, 12)
    for causal in (False, True):
        wanted = heads_one_by_one(layer, x, x, x, causal=causal)
        torch.testing.assert_close(layer(x, causal=causal), wanted, **CLOSE)
    plain = layer_of(embed_dim=12, num_kv_heads=kv_heads)
    assert (layer(x) - plain(x)).abs().max() > 0.01


def test_with_rotary_positions_only_distances_count():
    layer, x = rotary_layer(), tokens(7, 12)
    # behind four tokens that nobody may see, the same sentence means the same
    longer = torch.cat([tokens(4, 12), x], 1)
    mask = torch.ones(11, 11, dtype=torch.bool)
    mask[:, :4] = False
    torch.testing.assert_close(layer(longer, mask=mask)[:, 4:], layer(x), **CLOSE)


# Recording and dropout


@pytest.mark.parametrize("kv_heads", [3, 1])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_the_output_is_computed_from_the_recorded_weights(kv_heads, dropout):
    layer = layer_of(num_kv_heads=kv_heads, dropout=dropout).train()
    x, mask = tokens(31), padding_mask(torch.tensor([31, 17]))[:, None]
    with record_attention(layer) as maps:
        output = layer(x, mask=mask, causal=True)
    assert maps[""].shape == (BATCH, HEADS, 31, 31)
    value = layer.value_projection(x).unflatten(-1, (kv_heads, HEAD_DIM))
    heads = [maps[""][:, i] @ value[:, :, i // (HEADS // kv_heads)] for i in range(HEADS)]
    by_hand = F.linear(torch.cat(heads, -1), *layer.output_projection.parameters())
    torch.testing.assert_close(output, by_hand, **CLOSE)
    # they are the softmax of the scores, some dropped and the others enlarged
    query, key = (
        projection(x).unflatten(-1, (-1, HEAD_DIM)).transpose(1, 2)
        for projection in (layer.query_projection, layer.key_projection)
    )
    key = key.repeat_interleave(HEADS // kv_heads, 1)
    whole = attention_weights(query, key, mask[:, None], causal=True)
    kept = maps[""] != 0
    torch.testing.assert_close(maps[""][kept], whole[kept] / (1 - dropout), **CLOSE)
    share = 1 - kept.sum().item() / (whole > 0).sum().item()
    assert abs(share - dropout) < 0.05


def test_dropout_works_in_training_only():
    layer, x = layer_of(dropout=0.4), tokens()
    assert torch.equal(layer(x), layer(x))
    torch.testing.assert_close(layer(x), layer_of()(x), **CLOSE)
    layer.train()
    assert not torch.equal(layer(x), layer(x))


def test_calls_with_a_cache_are_one_map():
    layer, x, cache = layer_of(), tokens(4), KeyValueCache()
    with record_attention(layer) as maps:
        layer(x, causal=True)
    with record_attention(layer) as stepped:
        for part in x.split(1, 1):
            layer(part, causal=True, cache=cache)
    torch.testing.assert_close(stepped[""], maps[""], **CLOSE)


# Copied, saved, compiled


def test_a_layer_is_copied_and_saved_with_its_weights():
    layer, x = layer_of(), tokens()
    assert torch.equal(copy.deepcopy(layer)(x), layer(x))
    other = MultiHeadAttention(EMBED, num_heads=HEADS).double()
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(x), layer(x))
    assert set(rotary_layer().state_dict()) == set(layer.state_dict())  # positions hold nothing


@COMPILES
@pytest.mark.parametrize("kind", ["shared keys, masked", "rotary, causal"])
def test_a_layer_compiles_in_one_graph(kind):
    if kind == "rotary, causal":
        layer, options = rotary_layer(), {"causal": True}
    else:
        layer = layer_of(num_kv_heads=1)
        options = {"mask": some_mask(BATCH, QUERIES, QUERIES), "causal": True}
    x = tokens(width=layer.embed_dim)
    compiled = torch.compile(layer.train(), backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x, **options), layer(x, **options), **CLOSE)


@COMPILES
@torch.no_grad()
@pytest.mark.parametrize("kv_heads", [3, 1])
def test_a_step_with_a_cache_compiles_in_one_graph(kv_heads):
    layer, x = layer_of(num_kv_heads=kv_heads), tokens(3)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    cache, wanted = KeyValueCache(), layer(x, causal=True)
    for position in range(3):
        step = compiled(x[:, position : position + 1], causal=True, cache=cache)
        torch.testing.assert_close(step[:, 0], wanted[:, position], **CLOSE)


# Kind of fault: a check stands in the way of what traces, transforms or adapts a layer


class LowRank(nn.Module):
    """An adapter as LoRA's: it has neither `in_features` nor `weight`."""

    def __init__(self, adapted: nn.Linear, rank: int = 1):
        super().__init__()
        self.adapted = adapted
        self.down = nn.Linear(adapted.in_features, rank, bias=False).double()
        self.up = nn.Linear(rank, adapted.out_features, bias=False).double()

    def forward(self, x):
        return self.adapted(x) + self.up(self.down(x))


def test_a_projection_may_be_replaced_by_an_adapter(own_errors):
    layer, query, memory = layer_of(key_dim=KEY_DIM, value_dim=VALUE_DIM), tokens(), tokens(KEYS)
    key, value = tokens(KEYS, KEY_DIM), tokens(KEYS, VALUE_DIM)
    before = layer(query, key, value)
    for name in ("query", "key", "value", "output"):
        adapter = LowRank(getattr(layer, f"{name}_projection"))
        nn.init.zeros_(adapter.up.weight)
        setattr(layer, f"{name}_projection", adapter)
    torch.testing.assert_close(layer(query, key, value), before, **CLOSE)
    layer(query, key, value).square().sum().backward()
    assert all(name.up.weight.grad.any() for name in layer.children())
    with refused(ValueError, "key", "(batch, length, 13)", "(2, 7, 33)"):
        layer(query, memory, value)


@COMPILES
def test_a_layer_is_exported_for_any_batch_and_length():
    class Padded(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer_of(num_kv_heads=1)

        def forward(self, x, padding):
            return self.layer(x, padding_mask=padding, causal=True) + self.layer(x)

    module = Padded()
    batch, length = torch.export.Dim("batch", max=64), torch.export.Dim("length", max=64)
    shapes = {"x": {0: batch, 1: length}, "padding": {0: batch, 1: length}}
    example = tokens(), padding_mask(torch.tensor([5, 3]))
    exported = torch.export.export(module, example, dynamic_shapes=shapes).module()
    for lengths in ([5, 3], [11, 7, 1]):
        inputs = tokens(max(lengths), batch=len(lengths)), padding_mask(torch.tensor(lengths))
        torch.testing.assert_close(exported(*inputs), module(*inputs), **CLOSE)


# PyTorch's own, of the kernel for CPUs, which runs once for each sentence.
@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_the_gradient_of_each_sentence_by_a_transform():
    layer, x = layer_of(), tokens()
    weights = dict(layer.named_parameters())

    def loss(weights, sentence):
        output = torch.func.functional_call(layer, weights, (sentence[None],), {"causal": True})
        return output.square().sum()

    each = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(weights, x)
    for i in range(BATCH):
        layer.zero_grad()
        layer(x[i : i + 1], causal=True).square().sum().backward()
        for name, weight in weights.items():
            torch.testing.assert_close(each[name][i], weight.grad, rtol=1e-9, atol=1e-9)


@torch.no_grad()
def test_a_layer_runs_on_tensors_without_values():
    with FakeTensorMode():
        fake = MultiHeadAttention(EMBED, num_heads=HEADS)
        cache, x = KeyValueCache(), tokens().float()
        padding = torch.ones(BATCH, 2 * QUERIES, dtype=torch.bool)
        fake(x, causal=True, cache=cache)
        output = fake(x, padding_mask=padding, causal=True, cache=cache)
    assert (output.shape, len(cache)) == ((BATCH, QUERIES, EMBED), 2 * QUERIES)
    assert layer_of().to("meta")(tokens().to("meta")).shape == (BATCH, QUERIES, EMBED)


# Bad input


@pytest.mark.parametrize(
    ("sizes", "error", "words"),
    [
        ({"num_heads": 5}, ValueError, ["num_heads", "divide embed_dim", "5 and 33"]),
        ({"num_kv_heads": 2}, ValueError, ["num_kv_heads", "divide num_heads", "2 and 3"]),
        ({"num_heads": 0}, ValueError, ["num_heads", "positive", "0"]),
        ({"num_kv_heads": 0}, ValueError, ["num_kv_heads", "positive", "0"]),
        ({"embed_dim": -3}, ValueError, ["embed_dim", "positive", "-3"]),
        ({"key_dim": 0}, ValueError, ["key_dim", "positive"]),
        ({"value_dim": 1.5}, TypeError, ["value_dim", "integer", "float"]),
        ({"num_heads": 3.0}, TypeError, ["num_heads", "integer", "float"]),
        ({"num_heads": True}, TypeError, ["num_heads", "integer", "bool"]),
        ({"dropout": 1.0}, ValueError, ["dropout", "[0, 1)", "1.0"]),
        ({"dropout": "some"}, TypeError, ["dropout", "number", "str"]),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_sizes_that_do_not_fit_are_refused(own_errors, sizes, error, words):
    with refused(error, *words):
        MultiHeadAttention(**{"embed_dim": EMBED, "num_heads": HEADS} | sizes)


def test_inputs_of_the_wrong_kind_are_refused(own_errors):
    layer, x = layer_of(), tokens()
    with refused(TypeError, "query", "tensor", "list"):
        layer(x.tolist())
    with refused(TypeError, "key", "tensor", "str"):
        layer(x, "memory")
    with refused(TypeError, "query", "dtype", "float64 and torch.float32"):
        layer(x.float())
    with refused(TypeError, "key", "dtype", "float64 and torch.bfloat16"):
        layer(x, x.bfloat16())
    with refused(TypeError, "value", "dtype", "float64 and torch.int64"):
        layer(x, x, x.long())
    with refused(ValueError, "query", "device", "cpu and meta"):
        layer(x.to("meta"))
    with refused(TypeError, "mask", "list"):
        layer(x, mask=[[True] * 5] * 5)
    with refused(TypeError, "cache", "KeyValueCache", "list"):
        layer(x, cache=[])
    with torch.autocast("cpu"), refused(TypeError, "query", "float64 and torch.int64"):
        layer(x.long())


def test_keys_and_values_of_different_length_are_not_held(own_errors):
    cache = KeyValueCache()
    with refused(ValueError, "key and value", "(1, 2, 3, 4)", "(1, 2, 5, 4)"):
        cache.append(None, torch.zeros(1, 2, 3, 4), torch.zeros(1, 2, 5, 4))
    assert len(cache) == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [({"rotary": True}, ["rotary", "RotaryPositions", "bool"]), ({"bias": "no"}, ["bias", "'no'"])],
)
def test_a_switch_in_the_wrong_place_is_refused(own_errors, options, words):
    with refused(TypeError, *words):
        layer_of(**options)


def test_inputs_of_the_wrong_shape_are_refused(own_errors):
    layer, x = layer_of(key_dim=KEY_DIM, value_dim=VALUE_DIM), tokens()
    key, value = tokens(KEYS, KEY_DIM), tokens(KEYS, VALUE_DIM)
    with refused(ValueError, "query", "(batch, length, 33)", "(2, 5, 13)"):
        layer(tokens(width=KEY_DIM), key, value)
    with refused(ValueError, "query", "(batch, length, 33)", "(5, 33)"):
        layer(x[0], key, value)
    with refused(ValueError, "key", "(batch, length, 13)", "(2, 7, 17)"):
        layer(x, value, key)
    with refused(ValueError, "value", "(batch, length, 17)", "(2, 7, 13)"):
        layer(x, key)
    with refused(ValueError, "key and value", "(2, 7) and (2, 6)"):
        layer(x, key, value[:, :6])
    with refused(ValueError, "key and value", "(2, 7) and (1, 7)"):
        layer(x, key, value[:1])
    with refused(ValueError, "query and key", "batch", "2 and 1"):
        layer(x, key[:1], value[:1])
    with refused(ValueError, "key", "(batch, length, 13)", "(2, 5, 33)"):
        layer(x)  # on itself, of which it cannot be


def test_a_value_without_a_key_is_refused(own_errors):
    with refused(TypeError, "value", "without a key"):
        layer_of()(tokens(), value=tokens(KEYS))


def test_a_value_beside_a_complete_cache_is_refused(own_errors):
    layer, x = layer_of(), tokens()
    with refused(TypeError, "value", "without a key"):
        layer(x, value=tokens(KEYS), cache=layer.project_memory(x))


def test_a_call_that_is_refused_leaves_the_cache_as_it_was(own_errors):
    layer, cache = layer_of(), KeyValueCache()
    with refused(ValueError, "mask"):
        layer(tokens(), mask=torch.ones(BATCH, KEYS, dtype=torch.bool), cache=cache)
    assert len(cache) == 0
    x = tokens(5)
    with torch.no_grad():  # where it grows in place
        layer(x[:, :3], causal=True, cache=cache)
        layer(x[:, 3:4], causal=True, cache=cache)
        with refused(ValueError, "mask"):
            layer(-x, mask=torch.ones(BATCH, KEYS, dtype=torch.bool), cache=cache)
        assert len(cache) == 4
        last = layer(x[:, 4:], causal=True, cache=cache)
        torch.testing.assert_close(last, layer(x, causal=True)[:, 4:], **CLOSE)


def test_masks_that_do_not_fit_are_refused(own_errors):
    layer, query, memory = layer_of(), tokens(), tokens(KEYS)
    with refused(TypeError, "mask", "boolean", "float64"):
        layer(query, memory, mask=torch.zeros(QUERIES, KEYS, dtype=torch.float64))
    with refused(TypeError, "mask", "boolean", "int64"):
        layer(query, memory, mask=torch.ones(QUERIES, KEYS, dtype=torch.int64))
    four = "(2, 3, 5, 7)"  # (batch, heads, query, key)
    for shape, wanted in {
        (KEYS, QUERIES): four,
        (3, QUERIES, KEYS): "(2, 5, 7)",
        (BATCH, 2, QUERIES, KEYS): four,
    }.items():
        with refused(ValueError, "mask", str(shape), "does not broadcast", wanted):
            layer(query, memory, mask=torch.ones(shape, dtype=torch.bool))
    with refused(ValueError, "mask", "device", "cpu and meta"):
        layer(query, memory, mask=torch.ones(QUERIES, KEYS, dtype=torch.bool, device="meta"))


def test_rotary_positions_are_for_self_attention(own_errors):
    layer, x = rotary_layer(), tokens(width=12)
    for key in (x, x.clone()):  # the same object or an equal one: a given key is refused
        with refused(ValueError, "rotary", "self-attention", "key"):
            layer(x, key)
    complete = KeyValueCache()
    layer(x, cache=complete)
    complete.complete = True
    with refused(ValueError, "rotary", "self-attention", "complete cache"):
        layer(x, cache=complete)
    with refused(ValueError, "rotary", "self-attention", "key"):
        layer.project_memory(x)


def test_a_cache_that_does_not_fit_is_refused(own_errors):
    layer, x, cache = layer_of(), tokens(), KeyValueCache()
    layer(x, cache=cache)
    with refused(ValueError, "cache", "another layer", "(2, 3, 5, 11)"):
        layer_of()(x, cache=cache)
    with refused(ValueError, "cache", "another layer"):
        layer_of()(x, cache=layer.project_memory(x))
    with refused(ValueError, "cache", "(2, 3, 5, 11)", "(1, 3, 5, 11)"):
        layer(x[:1], cache=cache)
    with refused(ValueError, "cache is complete", "5 keys", "give no key"):
        layer(x, x, cache=layer.project_memory(x))
    with refused(ValueError, "query and key", "batch", "1 and 2"):
        layer(x[:1], cache=layer.project_memory(x))
    assert len(cache) == QUERIES
    layer.float()
    with refused(TypeError, "cache", "dtype", "float64 and torch.float32"):
        layer(x.float(), cache=cache)
