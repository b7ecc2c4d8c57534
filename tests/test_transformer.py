"""attncourse.transformer: layers, stacks, configs and the whole model.

That it is equal to other libraries' models, and what every sequence model must do, is in
`test_contract.py`.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import shutil

import pytest
import torch
import torch.nn.functional as F
from contract import heads_one_by_one
from references import redrawn
from support import COMPILES, refused, some_mask
from torch import nn

from attncourse import KeyValueCache, padding_mask, record_attention
from attncourse.decoding import beam_search, greedy, select
from attncourse.recipes import shipped
from attncourse.transformer import (
    PRESETS,
    Decoder,
    DecoderCache,
    DecoderLayer,
    Encoder,
    EncoderLayer,
    FeedForward,
    Residual,
    Transformer,
    TransformerConfig,
)

SOURCE_VOCAB, TARGET_VOCAB = 31, 29
BATCH, SOURCE, TARGET, MAX_LEN = 2, 7, 5, 11
EMBED, HEADS, FFN = 12, 3, 17
SIZES = {"embed_dim": EMBED, "num_heads": HEADS, "ffn_dim": FFN}
LENGTHS = torch.tensor([7, 4])
CLOSE = {"rtol": 0, "atol": 1e-12}  # between two correct computations in float64

POSITIONS = pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rotary", "none"])
NORM = pytest.mark.parametrize("norm_first", [False, True], ids=["norm after", "norm first"])


def config_of(**changes) -> TransformerConfig:
    more = {"num_layers": 2, "num_decoder_layers": 3, "dropout": 0.0, "max_len": MAX_LEN}
    return TransformerConfig(SOURCE_VOCAB, **SIZES | more | changes)


def model_of(**changes) -> Transformer:
    return redrawn(Transformer(config_of(**changes)))


def tokens(length: int = SOURCE, width: int = EMBED, seed: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(BATCH, length, width, generator=generator, dtype=torch.float64)


def sentences() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Draw source ids, their mask, and target ids."""
    generator = torch.Generator().manual_seed(2)
    source = torch.randint(SOURCE_VOCAB, (BATCH, SOURCE), generator=generator)
    target = torch.randint(TARGET_VOCAB, (BATCH, TARGET), generator=generator)
    mask = padding_mask(LENGTHS)
    return source.masked_fill(~mask, 0), mask, target


def layer_norm(x: torch.Tensor, norm: nn.LayerNorm) -> torch.Tensor:
    """By its formula."""
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + norm.eps).sqrt() * norm.weight + (
        norm.bias
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


def test_every_token_is_thought_about_alone():
    # (batch, token, width) -> (batch * token, width) -> back; and as two convolutions of width one
    network, x = redrawn(FeedForward(5, ffn_dim=7)), tokens(3, 5)
    torch.testing.assert_close(network(x), network(x.flatten(0, 1)).view_as(x), **CLOSE)
    inside = F.conv1d(x.mT, network.expand.weight[..., None], network.expand.bias).relu()
    wanted = F.conv1d(inside, network.contract.weight[..., None], network.contract.bias).mT
    torch.testing.assert_close(network(x), wanted, **CLOSE)


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


# The stacks


@NORM
def test_an_encoder_is_its_layers_in_a_row(norm_first):
    encoder = redrawn(Encoder(num_layers=3, **SIZES, norm_first=norm_first))
    x, mask = tokens(), padding_mask(LENGTHS)[:, None]
    for causal in (False, True):
        wanted = x
        for layer in encoder.layers:
            wanted = layer(wanted, mask, causal=causal)
        if norm_first:
            wanted = layer_norm(wanted, encoder.norm)
        torch.testing.assert_close(encoder(x, mask, causal=causal), wanted, **CLOSE)


@NORM
def test_a_decoder_is_its_layers_in_a_row(norm_first):
    decoder = redrawn(Decoder(num_layers=3, **SIZES, norm_first=norm_first, norm_eps=0.01))
    x, memory, mask = tokens(TARGET), tokens(), padding_mask(LENGTHS)[:, None]
    wanted = x
    for layer in decoder.layers:
        wanted = layer(wanted, memory, memory_mask=mask)
    if norm_first:
        assert decoder.norm.eps == 0.01
        wanted = layer_norm(wanted, decoder.norm)
    torch.testing.assert_close(decoder(x, memory, memory_mask=mask), wanted, **CLOSE)


def test_a_causal_encoder_goes_on_from_its_caches():
    encoder, x = redrawn(Encoder(num_layers=2, **SIZES, rotary=True)), tokens()
    caches = [KeyValueCache() for _ in encoder.layers]
    parts = [encoder(part, causal=True, caches=caches) for part in x.split([3, 1, 3], 1)]
    torch.testing.assert_close(torch.cat(parts, 1), encoder(x, causal=True), **CLOSE)


# Padding


def padded() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Draw as many sentences as words, so that (batch, key) would fit where pairs are meant."""
    mask = padding_mask(torch.tensor([5, 4, 3, 2, 1]))
    x = torch.randn(5, 5, EMBED, dtype=torch.float64)
    other = torch.where(mask[..., None], x, 7.0)
    return x, other, mask


@pytest.mark.parametrize("causal", [False, True], ids=["", "causal"])
@pytest.mark.parametrize("part", [EncoderLayer, Encoder])
def test_an_encoder_hides_padding(part, causal):
    """Kind: a (batch, key) mask in the place of pairs."""
    more = {} if part is EncoderLayer else {"num_layers": 2}
    encode, (x, other, mask) = redrawn(part(**SIZES, **more)), padded()
    read = encode(x, padding_mask=mask, causal=causal)
    torch.testing.assert_close(read, encode(x, mask[:, None], causal=causal), **CLOSE)
    changed = encode(other, padding_mask=mask, causal=causal)
    torch.testing.assert_close(changed[mask], read[mask], **CLOSE)
    pairs = some_mask(5, 5, 5)
    both = encode(x, pairs, padding_mask=mask, causal=causal)
    torch.testing.assert_close(both, encode(x, pairs & mask[:, None], causal=causal), **CLOSE)


@pytest.mark.parametrize("part", [DecoderLayer, Decoder])
def test_a_decoder_hides_the_padding_of_target_and_memory(part):
    """Kind: a (batch, key) mask in the place of pairs."""
    more = {} if part is DecoderLayer else {"num_layers": 2}
    decode, (x, other, mask) = redrawn(part(**SIZES, **more)), padded()
    memory, memory_mask = x.flip(0), mask.flip(0)
    masks = {"padding_mask": mask, "memory_padding_mask": memory_mask}
    written = decode(x, memory, **masks)
    wanted = decode(x, memory, mask[:, None], memory_mask[:, None])
    torch.testing.assert_close(written, wanted, **CLOSE)
    changed = decode(other, torch.where(memory_mask[..., None], memory, 7.0), **masks)
    torch.testing.assert_close(changed[mask], written[mask], **CLOSE)
    pairs, looks = some_mask(5, 5, 5), some_mask(5, 5, 5).flip(1)
    both = decode(x, memory, pairs, looks, **masks)
    wanted = decode(x, memory, pairs & mask[:, None], looks & memory_mask[:, None])
    torch.testing.assert_close(both, wanted, **CLOSE)


def test_padding_that_does_not_fit_is_refused(own_errors):
    encoder, decoder = Encoder(num_layers=1, **SIZES), Decoder(num_layers=1, **SIZES)
    x = torch.zeros(2, 3, EMBED)
    for mask, error in ((torch.ones(3, 2, dtype=torch.bool), ValueError), (x[..., 0], TypeError)):
        with refused(error, "padding_mask"):
            encoder(x, padding_mask=mask)
        with refused(error, "padding_mask"):
            decoder(x, x, padding_mask=mask)
        with refused(error, "padding_mask"):
            decoder(x, x, memory_padding_mask=mask)


# Checkpointing


@NORM
def test_checkpointing_changes_neither_logits_nor_gradients(norm_first):
    source, mask, target = sentences()

    def run(**options):
        model = model_of(norm_first=norm_first, **options).train()
        logits = model(source, target, mask)
        logits.square().sum().backward()
        return logits, [weight.grad for weight in model.parameters()]

    (logits, gradients), (same, others) = run(), run(checkpointing=True)
    assert torch.equal(logits, same)
    for gradient, other in zip(gradients, others, strict=True):
        torch.testing.assert_close(other, gradient, **CLOSE)


def test_checkpointing_drops_the_same_again():
    source, mask, target = sentences()

    def run(**options):
        model = model_of(dropout=0.5, **options).train()
        torch.manual_seed(11)
        logits = model(source, target, mask)
        logits.square().sum().backward()
        return logits, [weight.grad for weight in model.parameters()]

    (logits, gradients), (same, others) = run(), run(checkpointing=True)
    assert torch.equal(logits, same)
    for gradient, other in zip(gradients, others, strict=True):
        torch.testing.assert_close(other, gradient, rtol=1e-12, atol=1e-10)


def test_checkpointing_computes_each_layer_twice_in_training_and_once_else():
    source, mask, target = sentences()
    model, calls = model_of(checkpointing=True), []
    for layer in (*model.encoder.layers, *model.decoder.layers):
        layer.feed_forward.register_forward_hook(lambda *_: calls.append(1))
    model(source, target, mask).sum().backward()
    assert len(calls) == 5
    calls.clear()
    model.train()
    model(source, target, mask).sum().backward()
    assert len(calls) == 10
    calls.clear()
    model.encoder.checkpointing = model.decoder.checkpointing = False  # it can be set later
    model(source, target, mask).sum().backward()
    assert len(calls) == 5


def test_a_model_under_checkpointing_can_be_recorded():
    source, mask, target = sentences()
    plain, model = model_of().train(), model_of(checkpointing=True).train()
    with record_attention(plain) as wanted:
        plain(source, target, mask).square().sum().backward()
    with record_attention(model) as maps:
        loss = model(source, target, mask).square().sum()
    loss.backward()
    assert list(maps) == list(wanted)
    for name in wanted:
        torch.testing.assert_close(maps[name], wanted[name], **CLOSE)
    for weight, other in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(weight.grad, other.grad, **CLOSE)


def test_switches_are_true_or_false(own_errors):
    for name in ("norm_first", "tie_embeddings", "checkpointing"):
        with refused(TypeError, name, "True or False", "'false'"):
            Transformer(config_of(**{name: "false"}))


def test_a_decoders_cache_without_the_memory_is_refused(own_errors):
    layer = redrawn(DecoderLayer(**SIZES))
    with refused(ValueError, "cache", "start(memory)"):
        layer(tokens(), cache=DecoderCache(KeyValueCache(), KeyValueCache()))


def test_steps_under_checkpointing_have_gradients():
    source, mask, target = sentences()

    def run(**options):
        model = model_of(**options).train()
        state, total = model.start(source, mask), 0.0
        for position in range(TARGET):
            logits, state = model.step(target[:, position], state)
            total = total + logits.square().sum()
        total.backward()
        return [weight.grad for weight in model.parameters()]

    for gradient, other in zip(run(), run(checkpointing=True), strict=True):
        torch.testing.assert_close(other, gradient, **CLOSE)


# The whole model


def plain_positions(length: int) -> torch.Tensor:
    code = torch.zeros(length, EMBED, dtype=torch.float64)
    for t in range(length):
        for i in range(EMBED // 2):
            wave = t / 10_000 ** (2 * i / EMBED)
            code[t, 2 * i], code[t, 2 * i + 1] = math.sin(wave), math.cos(wave)
    return code


@POSITIONS
@pytest.mark.parametrize("tied", [True, False])
def test_the_model_is_embeddings_stacks_and_output(positions, tied):
    model = model_of(positions=positions, tie_embeddings=tied)
    source, mask, target = sentences()

    def embedded(ids, embedding):
        x = embedding.weight[ids] * math.sqrt(EMBED)
        if positions == "sinusoidal":
            return x + plain_positions(ids.shape[1])
        return x + model.positions.weight[: ids.shape[1]] if positions == "learned" else x

    memory = model.encoder(embedded(source, model.source_embedding), mask[:, None])
    written = model.decoder(
        embedded(target, model.target_embedding), memory, memory_mask=mask[:, None]
    )
    wanted = written @ model.output.weight.T
    assert wanted.shape == (BATCH, TARGET, SOURCE_VOCAB)
    torch.testing.assert_close(model(source, target, mask), wanted, **CLOSE)


def test_rotary_positions_sit_in_the_self_attention_of_every_layer():
    model = model_of(positions="rotary")
    assert model.positions is None
    assert all(layer.attention.rotary is not None for layer in model.encoder.layers)
    assert all(layer.self_attention.rotary is not None for layer in model.decoder.layers)
    assert all(layer.cross_attention.rotary is None for layer in model.decoder.layers)
    assert all(layer.attention.rotary is None for layer in model_of().encoder.layers)


def test_fresh_embeddings_are_of_the_size_of_the_positions():
    model = Transformer(TransformerConfig(997, embed_dim=64, num_heads=4, ffn_dim=67, num_layers=1))
    assert model.source_embedding.weight.std().item() == pytest.approx(64**-0.5, rel=0.05)
    embedded = model.source_embedding.weight * math.sqrt(64)
    positions = model.positions.code(64)
    ratio = embedded.square().mean().sqrt() / positions.square().mean().sqrt()
    assert 1 < ratio.item() < 2  # 1 against the root of one half


def test_with_one_vocabulary_one_matrix_reads_and_writes():
    model = model_of()
    assert model.target_embedding.weight is model.source_embedding.weight
    assert model.output.weight is model.source_embedding.weight
    assert model.output.bias is None
    names = [
        name for name, _ in model.named_parameters() if "embedding" in name or "output." in name
    ]
    assert names == ["source_embedding.weight"]


def test_with_two_vocabularies_the_targets_matrix_writes():
    model = model_of(target_vocab_size=TARGET_VOCAB)
    assert model.source_embedding.weight.shape == (SOURCE_VOCAB, EMBED)
    assert model.target_embedding.weight.shape == (TARGET_VOCAB, EMBED)
    assert model.output.weight is model.target_embedding.weight
    source, mask, target = sentences()
    assert model(source, target, mask).shape == (BATCH, TARGET, TARGET_VOCAB)


def test_two_vocabularies_of_one_size_are_still_two():
    model = model_of(target_vocab_size=SOURCE_VOCAB)
    assert model.source_embedding.weight is not model.target_embedding.weight


@pytest.mark.parametrize("target_vocab_size", [None, TARGET_VOCAB])
def test_untied_embeddings_are_three_matrices(target_vocab_size):
    model = model_of(target_vocab_size=target_vocab_size, tie_embeddings=False)
    weights = model.source_embedding.weight, model.target_embedding.weight, model.output.weight
    assert len({weight.data_ptr() for weight in weights}) == 3


def test_a_tied_matrix_learns_from_all_its_uses():
    tied, untied = model_of(), model_of(tie_embeddings=False)
    untied.load_state_dict(tied.state_dict())
    source, mask, target = sentences()
    for model in (tied, untied):
        model(source, target, mask).square().sum().backward()
    parts = (untied.source_embedding, untied.target_embedding, untied.output)
    total = sum(part.weight.grad for part in parts)
    torch.testing.assert_close(tied.output.weight.grad, total, rtol=1e-12, atol=1e-9)


def test_tied_weights_stay_tied_when_copied_loaded_or_converted():
    model = model_of()
    for other in (copy.deepcopy(model), copy.deepcopy(model).float(), model_of()):
        assert other.output.weight is other.target_embedding.weight
    other = Transformer(config_of()).double().eval()
    other.load_state_dict(model.state_dict())
    assert other.output.weight is other.source_embedding.weight
    source, mask, target = sentences()
    assert torch.equal(other(source, target, mask), model(source, target, mask))


@pytest.mark.parametrize("target_vocab_size", [None, TARGET_VOCAB])
def test_tied_weights_survive_a_functional_call(target_vocab_size):
    """Kind: tied weights as one module under two names, which a functional call breaks for good."""
    model = model_of(target_vocab_size=target_vocab_size)
    weights, (source, mask, target) = dict(model.named_parameters()), sentences()
    wanted = model(source, target, mask)
    half = {name: weight / 2 for name, weight in weights.items()}
    called = torch.func.functional_call(model, half, (source, target, mask))
    assert not torch.allclose(called, wanted)
    assert all(weight is weights[name] for name, weight in model.named_parameters())
    assert model.output.weight is model.target_embedding.weight
    assert torch.equal(model(source, target, mask), wanted)


def test_the_shipped_translator_survives_a_functional_call():
    model, source = shipped().model, torch.tensor([[7, 5, 11]])
    weights = dict(model.named_parameters())
    wanted = model(source, source)
    half = {name: weight / 2 for name, weight in weights.items()}
    torch.func.functional_call(model, half, (source, source))
    assert all(weight is weights[name] for name, weight in model.named_parameters())
    assert torch.equal(model(source, source), wanted)


# How many parameters


def by_hand(d: int, f: int, encoder_layers: int, decoder_layers: int, ids: int) -> int:
    attention, network, norm = 4 * (d * d + d), 2 * d * f + f + d, 2 * d
    encoder = attention + network + 2 * norm
    decoder = 2 * attention + network + 3 * norm
    return encoder_layers * encoder + decoder_layers * decoder + ids * d


@pytest.mark.parametrize(
    ("name", "ids", "count"),
    [
        # attention 66,048, network 65,920, norm 256: 4 * 132,480 + 4 * 198,784 + 1,280,000
        ("tiny", 10_000, 2_605_056),
        # attention 1,050,624, network 2,099,712: 6 * 3,152,384 + 6 * 4,204,032 + 18,944,000
        ("base", 37_000, 63_082_496),
        ("small", 10_000, None),
        ("big", 37_000, None),
    ],
)
def test_the_presets_have_as_many_parameters_as_by_hand(name, ids, count):
    config = TransformerConfig.preset(name, ids)
    with torch.device("meta"):
        model = Transformer(config)
    there = sum(weight.numel() for weight in model.parameters())
    layers = config.num_layers
    assert there == by_hand(config.embed_dim, config.ffn_dim, layers, layers, ids)
    assert count in (None, there)


def test_learned_positions_and_other_options_change_the_count():
    def count(**changes) -> int:
        return sum(weight.numel() for weight in Transformer(config_of(**changes)).parameters())

    plain = count()
    assert plain == by_hand(EMBED, FFN, 2, 3, SOURCE_VOCAB)
    assert count(positions="learned") == plain + MAX_LEN * EMBED
    assert count(positions="rotary") == count(positions="none") == plain
    assert count(norm_first=True) == plain + 2 * 2 * EMBED
    assert count(target_vocab_size=TARGET_VOCAB) == plain + TARGET_VOCAB * EMBED
    assert count(tie_embeddings=False) == plain + 2 * SOURCE_VOCAB * EMBED
    # eight attentions: key and value lose two heads of three, 8 wide, and as many biases
    assert count(num_kv_heads=1) == plain - 8 * 2 * 8 * (EMBED + 1)
    # without biases: four in each attention, two in each network
    assert count(bias=False) == plain - 8 * 4 * EMBED - 5 * (EMBED + FFN)


# Configs


def test_the_presets_are_those_of_the_papers():
    base = TransformerConfig.preset("base", 37_000)
    assert (base.embed_dim, base.num_heads, base.ffn_dim, base.num_layers) == (512, 8, 2048, 6)
    big = TransformerConfig.preset("big", 37_000)
    assert (big.embed_dim, big.num_heads, big.ffn_dim, big.num_layers) == (1024, 16, 4096, 6)
    assert (base.dropout, big.dropout) == (0.1, 0.3)
    assert TransformerConfig.preset("base", 97) == TransformerConfig(97)
    assert not base.norm_first
    assert base.tie_embeddings


def test_a_preset_takes_changes():
    config = TransformerConfig.preset("tiny", 97, dropout=0.0, positions="rotary")
    assert (config.vocab_size, config.embed_dim, config.dropout) == (97, 128, 0.0)
    assert config.positions == "rotary"
    assert PRESETS["tiny"]["dropout"] == 0.3


def test_a_config_is_a_value():
    config = config_of()
    assert config == config_of()
    assert hash(config) == hash(config_of())
    assert config != config_of(dropout=0.1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.dropout = 0.5


@pytest.mark.parametrize("name", PRESETS)
def test_a_config_comes_back_from_json(name):
    config = TransformerConfig.preset(name, 97, norm_first=True, num_kv_heads=2)
    assert TransformerConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_an_attribute_that_came_later_has_its_default():
    assert TransformerConfig.from_dict({"vocab_size": 97}) == TransformerConfig(97)


def test_configs_that_make_no_sense_are_refused(own_errors):
    with refused(ValueError, "name", "tiny, small, base, big", "'huge'"):
        TransformerConfig.preset("huge", 97)
    with refused(ValueError, "name", "tiny, small, base, big", "['tiny']"):
        TransformerConfig.preset(["tiny"], 97)
    with refused(TypeError, "heads"):
        TransformerConfig.preset("base", 97, heads=8)
    with refused(ValueError, "vocab_size", "got embed_dim"):
        TransformerConfig.from_dict({"embed_dim": 12})
    with refused(ValueError, "vocab_size", "got vocab_size, width"):
        TransformerConfig.from_dict({"vocab_size": 97, "width": 12})
    with refused(ValueError, "vocab_size", "got list"):
        TransformerConfig.from_dict([97])


# Dropout


def test_dropout_falls_on_embeddings_and_on_every_sublayer():
    model, source_mask_target = model_of(dropout=0.5).train(), sentences()
    seen = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.Dropout):
            module.register_forward_hook(
                lambda module, inputs, output, name=name: seen.setdefault(name, []).append(output)
            )
    source, mask, target = source_mask_target
    model(source, target, mask)
    residuals = [
        f"{name}.dropout" for name, part in model.named_modules() if type(part) is Residual
    ]
    assert len(residuals) == 2 * 2 + 3 * 3
    assert set(seen) == {"dropout", *residuals}
    assert [len(calls) for calls in seen.values()] == [2] + [1] * len(residuals)
    for outputs in seen.values():
        share = torch.cat([(output == 0).double().flatten() for output in outputs]).mean()
        assert 0.3 < share < 0.7


def test_dropout_leaves_attention_weights_and_the_inside_of_the_network_whole():
    model = model_of(dropout=0.5).train()
    source, mask, target = sentences()
    with record_attention(model) as maps:
        model(source, target, mask)
    for weights in maps.values():
        torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]), **CLOSE)
    network = model.encoder.layers[0].feed_forward
    assert not any(isinstance(part, nn.Dropout) for part in network.modules())
    assert all(layer.attention.dropout == 0 for layer in model.encoder.layers)


def test_dropout_works_in_training_only():
    source, mask, target = sentences()
    model = model_of(dropout=0.5)
    wanted = model_of()(source, target, mask)
    torch.testing.assert_close(model(source, target, mask), wanted, **CLOSE)
    model.train()
    assert not torch.equal(model(source, target, mask), model(source, target, mask))


# Recorded


def test_every_attention_is_recorded_under_its_name():
    model = model_of()
    source, mask, target = sentences()
    with record_attention(model) as maps:
        model(source, target, mask)
    shapes = {f"encoder.layers.{i}.attention": (SOURCE, SOURCE) for i in range(2)}
    for i in range(3):
        shapes[f"decoder.layers.{i}.self_attention"] = (TARGET, TARGET)
        shapes[f"decoder.layers.{i}.cross_attention"] = (TARGET, SOURCE)
    assert {name: tuple(weights.shape) for name, weights in maps.items()} == {
        name: (BATCH, HEADS, *shape) for name, shape in shapes.items()
    }


@POSITIONS
def test_the_maps_of_steps_are_those_of_the_parallel_pass(positions):
    model = model_of(positions=positions)
    source, mask, target = sentences()
    with record_attention(model) as maps:
        model(source, target, mask)
    with record_attention(model) as stepped:
        state = model.start(source, mask)
        for position in range(TARGET):
            _, state = model.step(target[:, position], state)
    assert set(maps) == set(stepped)
    for name, weights in maps.items():
        torch.testing.assert_close(stepped[name], weights, **CLOSE)


# Word by word


@POSITIONS
def test_a_step_costs_one_word(positions):
    model = model_of(positions=positions, num_kv_heads=1)
    source, mask, target = sentences()
    state = model.start(source, mask)
    lengths = []
    for layer in model.decoder.layers:
        layer.feed_forward.register_forward_hook(
            lambda module, inputs, output: lengths.append(output.shape[1])
        )
        layer.cross_attention.key_projection.register_forward_hook(
            lambda module, inputs, output: lengths.append("the memory again")
        )
    for position in range(TARGET):
        _, state = model.step(target[:, position], state)
    assert lengths == [1] * 3 * TARGET
    assert state.caches[0].written.key.shape == (BATCH, 1, TARGET, 4)
    assert state.caches[0].memory.key.shape == (BATCH, 1, SOURCE, 4)


def test_a_step_leaves_the_state_as_it_was():
    model = model_of()
    source, mask, target = sentences()
    start = model.start(source, mask)
    first, state = model.step(target[:, 0], start)
    held = [cache.written.key.clone() for cache in state.caches]
    one, _ = model.step(target[:, 1], state)
    other, after = model.step(target[:, 2], state)
    model.step(target[:, 3], after)
    assert (one - other).abs().max() > 0.01
    assert torch.equal(model.step(target[:, 1], state)[0], one)
    assert torch.equal(model.step(target[:, 0], start)[0], first)
    assert all(len(cache.written) == 0 for cache in start.caches)
    for cache, key in zip(state.caches, held, strict=True):
        assert torch.equal(cache.written.key, key)


def test_select_takes_rows_of_every_part_of_a_state():
    model = model_of()
    source, mask, target = sentences()
    _, state = model.step(target[:, 0], model.start(source, mask))
    rows = torch.tensor([1, 1, 0])
    chosen = select(state, rows)
    assert type(chosen) is type(state)
    assert torch.equal(chosen.source_mask, mask[rows])
    for cache, part in zip(chosen.caches, state.caches, strict=True):
        assert torch.equal(cache.written.value, part.written.value[rows])
        assert torch.equal(cache.memory.key, part.memory.key[rows])
        assert cache.memory.complete
    alone = model(source[rows], target[rows, :2], mask[rows])[:, 1]
    torch.testing.assert_close(model.step(target[rows, 1], chosen)[0], alone, **CLOSE)
    assert select(model.start(source), rows).source_mask is None


# Searching

MARKS = {"bos": 1, "eos": 2, "pad": 0}


def greedily_in_parallel(model, source, mask, length: int) -> list[list[int]]:
    """Greedy search without a cache: the whole target is read again for each word."""
    sentences = []
    for row in range(len(source)):
        read, until = [1], int(mask[row].sum())
        while len(read) <= length and 2 not in read[1:]:
            logits = model(source[row : row + 1, :until], torch.tensor([read]))
            read.append(int(logits[0, -1].argmax()))
        sentences.append(read[1:])
    return sentences


@POSITIONS
def test_greedy_search_is_that_without_a_cache(positions):
    # five words, so that the end mark comes early here and late there
    model = model_of(positions=positions, target_vocab_size=5, tie_embeddings=False)
    generator = torch.Generator().manual_seed(6)
    source = torch.randint(SOURCE_VOCAB, (7, SOURCE), generator=generator)
    mask = padding_mask(torch.tensor([7, 4, 1, 6, 2, 3, 5]))
    with torch.no_grad():
        wanted = greedily_in_parallel(model, source, mask, 7)
    written = greedy(model, source, mask, **MARKS, max_length=7)
    for row, length, tokens in zip(written.tokens, written.lengths, wanted, strict=True):
        assert row[:length].tolist() == tokens
    assert len(set(written.lengths.tolist())) > 1


@POSITIONS
def test_a_beam_of_one_is_greedy_search(positions):
    model = model_of(positions=positions)
    source, mask, _ = sentences()
    found = greedy(model, source, mask, **MARKS, max_length=MAX_LEN)
    same = beam_search(model, source, mask, **MARKS, max_length=MAX_LEN, beam_size=1)
    assert torch.equal(found.tokens, same.tokens)
    torch.testing.assert_close(found.log_probability, same.log_probability)


def test_what_a_beam_finds_has_the_probability_that_the_model_gives_it():
    model = model_of(num_kv_heads=1)
    source, mask, _ = sentences()
    found = beam_search(model, source, mask, **MARKS, max_length=6, beam_size=5)
    for row in range(BATCH):
        tokens = found.tokens[row, : found.lengths[row]]
        read = torch.cat([torch.tensor([1]), tokens[:-1]])
        logits = model(source[row : row + 1], read[None], mask[row : row + 1])[0]
        total = logits.log_softmax(-1)[torch.arange(len(tokens)), tokens].sum()
        torch.testing.assert_close(found.log_probability[row], total.detach(), **CLOSE)
    worse = greedy(model, source, mask, **MARKS, max_length=6)
    assert (found.log_probability >= worse.log_probability - 1e-12).all()


# It learns


def test_it_learns_to_turn_a_sentence_round():
    # three words and their end, backwards; chance is about 1/8 a token
    torch.manual_seed(0)
    sizes = {"embed_dim": 32, "num_heads": 4, "ffn_dim": 61, "num_layers": 1, "dropout": 0.0}
    model = Transformer(TransformerConfig(11, **sizes, norm_first=True))
    optimiser = torch.optim.Adam(model.parameters(), lr=0.005)
    for _ in range(150):
        source = torch.randint(3, 11, (32, 3))
        answer = torch.cat([source.flip(1), torch.full((32, 1), 2)], 1)
        read = torch.cat([torch.ones(32, 1, dtype=torch.int64), answer[:, :-1]], 1)
        logits = model(source, read)
        loss = F.cross_entropy(logits.flatten(0, 1), answer.flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert (logits.argmax(-1) == answer).double().mean() > 0.9


def test_gradients_are_those_of_finite_differences():
    model = model_of(embed_dim=6, ffn_dim=5, num_layers=1, num_decoder_layers=1, num_kv_heads=1)
    source, mask, target = sentences()
    names, weights = zip(*model.named_parameters(), strict=True)

    def of_weights(*weights):
        named = dict(zip(names, weights, strict=True))
        return torch.func.functional_call(model, named, (source, target[:, :2], mask))

    assert torch.autograd.gradcheck(of_weights, weights, fast_mode=True)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_mixed_precision_trains(dtype, device):
    model = model_of(positions="rotary").float().to(device).train()
    source, mask, target = (tensor.to(device) for tensor in sentences())
    exact = model(source, target, mask)
    with torch.autocast(device.type, dtype):
        logits = model(source, target, mask)
    assert logits.dtype == dtype
    torch.testing.assert_close(logits.float(), exact, rtol=0, atol=0.3)
    logits.float().sum().backward()
    for weight in model.parameters():
        assert weight.grad.dtype == torch.float32
        assert weight.grad.isfinite().all()


# Compiled


@COMPILES
@pytest.mark.parametrize(
    "options",
    [{}, {"positions": "rotary", "norm_first": True, "num_kv_heads": 1}],
    ids=["sinusoidal", "rotary, norm first, one key head"],
)
def test_the_forward_pass_compiles_in_one_graph_in_training(options):
    sizes = {"num_layers": 1, "num_decoder_layers": 1}
    model, (source, mask, target) = model_of(**sizes, **options).train(), sentences()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    logits = compiled(source, target, mask)
    torch.testing.assert_close(logits, model(source, target, mask), **CLOSE)
    logits.square().sum().backward()
    gradients = [weight.grad.clone() for weight in model.parameters()]
    model.zero_grad()
    model(source, target, mask).square().sum().backward()
    for gradient, weight in zip(gradients, model.parameters(), strict=True):
        torch.testing.assert_close(gradient, weight.grad, rtol=1e-10, atol=1e-9)


@COMPILES
def test_with_dropout_and_a_target_mask_it_compiles_in_one_graph():
    model = model_of(num_layers=1, num_decoder_layers=1, dropout=0.5).train()
    source, mask, target = sentences()
    target_mask = padding_mask(torch.tensor([5, 3]))
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    logits = compiled(source, target, mask, target_mask)
    assert logits.isfinite().all()
    assert not torch.equal(logits, compiled(source, target, mask, target_mask))
    with record_attention(compiled) as maps:
        compiled(source, target, mask, target_mask)
    assert "decoder.layers.0.cross_attention" in maps


@COMPILES
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")
@pytest.mark.skipif(
    not shutil.which("c++"), reason="inductor needs a C++ compiler: install g++ or clang"
)
def test_the_model_compiles_with_inductor():
    model = model_of(num_layers=1, num_decoder_layers=1).float()
    source, mask, target = sentences()
    compiled = torch.compile(model, fullgraph=True)
    with torch.no_grad():
        logits, wanted = compiled(source, target, mask), model(source, target, mask)
    torch.testing.assert_close(logits, wanted, rtol=0, atol=1e-5)


# Bad input


def test_sizes_that_could_be_swapped_are_named(own_errors):
    """`Encoder(64, 4, 2, 128)` had 64 layers of width 4."""
    for part in (FeedForward, EncoderLayer, DecoderLayer, Encoder, Decoder):
        with refused(TypeError, "positional argument"):
            part(64, 4, 2, 128)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"vocab_size": 0}, ValueError, ["vocab_size", "positive", "0"]),
        ({"vocab_size": 3.0}, TypeError, ["vocab_size", "integer", "float"]),
        ({"target_vocab_size": -1}, ValueError, ["target_vocab_size", "positive", "-1"]),
        ({"embed_dim": 0}, ValueError, ["embed_dim", "positive", "0"]),
        ({"embed_dim": 9, "positions": "sinusoidal"}, ValueError, ["embed_dim", "even", "9"]),
        ({"embed_dim": 9, "positions": "rotary"}, ValueError, ["head_dim", "even", "3"]),
        ({"num_heads": 5}, ValueError, ["num_heads", "divide embed_dim", "5 and 12"]),
        ({"num_kv_heads": 2}, ValueError, ["num_kv_heads", "divide num_heads", "2 and 3"]),
        ({"ffn_dim": 1.5}, TypeError, ["ffn_dim", "integer", "float"]),
        ({"num_layers": 0}, ValueError, ["num_layers", "positive", "0"]),
        ({"num_decoder_layers": 0}, ValueError, ["num_decoder_layers", "positive", "0"]),
        ({"num_decoder_layers": 2.0}, TypeError, ["num_decoder_layers", "integer", "float"]),
        ({"dropout": 1.0}, ValueError, ["dropout", "[0, 1)", "1.0"]),
        ({"dropout": -0.1}, ValueError, ["dropout", "-0.1"]),
        ({"norm_eps": -1e-5}, ValueError, ["norm_eps", "not negative", "-1e-05"]),
        ({"norm_eps": math.nan}, ValueError, ["norm_eps", "finite", "nan"]),
        ({"norm_eps": math.inf}, ValueError, ["norm_eps", "finite", "inf"]),
        ({"norm_eps": "small"}, TypeError, ["norm_eps", "number", "str"]),
        ({"norm_eps": True}, TypeError, ["norm_eps", "number", "bool"]),
        ({"activation": "tanh"}, ValueError, ["activation", "relu, gelu, silu", "'tanh'"]),
        ({"activation": ["relu"]}, ValueError, ["activation", "relu, gelu, silu", "['relu']"]),
        ({"positions": "rope"}, ValueError, ["positions", "sinusoidal, learned, rotary", "'rope'"]),
        ({"max_len": 0}, ValueError, ["max_len", "positive", "0"]),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_sizes_that_do_not_fit_are_refused(own_errors, changes, error, words):
    config = dataclasses.replace(config_of(), **changes)  # the config takes anything
    with refused(error, *words):
        Transformer(config)


def test_a_target_vocabulary_without_words_is_refused(own_errors):
    with refused(ValueError, "target_vocab_size", "positive", "0"):
        Transformer(config_of(target_vocab_size=0))


@pytest.mark.parametrize("given", [{"vocab_size": 31}, 31, None])
def test_what_is_no_config_is_refused(own_errors, given):
    with refused(TypeError, "config", "TransformerConfig", type(given).__name__):
        Transformer(given)


def test_parts_that_make_no_sense_are_refused(own_errors):
    with refused(ValueError, "ffn_dim", "positive", "0"):
        FeedForward(3, ffn_dim=0)
    with refused(TypeError, "embed_dim", "integer", "float"):
        FeedForward(3.0, ffn_dim=5)
    with refused(ValueError, "activation", "relu, gelu, silu", "'swish'"):
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


def test_what_is_no_sentence_is_refused(own_errors):
    model = model_of(target_vocab_size=TARGET_VOCAB)
    source, mask, target = sentences()
    for read in (lambda ids: model(ids, target), model.start):
        with refused(TypeError, "source", "tensor", "list"):
            read([[1, 2]])
        with refused(TypeError, "source", "int64", "float32"):
            read(source.float())
        with refused(TypeError, "source", "int64", "int32"):
            read(source.int())
        with refused(ValueError, "source", "(batch, source)", "(7,)"):
            read(source[0])
        with refused(ValueError, "source", "0 to 30", "got 31"):
            read(torch.full((BATCH, 3), 31))
        with refused(ValueError, "source", "0 to 30", "got -1"):
            read(torch.full((BATCH, 3), -1))
    with refused(TypeError, "target", "int64", "float64"):
        model(source, target.double(), mask)
    with refused(ValueError, "target", "(batch, target)", "(5,)"):
        model(source, target[0], mask)
    with refused(ValueError, "target", "begin mark", "no token"):
        model(source, target[:, :0], mask)
    with refused(ValueError, "target", "0 to 28", "got 29"):
        model(source, torch.full((BATCH, 3), 29), mask)
    with refused(ValueError, "source and target", "batch", "2 and 1"):
        model(source, target[:1], mask)


def test_masks_that_do_not_fit_are_refused(own_errors):
    model, (source, mask, target) = model_of(), sentences()
    for read in (lambda mask: model(source, target, mask), lambda mask: model.start(source, mask)):
        with refused(TypeError, "source_mask", "boolean", "list"):
            read(mask.tolist())
        with refused(TypeError, "source_mask", "boolean", "True at real tokens", "int64"):
            read(mask.long())
        with refused(TypeError, "source_mask", "boolean", "float32"):
            read(mask.float())
        with refused(ValueError, "source_mask", "(2, 6)", "(2, 7)"):
            read(mask[:, 1:])
        with refused(ValueError, "source_mask", "(2, 1, 7)", "(2, 7)"):
            read(mask[:, None])
        with refused(ValueError, "source_mask", "start of each row", "padding"):
            read(~mask)
        with refused(ValueError, "source_mask", "start of each row"):
            read(mask.flip(1))
    target_mask = padding_mask(torch.tensor([5, 3]))
    assert model(source, target, mask, target_mask).shape == (BATCH, TARGET, SOURCE_VOCAB)
    with refused(ValueError, "target_mask", "(2, 7)", "(2, 5)"):
        model(source, target, mask, mask)
    with refused(ValueError, "target_mask", "start of each row"):
        model(source, target, mask, ~target_mask)
    with refused(TypeError, "target_mask", "boolean"):
        model(source, target, mask, target_mask.int())


@POSITIONS
def test_more_tokens_than_max_len_are_refused(own_errors, positions):
    model = model_of(positions=positions)
    source = torch.zeros(1, MAX_LEN, dtype=torch.int64)
    longer = torch.zeros(1, MAX_LEN + 1, dtype=torch.int64)
    assert model(source, source).shape == (1, MAX_LEN, SOURCE_VOCAB)
    words = ["12 tokens", "max_len", "11"]
    with refused(ValueError, "source has", *words):
        model(longer, source)
    with refused(ValueError, "source has", *words):
        model.start(longer)
    with refused(ValueError, "target has", *words):
        model(source, longer)
    state = model.start(source)
    for position in range(MAX_LEN):
        _, state = model.step(source[:, position], state)
    with refused(ValueError, "target has", *words):
        model.step(source[:, 0], state)


def test_steps_that_do_not_fit_are_refused(own_errors):
    model, (source, mask, target) = model_of(), sentences()
    _, state = model.step(target[:, 0], model.start(source, mask))
    with refused(TypeError, "tokens", "int64", "float32"):
        model.step(target[:, 0].float(), state)
    with refused(ValueError, "tokens", "(batch,)"):
        model.step(target, state)
    with refused(ValueError, "tokens", "0 to 30", "got 31"):
        model.step(torch.tensor([3, 31]), state)
    with refused(ValueError, "another model"):
        model_of().step(target[:, 0], state)


def test_a_step_names_the_tokens_that_came(own_errors):
    model, (source, mask, target) = model_of(), sentences()
    state = model.start(source, mask)
    with refused(TypeError, "tokens", "tensor", "list"):
        model.step([3, 4], state)
    with refused(ValueError, "tokens", "(batch,)", "(2, 5)"):
        model.step(target, state)
    with refused(ValueError, "tokens", "batch", "1 and 2"):
        model.step(target[:1, 0], state)


def test_layers_and_stacks_called_without_what_they_need_are_refused(own_errors):
    sizes, x = {"embed_dim": 6, "num_heads": 2, "ffn_dim": 5}, torch.zeros(BATCH, 3, 6)
    layer, decoder = DecoderLayer(**sizes), Decoder(num_layers=2, **sizes)
    with refused(TypeError, "memory or a cache", "neither"):
        layer(x)
    with refused(TypeError, "memory or a cache", "both"):
        layer(x, x, cache=layer.start(x))
    with refused(TypeError, "memory or a cache", "neither"):
        decoder(x)
    with refused(TypeError, "memory or a cache", "both"):
        decoder(x, x, caches=decoder.start(x))
    with refused(ValueError, "caches", "each of 2 layers", "got 1"):
        decoder(x, caches=decoder.start(x)[:1])
    with refused(ValueError, "caches", "each of 1 layers", "got 0"):
        Encoder(num_layers=1, **sizes)(x, caches=[])
    with refused(ValueError, "query and key", "batch", "2 and 1"):
        layer(x, x[:1])
    with refused(ValueError, "key", "(batch, length, 7)", "(2, 3, 6)"):
        DecoderLayer(**sizes, memory_dim=7)(x, x)
    for norm_first in (False, True):
        with refused(ValueError, "x must be (..., 6)", "(2, 3, 5)"):
            EncoderLayer(**sizes, norm_first=norm_first)(torch.zeros(BATCH, 3, 5))
