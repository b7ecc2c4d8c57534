"""attncourse.training.loop: one step, many steps, validation, and what goes wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from small_training import (
    ONE_PAIR,
    QUIET,
    Biases,
    Recording,
    corpus,
    plain_sgd,
    same_weights,
    small_batches,
    small_model,
)
from support import refused
from torch import nn

import attncourse.training.state
from attncourse.data.batches import Batch, Batches
from attncourse.data.vocabulary import EOS
from attncourse.training import (
    Checkpoints,
    History,
    Validation,
    batch_loss,
    fit,
    mean_loss,
    read_checkpoint,
)

# One step


def gradient_by_hand(logits: torch.Tensor) -> torch.Tensor:
    """The gradient for ONE_PAIR: the softmax, less half at 5 and half at <eos>."""
    gradient = logits.softmax(-1)
    gradient[[5, EOS]] -= 0.5
    return gradient


@pytest.mark.parametrize("clip", [None, 0.1, 1.0, 100.0])
def test_gradients_are_clipped_by_their_norm_together(clip):
    model = Biases()
    history = fit(
        model, [Batch.of(ONE_PAIR)], steps=1, optimiser=plain_sgd(model), clip=clip, **QUIET
    )
    # At zero: 6 of the 8 entries are 1/8, two are -3/8, so the square is 24/64; two such vectors.
    norm = math.sqrt(2 * 24 / 64)
    assert history.gradient_norm == [pytest.approx(norm, rel=1e-6)]
    factor = 1.0 if clip is None else min(1.0, clip / norm)
    step = -factor * gradient_by_hand(torch.zeros(8))
    torch.testing.assert_close(model.first.detach(), step, rtol=1e-5, atol=0)
    torch.testing.assert_close(model.second.detach(), step, rtol=1e-5, atol=0)


def test_the_schedule_counts_from_one_and_acts_on_its_own_step():
    model, factors, seen = Biases(), {1: 1.0, 2: 0.25, 3: 0.0, 4: 2.0}, []
    history = fit(
        model,
        [Batch.of(ONE_PAIR)],
        steps=4,
        optimiser=plain_sgd(model, 0.5),
        schedule=factors.get,
        clip=None,
        callbacks=[lambda step, model, history: seen.append(model.logits())],
        **QUIET,
    )
    assert history.learning_rate == [0.5, 0.125, 0.0, 1.0]
    logits = torch.zeros(8)
    for step in range(4):  # each of the two parameters moves by the same
        logits = logits - 2 * 0.5 * factors[step + 1] * gradient_by_hand(logits)
        torch.testing.assert_close(seen[step], logits)


@pytest.mark.parametrize("accumulate", [2, 3, 7])
def test_accumulated_gradients_are_those_of_one_large_batch(accumulate):
    """Batches of very different numbers of tokens: a mean of their means would show."""
    whole, parts = (small_model(dropout=0.0).double() for _ in range(2))
    pairs = corpus(accumulate)
    options = {"steps": 1, "label_smoothing": 0.1, **QUIET}
    large = fit(whole, Batches(pairs, sentences=accumulate), **options)
    small = fit(parts, Batches(pairs, sentences=1), accumulate=accumulate, **options)
    assert small.tokens == large.tokens
    assert small.loss == pytest.approx(large.loss, rel=1e-12)
    assert small.gradient_norm == pytest.approx(large.gradient_norm, rel=1e-12)
    for mine, theirs in zip(parts.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-10, atol=1e-14)


def test_an_epochs_last_step_may_have_fewer_batches():
    batches = Batches([([4], [5])] * 5, sentences=1)
    history = fit(small_model(), batches, epochs=2, accumulate=2, **QUIET)
    assert history.tokens == [4, 4, 2, 4, 4, 2]
    with refused(ValueError, "accumulate", "positive", "0"):
        fit(small_model(), batches, steps=1, accumulate=0, **QUIET)


def test_the_default_is_adam_with_a_rate_of_a_thousandth():
    model, others = Biases(), Biases()
    history = fit(model, [Batch.of(ONE_PAIR)], steps=5, clip=None, **QUIET)
    assert history.learning_rate == [0.001] * 5
    optimiser = torch.optim.Adam(others.parameters(), lr=0.001)
    for _ in range(5):
        optimiser.zero_grad()
        batch_loss(others, Batch.of(ONE_PAIR)).backward()
        optimiser.step()
    torch.testing.assert_close(model.first, others.first)


def test_an_optimiser_keeps_its_rate_when_it_is_used_again_unless_it_is_given_another():
    """Kind: ignored in silence. A rate that was set by hand counts."""
    model = Biases()
    optimiser = plain_sgd(model, 0.5)
    options = {"steps": 2, "optimiser": optimiser, "schedule": lambda step: 1 / step}
    for given, rate in ((None, 0.5), (None, 0.5), (0.3, 0.3), (None, 0.3)):
        if given is not None:
            optimiser.param_groups[0]["lr"] = given
        history = fit(model, [Batch.of(ONE_PAIR)], **options, **QUIET)
        assert history.learning_rate == [rate, rate / 2]


def test_the_loss_of_a_step_is_the_one_before_its_update():
    model = Biases()
    history = fit(
        model,
        [Batch.of(ONE_PAIR)],
        steps=2,
        optimiser=plain_sgd(model),
        label_smoothing=0.1,
        **QUIET,
    )
    assert history.loss[0] == pytest.approx(math.log(8), rel=1e-6)
    assert history.loss[1] < history.loss[0]
    assert history.tokens == [2, 2]


# Many steps


def test_a_model_learns_what_there_is_to_learn():
    model = small_model(dropout=0.0)
    pairs = [([token], [token + 1]) for token in range(4, 20)]
    batches = Batches(pairs, sentences=4, generator=torch.Generator())
    history = fit(model, batches, epochs=60, learning_rate=0.05, **QUIET)
    assert history.loss[0] > 2.5
    assert mean_loss(model, batches) < 0.05


def test_steps_and_epochs_are_counted():
    seen, batches = [], small_batches()
    for options, steps in (({"steps": 9}, 9), ({"epochs": 2}, 14), ({"steps": 1}, 1)):
        seen.clear()
        history = fit(
            small_model(),
            batches,
            callbacks=[lambda step, *_: seen.append(step)],
            **options,
            **QUIET,
        )
        assert history.step == seen == list(range(1, steps + 1))
        assert len(history.loss) == len(history.seconds) == steps
        assert all(count > 0 for count in history.tokens)
    epoch = sum(len(target) + 1 for _, target in corpus())
    assert sum(fit(small_model(), batches, epochs=3, **QUIET).tokens) == 3 * epoch


def test_the_same_seed_gives_the_same_weights_and_another_others():
    def trained(seed: int, dropout: float, **options) -> nn.Module:
        batches = small_batches(**options)
        if batches.generator is not None:
            batches.generator.manual_seed(int(torch.randint(99, ())))  # fit seeds it
        model = small_model(dropout=dropout)
        fit(model, batches, steps=9, seed=seed, **QUIET)
        return model

    orderly = {"generator": None}
    for dropout, options in ((0.3, orderly), (0.0, {}), (0.3, {})):
        assert same_weights(trained(3, dropout, **options), trained(3, dropout, **options))
        assert not same_weights(trained(3, dropout, **options), trained(4, dropout, **options))
    # Where nothing is drawn, the seed does nothing.
    assert same_weights(trained(3, 0.0, **orderly), trained(4, 0.0, **orderly))


def test_the_callers_random_state_stays_as_it_was(device):
    torch.manual_seed(5)
    expected = torch.rand(3), torch.rand(3, device=device)
    torch.manual_seed(5)
    fit(small_model(), small_batches(), steps=3, device=device, progress=False)
    assert torch.equal(torch.rand(3), expected[0])
    assert torch.equal(torch.rand(3, device=device), expected[1])


def test_the_model_is_trained_on_its_device_and_left_in_evaluation_mode(device):
    model = small_model().eval()
    modes = []
    fit(
        model,
        small_batches(),
        steps=8,
        device=device,
        progress=False,
        validation=Validation(small_batches(), every=2),
        callbacks=[lambda step, model, history: modes.append(model.training)],
    )
    assert modes == [True] * 8
    assert not model.training
    assert {each.device.type for each in model.parameters()} == {device.type}


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_the_precision_is_one_argument(device, precision):
    model = Recording(small_model(dropout=0.0))
    options = {"steps": 12, "learning_rate": 0.03, "device": device, "progress": False}
    history = fit(
        model, small_batches(), precision=precision, validation=small_batches(), **options
    )
    assert {str(each.dtype) for each in model.logits} == {f"torch.{precision}"}
    assert {each.dtype for each in model.parameters()} == {torch.float32}
    exact = fit(small_model(dropout=0.0), small_batches(), validation=small_batches(), **options)
    assert history.loss == pytest.approx(exact.loss, rel=2e-2)
    assert history.validation_loss == pytest.approx(exact.validation_loss, rel=2e-2)
    assert history.gradient_norm == pytest.approx(exact.gradient_norm, rel=0.1)
    assert (history.loss == exact.loss) == (precision == "float32")


def test_a_step_that_overflows_in_float16_is_left_out(device):
    model, seen = small_model(dropout=0.0), []
    with torch.no_grad():
        model.target.weight.mul_(300)  # the scaled gradient of the output weights is too large
    first = {name: each.clone() for name, each in model.state_dict().items()}
    history = fit(
        model,
        small_batches(),
        steps=9,
        precision="float16",
        device=device,
        progress=False,
        callbacks=[lambda *_: seen.append(model.output.weight.detach().cpu().clone())],
    )
    assert history.gradient_norm[0] is None
    assert torch.equal(seen[0], first["output.weight"])
    assert history.gradient_norm[-1] is not None
    assert not torch.equal(seen[-1], first["output.weight"])
    assert History.from_json(history.to_json()) == history


# Validation and early stopping


def scripted(monkeypatch, losses: list[float]) -> None:
    """Let the validations give these losses."""
    given = iter(losses)
    monkeypatch.setattr(attncourse.training.state, "mean_loss", lambda *_, **__: next(given))


def test_the_best_weights_are_kept_and_the_training_stops_in_time(monkeypatch):
    # 1.5 again is no new best; 1.25 is, and after it there are three that are not.
    scripted(monkeypatch, [2.0, 1.5, 1.5, 1.75, 1.25, 1.5, 1.25, 1.375])
    model, seen = small_model(tied=True), {}
    history = fit(
        model,
        small_batches(),
        steps=100,
        validation=Validation(small_batches(), every=2, patience=3),
        callbacks=[lambda step, *_: seen.update({step: model.output.weight.clone()})],
        **QUIET,
    )
    assert history.validation_step == [2, 4, 6, 8, 10, 12, 14, 16]
    assert history.step[-1] == 16
    assert (history.best_step, history.since_best) == (10, 3)
    assert torch.equal(model.output.weight, seen[10])
    assert model.output.weight is model.target.weight
    assert not torch.equal(seen[10], seen[16])


def test_the_best_weights_are_kept_when_the_steps_run_out(monkeypatch):
    scripted(monkeypatch, [1.0, 2.0, 3.0])
    model, seen = small_model(), {}
    fit(
        model,
        small_batches(),
        steps=5,
        validation=Validation(small_batches(), every=2, patience=7),
        callbacks=[lambda step, *_: seen.update({step: model.output.weight.clone()})],
        **QUIET,
    )
    assert torch.equal(model.output.weight, seen[2])


def test_without_patience_the_last_weights_stay(monkeypatch):
    scripted(monkeypatch, [1.0, 2.0, 3.0])
    model, same = small_model(), small_model()
    fit(model, small_batches(), steps=5, validation=Validation(small_batches(), every=2), **QUIET)
    fit(same, small_batches(), steps=5, **QUIET)
    assert same_weights(model, same)


def test_it_stops_when_training_makes_the_validation_worse():
    model = Biases()
    history = fit(
        model,
        [Batch.of([([4], [5])])],
        steps=50,
        optimiser=plain_sgd(model),
        validation=Validation([Batch.of([([4], [6])])], every=1, patience=2),
        **QUIET,
    )
    # <eos> is learnt as well, so the loss on 6 falls at first.
    worst = history.validation_loss
    assert history.best_step == worst.index(min(worst)) + 1 == history.step[-1] - 2
    assert mean_loss(model, [Batch.of([([4], [6])])]) == pytest.approx(min(worst), rel=1e-6)


def test_validation_is_in_evaluation_mode_without_smoothing_and_changes_no_weight():
    model, seen = small_model(dropout=0.5), {}
    history = fit(
        model,
        small_batches(),
        steps=15,
        validation=small_batches(),
        label_smoothing=0.3,
        callbacks=[lambda step, *_: seen.update({step: model.state_dict()["output.bias"].clone()})],
        **QUIET,
    )
    assert history.validation_step == [7, 14, 15]  # the epochs' ends and the last step
    assert history.validation_loss[-1] == pytest.approx(mean_loss(model, small_batches()), rel=1e-6)
    without = small_model(dropout=0.5)
    fit(without, small_batches(), steps=15, label_smoothing=0.3, **QUIET)
    assert same_weights(model, without)


# When it goes wrong


class Breaking(nn.Module):
    """A model that goes wrong in the fourth call: its logits, or only its gradient."""

    def __init__(self, how: str):
        super().__init__()
        self.model = small_model(dropout=0.0)
        self.zero = nn.Parameter(torch.zeros(()))
        self.how, self.calls = how, 0

    def forward(self, *arguments):
        self.calls += 1
        logits = self.model(*arguments)
        if self.calls != 4:
            return logits
        if self.how == "gradient":
            return logits + 0 * self.zero.sqrt()  # whose slope at zero is infinite: 0 times that
        return logits * float(self.how)


@pytest.mark.parametrize(
    ("how", "what"),
    [("nan", "the loss is nan"), ("inf", "the loss is nan"), ("gradient", "gradients is nan")],
)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_loss_that_is_not_finite_stops_the_training_before_the_step(
    tmp_path, how, what, precision
):
    model, before = Breaking(how), Breaking(how)
    options = {"precision": precision, "checkpoint": Checkpoints(tmp_path, every=2), **QUIET}
    with refused(FloatingPointError, "step 4", what, "after step 3", str(tmp_path), "stays"):
        fit(model, small_batches(), steps=9, **options)
    fit(before, small_batches(), steps=3, **(options | {"checkpoint": None}))
    assert same_weights(model, before)
    assert read_checkpoint(tmp_path).step == 2


def test_a_float16_gradient_that_is_never_finite_stops_the_training():
    class Never(Biases):
        def forward(self, source, target, source_mask=None, target_mask=None):
            return super().forward(source, target) + 0 * self.first.sum().mul(0).sqrt()

    with refused(FloatingPointError, "the norm of the gradients is nan"):
        fit(Never(), [Batch.of(ONE_PAIR)], steps=99, precision="float16", **QUIET)


def test_weights_that_are_not_finite_do_not_replace_a_checkpoint(tmp_path):
    def callback(step, model, history):
        if step == 3:
            model.output.bias.data[2] = math.inf

    with refused(FloatingPointError, "step 3", "output.bias is not finite", "stays"):
        fit(
            small_model(),
            small_batches(),
            steps=9,
            callbacks=[callback],
            checkpoint=Checkpoints(tmp_path, every=1),
            **QUIET,
        )
    assert read_checkpoint(tmp_path).step == 2


def test_a_validation_loss_that_is_not_finite_stops_the_training(monkeypatch):
    scripted(monkeypatch, [1.0, math.nan])
    batches = small_batches()
    with refused(FloatingPointError, "step 4", "the validation loss is nan"):
        fit(small_model(), batches, steps=9, validation=Validation(batches, every=2), **QUIET)


def test_a_checkpoint_that_is_not_there_yet_is_not_spoken_of(tmp_path):
    with pytest.raises(FloatingPointError) as caught:
        fit(Breaking("nan"), small_batches(), steps=9, checkpoint=tmp_path, **QUIET)
    assert "checkpoint" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("own_errors")
def test_numbers_may_be_numpys(tmp_path):
    numbers = {"accumulate": np.int64(2), "seed": np.int64(3), "clip": np.float32(0.5)}
    plain = {"accumulate": 2, "seed": 3, "clip": 0.5}
    first = fit(small_model(), small_batches(), steps=5, checkpoint=tmp_path, **numbers, **QUIET)
    again = fit(small_model(), small_batches(), steps=5, checkpoint=tmp_path, **plain, **QUIET)
    assert again.loss == first.loss
