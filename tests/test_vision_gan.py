"""attncourse.vision.gan: a generator, a discriminator, and their gated layers."""

from __future__ import annotations

import pytest
import torch
from references import redrawn
from support import COMPILES, refused

from attncourse import record_attention
from attncourse.data.corners import symbol_shapes
from attncourse.vision import Discriminator, GatedMLP, GatedSelfAttention, Generator

BATCH, CHANNELS, ROWS, COLUMNS = 2, 6, 3, 5
LAYERS = pytest.mark.parametrize("layer", [GatedSelfAttention, GatedMLP])
KINDS = pytest.mark.parametrize("attention", [True, False])


def features(**kind) -> torch.Tensor:
    return torch.randn(BATCH, CHANNELS, ROWS, COLUMNS, **kind)


@torch.no_grad()
def settled(module: torch.nn.Module, x: torch.Tensor) -> torch.nn.Module:
    """Draw other weights, and let the power iterations find how far they stretch."""
    redrawn(module).train()
    for _ in range(30):
        module(x)
    return module.eval()


def weights_of(module: torch.nn.Module) -> int:
    return sum(weights.numel() for weights in module.parameters())


@LAYERS
def test_a_closed_gate_changes_nothing_and_learns_to_open(layer):
    module, x = layer(CHANNELS), features()
    assert torch.equal(module(x), x)
    module(x).square().sum().backward()
    assert module.gate.grad.abs() > 0


def test_an_open_gate_adds_what_attention_found():
    x = features(dtype=torch.float64)
    module = settled(GatedSelfAttention(CHANNELS, num_heads=2), x)
    found = module.attention(x.flatten(2).mT)  # (batch, position, channels)
    for row in range(ROWS):
        for column in range(COLUMNS):
            expected = x[:, :, row, column] + module.gate * found[:, row * COLUMNS + column]
            torch.testing.assert_close(module(x)[:, :, row, column], expected)


def test_attention_reaches_every_position_and_its_control_none_but_its_own():
    for layer, reach in ((GatedSelfAttention, ROWS * COLUMNS), (GatedMLP, 1)):
        x = features(dtype=torch.float64)
        module = settled(layer(CHANNELS), x)
        other = x.clone()
        other[:, :, 1, 2] += 1
        changed = (module(other) - module(x)).abs().amax(1) > 1e-9
        assert (changed.flatten(1).sum(1) == reach).all()


def test_both_layers_have_as_many_weights():
    assert weights_of(GatedSelfAttention(CHANNELS)) == weights_of(GatedMLP(CHANNELS))
    for model in (Generator, Discriminator):
        assert weights_of(model(attention=True)) == weights_of(model(attention=False))


@LAYERS
def test_the_layers_matrices_stretch_no_vector(layer):
    module = layer(CHANNELS)
    for _ in range(50):  # each pass is one more round of the power iteration
        module(features())
    matrices = [m.weight.flatten(1) for m in module.modules() if hasattr(m, "parametrizations")]
    assert matrices
    for matrix in matrices:
        assert torch.linalg.matrix_norm(matrix, 2).item() == pytest.approx(1, abs=0.02)
    free = layer(CHANNELS, normed=False)
    assert not any(hasattr(m, "parametrizations") for m in free.modules())


@KINDS
def test_pictures_are_made_of_noise_and_judged(attention):
    generator = Generator(attention=attention, noise_dim=7, channels=CHANNELS)
    pictures = generator(torch.randn(5, 7))
    assert pictures.shape == (5, 1, 16, 16)
    assert 0 <= pictures.min() < pictures.max() <= 1
    assert Discriminator(attention=attention, channels=CHANNELS)(pictures).shape == (5,)


def test_the_same_seed_draws_the_same_pictures():
    model = Generator(channels=CHANNELS).eval()
    one, again, other = (model.sample(3, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert not one.requires_grad


def judge(attention: bool) -> Discriminator:
    pictures = torch.rand(3, 1, 16, 16, dtype=torch.float64)
    model = settled(Discriminator(attention=attention, channels=CHANNELS), pictures)
    with torch.no_grad():
        model.layer.gate.fill_(0.5)
    return model


def alone(model: Discriminator, picture: torch.Tensor) -> torch.Tensor:
    return model(picture[None])[0]  # a single picture differs from nothing


def test_without_attention_the_score_is_a_sum_over_the_corners():
    """What is drawn in one corner cannot change what another is worth: nothing can be compared."""
    shapes = symbol_shapes(2).double()
    for attention in (False, True):
        model, scores = judge(attention), torch.zeros(2, 2, dtype=torch.float64)
        for i in range(2):
            for j in range(2):
                picture = torch.zeros(1, 16, 16, dtype=torch.float64)
                picture[0, :5, :5] = shapes[i]
                picture[0, -5:, -5:] = shapes[j]
                scores[i, j] = alone(model, picture).detach()
        together = scores[0, 0] + scores[1, 1] - scores[0, 1] - scores[1, 0]
        assert (together.abs() > 1e-6).item() == attention


def test_the_discriminator_is_told_how_much_its_batch_differs():
    model = judge(False)
    one, other = torch.rand(2, 1, 16, 16, dtype=torch.float64)
    same, mixed = model(torch.stack([one, one])), model(torch.stack([one, other]))
    torch.testing.assert_close(same, alone(model, one).expand(2))
    assert not torch.allclose(same[0], mixed[0])


def test_without_attention_a_batch_scores_the_same_whichever_corners_stand_together():
    """Exchange the second rings of two pictures: what a batch is told of itself stays the same."""
    shapes = symbol_shapes(2).double()
    alike = torch.zeros(2, 1, 16, 16, dtype=torch.float64)
    alike[:, 0, :5, :5] = alike[:, 0, -5:, -5:] = shapes
    unlike = alike.clone()
    unlike[:, 0, -5:, -5:] = shapes.flip(0)
    for attention in (False, True):
        model = judge(attention)
        apart = (model(alike).sum() - model(unlike).sum()).abs()
        assert (apart > 1e-6).item() == attention


def test_recorded_maps_are_of_all_positions():
    model = Generator(channels=CHANNELS)
    with record_attention(model) as maps:
        model.sample(2)
    assert [weights.shape for weights in maps.values()] == [(2, 1, 64, 64)]


@KINDS
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_every_dtype_goes_through_forward_and_backward(attention, dtype):
    generator = Generator(attention=attention, channels=CHANNELS).to(dtype)
    discriminator = Discriminator(attention=attention, channels=CHANNELS).to(dtype)
    pictures = generator(torch.randn(3, generator.noise_dim, dtype=dtype))
    assert pictures.dtype is dtype
    discriminator(pictures).mean().backward()
    assert all(weights.grad.isfinite().all() for weights in generator.parameters())
    assert generator.eval().sample(2).dtype is dtype


@COMPILES
def test_they_compile_to_one_graph():
    noise = torch.randn(3, 7, dtype=torch.float64)
    generator = settled(Generator(noise_dim=7, channels=CHANNELS), noise)
    discriminator = judge(True)
    options = {"backend": "aot_eager", "fullgraph": True}
    pictures = torch.compile(generator, **options)(noise)
    torch.testing.assert_close(pictures, generator(noise))
    torch.testing.assert_close(
        torch.compile(discriminator, **options)(pictures.detach()), discriminator(pictures)
    )


@pytest.mark.usefixtures("own_errors")
def test_what_does_not_fit_is_refused():
    generator, discriminator = Generator(noise_dim=7), Discriminator()
    with refused(ValueError, "noise", "7", "(5, 3)"):
        generator(torch.randn(5, 3))
    with refused(ValueError, "noise", "(0, 7)"):
        generator(torch.randn(0, 7))
    with refused(TypeError, "noise", "float64"):
        generator(torch.randn(5, 7, dtype=torch.float64))
    with refused(ValueError, "count", "0"):
        generator.sample(0)
    with refused(ValueError, "pictures", "16", "(2, 1, 8, 8)"):
        discriminator(torch.rand(2, 1, 8, 8))
    with refused(ValueError, "pictures", "(2, 3, 16, 16)"):
        discriminator(torch.rand(2, 3, 16, 16))
    with refused(ValueError, "pictures", "(0, 1, 16, 16)"):
        discriminator(torch.rand(0, 1, 16, 16))
    with refused(TypeError, "pictures", "float64"):
        discriminator(torch.rand(2, 1, 16, 16, dtype=torch.float64))
    with refused(TypeError, "attention", "yes"):
        Generator(attention="yes")
    with refused(ValueError, "channels", "0"):
        Discriminator(channels=0)
    with refused(ValueError, "num_heads", "4"):
        GatedSelfAttention(CHANNELS, num_heads=4)
    with refused(ValueError, "x", "(2, 6)"):
        GatedMLP(CHANNELS)(torch.randn(2, CHANNELS))
