"""Two models against each other (chapter 17): the one makes pictures, the other judges them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.checks import require_integer, require_number


def hinge_losses(
    real: Float[Tensor, "batch"], fake: Float[Tensor, "batch"]
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    r"""Give the losses of discriminator and generator from the scores (chapter 17, eq. 17.3).

    $$L_D = \overline{\max(0, 1 - D(x))} + \overline{\max(0, 1 + D(G(z)))}, \qquad
      L_G = -\overline{D(G(z))}$$

    Args:
        real: (batch,), the scores of real pictures.
        fake: (batch,), those of made ones.

    Source: Lim and Ye 2017; Miyato et al. 2018, equations 16 and 17.

    Example:
        >>> hinge_losses(torch.tensor([2.0]), torch.tensor([-0.5]))
        (tensor(0.5000), tensor(0.5000))
    """
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean(), -fake.mean()


def fit_adversarial(
    generator: nn.Module,
    discriminator: nn.Module,
    batches: Iterable[Tensor],
    *,
    steps: int,
    learning_rates: tuple[float, float] = (1e-3, 2e-3),
    betas: tuple[float, float] = (0.0, 0.9),
    schedule: Callable[[int], float] | None = None,
    decay: float = 0.995,
    callbacks: Iterable[Callable[[int, nn.Module], Any]] = (),
) -> nn.Module:
    """Train a generator and a discriminator in turns (chapter 17).

    There is no loss that falls: each model's depends on the other. So the generator goes in
    circles, and what is given back is the running mean of its weights.

    Args:
        generator: called as `generator(noise)`, with noise of (batch, generator.noise_dim), drawn
            from PyTorch's own random state.
        discriminator: gives one score a picture. Both are left in evaluation mode.
        batches: of real pictures, gone through again and again.
        steps: how many to make, each one of the discriminator and then one of the generator.
        learning_rates: of generator and discriminator.
        betas: of both their Adams.
        schedule: gives for a step (1, 2, ...) the factor on both learning rates.
        decay: of the running mean: the weights of so many steps before count `decay` to that power.
        callbacks: each is called after each step as `callback(step, averaged)`.

    Returns:
        The averaged generator, in evaluation mode.

    Raises:
        TypeError: if `steps` is no integer or `decay` no number.
        ValueError: if `steps` is not positive, `decay` not in [0, 1), or there are no batches.

    Source: Zhang et al. 2019, section 5, whose betas are these and whose rates are 1e-4 and 4e-4.
    """
    require_integer("steps", steps, least=1)
    require_number("decay", decay)
    if not 0 <= decay < 1:
        raise ValueError(f"decay must lie in [0, 1), got {decay}")
    rates = zip((generator, discriminator), learning_rates, strict=True)
    for_generator, for_discriminator = optimisers = [
        torch.optim.Adam(model.parameters(), lr=rate, betas=betas, fused=True)
        for model, rate in rates
    ]
    averaged = copy.deepcopy(generator).eval()
    like = next(generator.parameters())
    generator.train()
    discriminator.train()
    for step, real in zip(range(1, steps + 1), _again_and_again(batches), strict=False):
        if schedule is not None:
            for optimiser, rate in zip(optimisers, learning_rates, strict=True):
                optimiser.param_groups[0]["lr"] = rate * schedule(step)
        real = real.to(like)
        noise = torch.randn(len(real), generator.noise_dim, device=like.device, dtype=like.dtype)
        fake = generator(noise)

        loss, _ = hinge_losses(discriminator(real), discriminator(fake.detach()))
        for_discriminator.zero_grad()
        loss.backward()
        for_discriminator.step()

        discriminator.requires_grad_(False)  # it judges, and does not learn from this
        loss = -discriminator(fake).mean()
        for_generator.zero_grad()
        loss.backward()
        for_generator.step()
        discriminator.requires_grad_(True)

        _move_towards(averaged, generator, decay)
        for callback in callbacks:
            callback(step, averaged)
    generator.eval()
    discriminator.eval()
    return averaged


def _again_and_again(batches: Iterable[Tensor]):
    while True:
        empty = True
        for batch in batches:
            empty = False
            yield batch
        if empty:
            raise ValueError("batches must hold at least one, got none")


@torch.no_grad()
def _move_towards(averaged: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the running mean a little; whole numbers, such as a count of batches, are copied."""
    for mean, new in zip(averaged.state_dict().values(), model.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(new, 1 - decay)
        else:
            mean.copy_(new)
