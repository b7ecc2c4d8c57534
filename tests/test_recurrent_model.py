"""attncourse.recurrent.model: encoder and decoder together."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from small_recurrent import (
    CLOSE,
    DECODERS,
    DIRECTIONS,
    EMBED,
    HIDDEN,
    LAYERS,
    LENGTHS,
    SOURCE_VOCAB,
    TARGET,
    TARGET_VOCAB,
    model_of,
    sentences,
)
from support import COMPILES, refused
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from attncourse import padding_mask
from attncourse.recipes.models import recurrent
from attncourse.recurrent import EncoderDecoder, GRUEncoder


@DECODERS
@LAYERS
@pytest.mark.parametrize("readout", ["deep", "state"])
@pytest.mark.parametrize("hidden", [17, 2 * HIDDEN])
def test_step_by_step_is_the_forward_pass(decoder, layers, readout, hidden):
    model = model_of(decoder, layers, hidden=hidden, readout=readout)
    source, mask, target = sentences()
    logits = model(source, target, mask)
    assert logits.shape == (len(LENGTHS), TARGET, TARGET_VOCAB)
    state = model.start(source, mask)
    for position in range(TARGET):
        now, state = model.step(target[:, position], state)
        assert now.shape == (len(LENGTHS), TARGET_VOCAB)
        torch.testing.assert_close(now, logits[:, position], **CLOSE)


@DECODERS
def test_no_logit_knows_a_later_token(decoder):
    model = model_of(decoder).train()  # in either mode
    source, mask, target = sentences()
    before = model(source, target, mask)
    for position in range(TARGET):
        changed = target.clone()
        changed[:, position] = (changed[:, position] + 1) % TARGET_VOCAB
        moved = (model(source, changed, mask) - before).abs().amax(-1) > 1e-9
        assert not moved[:, :position].any()
        assert moved[:, position:].all()


@DECODERS
@LAYERS
def test_padding_and_company_change_nothing(decoder, layers):
    model = model_of(decoder, layers)
    source, mask, target = sentences()
    target_lengths = torch.tensor([6, 2, 5, 3])
    target_mask = padding_mask(target_lengths, TARGET)
    towards = torch.randn(len(LENGTHS), TARGET, TARGET_VOCAB, dtype=torch.float64)

    def run(source, target, source_mask, target_mask, towards):
        model.zero_grad()
        logits = model(source, target, source_mask, target_mask)
        (logits * towards * target_mask[..., None]).sum().backward()
        return logits, [weight.grad.clone() for weight in model.parameters()]

    together, gradients = run(source, target, mask, target_mask, towards)
    sums = [torch.zeros_like(gradient) for gradient in gradients]
    for i, (length, target_length) in enumerate(zip(LENGTHS, target_lengths, strict=True)):
        one = slice(i, i + 1)
        alone, parts = run(
            source[one, :length],
            target[one, :target_length],
            mask[one, :length],
            target_mask[one, :target_length],
            towards[one, :target_length],
        )
        torch.testing.assert_close(together[i, :target_length], alone[0], **CLOSE)
        sums = [total + part for total, part in zip(sums, parts, strict=True)]
    for gradient, total in zip(gradients, sums, strict=True):
        torch.testing.assert_close(gradient, total, rtol=1e-9, atol=1e-10)
    # other padding, and more of it
    wider = F.pad(source.masked_fill(~mask, 30), (0, 4), value=-100)
    wild = F.pad(target.masked_fill(~target_mask, -100), (0, 2), value=10**6)
    again, other = run(
        wider, wild, F.pad(mask, (0, 4)), F.pad(target_mask, (0, 2)), F.pad(towards, (0, 0, 0, 2))
    )
    torch.testing.assert_close(again[:, :TARGET][target_mask], together[target_mask], **CLOSE)
    for gradient, same in zip(gradients, other, strict=True):
        torch.testing.assert_close(gradient, same, rtol=1e-9, atol=1e-10)


@DECODERS
@pytest.mark.parametrize("shape", [(3, 0), (0, 5)])
def test_no_sentence_and_no_word_at_all_are_read_too(decoder, shape):
    model = model_of(decoder)
    source = torch.zeros(shape, dtype=torch.int64)
    for mask in (None, source.bool()):
        encoded = model.encoder(source, mask)
        assert encoded.memory.shape == (*shape, 2 * HIDDEN)
        assert encoded.state.shape == (shape[0], 2, 2 * HIDDEN)
        assert not encoded.state.any()
        target = torch.ones(shape[0], 2, dtype=torch.int64)
        assert model(source, target, mask).isfinite().all()


@DECODERS
def test_it_learns_to_turn_a_sentence_round(decoder):
    # three words and their end, backwards; chance is about 1/8 a token
    torch.manual_seed(0)
    encoder = GRUEncoder(11, embed_dim=13, hidden_dim=29)
    model = EncoderDecoder(encoder, decoder(11, embed_dim=13, hidden_dim=29, memory_dim=29))
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
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


# Dropout and dtypes


@DECODERS
def test_dropout_works_in_training_only(decoder):
    model = model_of(decoder, dropout=0.5)
    source, mask, target = sentences()
    undropped = model_of(decoder)(source, target, mask)
    torch.testing.assert_close(model(source, target, mask), undropped, **CLOSE)
    model.train()
    assert not torch.equal(model(source, target, mask), model(source, target, mask))


@DECODERS
def test_dropout_reaches_embeddings_layers_and_readout(decoder):
    model = model_of(decoder, dropout=0.5).train()
    seen = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.Dropout):
            module.register_forward_hook(
                lambda module, inputs, output, name=name: seen.update({name: output})
            )
    source, mask, target = sentences()
    model(source, target, mask)
    assert set(seen) == {
        "encoder.dropout",
        "decoder.dropout",
        "decoder.cells.dropout",
        "decoder.readout.dropout",
    }
    assert all((output == 0).any() for output in seen.values())
    assert model.encoder.gru.dropout == 0.5


@DECODERS
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_the_dtype_is_that_of_the_weights(decoder, dtype, device):
    model = model_of(decoder)
    source, mask, target = sentences(lengths=(13, 0, 8, 1))
    exact = model(source, target, mask)
    model = model.to(device, dtype)
    logits = model(source.to(device), target.to(device), mask.to(device))
    assert logits.dtype == dtype
    assert logits.device.type == device.type
    # logits of order 1 to 5 after 13 + 6 recurrent steps
    atol = {torch.float64: 1e-12, torch.float32: 1e-4, torch.bfloat16: 0.3}[dtype]
    torch.testing.assert_close(logits.double().cpu(), exact, rtol=0, atol=atol)
    logits.sum().backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters())


@DECODERS
def test_mixed_precision_trains(decoder, device):
    model = model_of(decoder).float().to(device)
    source, mask, target = (tensor.to(device) for tensor in sentences())
    exact = model(source, target, mask)
    with torch.autocast(device.type, torch.bfloat16):
        logits = model(source, target, mask)
    torch.testing.assert_close(logits.float(), exact, rtol=0, atol=0.3)
    logits.float().sum().backward()
    assert all(weight.grad.dtype == torch.float32 for weight in model.parameters())


@DECODERS
def test_gradients_are_those_of_finite_differences(decoder):
    model = model_of(decoder, hidden=3)
    source, mask, target = sentences(target=2, lengths=(3, 1))
    names, weights = zip(*model.named_parameters(), strict=True)

    def of_weights(*weights):
        named = dict(zip(names, weights, strict=True))
        return torch.func.functional_call(model, named, (source, target, mask))

    assert torch.autograd.gradcheck(of_weights, weights, fast_mode=True)


# Tied, compiled, traced


@pytest.mark.parametrize("attention", [False, True])
@pytest.mark.parametrize("target_vocab", [None, TARGET_VOCAB], ids=["one", "two"])
def test_a_call_with_other_weights_leaves_a_tied_model_whole(attention, target_vocab):
    # Kind: one module under two names. `functional_call` puts each name's weight in, and takes them
    # out in the same order: the module keeps what came in under its first name.
    sizes = {"embed_dim": EMBED, "hidden_dim": HIDDEN, "tie_embeddings": True}
    model = recurrent(SOURCE_VOCAB, target_vocab, attention=attention, **sizes)
    source, mask, target = sentences()
    before = model(source, target, mask)
    held = dict(model.named_parameters())
    other = {name: torch.randn_like(weight) for name, weight in held.items()}
    called = torch.func.functional_call(model, other, (source, target, mask))
    assert not torch.equal(called, before)
    assert torch.equal(model(source, target, mask), before)
    for name, weight in model.named_parameters():
        assert weight is held[name]


@COMPILES
@DECODERS
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_a_whole_model_compiles_with_the_encoder_left_out(decoder):
    model = model_of(decoder)
    source, mask, target = sentences()
    compiled = torch.compile(model, backend="aot_eager")
    torch.testing.assert_close(compiled(source, target, mask), model(source, target, mask), **CLOSE)


# Kind: where values are unknown, neither their checks nor the lengths that packing wants may stand
# in the way.


@pytest.mark.usefixtures("own_errors")
@DECODERS
def test_a_model_is_exported_for_any_batch(decoder):
    model = model_of(decoder)
    source, mask, target = sentences(lengths=(5, 0, 3))
    axes = {0: torch.export.Dim("batch", min=2)}
    exported = torch.export.export(
        model,
        (source, target, mask),
        dynamic_shapes={"source": axes, "target": axes, "source_mask": axes},
    ).module()
    inputs = sentences(lengths=(2, 5))
    inputs = inputs[0], inputs[2], inputs[1]
    torch.testing.assert_close(exported(*inputs), model(*inputs), **CLOSE)


@pytest.mark.usefixtures("own_errors")
@DECODERS
@LAYERS
@DIRECTIONS
def test_each_sentence_has_its_gradient_under_vmap(decoder, layers, bidirectional):
    model = model_of(decoder, layers, bidirectional)
    source, mask, target = sentences(lengths=(5, 2, 0))
    weights = dict(model.named_parameters())

    def loss(weights, *inputs):
        inputs = [each[None] for each in inputs]
        return torch.func.functional_call(model, weights, tuple(inputs)).square().sum()

    each = torch.func.vmap(torch.func.grad(loss), (None, 0, 0, 0))(weights, source, target, mask)
    for row in range(3):
        one = slice(row, row + 1)
        alone = model(source[one], target[one], mask[one]).square().sum()
        gradients = torch.autograd.grad(alone, list(weights.values()), allow_unused=True)
        for name, gradient in zip(weights, gradients, strict=True):
            wanted = torch.zeros_like(weights[name]) if gradient is None else gradient
            torch.testing.assert_close(each[name][row], wanted, rtol=1e-9, atol=1e-10)


@pytest.mark.usefixtures("own_errors")
@DECODERS
def test_tensors_without_values_have_their_shape(decoder):
    model = model_of(decoder)
    source, mask, target = sentences()
    inputs = source, target, mask, torch.ones_like(target, dtype=torch.bool)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        assert model(*map(mode.from_tensor, inputs)).shape == (*target.shape, TARGET_VOCAB)
    logits = model.to("meta")(*(each.to("meta") for each in inputs))
    assert logits.shape == (*target.shape, TARGET_VOCAB)


# Bad input


@DECODERS
def test_what_is_no_target_is_refused(own_errors, decoder):
    model = model_of(decoder)
    source, mask, target = sentences()
    with refused(TypeError, "target", "tensor", "list"):
        model(source, target.tolist(), mask)
    with refused(TypeError, "target", "int64", "int32"):
        model(source, target.int(), mask)
    with refused(ValueError, "target", "(batch, target)", "(6,)"):
        model(source, target[0], mask)
    with refused(ValueError, "target", "begin mark"):
        model(source, target[:, :0], mask)
    with refused(ValueError, "target", "batch", "3 and 4"):
        model(source, target[1:], mask)
    with refused(ValueError, "target", "0 to 28", "29"):
        model(source, target.clamp(min=29), mask)
    with refused(ValueError, "target_mask", "(4, 5)", "(4, 6)"):
        model(source, target, mask, torch.ones(4, 5, dtype=torch.bool))
    with refused(TypeError, "target_mask", "boolean"):
        model(source, target, mask, target)
    with refused(ValueError, "target_mask", "start of each row"):
        model(source, target, mask, padding_mask(torch.tensor([1, 2, 3, 4]), 6).flip(1))
    state = model.start(source, mask)
    with refused(TypeError, "tokens", "tensor", "list"):
        model.step(target[:, 0].tolist(), state)
    with refused(ValueError, "tokens", "(batch,)", "(4, 6)"):
        model.step(target, state)
