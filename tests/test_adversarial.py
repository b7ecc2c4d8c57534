"""attncourse.training.adversarial: two models against each other."""

from __future__ import annotations

import pytest
import torch
from support import refused
from torch import nn

from attncourse.data.corners import CornerBatches
from attncourse.training import fit_adversarial, hinge_losses
from attncourse.vision import Discriminator, Generator


class Shift(nn.Module):
    """A generator with one weight: noise, moved to the right."""

    noise_dim = 1

    def __init__(self):
        super().__init__()
        self.by = nn.Parameter(torch.zeros(()))

    def forward(self, noise):
        return noise + self.by


class Line(nn.Module):
    """A discriminator that prefers one side."""

    def __init__(self):
        super().__init__()
        self.slope, self.height = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return self.slope * x[:, 0] + self.height


def test_hinge_losses_by_hand():
    # real: max(0, 1 - 2) = 0 and max(0, 1 + 1) = 2; made: max(0, 1 - 3) = 0 and max(0, 1.5)
    judging, making = hinge_losses(torch.tensor([2.0, -1.0]), torch.tensor([-3.0, 0.5]))
    assert judging.item() == pytest.approx(1 + 0.75)
    assert making.item() == pytest.approx(1.25)


def test_a_shift_is_found():
    batches = [torch.randn(64, 1) + 3]
    generator = Shift()
    averaged = fit_adversarial(
        generator, Line(), batches, steps=600, learning_rates=(0.02, 0.02), decay=0.99
    )
    assert averaged.by.item() == pytest.approx(3, abs=0.7)
    assert averaged is not generator


def test_one_step_by_hand():
    """Adam's first step is the rate in the gradient's direction, whatever its size."""
    generator, discriminator = Shift(), Line()
    averaged = fit_adversarial(
        generator,
        discriminator,
        [torch.full((5, 1), 7.0)],
        steps=1,
        learning_rates=(0.1, 0.2),
        decay=0.75,
    )
    # Real pictures lie to the right of made ones: the slope rises. Then right is better.
    assert discriminator.slope.item() == pytest.approx(0.2, abs=1e-6)
    assert generator.by.item() == pytest.approx(0.1, abs=1e-6)
    assert averaged.by.item() == pytest.approx(0.025, abs=1e-6)


def test_a_schedule_scales_both_rates():
    generator, discriminator = Shift(), Line()
    fit_adversarial(
        generator,
        discriminator,
        [torch.full((5, 1), 7.0)],
        steps=1,
        learning_rates=(0.1, 0.2),
        schedule=lambda step: 0.5 * step,
    )
    assert discriminator.slope.item() == pytest.approx(0.1, abs=1e-6)
    assert generator.by.item() == pytest.approx(0.05, abs=1e-6)


def trained(seed: int, steps: int = 3) -> tuple[nn.Module, list]:
    torch.manual_seed(seed)
    generator, discriminator, seen = Generator(channels=4), Discriminator(channels=4), []
    batches = CornerBatches(3, num_symbols=2, generator=torch.Generator().manual_seed(seed))
    averaged = fit_adversarial(
        generator,
        discriminator,
        batches,
        steps=steps,
        callbacks=[lambda step, model: seen.append((step, model.training))],
    )
    return averaged, seen


def test_the_same_seed_trains_the_same_generator():
    (one, seen), (again, _), (other, _) = trained(0), trained(0), trained(1)
    assert seen == [(1, False), (2, False), (3, False)]
    assert torch.equal(one.paint.weight, again.paint.weight)
    assert not torch.equal(one.paint.weight, other.paint.weight)
    assert one.sample(2).shape == (2, 1, 16, 16)


def test_what_is_judged_alone_is_not_trained_with_what_is_made():
    """The discriminator's step comes from its own loss, and its weights may be trained again."""
    _, discriminator = Shift(), Line()
    fit_adversarial(Shift(), discriminator, [torch.ones(5, 1)], steps=2)
    assert all(weights.requires_grad for weights in discriminator.parameters())


def test_what_cannot_be_trained_is_refused():
    with refused(ValueError, "steps", "0"):
        fit_adversarial(Shift(), Line(), [torch.ones(5, 1)], steps=0)
    with refused(ValueError, "decay", "1"):
        fit_adversarial(Shift(), Line(), [torch.ones(5, 1)], steps=1, decay=1.0)
    with refused(ValueError, "batches"):
        fit_adversarial(Shift(), Line(), [], steps=1)
