"""attncourse.recurrent.encoder: PyTorch's GRU, and what padding may do."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_recurrent import (
    CLOSE,
    DIRECTIONS,
    HIDDEN,
    LAYERS,
    LENGTHS,
    SOURCE,
    SOURCE_VOCAB,
    encoder_of,
    sentences,
)
from support import refused

from attncourse import padding_mask


@pytest.mark.equals("recurrent.GRUEncoder", "torch.nn.GRU", within={torch.float64: 1e-12})
@LAYERS
@DIRECTIONS
def test_without_padding_the_encoder_is_nn_gru(layers, bidirectional, same):
    encoder = encoder_of(layers, bidirectional)
    source, _, _ = sentences(lengths=(7, 7, 7))
    outputs, final = encoder.gru(encoder.embedding(source))
    for mask in (None, torch.ones(3, 7, dtype=torch.bool)):
        encoded = encoder(source, mask)
        assert encoded.mask is mask
        same(encoded.memory, outputs)
        for layer in range(layers):
            directions = 2 if bidirectional else 1
            ends = final[directions * layer : directions * (layer + 1)]
            same(encoded.state[:, layer], torch.cat([*ends], -1))


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
