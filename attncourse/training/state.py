"""What changes from step to step of a training (chapter 04)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from attncourse.training.history import History
from attncourse.training.objective import Loss, Objective, mean_loss
from attncourse.training.options import Checkpoints, Seeded, Validation
from attncourse.training.sharding import whole
from attncourse.training.weights import state_and_ties, uncompiled
from attncourse.training.workers import Workers


@dataclass
class Training:
    """A training between two steps. The arguments are those of `fit`."""

    model: nn.Module
    batches: Iterable[Any]
    steps: int | None
    epochs: int | None
    accumulate: int
    loss: Loss | None
    label_smoothing: float
    optimiser: torch.optim.Optimizer
    schedule: Callable[[int], float] | None
    clip: float | None
    device: torch.device
    precision: str
    seed: int
    validation: Validation | None
    checkpoints: Checkpoints | None
    workers: Workers = field(default_factory=Workers)  # those that train together

    history: History = field(default_factory=History)
    best: dict[str, Tensor] | None = None  # the weights with the lowest validation loss
    epoch: int = 0  # how many are finished
    position: int = 0  # how many batches of the one at hand were used
    # The states of all random generators when the epoch began, when the batches of the next step
    # were fetched, and when a checkpoint was made.
    epoch_states: dict[str, Tensor] = field(default_factory=dict)
    fetch_states: dict[str, Tensor] = field(default_factory=dict)
    resumed_states: dict[str, Tensor] | None = None

    def __post_init__(self):
        # Small gradients would vanish in float16; the scaler computes with a multiple of them.
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.precision == "float16")
        for group in self.optimiser.param_groups:
            # Unless an earlier training left it there, the rate is the caller's.
            if group["lr"] != group.get("scheduled_lr"):
                group["initial_lr"] = float(group["lr"])
        for generator in self._generators().values():
            generator.manual_seed(self.seed)
        self.objective = Objective(
            self.model,
            self.loss,
            device=self.device,
            precision=self.precision,
            label_smoothing=self.label_smoothing,
        )
        self.loss_of = self.workers.wrap(self.objective)
        self.began = time.perf_counter()

    @property
    def step(self) -> int:
        """How many steps were made."""
        return len(self.history.step)

    @property
    def file(self) -> Path | None:
        """The checkpoint's."""
        return None if self.checkpoints is None else self.checkpoints.file

    @property
    def patience_is_out(self) -> bool:
        """Whether there were too many validations without a new best."""
        patience = None if self.validation is None else self.validation.patience
        return patience is not None and self.history.since_best >= patience

    # A step

    def set_learning_rate(self) -> None:
        """Let the schedule say with which rate the next step is made."""
        step = self.step + 1
        factor = 1.0 if self.schedule is None else self.schedule(step)
        try:
            factor = float(factor)
        except (TypeError, ValueError):
            raise TypeError(f"schedule must give a number, got {factor!r} at {step}") from None
        if not 0 <= factor < math.inf:
            raise ValueError(f"schedule must give a factor of 0 or more, got {factor} at {step}")
        for group in self.optimiser.param_groups:
            group["lr"] = group["scheduled_lr"] = group["initial_lr"] * factor

    def count(self, batches: Sequence[Any]) -> int:
        """Count the tokens of a step, or the rows if the loss is one's own."""
        return sum(self.objective.count(batch) for batch in batches)

    def shares(self, batches: Sequence[Any], tokens: int) -> Iterator[tuple[Any, float]]:
        """Give this process' share of each batch, and the weight of its mean: its share of the
        step's tokens. A mean of means would favour the tokens of small batches."""
        workers = self.workers
        workers.seed(self.seed, self.step + 1, workers.rank)  # each draws a dropout of its own
        for number, batch in enumerate(batches, 1):
            own = workers.share(batch)
            # Gradients are sent round once, with the last batch's.
            with workers.alone(self.loss_of) if number < len(batches) else nullcontext():
                if own is None:  # the other processes would wait for this one's gradients
                    yield batch, 0.0
                else:
                    yield own, self.objective.count(own) / max(tokens, 1)

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a loss to those that are there."""
        # The processes' gradients are averaged, and are wanted added up.
        self.scaler.scale(loss * self.workers.size).backward()

    def clip_gradients(self) -> Tensor:
        """Bring the norm of the gradients together down to `clip`; give what it was.

        Those of weights that the optimiser leaves alone do not count, and are forgotten.
        """
        self.scaler.unscale_(self.optimiser)
        held = [each for group in self.optimiser.param_groups for each in group["params"]]
        trained = {id(each) for each in held}
        for weights in self.model.parameters():
            if id(weights) not in trained:
                weights.grad = None
        clip = math.inf if self.clip is None else self.clip
        return whole(nn.utils.clip_grad_norm_(held, clip))

    def finite(self, loss: Tensor, norm: Tensor) -> tuple[float, float]:
        """Give the loss of all processes and the norm as numbers; refuse what is not finite."""
        step = self.step + 1
        # Both in one transfer: each would make a GPU wait.
        loss, norm = torch.stack([self.workers.total(loss), norm.to(loss)]).tolist()
        if not math.isfinite(loss):
            what = f"the loss is {loss}"
        # In float16 a gradient may overflow: then the scaler leaves the update out and scales
        # less. Only where even small multiples overflow is something wrong.
        elif not math.isfinite(norm) and not (
            self.scaler.is_enabled() and self.scaler.get_scale() > 1e-4
        ):
            what = f"the norm of the gradients is {norm}, with a loss of {loss:g}"
        else:
            return loss, norm
        raise self.failure(step, f"{what}; the weights are those after step {step - 1}")

    def update_weights(self) -> None:
        """Let the optimiser make its step."""
        self.scaler.step(self.optimiser)
        self.scaler.update()

    def record(self, batches: int, loss: float, norm: float, count: int) -> None:
        """Count a step that was made."""
        self.position += batches
        self.history.step.append(self.step + 1)
        self.history.loss.append(loss)
        self.history.learning_rate.append(self.optimiser.param_groups[0]["lr"])
        self.history.gradient_norm.append(norm if math.isfinite(norm) else None)
        self.history.tokens.append(count)
        self.history.seconds.append(time.perf_counter() - self.began)

    def failure(self, step: int, what: str) -> FloatingPointError:
        """Say what went wrong, and what is kept."""
        kept = ""
        if self.file is not None and self.file.exists():
            kept = f" The last checkpoint, {self.file}, stays."
        return FloatingPointError(
            f"step {step}: {what}. A lower learning rate or a warm-up may help.{kept}"
        )

    # The best weights

    def validate(self) -> float:
        """Measure the loss on the validation batches; where there is patience, keep the weights
        if it is the best yet."""
        loss = mean_loss(
            self.model,
            self.validation.batches,
            loss=self.loss,
            device=self.device,
            precision=self.precision,
        )
        if not math.isfinite(loss):
            raise self.failure(self.step, f"the validation loss is {loss}")
        self.history.validation_step.append(self.step)
        self.history.validation_loss.append(loss)
        if self.validation.patience is not None and self.history.best_step == self.step:
            state, _ = state_and_ties(self.model)
            self.best = {name: tensor.detach().clone() for name, tensor in state.items()}
        return loss

    def load_best(self) -> None:
        """Give the model the best weights, if they were kept."""
        if self.best is not None:
            # Not strict: tied weights were kept under one of their names.
            uncompiled(self.model).load_state_dict(self.best, strict=False)

    # The batches, in the order in which they were drawn

    def remaining_steps(self) -> Iterator[tuple[list[Any], bool]]:
        """Give the batches of each step that is still to be made, and whether it is its epoch's
        last."""
        while not (self.step == self.steps or self.epoch == self.epochs or self.patience_is_out):
            yield from self._rest_of_epoch()
            self.epoch += 1
            self.position = 0

    def is_last(self, epoch_ends: bool) -> bool:
        """Whether the step just made was the last of all, be it that its epoch ends with it."""
        return self.step == self.steps or (epoch_ends and self.epoch + 1 == self.epochs)

    def _rest_of_epoch(self) -> Iterator[tuple[list[Any], bool]]:
        resumed, self.resumed_states = self.resumed_states, None
        if resumed is not None:  # the order is drawn again as it was drawn before
            self._set_random_states(self.epoch_states)
        self.epoch_states = self.random_states()
        self.workers.seed(self.seed, self.epoch)  # the same order for all
        batches = iter(self.batches)
        used = sum(1 for _ in islice(batches, self.position))
        if used < self.position:
            raise ValueError(
                f"batches gave only {used} batches in an epoch of which the checkpoint had used "
                f"{self.position}: they are of other data; give the same or resume=False"
            )
        if resumed is not None:  # so are the batches, if they are drawn one by one
            self._set_random_states(self.fetch_states)
        group = list(islice(batches, self.accumulate))
        if resumed is not None:
            self._set_random_states(resumed)
        if not group and self.position == 0:
            raise ValueError("batches must give at least one batch in an epoch, got none")
        while group:
            self.fetch_states = self.random_states()
            following = list(islice(batches, self.accumulate))
            yield group, not following
            group = following

    def _generators(self) -> dict[str, torch.Generator]:
        """Return every generator that the training draws from, by name."""
        found = {"cpu": torch.default_generator}
        if self.device.type == "cuda":
            torch.cuda.init()  # before that there are no generators
            index = torch.cuda.current_device() if self.device.index is None else self.device.index
            found["cuda"] = torch.cuda.default_generators[index]
        sources = {"batches": self.batches}
        if self.validation is not None:
            sources["validation"] = self.validation.batches
        for name, source in list(sources.items()):
            if isinstance(source, DataLoader):  # its sampler may draw from one of its own
                sources[f"{name} sampler"] = source.sampler
        for name, source in sources.items():
            if isinstance(source, Seeded) and isinstance(source.generator, torch.Generator):
                found[name] = source.generator
        return found

    def random_states(self) -> dict[str, Tensor]:
        """Return the states of all generators."""
        return {name: generator.get_state() for name, generator in self._generators().items()}

    def _set_random_states(self, states: dict[str, Tensor]) -> None:
        for name, generator in self._generators().items():
            if name in states:  # a GPU's is not if the training began on a CPU
                generator.set_state(states[name])
