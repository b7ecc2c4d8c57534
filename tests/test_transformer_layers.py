"""attncourse.transformer.sublayers and layers: the network, the residual connection, the layers."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from contract import heads_one_by_one
from references import redrawn
from small_transformer import (
    BATCH,
    CLOSE,
    EMBED,
    HEADS,
    LENGTHS,
    NORM,
    SIZES,
    SOURCE,
    TARGET,
    layer_norm,
    tokens,
)
from support import refused, some_mask
from torch import nn

from attncourse import KeyValueCache, padding_mask, record_attention
from attncourse.transformer import (
    Decoder,
    DecoderCache,
    DecoderLayer,
    Encoder,
    EncoderLayer,
    FeedForward,
    Residual,
)

# The feed-forward network


def test_a_network_by_hand():
    # 1 -> (2x + 1, -x) -> relu -> 3a + 5b - 4
    network = FeedForward(1, ffn_dim=2)
    with torch.no_grad():
        network.expand.weight.copy_(torch.tensor([[2.0], [-1.0]]))
        network.expand.bias.copy_(torch.tensor([1.0, 0.0]))
        network.contract.weight.copy_(torch.tensor([[3.0, 5.0]]))
        network.contract.bias.fill_(-4.0)
    assert network(torch.tensor([[[1.0], [-2.0]]])).tolist() == [[[5.0], [6.0]]]


@pytest.mark.parametrize(
    ("activation", "formula"),
    [
        ("relu", lambda x: x.clamp(min=0)),
        ("gelu", lambda x: x * (1 + torch.erf(x / math.sqrt(2))) / 2),
        (
            "gelu_tanh",  # Hendrycks and Gimpel 2016, section 2
            lambda x: x * (1 + ((2 / math.pi) ** 0.5 * (x + 0.044715 * x**3)).tanh()) / 2,
        ),
        ("silu", lambda x: x / (1 + (-x).exp())),
    ],
)
@pytest.mark.parametrize("bias", [True, False])
def test_a_network_is_its_formula(activation, formula, bias):
    network, x = redrawn(FeedForward(5, ffn_dim=7, activation=activation, bias=bias)), tokens(3, 5)
    inside = x @ network.expand.weight.T + (network.expand.bias if bias else 0)
    wanted = formula(inside) @ network.contract.weight.T + (network.contract.bias if bias else 0)
    torch.testing.assert_close(network(x), wanted, **CLOSE)
    assert (network.expand.bias is None) is (not bias)


@pytest.mark.equals(
    "transformer.FeedForward", "torch.nn.functional.conv1d", within={torch.float64: 1e-12}
)
def test_every_token_is_thought_about_alone(same):
    # (batch, token, width) -> (batch * token, width) -> back; and as two convolutions of width one
    network, x = redrawn(FeedForward(5, ffn_dim=7)), tokens(3, 5)
    torch.testing.assert_close(network(x), network(x.flatten(0, 1)).view_as(x), **CLOSE)
    inside = F.conv1d(x.mT, network.expand.weight[..., None], network.expand.bias).relu()
    wanted = F.conv1d(inside, network.contract.weight[..., None], network.contract.bias).mT
    same(network(x), wanted)


# The residual connection


def test_a_residual_connection_by_hand():
    # norm after: 3 + 30, 5 + 50 -> 33 and 55 -> -1 and 1; norm first: 3 - 10 and 5 + 10
    x = torch.tensor([[3.0, 5.0]], dtype=torch.float64)
    for norm_first, wanted in ((False, [[-1.0, 1.0]]), (True, [[-7.0, 15.0]])):
        add = Residual(2, norm_first=norm_first, norm_eps=0.0).double()
        wanted = torch.tensor(wanted, dtype=torch.float64)
        torch.testing.assert_close(add(x, lambda x: 10 * x), wanted, **CLOSE)


@NORM
def test_a_sublayer_that_changes_the_shape_is_refused(norm_first):
    """One token would be added to each of them, in silence."""
    add = Residual(EMBED, norm_first=norm_first)
    with refused(ValueError, "sublayer", str((2, 7, EMBED)), str((2, 1, EMBED))):
        add(torch.zeros(2, 7, EMBED), lambda x: x[:, :1])


@NORM
@pytest.mark.parametrize("norm_eps", [1e-5, 0.3])
def test_a_residual_connection_is_its_formula(norm_first, norm_eps):
    add, x = redrawn(Residual(EMBED, norm_first=norm_first, norm_eps=norm_eps)), tokens()
    assert add.norm.eps == norm_eps
    first, after = x + layer_norm(x, add.norm).sin(), layer_norm(x + x.sin(), add.norm)
    torch.testing.assert_close(add(x, torch.sin), first if norm_first else after, **CLOSE)


@NORM
def test_a_sublayer_that_gives_nothing_leaves_the_sum(norm_first):
    add, x = Residual(EMBED, norm_first=norm_first).double(), tokens()
    wanted = x if norm_first else layer_norm(x, add.norm)
    torch.testing.assert_close(add(x, torch.zeros_like), wanted, **CLOSE)


@NORM
def test_dropout_falls_on_what_the_sublayer_gives(norm_first):
    add, x = Residual(2, dropout=0.5, norm_first=norm_first, norm_eps=0.0).double(), tokens(500, 2)
    with torch.no_grad():
        add.norm.bias.fill_(7.0)
    seen = []
    add.dropout.register_forward_hook(lambda module, inputs, output: seen.append((inputs, output)))
    output = add(x, torch.ones_like)
    ((given,), left) = seen.pop()
    assert (given == 1).all()
    assert set(left.unique().tolist()) == {0.0, 2.0}
    torch.testing.assert_close(output, x + left if norm_first else add.norm(x + left), **CLOSE)
    add.eval()(x, torch.ones_like)
    assert (seen[0][1] == 1).all()


# The layers


@NORM
@pytest.mark.parametrize("causal", [False, True], ids=["", "causal"])
@pytest.mark.parametrize("kv_heads", [None, 1])
@pytest.mark.parametrize("rotary", [False, True], ids=["", "rotary"])
def test_an_encoder_layer_is_its_formula(norm_first, causal, kv_heads, rotary):
    layer = redrawn(
        EncoderLayer(**SIZES, norm_first=norm_first, num_kv_heads=kv_heads, rotary=rotary)
    )
    x, mask = tokens(), padding_mask(LENGTHS)[:, None]
    first, second = layer.attention_residual.norm, layer.feed_forward_residual.norm

    def attended(x):
        return heads_one_by_one(layer.attention, x, x, x, mask, causal)

    if norm_first:
        between = x + attended(layer_norm(x, first))
        wanted = between + layer.feed_forward(layer_norm(between, second))
    else:
        between = layer_norm(x + attended(x), first)
        wanted = layer_norm(between + layer.feed_forward(between), second)
    torch.testing.assert_close(layer(x, mask, causal=causal), wanted, **CLOSE)


@NORM
def test_a_decoder_layer_is_its_formula(norm_first):
    layer = redrawn(DecoderLayer(**SIZES, norm_first=norm_first, memory_dim=5))
    x, memory, mask = tokens(TARGET), tokens(SOURCE, 5), padding_mask(LENGTHS)[:, None]
    norms = [
        add.norm
        for add in (
            layer.self_attention_residual,
            layer.cross_attention_residual,
            layer.feed_forward_residual,
        )
    ]
    sublayers = [
        lambda x: heads_one_by_one(layer.self_attention, x, x, x, causal=True),
        lambda x: heads_one_by_one(layer.cross_attention, x, memory, memory, mask),
        layer.feed_forward,
    ]
    wanted = x
    for sublayer, norm in zip(sublayers, norms, strict=True):
        if norm_first:
            wanted = wanted + sublayer(layer_norm(wanted, norm))
        else:
            wanted = layer_norm(wanted + sublayer(wanted), norm)
    torch.testing.assert_close(layer(x, memory, memory_mask=mask), wanted, **CLOSE)


def test_options_reach_the_parts_of_a_layer():
    options = {"activation": "gelu", "bias": False, "norm_eps": 0.01, "num_kv_heads": 1}
    for layer in (
        EncoderLayer(**SIZES, rotary=True, **options),
        DecoderLayer(**SIZES, rotary=True, **options),
    ):
        linear = [part for part in layer.modules() if isinstance(part, nn.Linear)]
        assert all(part.bias is None for part in linear)
        assert layer.feed_forward.activation == "gelu"
        norms = [part for part in layer.modules() if isinstance(part, nn.LayerNorm)]
        assert {part.eps for part in norms} == {0.01}
        assert len(norms) == (2 if isinstance(layer, EncoderLayer) else 3)
    assert layer.self_attention.num_kv_heads == layer.cross_attention.num_kv_heads == 1
    assert layer.self_attention.rotary is not None
    assert layer.cross_attention.rotary is None  # the source counts other positions


def test_a_decoder_layer_may_hide_more_than_the_future():
    layer, x, memory = redrawn(DecoderLayer(**SIZES)), tokens(TARGET), tokens()
    mask = some_mask(BATCH, TARGET, TARGET)
    future = torch.ones(TARGET, TARGET, dtype=torch.bool).tril()
    wanted = layer.self_attention(x, mask=mask & future)
    with record_attention(layer) as maps:
        layer(x, memory, mask)
    assert not maps["self_attention"][~(mask & future)[:, None].expand(-1, HEADS, -1, -1)].any()
    torch.testing.assert_close(layer.self_attention(x, mask=mask, causal=True), wanted, **CLOSE)


def test_a_decoder_layer_goes_on_from_its_cache():
    layer, x, memory = redrawn(DecoderLayer(**SIZES)), tokens(TARGET), tokens()
    mask = padding_mask(LENGTHS)[:, None]
    whole = layer(x, memory, memory_mask=mask)
    cache = layer.start(memory)
    parts = [layer(part, memory_mask=mask, cache=cache) for part in x.split([1, 3, 1], 1)]
    torch.testing.assert_close(torch.cat(parts, 1), whole, **CLOSE)
    assert len(cache.written) == TARGET
    assert cache.memory.complete


# Bad input


def test_a_decoders_cache_without_the_memory_is_refused(own_errors):
    layer = redrawn(DecoderLayer(**SIZES))
    with refused(ValueError, "cache", "start(memory)"):
        layer(tokens(), cache=DecoderCache(KeyValueCache(), KeyValueCache()))


def test_parts_that_make_no_sense_are_refused(own_errors):
    with refused(ValueError, "ffn_dim", "positive", "0"):
        FeedForward(3, ffn_dim=0)
    with refused(TypeError, "embed_dim", "integer", "float"):
        FeedForward(3.0, ffn_dim=5)
    with refused(ValueError, "activation", "relu, gelu, gelu_tanh, silu", "'swish'"):
        FeedForward(3, ffn_dim=5, activation="swish")
    with refused(TypeError, "embed_dim", "integer", "float"):
        Residual(2.5)
    with refused(ValueError, "embed_dim", "positive", "0"):
        Residual(0)
    with refused(ValueError, "dropout", "[0, 1)", "1.0"):
        Residual(3, dropout=1.0)
    with refused(ValueError, "num_layers", "positive", "0"):
        Encoder(num_layers=0, **SIZES)
    with refused(TypeError, "num_layers", "integer", "float"):
        Decoder(num_layers=2.0, **SIZES)
    with refused(TypeError, "foo"):
        Encoder(num_layers=1, **SIZES, foo=3)


@pytest.mark.parametrize(
    "read",
    [
        FeedForward(3, ffn_dim=5),
        lambda x: Residual(3)(x, torch.sin),
        lambda x: Residual(3, norm_first=True)(x, torch.sin),
    ],
    ids=["network", "norm after", "norm first"],
)
def test_what_is_no_token_is_refused(own_errors, read):
    assert read(torch.zeros(3)).shape == (3,)
    with refused(ValueError, "x must be (..., 3)", "(2, 4)"):
        read(torch.zeros(2, 4))
    with refused(ValueError, "x must be (..., 3)", "()"):
        read(torch.tensor(1.0))
    with refused(TypeError, "the layer's weights and x", "float32", "float64"):
        read(torch.zeros(2, 3, dtype=torch.float64))
    with refused(TypeError, "x must be a tensor", "list"):
        read([1.0, 2.0, 3.0])
