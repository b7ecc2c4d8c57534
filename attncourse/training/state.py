"""What changes from step to step of a training, and how it is saved and restored (chapter 04)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from textwrap import shorten
from typing import Any

import torch
from torch import Tensor, nn

from attncourse.data.batches import Batch
from attncourse.training.checkpoints import (
    load_checkpoint,
    read_checkpoint,
    refusal,
    save_checkpoint,
    state_and_ties,
    uncompiled,
)
from attncourse.training.history import History
from attncourse.training.loss import BatchLoss, mean_loss, real_tokens
from attncourse.training.sharding import divided, sharded_part, whole
from attncourse.training.workers import WorkerError, Workers

# What a group of an optimiser holds beside settings: what it works on, what changes or stands by
# itself, and how it is computed.
_NO_SETTING = {"params", "lr", "initial_lr", "fused", "foreach", "capturable", "differentiable"}


@dataclass
class Training:
    """A training between two steps. The arguments are those of `fit`."""

    model: nn.Module
    batches: Iterable[Batch]
    validation: Iterable[Batch] | None
    accumulate: int
    optimiser: torch.optim.Optimizer
    schedule: Callable[[int], float] | None
    clip: float | None
    label_smoothing: float
    device: torch.device
    precision: str
    seed: int
    file: Path | None  # the checkpoint
    workers: Workers = field(default_factory=Workers)  # those that train together

    history: History = field(default_factory=History)
    best: dict[str, Tensor] | None = None  # the weights with the lowest validation loss
    epoch: int = 0  # how many are finished
    position: int = 0  # how many batches of the one at hand were used
    # The states of all random generators when the epoch began, and when a checkpoint was made.
    epoch_states: dict[str, Tensor] = field(default_factory=dict)
    resumed_states: dict[str, Tensor] | None = None

    def __post_init__(self):
        # Small gradients would vanish in float16; the scaler computes with a multiple of them.
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.precision == "float16")
        for group in self.optimiser.param_groups:  # as PyTorch's own schedules do
            group.setdefault("initial_lr", float(group["lr"]))
        for generator in self._generators().values():
            generator.manual_seed(self.seed)
        loss = BatchLoss(
            self.model,
            device=self.device,
            precision=self.precision,
            label_smoothing=self.label_smoothing,
        )
        self.loss_of = self.workers.wrap(loss)
        if self.file is not None:  # of processes that died while they wrote
            self._lock.unlink(missing_ok=True)
        self.began = time.perf_counter()

    @property
    def step(self) -> int:
        """How many steps were made."""
        return len(self.history.step)

    # A step

    def update(self, batches: Sequence[Batch]) -> None:
        """Make one step with some batches, or raise and leave the weights as they are."""
        step = self.step + 1
        factor = 1.0 if self.schedule is None else float(self.schedule(step))
        if not 0 <= factor < math.inf:
            raise ValueError(f"schedule must give a factor of 0 or more, got {factor} at {step}")
        for group in self.optimiser.param_groups:
            group["lr"] = group["initial_lr"] * factor
        self.model.train()
        self.optimiser.zero_grad()
        self.workers.seed(self.seed, step, self.workers.rank)
        loss, tokens = self._gradients(batches)
        self.scaler.unscale_(self.optimiser)
        clip = math.inf if self.clip is None else self.clip
        norm = whole(nn.utils.clip_grad_norm_(self.model.parameters(), clip))
        # Both in one transfer: each would make a GPU wait.
        loss, norm = torch.stack([loss, norm.to(loss)]).tolist()
        self._require_finite(step, loss, norm)
        self.scaler.step(self.optimiser)
        self.scaler.update()

        self.position += len(batches)
        self.history.step.append(step)
        self.history.loss.append(loss)
        self.history.learning_rate.append(self.optimiser.param_groups[0]["lr"])
        self.history.gradient_norm.append(norm if math.isfinite(norm) else None)
        self.history.tokens.append(tokens)
        self.history.seconds.append(time.perf_counter() - self.began)

    def _gradients(self, batches: Sequence[Batch]) -> tuple[Tensor, int]:
        """Compute the gradients of the mean loss over all real tokens; give it and their number.

        Each batch's mean counts by its share of the tokens: a mean of means would favour the
        tokens of small batches. So it is with each process' share of a batch.
        """
        tokens, total = sum(real_tokens(batch) for batch in batches), 0.0
        for number, batch in enumerate(batches, 1):
            share, weight = batch, 0
            if self.workers.rank < len(batch):
                share = self.workers.share(batch)
                weight = real_tokens(share)
            # Gradients are sent round once, with the last batch's.
            later = number < len(batches)
            with self.workers.alone(self.loss_of) if later else nullcontext():
                loss = self.loss_of(share) * (weight / max(tokens, 1))
                # The processes' gradients are averaged, and are wanted added up.
                self.scaler.scale(loss * self.workers.size).backward()
            total = total + loss.detach()
        return self.workers.total(total), tokens

    def _require_finite(self, step: int, loss: float, norm: float) -> None:
        if not math.isfinite(loss):
            what = f"the loss is {loss}"
        # In float16 a gradient may overflow: then the scaler leaves the update out and scales
        # less. Only where even small multiples overflow is something wrong.
        elif not math.isfinite(norm) and not (
            self.scaler.is_enabled() and self.scaler.get_scale() > 1e-4
        ):
            what = f"the norm of the gradients is {norm}, with a loss of {loss:g}"
        else:
            return
        raise self._failure(step, f"{what}; the weights are those after step {step - 1}")

    def _failure(self, step: int, what: str) -> FloatingPointError:
        kept = ""
        if self.file is not None and self.file.exists():
            kept = f" The last checkpoint, {self.file}, stays."
        return FloatingPointError(
            f"step {step}: {what}. A lower learning rate or a warm-up may help.{kept}"
        )

    def validate(self, keep_best: bool) -> float:
        """Measure the loss on the validation batches; keep the weights if it is the best yet."""
        loss = mean_loss(self.model, self.validation, device=self.device, precision=self.precision)
        if not math.isfinite(loss):
            raise self._failure(self.step, f"the validation loss is {loss}")
        self.history.validation_step.append(self.step)
        self.history.validation_loss.append(loss)
        if keep_best and self.history.best_step == self.step:
            state, _ = state_and_ties(self.model)
            self.best = {name: tensor.detach().clone() for name, tensor in state.items()}
        return loss

    def load_best(self) -> None:
        """Give the model the best weights, if they were kept."""
        if self.best is not None:
            # Not strict: tied weights were kept under one of their names.
            uncompiled(self.model).load_state_dict(self.best, strict=False)

    # The order of the batches

    def epoch_batches(self) -> Iterator[tuple[list[Batch], bool]]:
        """Give the rest of the epoch, the batches of each step with whether it is the last; then
        count it."""
        resumed, self.resumed_states = self.resumed_states, None
        if resumed is not None:  # the order is drawn again as it was drawn before
            self._set_random_states(self.epoch_states)
        self.epoch_states = self._random_states()
        self.workers.seed(self.seed, self.epoch)  # the same order for all
        batches = iter(self.batches)
        used = sum(1 for _ in islice(batches, self.position))
        if used < self.position:
            raise ValueError(
                f"batches gave only {used} batches in an epoch of which the checkpoint had used "
                f"{self.position}: they are of other data; give the same or resume=False"
            )
        if resumed is not None:
            self._set_random_states(resumed)
        group = list(islice(batches, self.accumulate))
        if not group and self.position == 0:
            raise ValueError("batches must give at least one batch in an epoch, got none")
        while group:
            following = list(islice(batches, self.accumulate))
            yield group, not following
            group = following
        self.epoch += 1
        self.position = 0

    def _generators(self) -> dict[str, torch.Generator]:
        """Return every generator that the training draws from, by name."""
        found = {"cpu": torch.default_generator}
        if self.device.type == "cuda":
            torch.cuda.init()  # before that there are no generators
            index = torch.cuda.current_device() if self.device.index is None else self.device.index
            found["cuda"] = torch.cuda.default_generators[index]
        for name in ("batches", "validation"):
            generator = getattr(getattr(self, name), "generator", None)
            if isinstance(generator, torch.Generator):
                found[name] = generator
        return found

    def _random_states(self) -> dict[str, Tensor]:
        return {name: generator.get_state() for name, generator in self._generators().items()}

    def _set_random_states(self, states: dict[str, Tensor]) -> None:
        for name, generator in self._generators().items():
            if name in states:  # a GPU's is not if the training began on a CPU
                generator.set_state(states[name])

    # Checkpoints

    def settings(self) -> dict[str, Any]:
        """Return the arguments that must not change between an end and a resumption."""
        return {
            "accumulate": self.accumulate,
            "learning_rate": [group["initial_lr"] for group in self.optimiser.param_groups],
            "optimiser": [
                {
                    name: list(value) if isinstance(value, tuple) else value
                    for name, value in group.items()
                    if name not in _NO_SETTING
                }
                for group in self.optimiser.param_groups
            ],
            "clip": self.clip,
            "label_smoothing": self.label_smoothing,
            "precision": self.precision,
            "seed": self.seed,
        }

    def save(self, write: bool = True) -> None:
        """Write everything that it takes to go on from here, or help another process to write it.

        Raises:
            FloatingPointError: if a weight is not finite: the older checkpoint is worth more.
        """
        if not write and sharded_part(self.model) is None:
            return
        for name, weights in self.model.named_parameters():
            if not whole(weights.isfinite().all()):
                raise self._failure(self.step, f"{name} is not finite after the update")
        groups = {"epoch": self.epoch_states, "now": self._random_states(), "best": self.best or {}}
        save_checkpoint(
            self.file,
            self.model,
            self.optimiser,
            step=self.step,
            extra={
                "settings": self.settings(),
                "epoch": self.epoch,
                "position": self.position,
                "scaler": self.scaler.state_dict(),
                "history": self.history.to_json(),
            },
            tensors={
                f"{group}.{name}": tensor
                for group, tensors in groups.items()
                for name, tensor in tensors.items()
            },
            write=write,
        )

    def rescue(self, error: Exception) -> WorkerError:
        """Save what there is when another process is gone, and say so."""
        kept = ""
        if sharded_part(self.model) is not None:  # a part of the weights is gone
            if self.file is not None and self.file.exists():
                kept = f" The last checkpoint, {self.file}, stays."
        elif self.file is not None and self.step > 0:
            try:  # all that are left come here at once, with the same weights: one of them writes
                self.file.parent.mkdir(parents=True, exist_ok=True)
                with open(self._lock, "x"):
                    self.save()
                self._lock.unlink()
            except FileExistsError:
                pass
            kept = f" {self.file} holds step {self.step:,}; the same command goes on from it."
        return WorkerError(
            f"step {self.step + 1:,} was not made: process {self.workers.rank + 1} of "
            f"{self.workers.size} failed, or lost another one ({shorten(str(error), 120)}).{kept}"
        )

    @property
    def _lock(self) -> Path:
        return self.file.with_name(f".{self.file.name}.lock")

    def restore(self) -> None:
        """Stand where the checkpoint was made.

        Raises:
            CheckpointError: if it cannot be used, or is not of a training.
            ValueError: if it was made with other settings.
        """
        extra = read_checkpoint(self.file).extra
        if not {"settings", "epoch", "position", "scaler", "history"} <= set(extra):
            raise refusal(self.file, "it was not made by fit and does not say how to train on")
        for name, made in extra["settings"].items():
            if (value := self.settings().get(name)) != made:
                raise ValueError(
                    f"{name} is {value}, but the checkpoint {self.file} was made with {made}: "
                    "give the same, another folder, or resume=False"
                )
        tensors = load_checkpoint(self.file, self.model, self.optimiser).tensors
        groups: dict[str, dict[str, Tensor]] = {"epoch": {}, "now": {}, "best": {}}
        for name, tensor in tensors.items():
            group, rest = name.split(".", 1)
            groups[group][rest] = tensor
        self.epoch_states, self.resumed_states = groups["epoch"], groups["now"]
        own, _ = state_and_ties(self.model)
        best = {name: divided(tensor, own[name]) for name, tensor in groups["best"].items()}
        self.best = best or None
        self.epoch, self.position = extra["epoch"], extra["position"]
        self.scaler.load_state_dict(extra["scaler"])
        self.history = History.from_json(extra["history"])
        self.began = time.perf_counter() - self.history.seconds[-1]
