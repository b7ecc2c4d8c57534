"""attncourse.transformer traced: compiled, exported, mapped, on fake and meta tensors."""

from __future__ import annotations

import copy
import shutil

import pytest
import torch
import torch.nn.functional as F
from references import redrawn
from small_transformer import CLOSE, SIZES, SOURCE_VOCAB, config_of, model_of, sentences
from support import COMPILES
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call, grad, vmap

from attncourse import padding_mask, record_attention
from attncourse.transformer import EncoderLayer, Transformer, TransformerConfig

LONGEST = 23

KINDS = pytest.mark.parametrize(
    "options",
    [{}, {"positions": "rotary", "norm_first": True, "num_kv_heads": 1}, {"positions": "learned"}],
    ids=["sinusoidal", "rotary, norm first, one key head", "learned"],
)


def config(**options) -> TransformerConfig:
    return config_of(num_layers=1, num_decoder_layers=1, max_len=LONGEST, **options)


def drawn(batch: int, source: int, target: int) -> tuple[torch.Tensor, ...]:
    """Draw source ids, target ids and the masks of both."""
    ids = [torch.randint(SOURCE_VOCAB, (batch, length)) for length in (source, target)]
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
    model = redrawn(Transformer(config(**options)))
    batch, source, target = (
        torch.export.Dim(name, min=2, max=LONGEST) for name in ("batch", "source", "target")
    )
    shapes = [{0: batch, 1: length} for length in (source, target, source, target)]
    exported = torch.export.export(
        model, drawn(2, 7, 5), dynamic_shapes=tuple(shapes), strict=strict
    ).module()
    for sizes in ((2, 7, 5), (3, 11, 13), (5, 17, 7)):
        given = drawn(*sizes)
        torch.testing.assert_close(exported(*given), model(*given), **CLOSE)


@KINDS
@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")  # PyTorch's own
def test_each_sentence_has_its_own_gradients_by_vmap(options):
    """Kind: value checks in the way of tracing."""
    model = redrawn(Transformer(config(**options)))
    weights, given = dict(model.named_parameters()), drawn(3, 7, 5)

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
    given = drawn(2, 7, 5)
    with torch.device("meta"):
        model = Transformer(config(**options))
    logits = model(*(each.to("meta") for each in given))
    assert (logits.device.type, logits.shape) == ("meta", (2, 5, SOURCE_VOCAB))
    with FakeTensorMode() as mode:
        model = Transformer(config(**options))
        source, target, source_mask, _ = (mode.from_tensor(each) for each in given)
        _, state = model.step(target[:, 0], model.start(source, source_mask))
        logits, _ = model.step(target[:, 1], state)
    assert logits.shape == (2, SOURCE_VOCAB)


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
    model, given = redrawn(Transformer(config())), drawn(3, 7, 5)
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
