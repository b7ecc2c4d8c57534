"""The model of attention alone (chapter 18)."""

from __future__ import annotations

import pytest
import torch

from attncourse import record_attention
from attncourse.language import AttentionOnlyModel

SIZES = {"embed_dim": 10, "num_heads": 5, "num_layers": 3}


@pytest.fixture
def model():
    torch.manual_seed(0)
    return AttentionOnlyModel(23, **SIZES).double()


def test_it_is_its_formula(model):
    tokens = torch.randint(23, (2, 7))
    x = model.words(tokens) + model.positions.code(7).double()
    for layer, norm in zip(model.layers, model.norms[:3], strict=True):
        inside = norm(x)
        x = x + layer(inside, mask=torch.ones(7, 7).tril().bool())
    wanted = model.norms[3](x) @ model.output.weight.T + model.output.bias
    torch.testing.assert_close(model(tokens), wanted, rtol=0, atol=1e-6)


def test_no_token_sees_a_later_one(model):
    tokens = torch.randint(23, (2, 7))
    other = tokens.clone()
    other[:, 4:] = (other[:, 4:] + 1) % 23
    torch.testing.assert_close(model(tokens)[:, :4], model(other)[:, :4], rtol=0, atol=1e-12)
    assert not torch.equal(model(tokens)[:, 4:], model(other)[:, 4:])


def test_its_maps_are_recorded(model):
    with record_attention(model) as maps:
        model(torch.randint(23, (2, 7)))
    assert list(maps) == ["layers.0", "layers.1", "layers.2"]
    assert all(weights.shape == (2, 5, 7, 7) for weights in maps.values())


def test_bfloat16_goes_through():
    model = AttentionOnlyModel(23, **SIZES).bfloat16()
    assert model(torch.tensor([[1, 2, 3]])).dtype is torch.bfloat16


def test_bad_sizes_and_unknown_tokens_are_refused(model):
    with pytest.raises(ValueError, match=r"num_layers .*0"):
        AttentionOnlyModel(23, **SIZES | {"num_layers": 0})
    with pytest.raises(ValueError, match=r"num_tokens .*-3"):
        AttentionOnlyModel(-3, **SIZES)
    with pytest.raises(ValueError, match="tokens"):
        model(torch.tensor([[23]]))
