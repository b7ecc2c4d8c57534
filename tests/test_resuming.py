"""A training that was stopped, by whatever, ends as one that never was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest
import safetensors
import torch
from small_training import MOMENTS, STEPS, SmallModel, small_batches, small_model, train
from support import refused

from attncourse.data.batches import Batch
from attncourse.training import (
    CheckpointError,
    History,
    adam,
    fit,
    load_checkpoint,
    read_checkpoint,
    save_checkpoint,
)

ROOT = Path(__file__).parents[1]


def all_of(path: Path) -> tuple[dict[str, torch.Tensor], dict]:
    """Return all that a checkpoint holds, without the times."""
    with safetensors.safe_open(path / "checkpoint.safetensors", framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        record = json.loads(file.metadata()["record"])
    history = json.loads(record["extra"]["history"])
    seconds = history.pop("seconds")
    assert seconds == sorted(seconds)
    assert len(seconds) == STEPS
    record["extra"]["history"] = history
    return tensors, record


def assert_same(path: Path, reference: Path) -> None:
    (tensors, record), (others, other_record) = all_of(path), all_of(reference)
    assert record == other_record
    assert tensors.keys() == others.keys()
    for name, tensor in tensors.items():
        assert torch.equal(
            tensor.reshape(-1).view(torch.uint8), others[name].reshape(-1).view(torch.uint8)
        ), name


@pytest.fixture(autouse=True)
def usual_ctrl_c():
    """Let Ctrl-C do what it usually does, also where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> Path:
    """A training that nothing stopped."""
    folder = tmp_path_factory.mktemp("reference")
    train(folder)
    return folder


def test_the_reference_draws_and_saves_what_the_other_tests_rely_on(reference):
    tensors, record = all_of(reference)
    names = {name.split(".")[0] + "." + name.split(".")[1] for name in tensors}
    assert {"extra.now", "extra.epoch", "extra.best", "model.target", "optimiser.0"} <= names
    for states in ("now", "epoch"):
        for generator in ("cpu", "batches", "validation"):
            assert f"extra.{states}.{generator}" in tensors
    history = record["extra"]["history"]
    assert history["validation_step"] == [3, 6, 9, 12, 15, 17]
    assert min(history["validation_loss"]) == history["validation_loss"][2]
    assert record["extra"]["position"] == STEPS % 7


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")
def test_a_killed_training_goes_on_to_the_same_bits(tmp_path):
    run = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "small_training.py"), str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) > 2  # of those killed by the clock, so many before their end
    folders = {path.name: path for path in tmp_path.iterdir()}
    reference = folders.pop("reference")
    assert len(folders) == len(MOMENTS) + 10
    for folder in folders.values():
        assert_same(folder, reference)


@pytest.mark.parametrize("when", [1, 4, 6, 7, 8, 12, 14, STEPS - 1, STEPS])
def test_ctrl_c_ends_the_step_and_leaves_a_checkpoint_to_go_on_from(
    tmp_path, reference, monkeypatch, capsys, when
):
    forward, calls = SmallModel.forward, 0

    def interrupted_inside(self, *arguments, **options):
        nonlocal calls
        calls += self.training
        if self.training and calls == when:
            signal.raise_signal(signal.SIGINT)
        return forward(self, *arguments, **options)

    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        patch.setattr(SmallModel, "forward", interrupted_inside)
        with pytest.raises(KeyboardInterrupt, match=f"after step {when}; .* goes on from"):
            train(tmp_path, progress=None)
    assert signal.getsignal(signal.SIGINT) is before
    shown = capsys.readouterr()
    assert f"interrupted after step {when}; the same call goes on from {tmp_path}" in shown.out
    assert shown.err == ""
    assert read_checkpoint(tmp_path).step == when
    train(tmp_path)
    assert_same(tmp_path, reference)


def test_a_second_ctrl_c_interrupts_at_once_and_leaves_the_older_checkpoint(
    tmp_path, reference, monkeypatch
):
    forward, calls = SmallModel.forward, 0

    def interrupted_twice(self, *arguments, **options):
        nonlocal calls
        calls += self.training
        if self.training and calls == 7:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        return forward(self, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(SmallModel, "forward", interrupted_twice)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path)
    assert read_checkpoint(tmp_path).step == 4
    train(tmp_path)
    assert_same(tmp_path, reference)


def test_ctrl_c_without_a_checkpoint_says_where_the_weights_are():
    model = small_model(tied=True)

    def callback(step, model, history):
        if step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="after step 5; the weights stay in the model"):
        train(model=model, callbacks=[callback])
    five = small_model(tied=True)
    train(model=five, steps=5, schedule=lambda step: min(1.0, step / 9), patience=None)
    assert all(
        torch.equal(a, b) for a, b in zip(model.parameters(), five.parameters(), strict=True)
    )


def test_a_callback_that_ends_the_training_lets_the_others_have_their_turn(tmp_path):
    """Else the step would be in the checkpoint, and what they do at it be done never."""
    seen = []

    def stop(step, model, history):
        if step == 9:
            raise KeyboardInterrupt

    def note(step, model, history):
        seen.append(step)

    with pytest.raises(KeyboardInterrupt, match="after step 9"):
        train(tmp_path, callbacks=[stop, note])
    train(tmp_path, callbacks=[note])
    assert seen == [*range(1, STEPS + 1)]


def test_a_second_ctrl_c_inside_a_callback_interrupts_at_once(tmp_path, reference):
    def callback(step, model, history):
        if step == 7:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            pytest.fail("went on")

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, callbacks=[callback])
    assert read_checkpoint(tmp_path).step == 4
    train(tmp_path)
    assert_same(tmp_path, reference)


def test_a_callback_can_end_the_training_as_ctrl_c_does(tmp_path, reference):
    def callback(step, model, history):
        if step == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="after step 9"):
        train(tmp_path, callbacks=[callback])
    train(tmp_path)
    assert_same(tmp_path, reference)


def test_ctrl_c_means_what_it_meant_when_the_training_is_over():
    before = signal.getsignal(signal.SIGINT)
    train(steps=1)
    assert signal.getsignal(signal.SIGINT) is before


def test_training_works_outside_the_main_thread(tmp_path, reference):
    thread = threading.Thread(target=train, args=(tmp_path,))
    thread.start()
    thread.join()
    assert_same(tmp_path, reference)


def test_a_finished_training_is_not_run_again(tmp_path, reference, capsys):
    model = small_model(3, tied=True)
    content = (reference / "checkpoint.safetensors").read_bytes()
    history = train(reference, model, progress=None)
    assert history.step == list(range(1, STEPS + 1))
    assert (reference / "checkpoint.safetensors").read_bytes() == content
    assert "going on after step 17" in capsys.readouterr().out
    best = read_checkpoint(reference).tensors["best.target.weight"]
    assert torch.equal(model.target.weight, best)
    assert not model.training


def test_a_training_by_epochs_goes_on_too(tmp_path):
    by_epochs = {"steps": None, "epochs": 3, "every": None, "validate_every": None}
    whole, parts = small_model(0), small_model(0)
    history = train(tmp_path / "whole", whole, **by_epochs)
    assert history.step[-1] == 21
    assert history.validation_step == [7, 14, 21]
    for epochs in (1, 2, 3, 3):
        parted = train(tmp_path / "parts", parts, **(by_epochs | {"epochs": epochs}))
        assert parted.step[-1] == 7 * epochs
    assert parted.loss == history.loss
    assert parted.validation_loss == history.validation_loss
    assert all(
        torch.equal(a, b) for a, b in zip(whole.parameters(), parts.parameters(), strict=True)
    )


def test_more_steps_go_on_from_the_last_weights_not_the_best(tmp_path):
    options = {"validation": None}
    once, twice = small_model(0), small_model(0)
    train(tmp_path / "once", once, steps=12, **options)
    train(tmp_path / "twice", twice, steps=5, **options)
    train(tmp_path / "twice", twice, steps=12, **options)
    assert all(
        torch.equal(a, b) for a, b in zip(once.parameters(), twice.parameters(), strict=True)
    )


def test_a_longer_training_without_patience_keeps_its_last_weights(tmp_path):
    stopped = train(tmp_path, steps=60, patience=2, validate_every=3)
    assert len(stopped.step) < 40
    model = small_model(tied=True)
    went_on = train(tmp_path, model, steps=40, patience=None)
    assert len(went_on.step) == 40
    last = small_model(tied=True)
    load_checkpoint(tmp_path, last)
    assert torch.equal(model.target.weight, last.target.weight)


def test_patience_cannot_begin_when_the_best_weights_are_gone(tmp_path):
    train(tmp_path, steps=12, patience=None)
    model = small_model(3, tied=True)
    with refused(ValueError, "patience is 4", "were not kept", "resume=False"):
        train(tmp_path, model, steps=30, patience=4)
    assert torch.equal(model.target.weight, small_model(3, tied=True).target.weight)


def test_another_setting_of_the_optimiser_is_refused(tmp_path):
    first = {"steps": 3, "learning_rate": None, "optimiser": partial(adam, betas=(0.9, 0.98))}
    train(tmp_path, **first)
    train(tmp_path, **first | {"steps": 4, "optimiser": partial(adam, betas=[0.9, 0.98])})
    with refused(ValueError, "optimiser", "0.5", "0.98"):
        train(tmp_path, **first | {"steps": 5, "optimiser": partial(adam, betas=(0.5, 0.5))})


def test_another_kind_of_optimiser_is_refused_by_its_name(tmp_path):
    """Kind: taken in silence. It has the same settings, for weights of the same shapes."""

    class Other(torch.optim.SGD):
        pass

    def of(kind):
        return {"learning_rate": None, "optimiser": lambda model: kind(model.parameters(), 0.1)}

    train(tmp_path, **of(torch.optim.SGD), steps=3)
    with refused(ValueError, "optimiser class is Other", "SGD", str(tmp_path), "resume=False"):
        train(tmp_path, **of(Other), steps=5)


@pytest.mark.parametrize("way", ["fused", "foreach"])
def test_how_the_optimiser_computes_is_the_callers_choice(tmp_path, way):
    """The kind: the file's options replace the caller's, in silence."""
    first = {"learning_rate": None, "steps": 3}
    train(tmp_path, **first, optimiser=partial(adam, **{"fused": False, way: True}))
    model, used = small_model(tied=True), []

    def optimiser(model):
        used.append(adam(model, fused=False, foreach=False))
        return used[0]

    train(tmp_path, model, **first | {"steps": 5}, optimiser=optimiser)
    (group,) = used[0].param_groups
    assert (group["fused"], group["foreach"]) == (False, False)


@pytest.mark.parametrize("stop", [1, 3, 4])  # the first epoch of 7 batches: groups of 3, 3 and 1
def test_accumulated_batches_go_on_too(tmp_path, stop):
    options = {"accumulate": 3, "every": 1, "validate_every": 50}
    whole, parted = small_model(tied=True), small_model(tied=True)
    history = train(tmp_path / "whole", whole, steps=7, **options)
    train(tmp_path / "parted", parted, steps=stop, **options)
    again = train(tmp_path / "parted", parted, steps=7, **options)
    assert (again.loss, again.tokens) == (history.loss, history.tokens)
    assert torch.equal(whole.target.weight, parted.target.weight)


class Shuffled:
    """Draw the order of an epoch from PyTorch's own generator when it begins."""

    def __iter__(self):
        pairs = small_batches().pairs
        order = torch.randperm(len(pairs)).tolist()
        return (Batch.of(pairs, order[i : i + 5]) for i in range(0, len(order), 5))


class Noisy:
    """Draw one of the batches anew whenever one is asked for, as augmented pictures are."""

    def __iter__(self):
        batches = list(small_batches())
        return (batches[torch.randint(len(batches), ())] for _ in batches)


def loader(**options) -> torch.utils.data.DataLoader:
    return torch.utils.data.DataLoader(list(small_batches()), batch_size=None, **options)


@pytest.mark.parametrize(
    "make",
    [
        Shuffled,
        Noisy,
        lambda: loader(shuffle=True),
        lambda: loader(shuffle=True, generator=torch.Generator()),
        lambda: loader(
            sampler=torch.utils.data.RandomSampler(range(7), generator=torch.Generator())
        ),
    ],
    ids=["epoch", "batch", "loader", "loader's own", "sampler's own"],
)
def test_batches_are_drawn_again_wherever_they_are_drawn_from(tmp_path, make):
    """The kind: a training that goes on gets other batches, in silence."""

    def run(folder, steps):
        model = small_model(0)
        history = fit(model, make(), steps=steps, checkpoint=folder, progress=False, device="cpu")
        return history.loss

    whole = run(tmp_path / "whole", 17)
    for steps in (3, 7, 10, 17):
        parts = run(tmp_path / "parts", steps)
    assert parts == whole


def test_beginning_anew_replaces_the_checkpoint(tmp_path, reference):
    train(tmp_path, small_model(7, tied=True), steps=9)
    train(tmp_path, resume=False)
    assert_same(tmp_path, reference)


def test_float16_goes_on_with_its_scale(tmp_path):
    options = {"precision": "float16", "validation": None}
    whole = train(tmp_path / "whole", small_model(0), **options)
    for steps in (2, 9, STEPS):
        parts = train(tmp_path / "parts", small_model(0), **(options | {"steps": steps}))
    assert parts.loss == whole.loss
    scaler = read_checkpoint(tmp_path / "parts").extra["scaler"]
    assert scaler == read_checkpoint(tmp_path / "whole").extra["scaler"]
    assert scaler["_growth_tracker"] == STEPS


# What is refused


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate", 0.04),
        ("clip", None),
        ("label_smoothing", 0.0),
        ("precision", "bfloat16"),
        ("seed", 1),
        ("accumulate", 2),
    ],
)
def test_a_checkpoint_of_other_settings_is_refused(reference, name, value):
    model = small_model(3, tied=True)
    before = model.target.weight.clone()
    with refused(ValueError, name, str(value), str(reference), "resume=False"):
        train(reference, model, **{name: value})
    assert torch.equal(model.target.weight, before)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": 5}, ["steps is 5", "has 17"]),
        ({"steps": None, "epochs": 2}, ["epochs is 2", "in epoch 3"]),
    ],
    ids=["steps", "epochs"],
)
def test_a_checkpoint_with_more_steps_is_refused_before_its_weights_are_taken(
    reference, options, words
):
    model = small_model(3, tied=True)
    with refused(ValueError, *words):
        train(reference, model, **options)
    assert torch.equal(model.target.weight, small_model(3, tied=True).target.weight)


def test_a_checkpoint_of_more_batches_is_refused(reference):
    with refused(ValueError, "gave only 2 batches", "had used 3"):
        fit(
            small_model(tied=True),
            small_batches(sentences=20),
            steps=30,
            learning_rate=0.2,
            label_smoothing=0.1,
            device="cpu",
            checkpoint=reference,
            progress=False,
        )


def test_a_checkpoint_that_fit_did_not_make_is_refused(tmp_path):
    model = small_model(tied=True)
    optimiser = torch.optim.Adam(model.parameters())
    save_checkpoint(tmp_path, model, optimiser, step=3)
    with refused(CheckpointError, str(tmp_path), "not made by fit"):
        train(tmp_path)


def test_a_damaged_checkpoint_is_refused_and_left_alone(tmp_path, reference):
    content = (reference / "checkpoint.safetensors").read_bytes()
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(content[:-1])
    with refused(CheckpointError, str(path), "cut off"):
        train(tmp_path)
    assert path.read_bytes() == content[:-1]
    train(tmp_path, resume=False)
    assert_same(tmp_path, reference)


def test_the_caller_gets_the_whole_record(tmp_path):
    options = {"validation": None}
    first = train(tmp_path, steps=5, **options)
    second = train(tmp_path, steps=9, **options)
    assert second.step == list(range(1, 10))
    assert second.loss[:5] == first.loss
    assert second.seconds[:5] == first.seconds
    assert second.seconds == sorted(second.seconds)
    assert isinstance(second, History)
