"""attncourse.recurrent: the decoders, without attention and with it."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from references import redrawn
from small_recurrent import (
    ATTENTION,
    CLOSE,
    DECODERS,
    HIDDEN,
    LENGTHS,
    SOURCE,
    TARGET,
    encoder_of,
    model_of,
    sentences,
)
from support import COMPILES, refused

from attncourse import AdditiveScore, AttentionLayer, record_attention
from attncourse.recurrent import AttentionDecoder, GRUDecoder, GRUEncoder


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


@DECODERS
def test_an_encoder_that_does_not_fit_is_refused(own_errors, decoder):
    source, mask, _ = sentences()
    encoded = encoder_of(2)(source, mask)
    with refused(ValueError, "encoded.state", "2 layers of width 14", "2, 7)"):
        model_of(decoder, layers=2).decoder.start(encoded)
    with refused(ValueError, "encoded.state", "3 layers of width 7", "2, 7)"):
        model_of(decoder, layers=3, bidirectional=False).decoder.start(encoded)
