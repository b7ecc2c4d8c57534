"""The exercises of chapters 06 to 10: their solutions beside other implementations, and answers as
readers write them, none taken from the registry."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import attncourse
from attncourse import MultiHeadAttention, attend, causal_mask
from attncourse.exercises import EXERCISES, broken, check
from attncourse.positions import RotaryPositions, SinusoidalPositions
from attncourse.transformer import FeedForward, Residual, Transformer, TransformerConfig

NAMES = [name for name, exercise in EXERCISES.items() if "06" <= exercise.chapter <= "10"]


def _solve(name, *arguments):
    return EXERCISES[name].solution(*arguments)


def _normal(*shape):
    return torch.randn(shape, dtype=torch.float64)


def _norm(x):
    return F.layer_norm(x, x.shape[-1:])


# -- the solutions ---------------------------------------------------------------------------------


def test_there_are_fifteen_exercises_in_these_chapters():
    assert len(NAMES) == 15


def test_self_attention_agrees_with_the_packages_layer_of_one_head():
    layer = MultiHeadAttention(6, num_heads=1, bias=False).double()
    nn.init.eye_(layer.output_projection.weight)
    x = _normal(2, 5, 6)
    projections = layer.query_projection, layer.key_projection, layer.value_projection
    got = _solve("self_attention", x, *(projection.weight for projection in projections))
    torch.testing.assert_close(got, layer(x))


def test_looking_around_is_self_attention_without_what_is_padding():
    x, weights = _normal(1, 5, 7), (_normal(3, 7), _normal(3, 7), _normal(2, 7))
    mask = torch.tensor([[True, True, True, False, False]])
    got = _solve("symmetric_attention", x, mask, *weights)
    torch.testing.assert_close(got[:, :3], _solve("self_attention", x[:, :3], *weights))


def test_heads_are_slices_of_the_features():
    x = torch.arange(12).reshape(1, 2, 6)  # two words of six features
    heads = _solve("split_heads", x, 3)
    assert heads.tolist() == [[[[0, 1], [6, 7]], [[2, 3], [8, 9]], [[4, 5], [10, 11]]]]
    assert torch.equal(_solve("merge_heads", heads), x)


def test_several_heads_agree_with_the_packages_layer():
    layer = MultiHeadAttention(6, num_heads=3, bias=False).double()
    for projection in layer.children():
        nn.init.eye_(projection.weight)
    query, key, value = _normal(2, 5, 6), _normal(2, 7, 6), _normal(2, 7, 6)
    mask = torch.rand(2, 5, 7) < 0.5
    mask[0, 0] = False
    got = _solve("multi_head", query, key, value, 3, mask)
    torch.testing.assert_close(got, layer(query, key, value, mask))
    assert (got[0, 0] == 0).all()


def test_padded_heads_agree_with_attend():
    query, key, value = _normal(2, 3, 5, 7), _normal(2, 3, 5, 7), _normal(2, 3, 5, 7)
    mask = attncourse.padding_mask(torch.tensor([5, 2]))
    got = _solve("padded_heads", query, key, value, mask)
    torch.testing.assert_close(got, attend(query, key, value, mask[:, None, None]))


def test_the_codes_agree_with_the_packages():
    torch.testing.assert_close(_solve("sinusoidal_code", 17, 8), SinusoidalPositions(8).code(17))


def test_placing_agrees_with_the_package_at_any_offset():
    embedded = _normal(2, 3, 8)
    for written in (0, 1, 1000):
        got = _solve("positions_from_zero", embedded, written)
        torch.testing.assert_close(got, SinusoidalPositions(8)(embedded, written))


def test_turning_agrees_with_the_package():
    x = _normal(2, 3, 5, 8)
    got = _solve("rotate", x, torch.arange(7, 12))
    torch.testing.assert_close(got, RotaryPositions(8)(x, offset=7))


def test_a_quarter_turn_brings_one_feature_to_the_other():
    got = _solve("rotate", torch.tensor([[1.0, 0.0]]).double(), torch.tensor([1]))
    assert got[0].tolist() == pytest.approx([math.cos(1), math.sin(1)])


def test_layer_norm_and_network_agree_with_pytorchs():
    x, gain, bias = _normal(2, 3, 5), _normal(5), _normal(5)
    got = _solve("layer_norm", x, gain, bias, 0.5)
    torch.testing.assert_close(got, F.layer_norm(x, (5,), gain, bias, 0.5))
    network = FeedForward(5, ffn_dim=7).double()
    nn.init.normal_(network.expand.bias)
    nn.init.normal_(network.contract.bias)
    first, second = network.expand, network.contract
    got = _solve("feed_forward", x, first.weight, first.bias, second.weight, second.bias)
    torch.testing.assert_close(got, network(x))


def test_the_block_agrees_with_the_packages_residual():
    x, first, second = _normal(2, 5, 7), _normal(11, 7), _normal(7, 11)
    add = Residual(7, norm_first=True).double()
    want = add(x, lambda x: attend(x, x, x))
    want = add(want, lambda x: torch.relu(x @ first.mT) @ second.mT)
    torch.testing.assert_close(_solve("encoder_block", x, first, second), want)


def test_the_decoder_layer_agrees_with_the_packages_residual():
    x, memory = _normal(2, 5, 6), _normal(2, 7, 6)
    mask = attncourse.padding_mask(torch.tensor([7, 0]), 7)
    add = Residual(6).double()
    want = add(x, lambda x: attend(x, x, x, causal_mask(5)))
    want = add(want, lambda x: attend(x, memory, memory, mask[:, None]))
    torch.testing.assert_close(_solve("decoder_layer", x, memory, mask), want)


@pytest.mark.parametrize("sizes", [(11, 6, 2, 7, 5), (11, 6, 3, 7, 5), (7, 4, 1, 3, 1)])
def test_the_count_is_that_of_the_packages_model(sizes):
    vocabulary, embed_dim, num_heads, ffn_dim, num_layers = sizes
    model = Transformer(
        TransformerConfig(
            vocabulary,
            embed_dim=embed_dim,
            num_heads=num_heads,
            ffn_dim=ffn_dim,
            num_layers=num_layers,
        )
    )
    parts = (model.source_embedding, model.encoder, model.decoder)
    want = tuple(sum(p.numel() for p in part.parameters()) for part in parts)
    assert _solve("count_parameters", *sizes) == want
    assert sum(want) == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("training", [True, False])
def test_looking_back_agrees_with_attend_whole_and_in_pieces(training):
    x = _normal(2, 5, 3)
    whole = _solve("leaking_decoder", x, x, x, training)
    torch.testing.assert_close(whole, attend(x, x, x, causal=True))
    pieces = [
        _solve("leaking_decoder", x[:, i:j], x[:, :j], x[:, :j], training)
        for i, j in ((0, 2), (2, 3), (3, 5))
    ]
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole)


# -- the check -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_that_computes_in_float64_changes_nothing(name):
    before = check(name, EXERCISES[name].solution)
    assert before.passed, before
    torch.set_default_dtype(torch.float64)
    try:
        assert check(name, EXERCISES[name].solution).message == before.message
        assert torch.get_default_dtype() is torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_the_dtype_of_inputs_is_spoken_of_only_where_there_are_any():
    wide = check("sinusoidal_code", lambda length, width: torch.zeros(length, width).double())
    assert wide.kind == "contract"
    assert "your result is float64, wanted float32" in " ".join(wide.message.split())
    assert "inputs" not in wide.message
    merged = check("merge_heads", lambda x: x.transpose(1, 2).flatten(2).double())
    assert "Take the dtype from the inputs" in merged.message


@pytest.mark.parametrize("name", NAMES)
def test_every_case_but_the_dtypes_is_there_for_a_fault_or_a_shape(name):
    cases = EXERCISES[name].cases
    if any(argument.draw.__name__ == "numbers" for argument in EXERCISES[name].inputs):
        assert any(case.strided for case in cases)
        assert {torch.float32, torch.float64, torch.bfloat16} <= {case.dtype for case in cases}
    if name in ("multi_head", "decoder_layer"):
        assert "empty row" in {case.mask for case in cases}


# -- right answers in other words ------------------------------------------------------------------


def attention_by_torch(x, query_weight, key_weight, value_weight):
    query, key, value = (F.linear(x, w) for w in (query_weight, key_weight, value_weight))
    return F.scaled_dot_product_attention(query, key, value)


def attention_by_einsum(x, query_weight, key_weight, value_weight):
    query = torch.einsum("ble,he->blh", x, query_weight) * query_weight.size(0) ** -0.5
    key = torch.einsum("ble,he->blh", x, key_weight)
    weights = F.softmax(torch.einsum("bqh,bkh->bqk", query, key), dim=2)
    return torch.einsum("bqk,bke,ve->bqv", weights, x, value_weight)


def looking_by_attend(x, mask, query_weight, key_weight, value_weight):
    query, key, value = (F.linear(x, w) for w in (query_weight, key_weight, value_weight))
    return attend(query, key, value, mask[:, None, :])


def split_by_reshape(x, num_heads):
    batch, length, width = x.shape
    return x.reshape(batch, length, num_heads, width // num_heads).permute(0, 2, 1, 3).contiguous()


def split_by_chunks(x, num_heads):
    return torch.stack(x.split(x.size(-1) // num_heads, dim=-1), dim=1)


def merge_by_view(x):
    return x.permute(0, 2, 1, 3).contiguous().view(x.size(0), x.size(2), -1)


def merge_by_cat(x):
    return torch.cat(x.unbind(dim=1), dim=-1)


def heads_by_attend(query, key, value, num_heads, mask):
    parts = (split_by_reshape(x, num_heads) for x in (query, key, value))
    return merge_by_view(attend(*parts, mask.unsqueeze(1)))


def heads_one_by_one(query, key, value, num_heads, mask):
    slices = zip(*(x.chunk(num_heads, dim=-1) for x in (query, key, value)), strict=True)
    return torch.cat([attend(q, k, v, mask) for q, k, v in slices], dim=-1)


def padded_by_torch(query, key, value, mask):
    return F.scaled_dot_product_attention(query, key, value, mask[:, None, None, :])


def padded_by_minus_1e9(query, key, value, mask):
    scores = query @ key.transpose(-2, -1) / query.size(-1) ** 0.5
    hidden = mask.logical_not().unsqueeze(1).unsqueeze(2)
    return F.softmax(scores.masked_fill(hidden, -1e9), dim=-1) @ value


def code_by_assignment(length, width):
    code = torch.zeros(length, width)
    position = torch.arange(0, length, dtype=torch.float).unsqueeze(1)
    factor = torch.exp(torch.arange(0, width, 2).float() * (-math.log(10000.0) / width))
    code[:, 0::2] = torch.sin(position * factor)
    code[:, 1::2] = torch.cos(position * factor)
    return code


def code_by_hand(length, width):
    rows = [
        [
            (math.cos if j % 2 else math.sin)(t / 10000 ** ((j - j % 2) / width))
            for j in range(width)
        ]
        for t in range(length)
    ]
    return torch.tensor(rows)


def placed_by_the_package(embedded, written):
    return SinusoidalPositions(embedded.shape[-1])(embedded, offset=written)


def placed_from_a_table(embedded, written):
    new, width = embedded.shape[1:]
    return embedded + code_by_assignment(written + new, width)[written:].to(embedded.dtype)


def turned_by_complex_numbers(x, positions):
    width = x.shape[-1]
    frequency = 1.0 / 10000 ** (torch.arange(0, width, 2).float() / width)
    turn = torch.polar(torch.ones(()), positions.float()[:, None] * frequency)
    wide = torch.float64 if x.dtype is torch.float64 else torch.float32
    points = torch.view_as_complex(x.to(wide).unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(points * turn).flatten(-2).to(x.dtype)


def turned_as_in_libraries(x, positions):
    frequency = 10000 ** (-torch.arange(0, x.shape[-1], 2) / x.shape[-1])
    angle = torch.outer(positions, frequency).repeat_interleave(2, dim=-1)
    other = torch.stack([-x[..., 1::2], x[..., ::2]], dim=-1).reshape(x.shape)
    return x * angle.cos().to(x) + other * angle.sin().to(x)


def norm_by_torch(x, gain, bias, eps):
    return F.layer_norm(x, gain.shape, gain, bias, eps)


def norm_by_var(x, gain, bias, eps):
    variance, mean = torch.var_mean(x, dim=-1, unbiased=False, keepdim=True)
    return gain * (x - mean) * torch.rsqrt(variance + eps) + bias


def network_by_linear(x, first_weight, first_bias, second_weight, second_bias):
    return F.linear(F.relu(F.linear(x, first_weight, first_bias)), second_weight, second_bias)


def network_by_clamp(x, first_weight, first_bias, second_weight, second_bias):
    hidden = (torch.einsum("...e,fe->...f", x, first_weight) + first_bias).clamp(min=0)
    return torch.einsum("...f,ef->...e", hidden, second_weight) + second_bias


def block_in_one_breath(x, first_weight, second_weight):
    normed = _norm(x)
    y = x + F.scaled_dot_product_attention(normed, normed, normed)
    return y + F.linear(F.relu(F.linear(_norm(y), first_weight)), second_weight)


def decoder_with_masks(x, memory, memory_mask):
    y = _norm(x + attend(x, x, x, causal_mask(x.shape[1])))
    return _norm(y + attend(y, memory, memory, memory_mask.unsqueeze(1)))


def decoder_by_torch(x, memory, memory_mask):
    y = _norm(x + F.scaled_dot_product_attention(x, x, x, is_causal=True))
    mask = memory_mask[:, None].expand(-1, x.shape[1], -1)
    read = F.scaled_dot_product_attention(y, memory, memory, mask).nan_to_num(0.0)
    return _norm(y + read.masked_fill(~memory_mask.any(1)[:, None, None], 0.0))


def count_by_building(vocab_size, embed_dim, num_heads, ffn_dim, num_layers):
    def size(module):
        return sum(p.numel() for p in module.parameters())

    encoder = nn.TransformerEncoderLayer(embed_dim, num_heads, ffn_dim)
    decoder = nn.TransformerDecoderLayer(embed_dim, num_heads, ffn_dim)
    return vocab_size * embed_dim, num_layers * size(encoder), num_layers * size(decoder)


def back_by_the_package(query, key, value, training):
    return attend(query, key, value, causal=True)


def back_by_places(query, key, value, training):
    new, length = query.shape[1], key.shape[1]
    place = torch.arange(length - new, length)
    return attend(query, key, value, place[:, None] >= torch.arange(length))


RIGHT = [
    ("self_attention", attention_by_torch),
    ("self_attention", attention_by_einsum),
    ("symmetric_attention", looking_by_attend),
    ("split_heads", split_by_reshape),
    ("split_heads", split_by_chunks),
    ("merge_heads", merge_by_view),
    ("merge_heads", merge_by_cat),
    ("multi_head", heads_by_attend),
    ("multi_head", heads_one_by_one),
    ("padded_heads", padded_by_torch),
    ("padded_heads", padded_by_minus_1e9),
    ("sinusoidal_code", code_by_assignment),
    ("sinusoidal_code", code_by_hand),
    ("positions_from_zero", placed_by_the_package),
    ("positions_from_zero", placed_from_a_table),
    ("rotate", turned_by_complex_numbers),
    ("rotate", turned_as_in_libraries),
    ("layer_norm", norm_by_torch),
    ("layer_norm", norm_by_var),
    ("feed_forward", network_by_linear),
    ("feed_forward", network_by_clamp),
    ("encoder_block", block_in_one_breath),
    ("decoder_layer", decoder_with_masks),
    ("decoder_layer", decoder_by_torch),
    ("count_parameters", count_by_building),
    ("leaking_decoder", back_by_the_package),
    ("leaking_decoder", back_by_places),
]


@pytest.mark.parametrize(("name", "right"), RIGHT, ids=[right.__name__ for _, right in RIGHT])
def test_a_right_answer_in_other_words_passes(name, right):
    verdict = check(name, right)
    assert verdict.passed, verdict


def test_every_exercise_has_a_right_answer_in_other_words():
    assert {name for name, _ in RIGHT} == set(NAMES)


# -- wrong answers ---------------------------------------------------------------------------------


def _projected(x, *weights):
    return tuple(F.linear(x, weight) for weight in weights)


def attention_no_root(x, *weights):
    query, key, value = _projected(x, *weights)
    return F.softmax(torch.bmm(query, key.transpose(1, 2)), dim=-1) @ value


def attention_root_of_embed(x, *weights):
    query, key, value = _projected(x, *weights)
    return F.scaled_dot_product_attention(query, key, value, scale=x.size(2) ** -0.5)


def attention_over_the_queries(x, *weights):
    query, key, value = _projected(x, *weights)
    return F.softmax(query @ key.mT / query.size(-1) ** 0.5, dim=-2) @ value


def attention_of_raw_values(x, query_weight, key_weight, value_weight):
    query, key = _projected(x, query_weight, key_weight)
    return attend(query, key, x)


def attention_without_weights(x, query_weight, key_weight, value_weight):
    return F.scaled_dot_product_attention(x, x, x)


def attention_symmetric(x, query_weight, key_weight, value_weight):
    key, value = _projected(x, key_weight, value_weight)
    return attend(key, key, value)


def attention_plain_matmul(x, query_weight, key_weight, value_weight):
    query, key, value = (torch.matmul(x, w) for w in (query_weight, key_weight, value_weight))
    return attend(query, key, value)


def attention_causal(x, *weights):
    return attend(*_projected(x, *weights), causal=True)


def looking_half_mended(x, mask, query_weight, key_weight, value_weight):
    query, key = x @ query_weight.mT, x @ key_weight.mT
    scores = query @ key.mT / math.sqrt(x.shape[-1])
    scores = scores.masked_fill(~mask[:, None], -torch.inf)
    return torch.softmax(scores, dim=-1) @ (x @ value_weight.mT)


def looking_with_one_side(x, mask, query_weight, key_weight, value_weight):
    scores = (x @ query_weight.mT) @ x.mT / math.sqrt(len(query_weight))
    return F.softmax(scores.masked_fill(~mask[:, None], -1e9), -1) @ (x @ value_weight.mT)


def split_viewed(x, num_heads):
    return x.reshape(x.size(0), num_heads, -1, x.size(2) // num_heads)


def split_interleaved(x, num_heads):
    return torch.stack([x[..., i::num_heads] for i in range(num_heads)], dim=1)


def split_words(x, num_heads):
    return x.reshape(x.size(0), num_heads, x.size(1) // num_heads, x.size(2))


def split_not_moved(x, num_heads):
    return x.reshape(*x.shape[:2], num_heads, -1)


def split_into_the_batch(x, num_heads):
    heads = x.reshape(*x.shape[:2], num_heads, -1).permute(0, 2, 1, 3)
    return heads.reshape(-1, heads.shape[2], heads.shape[3])


def merge_in_memory(x):
    return x.contiguous().view(x.size(0), x.size(2), -1)


def merge_by_view_alone(x):
    return x.transpose(1, 2).view(x.size(0), x.size(2), -1)


def merge_mean(x):
    return torch.mean(x, dim=1)


def _in_heads(attention, split=split_by_reshape, merge=merge_by_view):
    def answer(query, key, value, num_heads, mask):
        parts = [split(x, num_heads) for x in (query, key, value)]
        return merge(attention(*parts, mask))

    return answer


def _weighed(weigh):
    return lambda q, k, v, mask: weigh(q @ k.mT / q.size(-1) ** 0.5, mask) @ v


def heads_root_of_embed(query, key, value, num_heads, mask):
    attention = _in_heads(
        lambda q, k, v, mask: attend(q, k, v, mask[:, None], scale=query.size(-1) ** -0.5)
    )
    return attention(query, key, value, num_heads, mask)


heads_inverted = _in_heads(lambda q, k, v, mask: attend(q, k, v, ~mask[:, None]))
heads_masked_late = _in_heads(_weighed(lambda s, m: s.softmax(-1).masked_fill(~m[:, None], 0)))
heads_unmasked = _in_heads(lambda q, k, v, mask: F.scaled_dot_product_attention(q, k, v))
heads_of_words = _in_heads(lambda q, k, v, mask: attend(q, k, v, mask[:, None]), split_viewed)
heads_compete = _in_heads(
    _weighed(lambda s, m: F.softmax(s.masked_fill(~m[:, None], -1e9), dim=1) * m[:, None])
)
heads_share_weights = _in_heads(
    _weighed(lambda s, m: attncourse.masked_softmax(s.mean(dim=1, keepdim=True), m[:, None]))
)
heads_nan = _in_heads(
    _weighed(lambda s, m: s.masked_fill(m.logical_not()[:, None], -torch.inf).softmax(-1))
)
heads_uniform = _in_heads(_weighed(lambda s, m: torch.where(m[:, None], s, -1e9).softmax(-1)))
heads_without_an_axis = _in_heads(_weighed(lambda s, m: s.masked_fill(~m, -1e9).softmax(-1)))
heads_without_an_axis_by_attend = _in_heads(attend)


def heads_ignored(query, key, value, num_heads, mask):
    return attend(query, key, value, mask)


def _padded(hide):
    def answer(query, key, value, mask):
        scores = torch.einsum("bhqd,bhkd->bhqk", query, key) / query.size(-1) ** 0.5
        return torch.einsum("bhqk,bhkd->bhqd", F.softmax(hide(scores, mask), -1), value)

    return answer


padded_nan_rows = _padded(lambda s, mask: s.masked_fill(~mask[:, None, :, None], -torch.inf))
padded_inverted = _padded(lambda s, mask: s.masked_fill(mask[:, None, None], -1e9))
padded_both_ways = _padded(
    lambda s, m: torch.where(m[:, None, None] & m[:, None, :, None], s, -1e9)
)
padded_unmasked = _padded(lambda s, mask: s)


def padded_by_the_layers_polarity(query, key, value, mask):
    return F.scaled_dot_product_attention(query, key, value, mask.logical_not()[:, None, None, :])


def _waves(length, width):
    factor = 10000.0 ** (-torch.arange(0, width, 2) / width)
    return torch.arange(length).unsqueeze(1) * factor


def code_in_halves(length, width):
    waves = _waves(length, width)
    return torch.cat((torch.sin(waves), torch.cos(waves)), dim=1)


def code_halved_exponent(length, width):
    code = torch.zeros(length, width)
    waves = torch.arange(length)[:, None] / torch.pow(10000, torch.arange(width // 2) / width)
    code[:, 0::2], code[:, 1::2] = waves.sin(), waves.cos()
    return code


def code_by_columns(length, width):
    rows = [
        [(math.cos if j % 2 else math.sin)(t / 10000 ** (j / width)) for j in range(width)]
        for t in range(length)
    ]
    return torch.tensor(rows)


def code_from_one(length, width):
    return code_by_assignment(length + 1, width)[1:]


def code_exchanged(length, width):
    return code_by_assignment(length, width).unflatten(1, (-1, 2)).flip(-1).flatten(1)


def place_all_alike(embedded, written):
    return embedded + code_by_assignment(written + 1, embedded.shape[2])[-1].to(embedded.dtype)


def place_one_late(embedded, written):
    return SinusoidalPositions(embedded.shape[-1])(embedded, written + 1)


def _angles(x, positions):
    return torch.outer(positions, 10000 ** (-torch.arange(0, x.shape[-1], 2) / x.shape[-1]))


def turned_in_halves(x, positions):
    angle = _angles(x, positions)
    cos, sin = angle.cos().to(x), angle.sin().to(x)
    a, b = x.tensor_split(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


def turned_backwards(x, positions):
    return EXERCISES["rotate"].solution(x, -positions)


def turned_from_zero(x, positions):
    return RotaryPositions(x.shape[-1])(x)


def turned_at_one_speed(x, positions):
    angle = positions.float()[:, None]
    cos, sin = angle.cos().to(x), angle.sin().to(x)
    a, b = x[..., ::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, b * cos + a * sin), dim=-1).flatten(-2)


def turned_not_at_all(x, positions):
    return RotaryPositions(x.shape[-1])(x) * 0 + x


def turned_with_mixed_layouts(x, positions):
    angle = _angles(x, positions)
    cos, sin = (torch.cat((w, w), dim=-1).to(x) for w in (angle.cos(), angle.sin()))
    other = torch.stack([-x[..., 1::2], x[..., ::2]], dim=-1).reshape(x.shape)
    return x * cos + other * sin


def turned_doubly(x, positions):
    return EXERCISES["rotate"].solution(x, 2 * positions)


def norm_unbiased(x, gain, bias, eps):
    return gain * (x - x.mean(-1, True)) / torch.sqrt(x.var(-1, keepdim=True) + eps) + bias


def norm_annotated(x, gain, bias, eps):
    mean, std = x.mean(-1, keepdim=True), x.std(-1, keepdim=True)
    return gain * (x - mean) / (std + eps) + bias


def norm_eps_outside(x, gain, bias, eps):
    std = x.std(-1, correction=0, keepdim=True)
    return gain * (x - x.mean(-1, keepdim=True)) / (std + eps) + bias


def norm_of_the_sentence(x, gain, bias, eps):
    centred = x - x.mean(dim=-2, keepdim=True)
    return centred * torch.rsqrt(centred.pow(2).mean(dim=-2, keepdim=True) + eps) * gain + bias


def norm_of_words_and_features(x, gain, bias, eps):
    return F.layer_norm(x, x.shape[-2:], eps=eps) * gain + bias


def norm_root_mean_square(x, gain, bias, eps):
    return F.rms_norm(x, gain.shape, gain, eps) + bias


def norm_without_gain(x, gain, bias, eps):
    return F.layer_norm(x, gain.shape, None, bias, eps)


def norm_with_its_own_eps(x, gain, bias, eps):
    return F.layer_norm(x, gain.shape, gain, bias)


def network_straight(x, a, b, c, d):
    return F.linear(F.linear(x, a, b), c, d)


def network_late(x, a, b, c, d):
    return F.relu(F.linear(F.linear(x, a, b), c, d))


def network_gelu(x, a, b, c, d):
    return F.linear(F.gelu(F.linear(x, a, b)), c, d)


def network_without_biases(x, a, b, c, d):
    return F.linear(F.linear(x, a).relu(), c)


def network_untransposed(x, a, b, c, d):
    return torch.relu(torch.matmul(x, a) + b) @ c + d


def network_residual(x, a, b, c, d):
    return x + F.linear(F.relu(F.linear(x, a, b)), c, d)


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


def _two_halves(look, read):
    def answer(x, memory, memory_mask):
        y = look(x)
        return read(y, memory, memory_mask)

    return answer


def _look(x):
    return _norm(x + attend(x, x, x, causal=True))


def _read(y, memory, mask):
    return _norm(y + attend(y, memory, memory, mask[:, None]))


decoder_open = _two_halves(lambda x: _norm(x + attend(x, x, x)), _read)
decoder_turned = _two_halves(
    lambda x: _norm(x + attend(x, x, x, torch.ones(x.shape[1], x.shape[1]).triu().bool())), _read
)
decoder_strict = _two_halves(
    lambda x: _norm(x + attend(x, x, x, torch.ones(x.shape[1], x.shape[1]).tril(-1).bool())), _read
)
decoder_asked_by_memory = _two_halves(
    _look, lambda y, memory, mask: _norm(y + attend(memory, y, y, mask[:, :, None]))
)
decoder_reads_padding = _two_halves(
    _look, lambda y, memory, mask: _norm(y + F.scaled_dot_product_attention(y, memory, memory))
)
decoder_mask_inverted = _two_halves(
    _look, lambda y, memory, mask: _norm(y + attend(y, memory, memory, ~mask[:, None]))
)
decoder_mask_without_axis = _two_halves(
    _look, lambda y, memory, mask: _norm(y + attend(y, memory, memory, mask))
)
decoder_without_residuals = _two_halves(
    lambda x: _norm(attend(x, x, x, causal=True)),
    lambda y, memory, mask: _norm(attend(y, memory, memory, mask[:, None])),
)
decoder_alone = _two_halves(_look, lambda y, memory, mask: _norm(y + attend(y, y, y)))


def decoder_unread(x, memory, memory_mask):
    return 2 * _norm(_look(x) + memory.sum() * 0)


def decoder_norm_first(x, memory, memory_mask):
    normed = _norm(x)
    x = x + attend(normed, normed, normed, causal=True)
    return x + attend(_norm(x), memory, memory, memory_mask[:, None])


def decoder_nan(x, memory, memory_mask):
    scores = _look(x) @ memory.mT / math.sqrt(x.shape[-1])
    weights = F.softmax(scores.masked_fill(~memory_mask[:, None], -torch.inf), dim=-1)
    return _norm(_look(x) + weights @ memory)


def _counted(attention, network, norms=(2, 3), tables=1, cross=2):
    def answer(vocab_size, embed_dim, num_heads, ffn_dim, num_layers):
        a, f = attention(embed_dim, num_heads), network(embed_dim, ffn_dim)
        encoder = num_layers * (a + f + norms[0] * 2 * embed_dim)
        decoder = num_layers * (cross * a + f + norms[1] * 2 * embed_dim)
        return tables * vocab_size * embed_dim, encoder, decoder

    return answer


def _attended(d, heads):
    return 4 * d * d + 4 * d


def _fed(d, f):
    return d * f + f + f * d + d


count_heads = _counted(lambda d, heads: heads * (4 * d * d + 4 * d), _fed)
count_without_cross = _counted(_attended, _fed, norms=(2, 2), cross=1)
count_tables = _counted(_attended, _fed, tables=3)
count_no_biases = _counted(lambda d, heads: 4 * d * d, lambda d, f: 2 * d * f)
count_no_norms = _counted(_attended, _fed, norms=(0, 0))


def back_without_the_switch(query, key, value, training):
    mask = torch.ones(query.shape[1], key.shape[1], dtype=torch.bool).tril()
    return attend(query, key, value, mask)


def back_is_causal(query, key, value, training):
    return F.scaled_dot_product_attention(query, key, value, is_causal=True)


def back_only_in_training(query, key, value, training):
    return attend(query, key, value, causal=training)


def back_open(query, key, value, training):
    return F.scaled_dot_product_attention(query, key, value)


NAMED = [
    ("self_attention", attention_no_root, "not divided by the root of the head's width"),
    ("self_attention", attention_root_of_embed, "the root of the embedding's width"),
    ("self_attention", attention_over_the_queries, "your softmax runs over the queries"),
    ("self_attention", attention_of_raw_values, "the values are not projected"),
    ("self_attention", attention_without_weights, "no weight is used"),
    ("self_attention", attention_symmetric, "one weight makes the query and the key"),
    ("self_attention", attention_plain_matmul, "the weights are not transposed"),
    ("self_attention", attention_causal, "you hide the future"),
    ("symmetric_attention", looking_half_mended, "the root is still that of the embedding's"),
    ("symmetric_attention", looking_with_one_side, "one of the two is still the input itself"),
    ("split_heads", split_viewed, "read straight off the memory"),
    ("split_heads", split_interleaved, "the heads take turns"),
    ("split_heads", split_words, "you cut the words"),
    ("split_heads", split_not_moved, "the heads stand behind the words"),
    ("split_heads", split_into_the_batch, "the heads are folded into the batch"),
    ("merge_heads", merge_in_memory, "the heads are joined as they come in memory"),
    ("merge_heads", merge_by_view_alone, "view() cannot join axes"),
    ("merge_heads", merge_mean, "the heads are averaged or summed"),
    ("multi_head", heads_root_of_embed, "divided by the root of embed_dim"),
    ("multi_head", heads_inverted, "the other way round"),
    ("multi_head", heads_masked_late, "the mask comes after the softmax"),
    ("multi_head", heads_unmasked, "the mask has no effect"),
    ("multi_head", heads_of_words, "read straight off the memory"),
    ("multi_head", heads_compete, "your softmax runs over the heads"),
    ("multi_head", heads_share_weights, "there is one softmax for all heads"),
    ("multi_head", heads_ignored, "there is one softmax for all heads"),
    ("multi_head", heads_nan, "gets NaN"),
    ("multi_head", heads_uniform, "then averages everything"),
    ("multi_head", heads_without_an_axis, "the mask has no axis for the heads"),
    ("multi_head", heads_without_an_axis_by_attend, "the mask has no axis for the heads"),
    ("padded_heads", padded_nan_rows, "the mask lies along the queries"),
    ("padded_heads", padded_inverted, "the other way round"),
    ("padded_heads", padded_by_the_layers_polarity, "the other way round"),
    ("padded_heads", padded_both_ways, "hides padding both as key and as query"),
    ("padded_heads", padded_unmasked, "padding is read"),
    ("sinusoidal_code", code_in_halves, "all sines stand first"),
    ("sinusoidal_code", code_halved_exponent, "i / width where 2i / width is due"),
    ("sinusoidal_code", code_by_columns, "a sine and its cosine have two frequencies"),
    ("sinusoidal_code", code_from_one, "positions are counted from 1"),
    ("sinusoidal_code", code_exchanged, "sine and cosine are exchanged"),
    ("positions_from_zero", place_all_alike, "all new words get one position"),
    ("positions_from_zero", place_one_late, "off by one"),
    ("rotate", turned_in_halves, "one half the width further on"),
    ("rotate", turned_backwards, "your pairs turn the wrong way"),
    ("rotate", turned_from_zero, "you count from 0"),
    ("rotate", turned_at_one_speed, "all pairs turn at one speed"),
    ("rotate", turned_not_at_all, "nothing turns"),
    ("rotate", turned_with_mixed_layouts, "their angles laid out in the other"),
    ("rotate", turned_doubly, "your angles are doubled"),
    ("layer_norm", norm_unbiased, "your variance divides by width - 1"),
    ("layer_norm", norm_annotated, "divides by width - 1, and eps is added to it"),
    ("layer_norm", norm_eps_outside, "eps is added outside the root"),
    ("layer_norm", norm_of_the_sentence, "you normalise over the words"),
    ("layer_norm", norm_of_words_and_features, "over words and features together"),
    ("layer_norm", norm_root_mean_square, "the mean is not subtracted"),
    ("layer_norm", norm_without_gain, "the gain has no effect"),
    ("layer_norm", norm_with_its_own_eps, "an eps of your own"),
    ("feed_forward", network_straight, "there is no ReLU"),
    ("feed_forward", network_late, "the ReLU comes after the second layer"),
    ("feed_forward", network_gelu, "another bend than ReLU"),
    ("feed_forward", network_without_biases, "the biases have no effect"),
    ("feed_forward", network_untransposed, "the weights are not transposed"),
    ("feed_forward", network_residual, "the input is added"),
    ("encoder_block", block_half_mended, "one of the two residuals"),
    ("encoder_block", block_norm_after, "the norm comes after the sum"),
    ("encoder_block", block_without_residual, "a residual is missing"),
    ("encoder_block", block_raw_keys, "a sublayer reads x without a norm"),
    ("decoder_layer", decoder_open, "no causal mask"),
    ("decoder_layer", decoder_turned, "your causal mask is the other way round"),
    ("decoder_layer", decoder_strict, "a word does not see itself"),
    ("decoder_layer", decoder_asked_by_memory, "the memory asks"),
    ("decoder_layer", decoder_reads_padding, "padding of the source is read"),
    ("decoder_layer", decoder_mask_inverted, "the memory's mask is the other way round"),
    ("decoder_layer", decoder_mask_without_axis, "the memory's mask has no axis"),
    ("decoder_layer", decoder_without_residuals, "a residual is missing"),
    ("decoder_layer", decoder_alone, "reads what is written in place of the memory"),
    ("decoder_layer", _two_halves(_look, lambda y, *memory: y), "the memory is never read"),
    ("decoder_layer", decoder_unread, "the memory is never read"),
    ("decoder_layer", decoder_norm_first, "the norm comes first"),
    ("decoder_layer", decoder_nan, "gets NaN"),
    ("count_parameters", count_heads, "the heads multiply the parameters"),
    ("count_parameters", count_without_cross, "the cross-attention is missing"),
    ("count_parameters", count_tables, "the embeddings are counted more than once"),
    ("count_parameters", count_no_biases, "all biases are missing"),
    ("count_parameters", count_no_norms, "the norms are missing"),
    ("leaking_decoder", back_without_the_switch, "the mask begins at the first key"),
    ("leaking_decoder", back_is_causal, "the mask begins at the first key"),
    ("leaking_decoder", back_only_in_training, "the future is hidden in training only"),
    ("leaking_decoder", back_open, "nothing is hidden"),
]


@pytest.mark.parametrize(("name", "wrong", "says"), NAMED, ids=[f"{n}-{s}" for n, _, s in NAMED])
def test_a_wrong_answer_gets_its_right_name(name, wrong, says):
    verdict = check(name, wrong)
    assert verdict.kind == "misconception", verdict
    assert says in verdict.message.split("\n")[0]


UNKNOWN = [
    ("self_attention", lambda x, q, k, v: attention_by_torch(x, q, k, v) * 0.9),
    ("symmetric_attention", lambda x, m, q, k, v: looking_by_attend(x, m, 1.1 * q, k, v)),
    ("split_heads", lambda x, h: split_by_reshape(x, h).flip(1)),
    ("merge_heads", lambda x: merge_by_cat(x.flip(1))),
    ("multi_head", lambda q, k, v, h, m: heads_by_attend(q, 0.5 * k, v, h, m)),
    ("padded_heads", lambda q, k, v, m: padded_by_torch(q, k, v - v.mean(), m)),
    ("sinusoidal_code", lambda length, width: code_by_assignment(length, width) / 2),
    ("positions_from_zero", lambda e, written: placed_by_the_package(e * 1.5, written)),
    ("rotate", lambda x, positions: turned_as_in_libraries(x, 3 * positions)),
    ("layer_norm", lambda x, g, b, eps: norm_by_torch(x, g, b, eps).clamp(max=1.0)),
    ("feed_forward", lambda x, a, b, c, d: network_by_linear(x, a, b - 0.25, c, d)),
    ("encoder_block", lambda x, a, b: block_in_one_breath(x, a, b) + 0.5 * x),
    ("decoder_layer", lambda x, memory, mask: decoder_with_masks(x, 2 * memory, mask)),
    ("count_parameters", lambda *sizes: tuple(n + 1 for n in count_by_building(*sizes))),
    ("leaking_decoder", lambda q, k, v, training: back_by_places(2 * q, k, v, training)),
]


@pytest.mark.parametrize(("name", "wrong"), UNKNOWN, ids=[name for name, _ in UNKNOWN])
def test_an_unknown_mistake_gets_no_name_but_a_counterexample(name, wrong):
    verdict = check(name, wrong)
    assert verdict.kind == "wrong", verdict
    assert verdict.message.startswith("Not yet: it first fails with ")
    assert "\n  got " in verdict.message
    assert "\n  wanted " in verdict.message


def test_angles_in_bfloat16_are_too_coarse_and_told_so():
    def coarse(x, positions):
        frequency = 10000 ** (-torch.arange(0, x.shape[-1], 2) / x.shape[-1])
        angle = positions.to(x.dtype)[:, None] * frequency.to(x.dtype)
        a, b = x[..., ::2], x[..., 1::2]
        turned = (a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos())
        return torch.stack(turned, dim=-1).flatten(-2)

    verdict = check("rotate", coarse)
    assert verdict.kind == "wrong"
    assert "bfloat16 knows no 301" in verdict.message


def test_a_variance_from_the_mean_of_the_squares_passes_with_a_warning():
    def by_squares(x, gain, bias, eps):
        mean = x.mean(-1, keepdim=True)
        variance = x.square().mean(-1, keepdim=True) - mean.square()
        return (x - mean) / torch.sqrt(variance + eps) * gain + bias

    verdict = check("layer_norm", by_squares)
    assert verdict.passed, verdict
    assert "To know: with numbers far from zero it fails" in verdict.message


def test_one_number_for_the_whole_model_is_told_to_be_three():
    verdict = check("count_parameters", lambda *sizes: sum(count_by_building(*sizes)))
    assert verdict.kind == "contract"
    assert "returns one int, wanted 3: return embedding, encoder, decoder" in verdict.message


# -- the broken functions --------------------------------------------------------------------------

BROKEN = {
    "symmetric_attention": ("query and key are the input itself", looking_by_attend),
    "padded_heads": ("the mask lies along the queries", padded_by_torch),
    "positions_from_zero": ("every call counts from 0", placed_from_a_table),
    "encoder_block": ("the residual starts from the normalised input", block_in_one_breath),
    "leaking_decoder": ("the future is hidden in training only", back_by_places),
}


def test_each_of_these_chapters_has_a_bug_to_find():
    assert sorted(BROKEN) == sorted(name for name in NAMES if EXERCISES[name].broken)
    assert [EXERCISES[name].chapter for name in BROKEN] == ["06", "07", "08", "09", "10"]


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_function_fails_by_its_name_and_mended_passes(name):
    says, mended = BROKEN[name]
    verdict = check(name, broken(name))
    assert verdict.kind == "misconception"
    assert verdict.message.startswith(f"Not yet: {says}")
    assert check(name, mended).passed


def test_the_broken_scores_are_symmetric_and_the_mended_are_not():
    # With x itself as query and key, and the identity as value, the output over its row sums shows
    # the weights; their logarithms differ from a symmetric matrix by one number a row.
    x, weights = (
        torch.eye(5).double()[None] + 0.3 * _normal(1, 5, 5),
        (_normal(3, 5), _normal(3, 5)),
    )
    scores = x @ x.mT
    torch.testing.assert_close(scores, scores.mT)
    query, key = x @ weights[0].mT, x @ weights[1].mT
    assert not torch.allclose(query @ key.mT, (query @ key.mT).mT)
    mask = torch.ones(1, 5, dtype=torch.bool)
    got = broken("symmetric_attention")(x, mask, *weights, torch.eye(5).double())
    torch.testing.assert_close(got, (scores / math.sqrt(5)).softmax(-1) @ x)


def test_the_broken_heads_let_real_words_read_padding():
    query, key, value = _normal(1, 2, 4, 3), _normal(1, 2, 4, 3), _normal(1, 2, 4, 3)
    mask = torch.tensor([[True, True, True, False]])
    other = value.clone()
    other[:, :, 3] += 1
    for function, leaks in ((broken("padded_heads"), True), (padded_by_torch, False)):
        one, two = function(query, key, value, mask), function(query, key, other, mask)
        assert torch.equal(one[:, :, :3], two[:, :, :3]) is not leaks
        assert one.isfinite().all()


def test_word_by_word_the_broken_positions_are_all_the_first():
    sentence = torch.zeros(1, 6, 8)
    for function, right in ((broken("positions_from_zero"), False), (placed_from_a_table, True)):
        whole = function(sentence, 0)
        single = torch.cat([function(sentence[:, t : t + 1], t) for t in range(6)], dim=1)
        assert torch.allclose(whole, SinusoidalPositions(8).code(6)[None])
        assert torch.allclose(single, whole) is right


def test_the_broken_block_forgets_the_size_of_what_comes_in():
    x, first, second = _normal(1, 5, 7), _normal(11, 7), _normal(7, 11)
    function = broken("encoder_block")
    torch.testing.assert_close(
        function(100 * x, first, second), function(x, first, second), rtol=1e-3, atol=1e-3
    )
    far = block_in_one_breath(100 * x, first, second)
    assert (far - 100 * x).norm() < 0.5 * far.norm()


def test_the_broken_decoder_leaks_when_it_is_judged_and_not_when_it_writes():
    x = _normal(1, 5, 3)
    function = broken("leaking_decoder")
    whole = attend(x, x, x, causal=True)
    torch.testing.assert_close(function(x, x, x, True), whole)
    assert not torch.allclose(function(x, x, x, False), whole)
    steps = [function(x[:, t : t + 1], x[:, : t + 1], x[:, : t + 1], False) for t in range(5)]
    torch.testing.assert_close(torch.cat(steps, dim=1), whole)
