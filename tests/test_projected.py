"""attncourse.training.projected: the loss and the gradients that all logits would give."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from attncourse import padding_mask
from attncourse.data.batches import Batch
from attncourse.training import batch_loss, loss, projected, sequence_loss
from attncourse.training.projected import projected_loss
from attncourse.transformer import Transformer, TransformerConfig


def case(tokens: int, width: int, vocabulary: int, seed: int, dtype=torch.float64, device="cpu"):
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(tokens, width, generator=generator, dtype=torch.float64)
    weight = torch.randn(vocabulary, width, generator=generator, dtype=torch.float64)
    labels = torch.randint(vocabulary, (tokens,), generator=generator).to(device)
    leaves = [tensor.to(device, dtype).requires_grad_() for tensor in (hidden, weight)]
    return *leaves, labels


@given(
    st.integers(0, 9),
    st.integers(1, 5),
    st.integers(2, 11),
    st.sampled_from([0.0, 0.1, 1.0]),
    st.integers(1, 40),
    st.integers(0, 10**6),
)
@settings(deadline=None)
def test_it_is_the_cross_entropy_of_all_logits(tokens, width, vocabulary, smoothing, held, seed):
    hidden, weight, labels = case(tokens, width, vocabulary, seed)
    wanted = torch.nn.functional.cross_entropy(
        hidden @ weight.T, labels, label_smoothing=smoothing, reduction="sum"
    )
    with pytest.MonkeyPatch.context() as patch:  # however many rows are held at once
        patch.setattr(projected, "_HELD", {"cpu": held})
        found = projected_loss(hidden, weight, labels, smoothing)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
    scale = 3.7  # what follows the loss
    for mine, theirs in zip(
        torch.autograd.grad(scale * found, (hidden, weight)),
        torch.autograd.grad(scale * wanted, (hidden, weight)),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_on_every_device_and_in_every_dtype_that_trains(device, dtype):
    hidden, weight, labels = case(7, 5, 11, seed=3, dtype=dtype, device=device)
    found = projected_loss(hidden, weight, labels, 0.1)
    assert (found.dtype, found.device.type) == (dtype, device.type)
    found.backward()
    assert hidden.grad.isfinite().all()
    assert weight.grad.dtype == dtype


def test_large_logits_do_not_overflow():
    hidden, weight, labels = case(5, 3, 7, seed=3, dtype=torch.float32)
    found = projected_loss(hidden * 1e4, weight, labels)
    found.backward()
    assert found.isfinite()
    assert hidden.grad.isfinite().all()


def transformer(**options) -> Transformer:
    torch.manual_seed(5)
    config = TransformerConfig(23, embed_dim=8, num_heads=2, ffn_dim=12, num_layers=1, **options)
    return Transformer(config).double()


BATCH = Batch.of([([4, 5, 6, 7], [8, 9]), ([10], [11, 12, 13, 14, 15]), ([5, 6], [7])])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("tied", [True, False])
def test_a_model_learns_the_same_with_it_and_without(tied, smoothing):
    model = transformer(tie_embeddings=tied, dropout=0.0)
    batch_loss(model, BATCH, label_smoothing=smoothing).backward()
    mine = {name: weights.grad for name, weights in model.named_parameters()}
    model.zero_grad()
    mask = padding_mask(BATCH.target_lengths - 1, BATCH.labels.shape[1])
    source_mask = padding_mask(BATCH.source_lengths, BATCH.source.shape[1])
    logits = model(BATCH.source, BATCH.decoder_input, source_mask, mask)
    sequence_loss(logits, BATCH.labels, mask, smoothing).backward()
    for name, weights in model.named_parameters():
        torch.testing.assert_close(mine[name], weights.grad, rtol=1e-10, atol=1e-13)


def test_no_logit_is_made_in_training_and_none_is_missed():
    model = transformer(dropout=0.0)
    rows = []
    model.output.register_forward_hook(lambda layer, given, made: rows.append(made.shape))
    trained = batch_loss(model, BATCH)
    assert rows == []
    with torch.no_grad():
        torch.testing.assert_close(batch_loss(model, BATCH), trained.detach())
    assert rows == [(3, 6, 23)]


def test_a_compiled_model_is_called_whole(fresh_compiler, monkeypatch):
    model = transformer(dropout=0.0)
    wanted = batch_loss(model, BATCH)
    monkeypatch.delattr(loss, "projected_loss")  # its parts are not compiled
    compiled = torch.compile(model, backend="aot_eager")
    torch.testing.assert_close(batch_loss(compiled, BATCH), wanted)


def test_a_model_that_is_compiled_in_place_is_called_whole(fresh_compiler):
    model, compiled = transformer(dropout=0.0), []
    wanted = batch_loss(model, BATCH)

    def backend(graph, inputs):
        compiled.append(graph)
        return graph.forward

    model.compile(backend=backend)
    torch.testing.assert_close(batch_loss(model, BATCH), wanted)
    assert compiled


def test_a_layer_without_hidden_is_asked_for_its_logits():
    class Known(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Parameter(torch.zeros(23, 23))

        def forward(self, source, target, source_mask, target_mask):
            return self.table[target]

    assert batch_loss(Known(), BATCH).item() == pytest.approx(torch.tensor(23.0).log().item())
