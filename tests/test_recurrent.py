"""attncourse.recurrent: encoder, decoders without and with attention, and what padding may do."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from support import COMPILES, refused
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from attncourse import AdditiveScore, AttentionLayer, padding_mask, record_attention
from attncourse.recipes.models import recurrent
from attncourse.recurrent import (
    AttentionDecoder,
    EncoderDecoder,
    GRUDecoder,
    GRUEncoder,
    gru_step,
)
from benchmarks.d2l_models import D2lAttentionDecoder, D2lDecoder, d2l_model

SOURCE_VOCAB, TARGET_VOCAB, EMBED, HIDDEN, ATTENTION = 31, 29, 5, 7, 11
LENGTHS = (13, 3, 8, 1)
SOURCE, TARGET = 13, 6
CLOSE = {"rtol": 0, "atol": 1e-12}  # between two correct computations in float64

DECODERS = pytest.mark.parametrize("decoder", [GRUDecoder, AttentionDecoder])
LAYERS = pytest.mark.parametrize("layers", [1, 3])
DIRECTIONS = pytest.mark.parametrize("bidirectional", [False, True], ids=["one", "both"])


def redrawn(module: nn.Module) -> nn.Module:
    """Draw every weight anew, in float64: fresh ones are too small to show a wrong term."""
    generator = torch.Generator().manual_seed(5)
    module.double()
    with torch.no_grad():
        for weight in module.parameters():
            weight.copy_(0.4 * torch.randn(weight.shape, generator=generator, dtype=torch.float64))
    return module.eval()


def encoder_of(layers: int = 1, bidirectional: bool = False, dropout: float = 0.0) -> GRUEncoder:
    return redrawn(
        GRUEncoder(
            SOURCE_VOCAB,
            embed_dim=EMBED,
            hidden_dim=HIDDEN,
            num_layers=layers,
            bidirectional=bidirectional,
            dropout=dropout,
        )
    )


def model_of(
    decoder, layers: int = 2, bidirectional: bool = True, hidden: int = 17, dropout=0.0, **options
) -> EncoderDecoder:
    encoder = encoder_of(layers, bidirectional, dropout)
    if decoder is AttentionDecoder:
        options = {"attention_dim": ATTENTION, **options}
    decoder = decoder(
        TARGET_VOCAB,
        embed_dim=3,
        hidden_dim=hidden,
        memory_dim=encoder.memory_dim,
        num_layers=layers,
        dropout=dropout,
        **options,
    )
    return EncoderDecoder(encoder, redrawn(decoder))


def sentences(*, target: int = TARGET, lengths=LENGTHS, padding: int = 0):
    """Draw source ids, their mask, and target ids."""
    generator = torch.Generator().manual_seed(2)
    shape = len(lengths), max(lengths)
    source = torch.randint(SOURCE_VOCAB, shape, generator=generator)
    mask = padding_mask(torch.tensor(lengths), max(lengths))
    written = torch.randint(TARGET_VOCAB, (len(lengths), target), generator=generator)
    return source.masked_fill(~mask, padding), mask, written


# The GRU


def test_a_step_by_hand():
    # one unit: r = sigmoid(1 + 0.5), z = sigmoid(-2 + 1), n = tanh(0.3 + r * 0.7), h = 0.9
    r, z = 1 / (1 + math.exp(-1.5)), 1 / (1 + math.exp(1))
    by_hand = (1 - z) * math.tanh(0.3 + r * 0.7) + z * 0.9
    read, recalled = torch.tensor([[1.0, -2.0, 0.3]]), torch.tensor([[0.5, 1.0, 0.7]])
    assert gru_step(read, recalled, torch.tensor([[0.9]])).item() == pytest.approx(by_hand)


def test_a_step_is_that_of_nn_gru_cell():
    cell = redrawn(nn.GRUCell(EMBED, HIDDEN))
    word, state = (torch.randn(3, width, dtype=torch.float64) for width in (EMBED, HIDDEN))
    read = F.linear(word, cell.weight_ih, cell.bias_ih)
    recalled = F.linear(state, cell.weight_hh, cell.bias_hh)
    torch.testing.assert_close(gru_step(read, recalled, state), cell(word, state), **CLOSE)


# The encoder


@LAYERS
@DIRECTIONS
def test_without_padding_the_encoder_is_nn_gru(layers, bidirectional):
    encoder = encoder_of(layers, bidirectional)
    source, _, _ = sentences(lengths=(7, 7, 7))
    outputs, final = encoder.gru(encoder.embedding(source))
    for mask in (None, torch.ones(3, 7, dtype=torch.bool)):
        encoded = encoder(source, mask)
        assert encoded.mask is mask
        torch.testing.assert_close(encoded.memory, outputs, **CLOSE)
        for layer in range(layers):
            directions = 2 if bidirectional else 1
            ends = final[directions * layer : directions * (layer + 1)]
            torch.testing.assert_close(encoded.state[:, layer], torch.cat([*ends], -1), **CLOSE)


@LAYERS
@DIRECTIONS
def test_each_sentence_is_read_as_if_it_came_alone(layers, bidirectional):
    encoder = encoder_of(layers, bidirectional)
    source, mask, _ = sentences()
    encoded = encoder(source, mask)
    width = HIDDEN * (2 if bidirectional else 1)
    assert encoded.memory.shape == (len(LENGTHS), SOURCE, width)
    assert encoded.state.shape == (len(LENGTHS), layers, width)
    for i, length in enumerate(LENGTHS):
        alone = encoder(source[i : i + 1, :length])
        torch.testing.assert_close(encoded.memory[i, :length], alone.memory[0], **CLOSE)
        torch.testing.assert_close(encoded.state[i], alone.state[0], **CLOSE)
        assert not encoded.memory[i, length:].any()


def test_the_second_direction_reads_from_the_end():
    encoder = encoder_of(bidirectional=True)
    source, mask, _ = sentences(lengths=(5, 2))
    changed = source.clone()
    changed[0, 4] = (changed[0, 4] + 1) % SOURCE_VOCAB  # the last word of the longer sentence
    moved = (encoder(source, mask).memory - encoder(changed, mask).memory).abs() > 1e-9
    assert not moved[0, :4, :HIDDEN].any()  # forwards, only the end knows
    assert moved[0, :4, HIDDEN:].any(-1).all()  # backwards, all before it
    assert not moved[1].any()
    # and the state joins the forward one after the last word and the backward one after the first
    encoded = encoder(source, mask)
    torch.testing.assert_close(encoded.state[1, 0, :HIDDEN], encoded.memory[1, 1, :HIDDEN])
    torch.testing.assert_close(encoded.state[1, 0, HIDDEN:], encoded.memory[1, 0, HIDDEN:])


@DIRECTIONS
@given(st.lists(st.integers(0, 6), min_size=1, max_size=5), st.integers(-1000, 1000))
@settings(max_examples=25)
def test_padding_may_hold_anything(bidirectional, lengths, number):
    encoder = encoder_of(2, bidirectional)
    lengths = [*lengths, 4]
    source, mask, _ = sentences(lengths=lengths)
    encoded = encoder(source, mask)
    other = encoder(source.masked_fill(~mask, number), mask)
    assert torch.equal(encoded.memory, other.memory)
    assert torch.equal(encoded.state, other.state)


def test_padding_has_no_gradient():
    encoder = encoder_of(2, True)
    source, mask, _ = sentences(padding=30)
    source = source.masked_fill(mask & (source == 30), 29)  # the padding's word is no one else's
    encoded = encoder(source, mask)
    (encoded.memory.square().sum() + encoded.state.square().sum()).backward()
    assert not encoder.embedding.weight.grad[30].any()
    assert encoder.embedding.weight.grad[source[0, 0]].any()


@DIRECTIONS
def test_an_empty_sentence_gives_zeros(bidirectional):
    encoder = encoder_of(2, bidirectional)
    source, mask, _ = sentences(lengths=(5, 0, 3))
    encoded = encoder(source, mask)
    assert not encoded.memory[1].any()
    assert not encoded.state[1].any()
    assert encoded.state[[0, 2]].abs().min() > 0
    (encoded.memory.sum() + encoded.state.sum()).backward()
    assert all(weight.grad.isfinite().all() for weight in encoder.parameters())


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


# The decoders


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
def test_a_decoder_goes_on_where_it_stopped(decoder):
    model = model_of(decoder)
    source, mask, target = sentences()
    whole, end = model.decoder(target, model.start(source, mask))
    first, middle = model.decoder(target[:, :2], model.start(source, mask))
    second, last = model.decoder(target[:, 2:], middle)
    torch.testing.assert_close(torch.cat([first, second], 1), whole, **CLOSE)
    torch.testing.assert_close(last.hidden, end.hidden, **CLOSE)


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
def test_every_tensor_of_a_state_has_the_batch_first(decoder):
    model = model_of(decoder)
    source, mask, target = sentences()
    for state in (
        model.start(source, mask),
        model.step(target[:, 0], model.start(source, mask))[1],
    ):
        assert all(part.shape[0] == len(LENGTHS) for part in state)
        assert all(isinstance(part, torch.Tensor) for part in state)


@DECODERS
def test_the_first_state_is_taken_over_where_the_widths_agree(decoder):
    model = model_of(decoder, hidden=2 * HIDDEN)
    source, mask, _ = sentences()
    encoded = model.encoder(source, mask)
    assert model.decoder.first.projection is None
    assert torch.equal(model.start(source, mask).hidden, encoded.state)
    other = model_of(decoder)
    first = other.decoder.first.projection
    by_formula = torch.tanh(encoded.state @ first.weight.T + first.bias)
    torch.testing.assert_close(other.start(source, mask).hidden, by_formula, **CLOSE)


def test_the_fixed_context_is_the_top_state_at_every_token():
    model = model_of(GRUDecoder)
    source, mask, target = sentences()
    state = model.start(source, mask)
    assert torch.equal(state.context, model.encoder(source, mask).state[:, -1])
    for position in range(TARGET):
        now, _ = model.step(target[:, position], state)
        other, state = model.step(target[:, position], state._replace(context=state.context + 1))
        assert ((now - other).abs().amax(-1) > 1e-3).all()
        state = state._replace(context=state.context - 1)


def test_the_deep_readout_by_its_formula():
    model = model_of(AttentionDecoder)
    source, mask, target = sentences()
    decoder, start = model.decoder, model.start(source, mask)
    logits, state = decoder(target[:, :1], start)
    with record_attention(decoder) as maps:
        decoder(target[:, :1], start)
    context = (maps[""][:, 0] @ start.memory)[:, 0]
    side_by_side = torch.cat([state.hidden[:, -1], decoder.embedding(target[:, 0]), context], -1)
    hidden = torch.tanh(F.linear(side_by_side, *decoder.readout.hidden.parameters()))
    expected = F.linear(hidden, *decoder.readout.output.parameters())
    torch.testing.assert_close(logits[:, 0], expected, **CLOSE)


def test_the_previous_top_state_is_the_query():
    model = model_of(AttentionDecoder, layers=3)
    source, mask, target = sentences()
    state = model.start(source, mask)
    for position in range(3):
        expected = model.decoder.score(state.hidden[:, -1:], state.memory)
        expected = expected.masked_fill(~mask[:, None], -math.inf).softmax(-1)
        with record_attention(model.decoder) as maps:
            _, state = model.step(target[:, position], state)
        torch.testing.assert_close(maps[""][:, 0], expected, **CLOSE)


def test_attention_never_weighs_padding():
    model = model_of(AttentionDecoder)
    source, mask, target = sentences(lengths=(13, 3, 8, 0))
    with record_attention(model) as maps:
        logits = model(source, target, mask)
    weights = maps["decoder"]
    assert weights.shape == (4, 1, TARGET, SOURCE)
    assert not weights.masked_select(~mask[:, None, None]).any()
    sums = torch.tensor([1.0, 1.0, 1.0, 0.0], dtype=torch.float64)[:, None, None]
    torch.testing.assert_close(weights.sum(-1), sums.expand(4, 1, TARGET), **CLOSE)
    torch.testing.assert_close(logits, model(source, target, mask), **CLOSE)
    with record_attention(model) as stepped:
        state = model.start(source, mask)
        for position in range(TARGET):
            _, state = model.step(target[:, position], state)
    torch.testing.assert_close(stepped["decoder"], weights, **CLOSE)


def test_only_the_decoder_with_attention_attends():
    assert isinstance(model_of(AttentionDecoder).decoder, AttentionLayer)
    with refused(ValueError, "no layer that attends"), record_attention(model_of(GRUDecoder)):
        pass


def test_keys_are_projected_once_a_sentence():
    model = model_of(AttentionDecoder)
    source, mask, target = sentences()
    calls = []
    model.decoder.score.key_projection.register_forward_hook(
        lambda module, inputs, output: calls.append(tuple(output.shape))
    )
    model(source, target, mask)
    assert calls == [(len(LENGTHS), SOURCE, ATTENTION)]
    state = model.start(source, mask)
    for position in range(TARGET):
        _, state = model.step(target[:, position], state)
    assert len(calls) == 2


def test_a_score_of_projected_keys_is_the_score_of_the_keys():
    score = redrawn(AdditiveScore(3, 5, 7))
    query, key = (torch.randn(2, *shape, dtype=torch.float64) for shape in ((11, 3), (13, 5)))
    assert torch.equal(score.of_projected(query, score.project(key)), score(query, key))


# Dropout, dtypes, compilation


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
def test_a_decoder_compiles_in_one_graph(decoder):
    # The encoder does not: packing wants the lengths as numbers, which breaks the graph.
    model = model_of(decoder)
    source, mask, target = sentences()
    with torch.no_grad():
        state = model.start(source, mask)
    logits, after = model.decoder(target, state)
    compiled = torch.compile(model.decoder, backend="aot_eager", fullgraph=True)
    same, end = compiled(target, state)
    torch.testing.assert_close(same, logits, **CLOSE)
    torch.testing.assert_close(end.hidden, after.hidden, **CLOSE)


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


# Dive into Deep Learning


def d2l_pair(d2l, decoder, theirs, layers: int):
    """Give our model and d2l's with the same weights."""
    peer = d2l_model(d2l, theirs, SOURCE_VOCAB, TARGET_VOCAB, EMBED, HIDDEN, layers)
    peer = redrawn(peer)
    encoder = GRUEncoder(SOURCE_VOCAB, embed_dim=EMBED, hidden_dim=HIDDEN, num_layers=layers)
    encoder.double().embedding.load_state_dict(peer.encoder.embedding.state_dict())
    encoder.gru.load_state_dict(peer.encoder.rnn.rnn.state_dict())
    ours = decoder(
        TARGET_VOCAB,
        embed_dim=EMBED,
        hidden_dim=HIDDEN,
        memory_dim=HIDDEN,
        num_layers=layers,
        readout="state",
    ).double()
    ours.embedding.load_state_dict(peer.decoder.embedding.state_dict())
    ours.readout.output.load_state_dict(peer.decoder.dense.state_dict())
    attends = decoder is AttentionDecoder
    gru = peer.decoder.rnn if attends else peer.decoder.rnn.rnn
    with torch.no_grad():
        if attends:  # there the context stands first
            of_context, of_token = gru.weight_ih_l0.split([HIDDEN, EMBED], 1)
            ours.score.query_projection.weight.copy_(peer.decoder.attention.W_q.weight)
            ours.score.key_projection.weight.copy_(peer.decoder.attention.W_k.weight)
            ours.score.output.weight.copy_(peer.decoder.attention.w_v.weight)
        else:
            of_token, of_context = gru.weight_ih_l0.split([EMBED, HIDDEN], 1)
        ours.cells.of_token.weight.copy_(of_token)
        ours.cells.of_token.bias.copy_(gru.bias_ih_l0)
        ours.cells.of_context.weight.copy_(of_context)
        for layer in range(layers):
            weight, bias = (getattr(gru, f"{kind}_hh_l{layer}") for kind in ("weight", "bias"))
            ours.cells.of_state[layer].weight.copy_(weight)
            ours.cells.of_state[layer].bias.copy_(bias)
            if layer:
                weight, bias = (getattr(gru, f"{kind}_ih_l{layer}") for kind in ("weight", "bias"))
                ours.cells.of_below[layer - 1].weight.copy_(weight)
                ours.cells.of_below[layer - 1].bias.copy_(bias)
    return EncoderDecoder(encoder, ours).eval(), peer


BOTH = pytest.mark.parametrize(
    ("decoder", "theirs"), [(GRUDecoder, D2lDecoder), (AttentionDecoder, D2lAttentionDecoder)]
)


@BOTH
@LAYERS
def test_without_padding_the_models_of_d2l_agree(d2l, decoder, theirs, layers):
    model, peer = d2l_pair(d2l, decoder, theirs, layers)
    source, _, target = sentences(lengths=(7, 7, 7))
    logits = peer(source, target, torch.tensor([7, 7, 7]))
    torch.testing.assert_close(model(source, target), logits, **CLOSE)


@BOTH
def test_d2l_reads_padding_and_ours_does_not(d2l, decoder, theirs):
    model, peer = d2l_pair(d2l, decoder, theirs, 1)
    source, mask, target = sentences(lengths=(5, 2))
    lengths = torch.tensor([5, 2])
    alone = peer(source[1:, :2], target[1:], lengths[1:])
    padded = peer(source, target, lengths)
    # d2l's encoder runs on over the padding, and its last state starts the decoder
    assert (padded[1] - alone[0]).abs().max() > 0.01
    other = peer(source.masked_fill(~mask, 3), target, lengths)
    assert (padded[1] - other[1]).abs().max() > 0.01
    torch.testing.assert_close(padded[0], other[0], **CLOSE)
    # on sentences alone, where d2l is right, it is the reference
    ours = model(source, target, mask)
    torch.testing.assert_close(ours[1], alone[0], **CLOSE)
    torch.testing.assert_close(ours[0], padded[0], **CLOSE)


# It learns


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


# Bad input


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"vocab_size": 0}, ValueError, ["vocab_size", "positive", "0"]),
        ({"embed_dim": 2.5}, TypeError, ["embed_dim", "integer", "float"]),
        ({"hidden_dim": -1}, ValueError, ["hidden_dim", "positive", "-1"]),
        ({"num_layers": True}, TypeError, ["num_layers", "integer", "bool"]),
        ({"dropout": 1.0}, ValueError, ["dropout", "[0, 1)", "1.0"]),
        ({"memory_dim": 0}, ValueError, ["memory_dim", "positive"]),
        ({"readout": "maxout"}, ValueError, ["readout", "'deep' or 'state'", "maxout"]),
        ({"attention_dim": 0}, ValueError, ["attention_dim", "positive", "0"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_sizes_that_make_no_sense_are_refused(own_errors, changes, error, words):
    sizes = {"vocab_size": 11, "embed_dim": 3, "hidden_dim": 5}
    if not {"memory_dim", "readout", "attention_dim"} & set(changes):
        with refused(error, *words):
            GRUEncoder(**sizes | changes)
    for decoder in (GRUDecoder, AttentionDecoder):
        if decoder is GRUDecoder and "attention_dim" in changes:
            continue
        with refused(error, *words):
            decoder(**sizes | {"memory_dim": 7} | changes)


def test_what_is_no_source_is_refused(own_errors):
    encoder = encoder_of()
    source, mask, _ = sentences()
    with refused(TypeError, "source", "tensor", "list"):
        encoder([[1, 2]])
    with refused(TypeError, "source", "int64", "float32"):
        encoder(source.float())
    with refused(ValueError, "source", "(batch, source)", "(13,)"):
        encoder(source[0])
    with refused(ValueError, "source", "0 to 30", "got 31"):
        encoder(torch.tensor([[3, 31]]))
    with refused(ValueError, "source", "0 to 30", "got -1"):
        encoder(torch.tensor([[3, -1]]))
    with refused(TypeError, "source_mask", "boolean", "list"):
        encoder(source, mask.tolist())
    with refused(TypeError, "source_mask", "boolean", "int64"):
        encoder(source, mask.long())
    with refused(ValueError, "source_mask", "(4, 12)", "(4, 13)"):
        encoder(source, mask[:, 1:])
    mask[0, 3] = False
    with refused(ValueError, "source_mask", "start of each row", "hole"):
        encoder(source, mask)
    with refused(ValueError, "source_mask", "start of each row"):
        encoder(source, padding_mask(torch.tensor(LENGTHS)).flip(1))


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


@DECODERS
def test_an_encoder_that_does_not_fit_is_refused(own_errors, decoder):
    source, mask, _ = sentences()
    encoded = encoder_of(2)(source, mask)
    with refused(ValueError, "encoded.state", "2 layers of width 14", "2, 7)"):
        model_of(decoder, layers=2).decoder.start(encoded)
    with refused(ValueError, "encoded.state", "3 layers of width 7", "2, 7)"):
        model_of(decoder, layers=3, bidirectional=False).decoder.start(encoded)
