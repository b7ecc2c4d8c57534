"""Our recurrent translators against those of "Dive into Deep Learning" (Zhang et al. 2023)."""

from __future__ import annotations

import pytest
import torch
from references import redrawn
from small_recurrent import CLOSE, EMBED, HIDDEN, LAYERS, SOURCE_VOCAB, TARGET_VOCAB, sentences

from attncourse.recurrent import AttentionDecoder, EncoderDecoder, GRUDecoder, GRUEncoder
from benchmarks.d2l_models import D2lAttentionDecoder, D2lDecoder, d2l_model


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


DECODERS = [(GRUDecoder, D2lDecoder), (AttentionDecoder, D2lAttentionDecoder)]
BOTH = pytest.mark.parametrize(("decoder", "theirs"), DECODERS)


def equals(decoder: type):
    # its decoders stand in d2l's text, not in its library: `d2l_models` has them
    ours = f"recurrent.EncoderDecoder, recurrent.{decoder.__name__}"
    return pytest.mark.equals(ours, "d2l.torch.EncoderDecoder", within={torch.float64: 1e-12})


@pytest.mark.parametrize(
    ("decoder", "theirs"), [pytest.param(*pair, marks=equals(pair[0])) for pair in DECODERS]
)
@LAYERS
def test_without_padding_the_models_of_d2l_agree(d2l, decoder, theirs, layers, same):
    model, peer = d2l_pair(d2l, decoder, theirs, layers)
    source, _, target = sentences(lengths=(7, 7, 7))
    logits = peer(source, target, torch.tensor([7, 7, 7]))
    same(model(source, target), logits)


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
