"""attncourse.transformer where numbers cannot be asked for: exported, mapped, on meta tensors.

What `torch.compile` makes of it is in `test_transformer.py`.
"""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from references import redrawn
from support import COMPILES
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call, grad, vmap

from attncourse import padding_mask
from attncourse.transformer import EncoderLayer, Transformer, TransformerConfig

SIZES = {"embed_dim": 12, "num_heads": 3, "ffn_dim": 17}
VOCABULARY, MAX_LEN = 31, 23
CLOSE = {"rtol": 0, "atol": 1e-12}  # between two correct computations in float64

KINDS = pytest.mark.parametrize(
    "options",
    [{}, {"positions": "rotary", "norm_first": True, "num_kv_heads": 1}, {"positions": "learned"}],
    ids=["sinusoidal", "rotary, norm first, one key head", "learned"],
)


def config_of(**options) -> TransformerConfig:
    more = {"num_layers": 1, "dropout": 0.0, "max_len": MAX_LEN}
    return TransformerConfig(VOCABULARY, **SIZES | more | options)


def sentences(batch: int, source: int, target: int) -> tuple[torch.Tensor, ...]:
    """Draw source ids, target ids and the masks of both."""
    ids = [torch.randint(VOCABULARY, (batch, length)) for length in (source, target)]
    lengths = torch.arange(batch)
    return *ids, padding_mask(source - lengths, source), padding_mask(target - lengths, target)


@COMPILES
@pytest.mark.parametrize(
    ("options", "strict"),
    [({}, False), ({}, True), ({"positions": "rotary", "num_kv_heads": 1}, False)],
    ids=["", "strict", "rotary, one key head"],
)
def test_it_is_exported_with_any_batch_and_any_length(options, strict):
    """Kind: value checks in the way of tracing."""
    model = redrawn(Transformer(config_of(**options)))
    batch, source, target = (
        torch.export.Dim(name, min=2, max=MAX_LEN) for name in ("batch", "source", "target")
    )
    shapes = [{0: batch, 1: length} for length in (source, target, source, target)]
    exported = torch.export.export(
        model, sentences(2, 7, 5), dynamic_shapes=tuple(shapes), strict=strict
    ).module()
    for sizes in ((2, 7, 5), (3, 11, 13), (5, 17, 7)):
        given = sentences(*sizes)
        torch.testing.assert_close(exported(*given), model(*given), **CLOSE)


@KINDS
@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")  # PyTorch's own
def test_each_sentence_has_its_own_gradients_by_vmap(options):
    """Kind: value checks in the way of tracing."""
    model = redrawn(Transformer(config_of(**options)))
    weights, given = dict(model.named_parameters()), sentences(3, 7, 5)

    def loss(weights, source, target, source_mask, target_mask):
        masks = source_mask[None], target_mask[None]
        logits = functional_call(model, weights, (source[None], target[None], *masks))
        return F.cross_entropy(logits[0], target)

    mapped = vmap(grad(loss), in_dims=(None, 0, 0, 0, 0))(weights, *given)
    for row in range(3):
        alone = grad(loss)(weights, *(each[row] for each in given))
        for name in weights:
            torch.testing.assert_close(mapped[name][row], alone[name], rtol=0, atol=1e-9)


@KINDS
def test_shapes_are_known_without_numbers(options):
    """Kind: value checks in the way of tracing."""
    given = sentences(2, 7, 5)
    with torch.device("meta"):
        model = Transformer(config_of(**options))
    logits = model(*(each.to("meta") for each in given))
    assert (logits.device.type, logits.shape) == ("meta", (2, 5, VOCABULARY))
    with FakeTensorMode() as mode:
        model = Transformer(config_of(**options))
        source, target, source_mask, _ = (mode.from_tensor(each) for each in given)
        _, state = model.step(target[:, 0], model.start(source, source_mask))
        logits, _ = model.step(target[:, 1], state)
    assert logits.shape == (2, VOCABULARY)


class Adapted(nn.Module):
    """A linear layer with a low-rank addition, as LoRA's: it has no `weight` of its own."""

    def __init__(self, linear: nn.Linear):
        super().__init__()
        self.linear = linear
        self.down = nn.Linear(linear.in_features, 2, bias=False)
        self.up = nn.Linear(2, linear.out_features, bias=False)

    def forward(self, x):
        return self.linear(x) + self.up(self.down(x))


def adapt(model: nn.Module) -> None:
    for part in list(model.modules()):
        for name, child in list(part.named_children()):
            if type(child) is nn.Linear:
                setattr(part, name, Adapted(child).double())


def test_an_adapter_may_stand_in_place_of_every_linear_layer():
    """Kind: attributes asked of what is only called."""
    model, given = redrawn(Transformer(config_of())), sentences(3, 7, 5)
    adapted = copy.deepcopy(model)
    adapt(adapted)
    assert not torch.allclose(adapted(*given), model(*given))
    for name, weight in adapted.named_parameters():
        if ".up." in name:
            nn.init.zeros_(weight)
    torch.testing.assert_close(adapted(*given), model(*given), **CLOSE)
    source, target, source_mask, _ = given
    logits, _ = adapted.step(target[:, 0], adapted.start(source, source_mask))
    torch.testing.assert_close(logits, model(*given)[:, 0], **CLOSE)


def test_a_low_precision_network_may_stand_in_an_encoder_layer():
    """Kind: attributes asked of what is only called."""

    class Halved(nn.Module):
        def __init__(self, linear):
            super().__init__()
            self.linear = linear.to(torch.bfloat16)

        def forward(self, x):
            return self.linear(x.to(torch.bfloat16)).to(x)

    layer, x = EncoderLayer(**SIZES), torch.randn(2, 7, 12)
    wanted = layer(x)
    layer.feed_forward.expand = Halved(layer.feed_forward.expand)
    torch.testing.assert_close(layer(x), wanted, rtol=0, atol=0.05)
