"""attncourse.training.options: what `fit` refuses, by its name, before anything is changed."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from small_training import QUIET, VOCABULARY, corpus, plain_sgd, small_batches, small_model
from support import refused
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau, StepLR

from attncourse.data.batches import Batch
from attncourse.training import Checkpoints, Validation, fit
from attncourse.transformer import Transformer, TransformerConfig

pytestmark = pytest.mark.usefixtures("own_errors")
MODEL = small_model()


def refuses(error: type[Exception], *words: str, model: nn.Module = MODEL, **options) -> None:
    with refused(error, *words):
        fit(model, **({"batches": small_batches(), "steps": 3} | QUIET | options))


def test_bad_numbers_are_named():
    refuses(TypeError, "either steps or epochs", epochs=3)
    refuses(TypeError, "either steps or epochs", steps=None)
    refuses(ValueError, "steps", "positive", "0", steps=0)
    refuses(TypeError, "steps", "integer", "float", steps=2.5)
    refuses(ValueError, "epochs", "positive", "-1", steps=None, epochs=-1)
    refuses(TypeError, "epochs", "integer", "float", steps=None, epochs=1.5)
    refuses(ValueError, "accumulate", "positive", "0", accumulate=0)
    refuses(ValueError, "seed", "negative", "-1", seed=-1)
    refuses(TypeError, "seed", "integer", "float", seed=1.5)
    refuses(ValueError, "seed", "2**64", str(2**64), seed=2**64)
    refuses(TypeError, "learning_rate", "number", "str", learning_rate="0.1")
    for wrong in (-0.1, math.nan, math.inf):
        refuses(ValueError, "learning_rate", str(wrong), learning_rate=wrong)
    refuses(TypeError, "label_smoothing", "number", "str", label_smoothing="0.1")
    refuses(ValueError, "clip", "0", clip=0)
    refuses(TypeError, "clip", "str", clip="1")
    refuses(ValueError, "precision", "half", precision="half")
    refuses(ValueError, "tpu9", device="tpu9")
    config = TransformerConfig(VOCABULARY, embed_dim=8, num_heads=2, ffn_dim=12, num_layers=1)
    for wrong in (2, -0.5, math.nan):
        for model in (MODEL, Transformer(config)):
            refuses(ValueError, "label_smoothing", str(wrong), model=model, label_smoothing=wrong)


@pytest.mark.parametrize(("wrong", "error"), [(0, ValueError), (2.5, TypeError)])
def test_bad_numbers_in_a_group_of_options_are_named(wrong, error):
    for name in ("every", "patience"):
        with refused(error, name):
            Validation(small_batches(), **{name: wrong})
    with refused(error, "every"):
        Checkpoints("runs", every=wrong)
    with refused(TypeError, "resume", "'no'"):
        Checkpoints("runs", resume="no")


# The kind: what trains nothing in silence, or fails with an error of somebody else's


def test_an_optimiser_of_another_model_is_refused():
    """A cell that builds model and optimiser, of which only the first half is run again."""
    model, older = small_model(), small_model()
    for optimiser in (plain_sgd(older), lambda _: plain_sgd(older)):
        refuses(
            ValueError,
            "optimiser",
            "4 of 4",
            "model.parameters()",
            model=model,
            optimiser=optimiser,
        )
    both = torch.optim.SGD([*model.parameters(), *older.output.parameters()], lr=1.0)
    refuses(ValueError, "optimiser", "2 of 6", model=model, optimiser=both)


def test_an_optimiser_may_hold_a_part_of_the_weights():
    model, before = small_model(), small_model()
    part = torch.optim.SGD(model.output.parameters(), lr=1.0)
    fit(model, small_batches(), steps=2, optimiser=part, **QUIET)
    assert torch.equal(model.source.weight, before.source.weight)
    assert not torch.equal(model.output.weight, before.output.weight)
    model.output.requires_grad_(False)
    refuses(ValueError, "optimiser", "2 weights", "all frozen", model=model, optimiser=part)


def test_the_weights_that_an_optimiser_leaves_alone_do_not_count():
    """Kind: gradients that nobody cleared grew from step to step, and clipped all the others."""
    histories = []
    for frozen in (True, False):
        model = small_model(dropout=0.0)
        model.source.requires_grad_(not frozen)
        model.target.requires_grad_(not frozen)
        part = torch.optim.SGD(model.output.parameters(), lr=1.0)
        histories.append(fit(model, small_batches(), steps=5, optimiser=part, clip=0.1, **QUIET))
    alone, beside = histories
    assert beside.loss == pytest.approx(alone.loss)
    assert beside.gradient_norm == pytest.approx(alone.gradient_norm)
    assert model.source.weight.grad is None


@pytest.mark.parametrize(
    ("optimiser", "words"),
    [
        (torch.optim.LBFGS(MODEL.parameters()), ["LBFGS", "torch.optim.Adam"]),
        (torch.optim.Adam, ["the class Adam", "model.parameters()"]),
        ("adam", ["got str"]),
        (lambda model: None, ["got NoneType"]),
    ],
    ids=["LBFGS", "class", "name", "nothing"],
)
def test_what_is_no_optimiser_of_single_steps_is_refused(optimiser, words):
    refuses(TypeError, "optimiser", *words, optimiser=optimiser)


@pytest.mark.parametrize("scheduler", [lambda it: StepLR(it, 3), ReduceLROnPlateau])
def test_a_scheduler_of_pytorchs_is_refused(scheduler):
    optimiser = plain_sgd(MODEL)
    scheduler = scheduler(optimiser)
    refuses(
        TypeError,
        *("schedule", type(scheduler).__name__, "linear_schedule"),
        optimiser=optimiser,
        schedule=scheduler,
    )


@pytest.mark.parametrize(
    ("schedule", "error", "words"),
    [
        (StepLR, TypeError, ["the class StepLR"]),
        (0.5, TypeError, ["float"]),
        ({1: 1.0}.get, TypeError, ["None", "at 2"]),
        (lambda step: math.nan, ValueError, ["nan", "at 1"]),
        (lambda step: -1, ValueError, ["-1", "at 1"]),
    ],
    ids=["class", "number", "gap", "nan", "negative"],
)
def test_a_schedule_that_gives_no_factor_is_refused(schedule, error, words):
    refuses(error, "schedule", *words, schedule=schedule)


def test_the_default_optimisers_rate_is_not_another_ones():
    refuses(TypeError, "learning_rate", optimiser=plain_sgd(MODEL), learning_rate=0.1)


def test_a_model_that_cannot_learn_is_refused():
    refuses(ValueError, "model", "4 that are all frozen", model=small_model().requires_grad_(False))
    refuses(ValueError, "model", "got none", model=nn.ReLU())
    refuses(TypeError, "model", "Batches", model=small_batches())
    refuses(ValueError, "model", 'device "meta"', "source.weight", model=small_model().to("meta"))
    with torch.inference_mode():
        made = small_model()
    refuses(ValueError, "model", "inference_mode", "source.weight", model=made)


@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
def test_training_without_gradients_is_refused(off):
    with off():
        refuses(RuntimeError, "no_grad", "inference_mode", "call fit outside")


def test_pairs_in_place_of_batches_are_refused():
    pairs = corpus(7)
    refuses(TypeError, "batches", "tuple", "Batches(pairs", batches=pairs)
    refuses(TypeError, "validation must give", "tuple", "Batches(pairs", validation=pairs)
    loader = torch.utils.data.DataLoader(pairs, batch_size=None)
    refuses(TypeError, "batches", "Batches(pairs", batches=loader)


def test_what_gives_no_batches_again_and_again_is_refused():
    refuses(TypeError, "batches", "got Batch", batches=Batch.of(corpus(3)))
    refuses(TypeError, "batches", "generator", batches=(each for each in small_batches()))
    refuses(TypeError, "validation", "list_iterator", validation=iter([]))
    for nothing in ([], torch.utils.data.DataLoader([]), torch.zeros(0, 3)):
        refuses(ValueError, "batches", "at least one", batches=nothing)
        refuses(ValueError, "validation", "at least one batch", validation=nothing)


def test_a_single_callback_is_refused_before_the_first_step():
    model = small_model()
    refuses(TypeError, "callbacks", "function", model=model, callbacks=lambda *_: None)
    assert torch.equal(model.output.weight, small_model().output.weight)


def test_a_loss_of_ones_own_is_a_function_and_smooths_by_itself():
    refuses(TypeError, "loss", "str", loss="mse")
    refuses(TypeError, "label_smoothing", loss=lambda *_: None, label_smoothing=0.1)
    refuses(TypeError, "loss", "one number", "NoneType", loss=lambda *_: None)
    refuses(TypeError, "loss", "one number", "(2,)", loss=lambda *_: torch.ones(2))
    refuses(ValueError, "loss", "gradient", loss=lambda *_: torch.ones(()))


# The kind: a refused call has changed something


class Placed(nn.Linear):
    """Remember every device that it was moved to."""

    def __init__(self):
        super().__init__(2, 3)
        self.places: list[str] = []

    def to(self, device):
        self.places.append(str(device))
        return super().to(device)


@pytest.mark.parametrize(
    ("options", "places"),
    [
        ({"steps": 0}, []),
        ({"optimiser": "adam"}, []),
        ({"schedule": 1.0}, []),
        ({"callbacks": print}, []),
        ({"optimiser": lambda model: plain_sgd(small_model())}, ["cpu", "cpu"]),
        ({"learning_rate": -1.0}, []),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_refused_model_stays_where_it_was(options, places):
    """What shows only on the device, as the optimiser that is made there, moves it back."""
    model = Placed()
    with pytest.raises((TypeError, ValueError)):
        fit(model, **({"batches": small_batches(), "steps": 3} | QUIET | options))
    assert model.places == places


@pytest.mark.parametrize(
    "options", [{"device": "tpu9"}, {"steps": 0}, {"batches": corpus(3)}, {"schedule": 1.0}]
)
def test_a_refused_call_leaves_no_folder(tmp_path, options):
    settings = {"batches": small_batches(), "steps": 3, "checkpoint": tmp_path / "none"}
    with pytest.raises((TypeError, ValueError)):
        fit(small_model(), **(settings | QUIET | options))
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("name", ["model.pt", "model.pt/a.safetensors", "model.pt/new/folder"])
def test_a_file_in_the_place_of_the_checkpoints_folder_is_named(tmp_path, name):
    """Kind: an error of somebody else's, and a file that may be lost."""
    file = tmp_path / "model.pt"
    file.write_text("weights")
    refuses(ValueError, "checkpoint", "folder", str(file), checkpoint=tmp_path / name)
    assert file.read_text() == "weights"


# The kind: NumPy's numbers, which JSON refuses


@pytest.mark.parametrize("number", [np.float32, np.float64, np.int64, torch.tensor])
def test_numbers_may_be_numpys(tmp_path, number):
    """A weight decay shows only at the first checkpoint."""

    def optimiser(decay):
        return lambda model: torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=decay)

    numbers = {"accumulate": np.int64(2), "seed": np.int64(3), "clip": np.float32(0.5)}
    plain = {"accumulate": 2, "seed": 3, "clip": 0.5}
    options = {"checkpoint": tmp_path, **QUIET}
    numbers |= {"optimiser": optimiser(number(1)), "steps": np.int64(5)}
    first = fit(small_model(), small_batches(), **numbers, **options)
    plain |= {"optimiser": optimiser(1), "steps": 5}
    again = fit(small_model(), small_batches(), **plain, **options)
    assert again.loss == first.loss


def test_a_setting_that_no_checkpoint_can_hold_is_refused_before_the_first_step(tmp_path):
    optimiser = plain_sgd(MODEL)
    optimiser.param_groups[0]["names"] = {"a", "b"}
    words = "optimiser", "set"
    refuses(TypeError, *words, optimiser=optimiser, checkpoint=tmp_path / "none")
    assert not (tmp_path / "none").exists()


# The kind: batches that a training which goes on would not get again


@pytest.mark.parametrize("name", ["batches", "validation"])
def test_processes_that_draw_on_are_refused_where_a_training_can_go_on(tmp_path, name):
    loader = torch.utils.data.DataLoader(
        list(small_batches()),
        batch_size=None,
        shuffle=True,
        num_workers=1,
        persistent_workers=True,
    )
    words = name, "persistent_workers=True", "persistent_workers=False"
    refuses(ValueError, *words, checkpoint=tmp_path / "none", **{name: loader})
    assert not (tmp_path / "none").exists()
