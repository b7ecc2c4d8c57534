"""attncourse.transformer.model: from tokens to logits.

That it is equal to other libraries' models, and what every sequence model must do, is in
`test_contract.py`.
"""

from __future__ import annotations

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from small_transformer import (
    BATCH,
    CLOSE,
    EMBED,
    HEADS,
    MAX_LEN,
    POSITIONS,
    SOURCE,
    SOURCE_VOCAB,
    TARGET,
    TARGET_VOCAB,
    config_of,
    model_of,
    sentences,
)
from support import refused
from torch import nn

from attncourse import padding_mask, record_attention
from attncourse.recipes import shipped
from attncourse.transformer import (
    Residual,
    Transformer,
    TransformerConfig,
)

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


# Bad input


def test_switches_are_true_or_false(own_errors):
    for name in ("norm_first", "tie_embeddings", "checkpointing"):
        with refused(TypeError, name, "True or False", "'false'"):
            Transformer(config_of(**{name: "false"}))


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
