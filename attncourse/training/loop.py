"""The training loop (from chapter 04): fetch, forward, backward, clip, step.

In its simplest form, for a model and a loss of one's own:

    >>> def squares(model, batch):
    ...     inputs, wanted = batch
    ...     return (model(inputs) - wanted).square().mean()
    >>> batches = [(torch.randn(7, 2), torch.randn(7, 1)) for _ in range(5)]
    >>> model, twin = nn.Linear(2, 1), nn.Linear(2, 1)
    >>> _ = twin.load_state_dict(model.state_dict())
    >>> optimiser = adam(model, learning_rate=0.01)
    >>> for batch in batches:  # fetch
    ...     loss = squares(model, batch)  # forward
    ...     optimiser.zero_grad()
    ...     loss.backward()  # backward
    ...     _ = nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # clip
    ...     optimiser.step()  # step

`fit` does the same; it also validates, keeps checkpoints from which it goes on, shares the work
among processes, and refuses what cannot be trained:

    >>> options = {"epochs": 1, "learning_rate": 0.01, "device": "cpu", "progress": False}
    >>> _ = fit(twin, batches, loss=squares, **options)
    >>> torch.allclose(twin.weight, model.weight)
    True
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn

from attncourse import runtime
from attncourse.checks import require_precision
from attncourse.training import options, resuming
from attncourse.training.history import History
from attncourse.training.interrupts import call_all, interruption, interrupts_between_steps
from attncourse.training.locks import held
from attncourse.training.optimisers import adam
from attncourse.training.options import Checkpoints, Validation
from attncourse.training.progress import Silent, reporter
from attncourse.training.sharding import moved, shard
from attncourse.training.state import Training
from attncourse.training.workers import Workers

Callback = Callable[[int, nn.Module, History], object]


def _train(
    training: Training,
    show: Silent,
    callbacks: Sequence[Callback],
    interrupted: threading.Event,
) -> None:
    """Make step after step until the last, the end of all patience, or Ctrl-C."""
    validation, checkpoints = training.validation, training.checkpoints
    for batches, epoch_ends in training.remaining_steps():  # fetch
        _step(training, batches)  # forward, backward, clip, step
        show.step(epoch_ends)
        finished = training.is_last(epoch_ends)

        if validation and (finished or _due(training.step, validation.every, epoch_ends)):
            loss = training.validate()
            show.say(f"step {training.step:,}: validation loss {loss:.3f}")
            finished = finished or training.patience_is_out

        call_all(callbacks, training.step, training.model, training.history, interrupted)
        stopped = training.workers.any(interrupted.is_set(), training.device)
        ends = finished or stopped
        if checkpoints and (ends or _due(training.step, checkpoints.every, epoch_ends)):
            resuming.save(training, write=training.workers.first)
        if stopped:
            raise interruption(training.step, training.file)
        if finished:
            return


def _step(training: Training, batches: Sequence[Any]) -> None:
    """Make one step with a batch, or with the several that `accumulate` asks for.

    If it cannot be made, it raises and leaves the weights as they are.
    """
    tokens, total = training.count(batches), 0.0
    training.set_learning_rate()
    training.model.train()
    training.optimiser.zero_grad()
    for batch, weight in training.shares(batches, tokens):
        loss = training.loss_of(batch) * weight  # forward
        training.backward(loss)
        total = total + loss.detach()
    norm = training.clip_gradients()
    loss, norm = training.finite(total, norm)
    training.update_weights()
    training.record(len(batches), loss, norm, tokens)


def _due(step: int, every: int | None, epoch_ends: bool) -> bool:
    """Say whether it is time: every so many steps, else at the end of an epoch."""
    return epoch_ends if every is None else step % every == 0


def fit(
    model: nn.Module,
    batches: Iterable[Any],
    *,
    steps: int | None = None,
    epochs: int | None = None,
    accumulate: int = 1,
    loss: Callable[[nn.Module, Any], torch.Tensor] | None = None,
    label_smoothing: float = 0.0,
    optimiser: torch.optim.Optimizer | Callable[[nn.Module], torch.optim.Optimizer] | None = None,
    learning_rate: float | None = None,
    schedule: Callable[[int], float] | None = None,
    clip: float | None = 1.0,
    device: torch.device | str | None = None,
    precision: str = "float32",
    sharded: bool = False,
    seed: int = 0,
    validation: Iterable[Any] | Validation | None = None,
    checkpoint: str | os.PathLike | Checkpoints | None = None,
    progress: bool | None = None,
    callbacks: Sequence[Callback] = (),
) -> History:
    """Train a model, by default to write the target sentences with teacher forcing (chapter 04).

    What is drawn in the course of it (the order of the batches, dropout) depends on `seed`
    alone; the caller's own random state is left as it was.

    With a `checkpoint`, a training that was stopped at any moment goes on when `fit` is called
    again with the same arguments, and on a CPU it ends with the same bits as one that never
    stopped. Ctrl-C waits for the end of the step and leaves a checkpoint; a second one does not.

    Inside a process group (see `working_together`) the processes train together: each batch is
    shared among them, and the loss is the mean over all real tokens of all. The first one shows
    the progress, writes the checkpoints and calls the callbacks, which with a sharded model all do.

    Args:
        model: called as `model(source, target, source_mask, target_mask)`, gives the logits; with
            a `loss` of your own, whatever that calls. It is moved to `device`, and left there in
            evaluation mode.
        batches: an epoch of batches whenever it is iterated, such as
            `attncourse.data.batches.Batches`, a list of `Batch`, or a `DataLoader`. It may draw
            from a generator of its own (see `Seeded`) or from PyTorch's.
        steps: how many steps to make.
        epochs: instead of `steps`, how many times to go through the batches.
        accumulate: how many batches make one step, with the gradient that they would have as one
            batch; an epoch's last step may have fewer.
        loss: called as `loss(model, batch)`, gives the mean over the rows of a batch; by default
            `batch_loss`, the cross-entropy per real token. For it a batch may be anything that
            holds tensors, such as a tuple of images and labels; they are moved to `device`.
        label_smoothing: of the default loss, see `sequence_loss`.
        optimiser: over weights of the model, all or some, or a function that makes one for the
            model where it will be trained; by default `adam`.
        learning_rate: the default optimiser's; by default 0.001.
        schedule: gives for a step (1, 2, ...) the factor on the learning rate.
        clip: the norm of the gradients of all weights that the optimiser holds is brought down to
            this; None leaves it alone.
        device: where to train; by default a GPU if there is one.
        precision: "float32", or "bfloat16" or "float16" for mixed precision.
        sharded: divide the weights among the processes of a group, see `shard`. The model stays
            divided; its checkpoints are whole.
        seed: from 0 on; it also seeds the generators of `batches` and of the validation.
        validation: batches whose loss is measured after each epoch, or a `Validation`, which says
            when, and when to stop early.
        checkpoint: a folder, or a file ending in `.safetensors`, written after each epoch, or
            `Checkpoints`, which says when. Only one training at a time can hold it.
        progress: False shows nothing, True a bar; by default a bar on a terminal, lines elsewhere.
        callbacks: each is called after each step as `callback(step, model, history)`. One that
            raises KeyboardInterrupt ends the training as Ctrl-C does.

    Returns:
        The record of the training, with what came before a resumption.

    Raises:
        TypeError: if an argument is of the wrong kind, such as a list of pairs for `batches` or
            a scheduler of PyTorch's for `schedule`; if not exactly one of `steps` and `epochs` is
            given, or an option of the default loss or optimiser comes with another.
        ValueError: if a number is out of range, there are no batches, all weights are frozen, the
            optimiser is another model's, or the checkpoint was made with other settings or has
            more steps. Model and checkpoint are then as they were.
        CheckpointError: if there is a checkpoint that cannot be used, or that another training
            holds.
        FloatingPointError: if the loss or the gradients are not finite. The step is not made, and
            the last checkpoint stays.
        KeyboardInterrupt: after Ctrl-C.
        RuntimeError: if `sharded` is asked for outside a process group, or gradients are switched
            off.
        WorkerError: if another process of the group is gone; the checkpoint is of the last step,
            or, of a sharded model, the last that was due.

    Source: clipping by the global norm is Pascanu et al. 2013, section 3.2, and Bahdanau et al.
    2015 clip to 1 (section B.2). They train with Adadelta; the default here is Adam.

    Example:
        >>> model = nn.Linear(1, 1, bias=False)
        >>> def squares(model, batch):
        ...     inputs, wanted = batch
        ...     return (model(inputs) - wanted).square().mean()
        >>> batch = torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [6.0]])
        >>> options = {"learning_rate": 0.1, "device": "cpu", "progress": False}
        >>> history = fit(model, [batch], steps=200, loss=squares, **options)
        >>> round(model.weight.item(), 2)
        3.0
    """
    if validation is not None and not isinstance(validation, Validation):
        validation = Validation(validation)
    if checkpoint is not None and not isinstance(checkpoint, Checkpoints):
        checkpoint = Checkpoints(checkpoint)
    options.require_model(model)
    options.require_length(steps, epochs)
    options.require_counts(accumulate=accumulate)
    options.require_batches("batches", batches)
    options.require_loss(loss, label_smoothing, batches, validation)
    options.require_schedule(schedule)
    options.require_callbacks(callbacks)
    options.require_clip(clip)
    options.require_choice(optimiser, model, learning_rate, sharded)
    options.require_seed(seed)
    require_precision(precision)
    if checkpoint is not None:
        options.require_repeatable(batches, validation)
    workers = Workers.present()
    options.require_shares(batches, workers)
    device = runtime.device(device)
    if optimiser is None:
        optimiser = partial(adam, learning_rate=1e-3 if learning_rate is None else learning_rate)

    with (
        torch.random.fork_rng([device] if device.type == "cuda" else []),
        interrupts_between_steps(workers) as interrupted,
        held(checkpoint.file) if checkpoint and workers.first else nullcontext(),
    ):
        with moved(model, device):
            if sharded:
                shard(model)
            training = Training(
                model=model,
                batches=batches,
                steps=steps,
                epochs=epochs,
                accumulate=int(accumulate),
                loss=loss,
                label_smoothing=float(label_smoothing),
                optimiser=_made(optimiser, model),
                schedule=schedule,
                clip=None if clip is None else float(clip),
                device=device,
                precision=precision,
                seed=int(seed),
                validation=validation,
                checkpoints=checkpoint,
                workers=workers,
            )
            resumed = resuming.resume(training)
        show = reporter(
            progress if workers.first else False, training.history, steps, training.objective.unit
        )
        if resumed:
            show.say(f"going on after step {training.step:,}, from {training.file}")
        with _ending(training, show):
            _train(training, show, callbacks if workers.first or sharded else (), interrupted)
    training.load_best()
    return training.history


def _made(optimiser: Any, model: nn.Module) -> torch.optim.Optimizer:
    """Make the optimiser for the model, if it is not there already."""
    if not isinstance(optimiser, torch.optim.Optimizer):
        optimiser = optimiser(model)
    options.require_optimiser(optimiser, model)
    return optimiser


@contextmanager
def _ending(training: Training, show: Silent) -> Iterator[None]:
    """Say how a training ended, save what another process' end would lose, and leave the model in
    evaluation mode."""
    try:
        yield
    except KeyboardInterrupt as stop:
        show.say(str(stop) or "interrupted in the middle of a step")
        raise
    except RuntimeError as error:
        if training.workers.size == 1:
            raise
        lost = resuming.rescue(training, error)
        # Said at once: torchrun is about to end this process, perhaps before the error shows.
        print(f"{type(lost).__name__}: {lost}", file=sys.stderr, flush=True)
        raise lost from error
    finally:
        show.close()
        training.model.eval()
