"""The training loop (from chapter 04)."""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from torch import nn

from attncourse import runtime
from attncourse.checks import require_integer, require_precision, require_smoothing
from attncourse.data.batches import Batch
from attncourse.training.checkpoints import checkpoint_file
from attncourse.training.history import History
from attncourse.training.optimisers import adam
from attncourse.training.progress import reporter
from attncourse.training.sharding import shard
from attncourse.training.state import Training
from attncourse.training.workers import Workers


def fit(
    model: nn.Module,
    batches: Iterable[Batch],
    *,
    steps: int | None = None,
    epochs: int | None = None,
    accumulate: int = 1,
    optimiser: torch.optim.Optimizer | Callable[[nn.Module], torch.optim.Optimizer] | None = None,
    learning_rate: float | None = None,
    schedule: Callable[[int], float] | None = None,
    clip: float | None = 1.0,
    label_smoothing: float = 0.0,
    device: torch.device | str | None = None,
    precision: str = "float32",
    sharded: bool = False,
    seed: int = 0,
    validation: Iterable[Batch] | None = None,
    validate_every: int | None = None,
    patience: int | None = None,
    checkpoint: str | os.PathLike | None = None,
    checkpoint_every: int | None = None,
    resume: bool = True,
    progress: bool | None = None,
    callbacks: Sequence[Callable[[int, nn.Module, History], object]] = (),
) -> History:
    """Train a model to write the target sentences, with teacher forcing (chapter 04).

    What is drawn in the course of it (the order of the batches, dropout) depends on `seed`
    alone; the caller's own random state is left as it was.

    With a `checkpoint`, a training that was stopped at any moment goes on when `fit` is called
    again with the same arguments, and on a CPU it ends with the same bits as one that never
    stopped. Ctrl-C waits for the end of the step and leaves a checkpoint; a second one does not.

    Inside a process group (see `working_together`) the processes train together: each batch is
    shared among them, and the loss is the mean over all real tokens of all. The first one shows
    the progress, writes the checkpoints and calls the callbacks, which with a sharded model all do.

    Args:
        model: called as `model(source, target, source_mask, target_mask)`, gives the logits. It
            is moved to `device`, and left there in evaluation mode.
        batches: an epoch of batches whenever it is iterated, such as
            `attncourse.data.batches.Batches`. It may draw from a torch generator, its attribute
            `generator`, or from PyTorch's own, when an iteration begins.
        steps: how many steps to make.
        epochs: instead of `steps`, how many times to go through the batches.
        accumulate: how many batches make one step, with the gradient that they would have as one
            batch; an epoch's last step may have fewer.
        optimiser: over the model's parameters, or a function that makes one for the model where
            it will be trained; by default `adam`.
        learning_rate: the default optimiser's; by default 0.001.
        schedule: gives for a step (1, 2, ...) the factor on the learning rate.
        clip: the norm of all gradients together is brought down to this; None leaves it alone.
        label_smoothing: see `sequence_loss`.
        device: where to train; by default a GPU if there is one.
        precision: "float32", or "bfloat16" or "float16" for mixed precision.
        sharded: divide the weights among the processes of a group, see `shard`. The model stays
            divided; its checkpoints are whole.
        seed: from 0 on; it also seeds the generators of `batches` and `validation`.
        validation: batches whose loss is measured, without label smoothing.
        validate_every: every so many steps; by default at the end of an epoch. The last step of
            all is always followed by a validation.
        patience: stop after so many validations in a row without a new best, and end with the
            weights of the best.
        checkpoint: a folder, or a file ending in `.safetensors`.
        checkpoint_every: every so many steps; by default at the end of an epoch. The last step
            of all is always followed by a checkpoint.
        resume: go on from the checkpoint if there is one; False begins anew and replaces it.
        progress: False shows nothing; else there is a bar on a terminal, and lines elsewhere.
        callbacks: each is called after each step as `callback(step, model, history)`. One that
            raises KeyboardInterrupt ends the training as Ctrl-C does.

    Returns:
        The record of the training, with what came before a resumption.

    Raises:
        TypeError: if not exactly one of `steps` and `epochs` is given, `batches` can be iterated
            only once, or a `learning_rate` comes with an optimiser.
        ValueError: if a number is out of range, `patience` comes without `validation`, there are
            no batches, or the checkpoint was made with other settings or has more steps.
        CheckpointError: if there is a checkpoint that cannot be used.
        FloatingPointError: if the loss or the gradients are not finite. The step is not made, and
            the last checkpoint stays.
        KeyboardInterrupt: after Ctrl-C.
        RuntimeError: if `sharded` is asked for outside a process group.
        WorkerError: if another process of the group is gone; the checkpoint is of the last step,
            or, of a sharded model, the last that was due.

    Source: clipping by the global norm is Pascanu et al. 2013, section 3.2, and Bahdanau et al.
    2015 clip to 1 (section B.2). They train with Adadelta; the default here is Adam.
    """
    _require_length(steps, epochs)
    _require_batches(batches, validation, patience)
    _require_numbers(
        accumulate=accumulate,
        patience=patience,
        validate_every=validate_every,
        checkpoint_every=checkpoint_every,
    )
    require_integer("seed", seed, least=0)
    if clip is not None and not clip > 0:
        raise ValueError(f"clip must be positive or None, got {clip}")
    require_smoothing(label_smoothing)
    require_precision(precision)
    device = runtime.device(device)
    model.to(device)
    if optimiser is None:
        optimiser = partial(adam, learning_rate=1e-3 if learning_rate is None else learning_rate)
    elif learning_rate is not None:
        raise TypeError("learning_rate is for the default optimiser; set it in yours")
    if sharded:
        if isinstance(optimiser, torch.optim.Optimizer):
            raise TypeError(
                "optimiser must be a function where sharded is True: one that is there already "
                "holds the whole weights"
            )
        shard(model)
    if not isinstance(optimiser, torch.optim.Optimizer):
        optimiser = optimiser(model)
    workers = Workers.present()
    _require_shares(batches, workers)
    gpus = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(gpus), _interrupts_between_steps(workers) as interrupted:
        training = Training(
            model=model,
            batches=batches,
            validation=validation,
            accumulate=int(accumulate),
            optimiser=optimiser,
            schedule=schedule,
            clip=None if clip is None else float(clip),
            label_smoothing=float(label_smoothing),
            device=device,
            precision=precision,
            seed=int(seed),
            file=None if checkpoint is None else checkpoint_file(checkpoint),
            workers=workers,
        )
        file = training.file
        resumed = file is not None and resume and file.exists()
        if resumed:
            training.restore()
            _require_room(training, steps, epochs)
            _require_best(training, patience)
        show = reporter(progress if workers.first else False, training.history, steps)
        if resumed:
            show.say(f"going on after step {training.step:,}, from {file}")

        most = math.inf if patience is None else patience  # validations without a new best
        over = training.step == steps or training.history.since_best >= most
        try:
            while not over and training.epoch != epochs:
                for group, last in training.epoch_batches():
                    training.update(group)
                    show.step(last)
                    over = training.step == steps or (last and training.epoch + 1 == epochs)
                    if validation is not None and (over or _due(training, validate_every, last)):
                        loss = training.validate(keep_best=patience is not None)
                        show.say(f"step {training.step:,}: validation loss {loss:.3f}")
                        over = over or training.history.since_best >= most
                    for callback in callbacks if workers.first or sharded else ():
                        try:
                            callback(training.step, model, training.history)
                        except KeyboardInterrupt:
                            if interrupted.is_set():  # the second Ctrl-C, perhaps within a file
                                raise
                            interrupted.set()  # the others have their turn before the end
                    halt = workers.any(interrupted.is_set(), device)
                    due = over or halt or _due(training, checkpoint_every, last)
                    if file is not None and due:
                        training.save(write=workers.first)
                    if halt:
                        raise _interruption(training)
                    if over:
                        break
        except KeyboardInterrupt as interruption:
            show.say(str(interruption) or "interrupted in the middle of a step")
            raise
        except RuntimeError as error:
            if workers.size == 1:
                raise
            lost = training.rescue(error)
            # Said at once: torchrun is about to end this process, perhaps before the error shows.
            print(f"{type(lost).__name__}: {lost}", file=sys.stderr, flush=True)
            raise lost from error
        finally:
            show.close()
            model.eval()
    training.load_best()
    return training.history


def _due(training: Training, every: int | None, last: bool) -> bool:
    """Say whether it is time: every so many steps, else at the end of an epoch."""
    return last if every is None else training.step % every == 0


# Ctrl-C


@contextmanager
def _interrupts_between_steps(workers: Workers) -> Iterator[threading.Event]:
    """Turn a Ctrl-C into an event, so that no step is left half made; let a second one through.

    Where several train together, so is the signal with which `torchrun` ends the others.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked  # signals go to the main thread
        return
    signals = [signal.SIGINT] if workers.size == 1 else [signal.SIGINT, signal.SIGTERM]
    before = {number: signal.getsignal(number) for number in signals}

    def restore():
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number, frame):
        asked.set()
        restore()

    for number in signals:
        signal.signal(number, note)
    try:
        yield asked
    finally:
        restore()


def _interruption(training: Training) -> KeyboardInterrupt:
    kept = "the weights stay in the model"
    if training.file is not None:
        kept = f"the same call goes on from {training.file}"
    return KeyboardInterrupt(f"interrupted after step {training.step:,}; {kept}")


# What is refused


def _require_length(steps: int | None, epochs: int | None) -> None:
    if (steps is None) == (epochs is None):
        raise TypeError("give either steps or epochs, and not both")
    _require_numbers(steps=steps, epochs=epochs)


def _require_batches(
    batches: Iterable[Batch], validation: Iterable[Batch] | None, patience: int | None
) -> None:
    for name, given in (("batches", batches), ("validation", validation)):
        if isinstance(given, Iterator):
            raise TypeError(
                f"{name} must give its batches anew whenever it is iterated, as a list or Batches "
                f"does, got {type(given).__name__}, which can be iterated once"
            )
        if isinstance(given, (list, tuple)) and not given:
            raise ValueError(f"{name} must hold at least one batch, got none")
    if patience is not None and validation is None:
        raise ValueError("patience needs validation: without it nothing can be the best")


def _require_shares(batches: Iterable[Batch], workers: Workers) -> None:
    """Batches of so many sentences are shared equally; of so many tokens, about equally."""
    sentences = getattr(batches, "sentences", None)
    if sentences is not None and sentences % workers.size:
        raise ValueError(
            f"sentences is {sentences} a batch, which {workers.size} processes cannot share "
            "equally: choose a multiple, or other processes"
        )


def _require_numbers(**counts: int | None) -> None:
    for name, number in counts.items():
        if number is not None:
            require_integer(name, number, least=1)


def _require_room(training: Training, steps: int | None, epochs: int | None) -> None:
    """Refuse to make of a longer training a shorter one."""
    if steps is not None and training.step > steps:
        raise ValueError(
            f"steps is {steps}, but the checkpoint {training.file} has {training.step}"
        )
    if epochs is not None and training.epoch >= epochs:
        raise ValueError(
            f"epochs is {epochs}, but the checkpoint {training.file} is in epoch "
            f"{training.epoch + 1}"
        )


def _require_best(training: Training, patience: int | None) -> None:
    """The best weights are kept where there is a patience, and brought back at its end."""
    if patience is None:
        training.best = None  # of an earlier part, which had one
    elif training.best is None and training.history.validation_loss:
        raise ValueError(
            f"patience is {patience}, but the checkpoint {training.file} was made without, so that "
            "its best weights were not kept: leave it out, or begin anew with resume=False"
        )
