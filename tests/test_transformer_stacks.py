"""attncourse.transformer.stacks: layers in a row, padding, checkpointing."""

from __future__ import annotations

import pytest
import torch
from references import redrawn
from small_transformer import (
    BATCH,
    CLOSE,
    EMBED,
    LENGTHS,
    NORM,
    SIZES,
    TARGET,
    layer_norm,
    model_of,
    sentences,
    tokens,
)
from support import refused, some_mask

from attncourse import KeyValueCache, padding_mask, record_attention
from attncourse.transformer import (
    Decoder,
    DecoderLayer,
    Encoder,
    EncoderLayer,
    FeedForward,
)

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


# Bad input


def test_sizes_that_could_be_swapped_are_named(own_errors):
    """`Encoder(64, 4, 2, 128)` had 64 layers of width 4."""
    for part in (FeedForward, EncoderLayer, DecoderLayer, Encoder, Decoder):
        with refused(TypeError, "positional argument"):
            part(64, 4, 2, 128)


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
