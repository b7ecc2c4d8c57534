"""attncourse.training: the loss, one step, many steps, and what is shown of them."""

from __future__ import annotations

import io
import json
import math
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from small_training import STEPS, VOCABULARY, corpus, small_batches, small_model
from support import refused
from torch import nn

import attncourse.training.state
from attncourse.data.batches import Batch, Batches
from attncourse.data.vocabulary import BOS, EOS
from attncourse.training import (
    History,
    batch_loss,
    fit,
    mean_loss,
    read_checkpoint,
    sequence_loss,
)
from attncourse.training.progress import Lines
from attncourse.transformer import Transformer, TransformerConfig

QUIET = {"device": "cpu", "progress": False}


class Biases(nn.Module):
    """Give the same logits everywhere: the sum of two parameters, whose gradients are equal."""

    def __init__(self):
        super().__init__()
        self.first = nn.Parameter(torch.zeros(8))
        self.second = nn.Parameter(torch.zeros(8))

    def forward(self, source, target, source_mask=None, target_mask=None):
        return (self.first + self.second).expand(*target.shape, 8)

    def logits(self) -> torch.Tensor:
        return (self.first + self.second).detach().clone()


class Copying(nn.Module):
    """Answer each token with a token, by heart: with itself, or with what `answers` says."""

    def __init__(self, answers: dict[int, int] | None = None):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(60.0))
        self.answers = answers or {}

    def forward(self, source, target, source_mask=None, target_mask=None):
        answers = target.clone()
        for token, answer in self.answers.items():
            answers[target == token] = answer
        return self.scale * F.one_hot(answers, VOCABULARY)


class Recording(nn.Module):
    """Keep what it was called with."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model
        self.calls: list = []
        self.logits: list = []

    def forward(self, *arguments):
        self.calls.append(arguments)
        self.logits.append(self.model(*arguments))
        return self.logits[-1]


ONE_PAIR = [([4], [5])]  # two labels: 5 and <eos>


def plain_sgd(model: nn.Module, rate: float = 1.0) -> torch.optim.SGD:
    return torch.optim.SGD(model.parameters(), lr=rate)


def same_weights(ours: nn.Module, others: nn.Module) -> bool:
    pairs = zip(ours.state_dict().values(), others.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


# The loss


def test_the_loss_is_the_mean_over_real_tokens_by_hand():
    # The first sentence has two real tokens, with probabilities 1/2 and 1/4, the second one, 1/8.
    probabilities = torch.tensor(
        [
            [[1 / 4, 1 / 4, 1 / 2, 0], [1 / 4, 1 / 8, 1 / 8, 1 / 2]],
            [[1 / 8, 1 / 2, 1 / 4, 1 / 8], [0.97, 0.01, 0.01, 0.01]],
        ]
    )
    labels = torch.tensor([[2, 0], [3, 0]])
    mask = torch.tensor([[True, True], [True, False]])
    loss = sequence_loss(probabilities.log(), labels, mask)
    assert loss.item() == pytest.approx((1 + 2 + 3) * math.log(2) / 3, rel=1e-6)


def test_a_smoothed_loss_by_hand():
    # 0.7 of the probability where 1 - 0.2 + 0.2/4 = 0.85 is wanted, 0.1 where 0.05 is, thrice.
    logits = torch.tensor([[[0.1, 0.7, 0.1, 0.1]]]).log()
    loss = sequence_loss(logits, torch.tensor([[1]]), torch.tensor([[True]]), 0.2)
    by_hand = -(0.85 * math.log(0.7) + 3 * 0.05 * math.log(0.1))
    assert loss.item() == pytest.approx(by_hand, rel=1e-6)


@st.composite
def sequences(draw):
    """Draw logits, labels and a mask with at least one real token."""
    batch, length, vocabulary = (draw(st.integers(1, most)) for most in (3, 5, 7))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
    logits = torch.randn(batch, length, vocabulary, generator=generator, dtype=torch.float64) * 3
    labels = torch.randint(vocabulary, (batch, length), generator=generator)
    mask = torch.rand(batch, length, generator=generator) < 0.6
    mask[0, 0] = True
    return logits, labels, mask, draw(st.sampled_from([0.0, 0.1, 1.0]))


@given(sequences())
def test_the_loss_is_pytorchs_on_the_real_tokens_alone(case):
    logits, labels, mask, smoothing = case
    loss = sequence_loss(logits, labels, mask, smoothing)
    expected = F.cross_entropy(logits[mask], labels[mask], label_smoothing=smoothing)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)


@given(sequences(), st.integers(0, 3))
def test_padding_changes_nothing(case, more):
    logits, labels, mask, smoothing = case
    logits.requires_grad_()
    loss = sequence_loss(logits, labels, mask, smoothing)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert (gradient[~mask] == 0).all()
    # Other ids, also such as are no token, other logits, and more columns.
    others = F.pad(torch.where(mask, labels, 10**6), (0, more), value=-7)
    other_logits = F.pad(torch.where(mask[..., None], logits, 1e4), (0, 0, 0, more), value=3.0)
    again = sequence_loss(other_logits, others, F.pad(mask, (0, more)), smoothing)
    assert again.item() == pytest.approx(loss.item(), rel=1e-12)


def test_without_real_tokens_the_loss_and_its_gradient_are_zero():
    logits = torch.randn(2, 3, 5, requires_grad=True)
    none = torch.zeros(2, 3, dtype=torch.bool)
    loss = sequence_loss(logits, torch.zeros(2, 3, dtype=torch.int64), none)
    loss.backward()
    assert loss.item() == 0
    assert (logits.grad == 0).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_summed_in_single(device, dtype):
    logits = torch.randn(3, 7, 11, dtype=dtype, device=device)
    labels = torch.randint(11, (3, 7), device=device)
    mask = torch.ones(3, 7, dtype=torch.bool, device=device)
    loss = sequence_loss(logits, labels, mask, 0.1)
    assert loss.dtype is torch.float32
    expected = sequence_loss(logits.double(), labels, mask, 0.1)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.usefixtures("own_errors")
def test_bad_input_of_the_loss_is_named():
    logits = torch.zeros(2, 3, 5)
    labels, mask = torch.zeros(2, 3, dtype=torch.int64), torch.ones(2, 3, dtype=torch.bool)
    with refused(ValueError, "logits", "(2, 5)"):
        sequence_loss(logits[:, 0], labels, mask)
    with refused(ValueError, "labels", "(2, 3, 5)", "(2, 2)"):
        sequence_loss(logits, labels[:, 1:], mask)
    with refused(ValueError, "mask", "(2, 3, 5)", "(3, 2)"):
        sequence_loss(logits, labels, mask.T)
    with refused(TypeError, "mask", "torch.int64"):
        sequence_loss(logits, labels, mask.long())
    with refused(TypeError, "labels", "torch.int32"):
        sequence_loss(logits, labels.int(), mask)
    with refused(ValueError, "label_smoothing", "1.5"):
        sequence_loss(logits, labels, mask, 1.5)
    with refused(ValueError, "precision", "float32, bfloat16, float16", "float8"):
        batch_loss(Biases(), Batch.of(ONE_PAIR), precision="float8")


# Teacher forcing


def test_a_model_that_repeats_what_it_reads_learns_nothing():
    batch = Batch.of([([4], [5, 6, 7, 8]), ([4], [9, 10])])
    # Against unshifted targets it would be without fault.
    repeated = sequence_loss(
        60.0 * F.one_hot(batch.target, VOCABULARY), batch.target, batch.target > 0
    )
    assert repeated.item() < 1e-6
    assert batch_loss(Copying(), batch).item() == pytest.approx(60, rel=1e-3)


def test_a_model_that_knows_the_next_token_is_without_fault():
    following = Copying({BOS: 5, 5: 6, 6: 7, 7: EOS})
    assert batch_loss(following, Batch.of([([4], [5, 6, 7])] * 2)).item() < 1e-6
    # It does not know how the shorter sentence ends: one of six labels is missed.
    mixed = batch_loss(following, Batch.of([([4], [5, 6, 7]), ([4], [5])]))
    assert mixed.item() == pytest.approx(60 / 6, rel=1e-3)


def test_the_model_is_told_which_tokens_are_real():
    model = Recording(small_model())
    batch = Batch.of([([4, 5, 6], [7, 8]), ([9], [10])])
    batch_loss(model, batch)
    ((source, target, source_mask, target_mask),) = model.calls
    assert torch.equal(source, batch.source)
    assert target.tolist() == [[BOS, 7, 8], [BOS, 10, EOS]]  # read; what follows <eos> is not asked
    assert source_mask.tolist() == [[True] * 3, [True, False, False]]
    assert target_mask.tolist() == [[True] * 3, [True, True, False]]


def test_wider_padding_and_other_ids_in_it_change_no_loss():
    batch = Batch.of(corpus(7))
    wide = Batch(
        F.pad(batch.source, (0, 3), value=9),
        batch.source_lengths,
        F.pad(torch.where(batch.target > 0, batch.target, 11), (0, 2), value=13),
        batch.target_lengths,
        batch.indices,
    )
    model = small_model(dropout=0.0)
    assert batch_loss(model, wide).item() == pytest.approx(
        batch_loss(model, batch).item(), rel=1e-6
    )


def test_the_mean_loss_does_not_depend_on_how_a_corpus_is_cut():
    model = small_model(dropout=0.9)
    pairs = corpus()
    whole = mean_loss(model, [Batch.of(pairs)])
    for batches in (
        Batches(pairs, sentences=1),
        Batches(pairs, sentences=4),
        Batches(pairs, tokens=40),
    ):
        assert mean_loss(model, batches) == pytest.approx(whole, rel=1e-6)
    assert whole == pytest.approx(batch_loss(model.eval(), Batch.of(pairs)).item(), rel=1e-6)


def test_measuring_leaves_every_mode_as_it_was():
    model = small_model()
    model.dropout.eval()
    mean_loss(model, small_batches())
    assert model.training
    assert not model.dropout.training
    with refused(ValueError, "batches", "got none"):
        mean_loss(model, [])
    assert model.training


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


class Parts(nn.Module):
    """A model that has `hidden` and `output`, with which its logits can be spared."""

    def __init__(self, bias: bool = False):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 5)
        self.output = nn.Linear(5, VOCABULARY, bias=bias)

    def hidden(self, source, target, source_mask=None, target_mask=None):
        return self.embedding(target)

    def forward(self, *inputs):
        return self.output(self.hidden(*inputs))


class Named(nn.Module):
    """A student's model: here `hidden` is a layer."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 5)
        self.hidden = nn.Linear(5, 7)
        self.output = nn.Linear(7, VOCABULARY, bias=False)

    def forward(self, source, target, source_mask=None, target_mask=None):
        return self.output(self.hidden(self.embedding(target)).tanh())


@pytest.mark.parametrize("make", [Parts, lambda: Parts(bias=True), Named])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_loss_is_the_same_with_and_without_a_gradient(make, dtype):
    torch.manual_seed(0)
    model, batch = make().to(dtype), Batch.of(corpus(7))
    loss = batch_loss(model, batch)
    with torch.no_grad():
        plain = batch_loss(model, batch)
    assert loss.dtype == plain.dtype == torch.float32
    torch.testing.assert_close(loss.detach(), plain)
    loss.backward()
    assert all(weights.grad is not None for weights in model.parameters())


def test_a_callers_own_mixed_precision_does_not_reach_a_float32_loss():
    torch.manual_seed(0)
    model, batch = Parts(), Batch.of(corpus(7))
    plain = batch_loss(model, batch)
    with torch.autocast("cpu", torch.bfloat16):
        loss = batch_loss(model, batch)
    assert torch.equal(loss, plain)


@pytest.mark.parametrize("label", [-100, -1, 4])
def test_a_real_token_that_is_no_id_is_refused(label):
    labels, mask = torch.tensor([[3, label]]), torch.tensor([[True, True]])
    with refused(ValueError, "labels", "0 to 3", str(label)):
        sequence_loss(torch.zeros(1, 2, 4), labels, mask)
    sequence_loss(torch.zeros(1, 2, 4), labels, torch.tensor([[True, False]]))


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


def test_an_optimiser_keeps_its_rate_when_it_is_used_again():
    model = Biases()
    optimiser = plain_sgd(model, 0.5)
    for _ in range(2):
        history = fit(
            model,
            [Batch.of(ONE_PAIR)],
            steps=2,
            optimiser=optimiser,
            schedule=lambda step: 1 / step,
            **QUIET,
        )
        assert history.learning_rate == [0.5, 0.25]


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
        validation=small_batches(),
        validate_every=2,
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
        validation=small_batches(),
        validate_every=2,
        patience=3,
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
        validation=small_batches(),
        validate_every=2,
        patience=7,
        callbacks=[lambda step, *_: seen.update({step: model.output.weight.clone()})],
        **QUIET,
    )
    assert torch.equal(model.output.weight, seen[2])


def test_without_patience_the_last_weights_stay(monkeypatch):
    scripted(monkeypatch, [1.0, 2.0, 3.0])
    model, same = small_model(), small_model()
    fit(model, small_batches(), steps=5, validation=small_batches(), validate_every=2, **QUIET)
    fit(same, small_batches(), steps=5, **QUIET)
    assert same_weights(model, same)


def test_it_stops_when_training_makes_the_validation_worse():
    model = Biases()
    history = fit(
        model,
        [Batch.of([([4], [5])])],
        steps=50,
        optimiser=plain_sgd(model),
        validation=[Batch.of([([4], [6])])],
        validate_every=1,
        patience=2,
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
    options = {"precision": precision, "checkpoint": tmp_path, "checkpoint_every": 2, **QUIET}
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
            checkpoint=tmp_path,
            checkpoint_every=1,
            **QUIET,
        )
    assert read_checkpoint(tmp_path).step == 2


def test_a_validation_loss_that_is_not_finite_stops_the_training(monkeypatch):
    scripted(monkeypatch, [1.0, math.nan])
    batches = small_batches()
    with refused(FloatingPointError, "step 4", "the validation loss is nan"):
        fit(small_model(), batches, steps=9, validation=batches, validate_every=2, **QUIET)


def test_a_checkpoint_that_is_not_there_yet_is_not_spoken_of(tmp_path):
    with pytest.raises(FloatingPointError) as caught:
        fit(Breaking("nan"), small_batches(), steps=9, checkpoint=tmp_path, **QUIET)
    assert "checkpoint" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("own_errors")
def test_bad_arguments_are_named():
    model, batches = small_model(), small_batches()

    def refuses(error, *words, **options):
        with refused(error, *words):
            fit(model, **({"batches": batches, "steps": 3} | QUIET | options))

    refuses(TypeError, "either steps or epochs", epochs=3)
    refuses(TypeError, "either steps or epochs", steps=None)
    refuses(ValueError, "steps", "positive", "0", steps=0)
    refuses(TypeError, "steps", "integer", "float", steps=2.5)
    refuses(ValueError, "epochs", "positive", "-1", steps=None, epochs=-1)
    refuses(TypeError, "epochs", "integer", "float", steps=None, epochs=1.5)
    refuses(ValueError, "seed", "negative", "-1", seed=-1)
    refuses(TypeError, "seed", "integer", "float", seed=1.5)
    refuses(ValueError, "validation", "at least one batch", validation=[])
    refuses(TypeError, "batches", "generator", batches=(each for each in batches))
    refuses(TypeError, "validation", "list_iterator", validation=iter([]))
    refuses(ValueError, "batches", "at least one", batches=[])
    refuses(ValueError, "patience needs validation", patience=3)
    refuses(ValueError, "patience", "positive", "0", validation=batches, patience=0)
    refuses(ValueError, "validate_every", "0", validation=batches, validate_every=0)
    refuses(TypeError, "validate_every", "float", validation=batches, validate_every=2.5)
    refuses(ValueError, "checkpoint_every", "0", checkpoint_every=0)
    refuses(ValueError, "clip", "0", clip=0)
    refuses(ValueError, "label_smoothing", "2", label_smoothing=2)
    config = TransformerConfig(VOCABULARY, embed_dim=8, num_heads=2, ffn_dim=12, num_layers=1)
    for wrong in (1.5, -0.5, math.nan):
        with refused(ValueError, "label_smoothing", str(wrong)):
            fit(Transformer(config), batches, steps=3, label_smoothing=wrong, **QUIET)
    refuses(ValueError, "precision", "half", precision="half")
    refuses(ValueError, "name", "tpu9", device="tpu9")
    refuses(ValueError, "schedule", "nan", "at 1", schedule=lambda step: math.nan)
    refuses(ValueError, "schedule", "-1", schedule=lambda step: -1)
    refuses(TypeError, "learning_rate", optimiser=plain_sgd(model), learning_rate=0.1)


@pytest.mark.usefixtures("own_errors")
def test_numbers_may_be_numpys(tmp_path):
    numbers = {"accumulate": np.int64(2), "seed": np.int64(3), "clip": np.float32(0.5)}
    plain = {"accumulate": 2, "seed": 3, "clip": 0.5}
    first = fit(small_model(), small_batches(), steps=5, checkpoint=tmp_path, **numbers, **QUIET)
    again = fit(small_model(), small_batches(), steps=5, checkpoint=tmp_path, **plain, **QUIET)
    assert again.loss == first.loss


# The record


def test_the_record_goes_to_json_and_back():
    history = fit(small_model(), small_batches(), steps=9, validation=small_batches(), **QUIET)
    text = history.to_json()
    assert History.from_json(text) == history
    assert json.loads(text)["step"] == list(range(1, 10))
    assert History.from_json(History().to_json()) == History()
    assert (History().best_step, History().since_best) == (None, 0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no", ["JSON"]),
        ("[1]", ["must hold", "got list"]),
        ('{"step": [1]}', ["must hold", "got step"]),
        (History(step=[1]).to_json(), ["lists of one length", "'step': 1", "'loss': 0"]),
        (History().to_json().replace("[]", "7", 1), ["lists of one length"]),
    ],
)
def test_what_is_no_record_is_refused(text, words):
    with refused(ValueError, *words):
        History.from_json(text)


def test_the_time_goes_on():
    seconds = fit(small_model(), small_batches(), steps=5, **QUIET).seconds
    assert seconds == sorted(seconds)
    assert seconds[0] > 0


# What is shown


def shown(capsys, **options) -> tuple[str, str]:
    settings = {"steps": 20, "device": "cpu"} | options
    if settings.get("epochs"):
        del settings["steps"]
    fit(small_model(), small_batches(), **settings)
    return capsys.readouterr()


@pytest.mark.parametrize("progress", [None, True])
def test_off_a_terminal_there_are_about_ten_lines_and_nothing_on_stderr(capsys, progress):
    out, err = shown(capsys, progress=progress)
    lines = out.splitlines()
    assert err == ""
    assert len(lines) == 10
    assert lines[0].startswith("step 2 of 20: loss 3.")
    assert lines[-1].startswith("step 20 of 20: loss ")
    assert all(line.endswith(" tokens/s") for line in lines)
    assert "\r" not in out


def test_lines_tell_of_epochs_and_validations(capsys):
    out, err = shown(capsys, epochs=3, validation=small_batches())
    assert err == ""
    assert [line.split(":")[0] for line in out.splitlines()] == [
        f"step {step}" for step in (7, 7, 14, 14, 21, 21)
    ]
    assert "step 14: validation loss 3." in out


def test_there_are_no_more_than_ten_lines_and_one_for_the_last_step(capsys):
    out, _ = shown(capsys, steps=19)
    assert [line.split()[1] for line in out.splitlines()] == [*map(str, range(2, 19, 2)), "19"]


def test_few_steps_have_a_line_each(capsys):
    out, _ = shown(capsys, steps=3)
    assert [line.split(":")[0] for line in out.splitlines()] == [
        f"step {i} of 3" for i in (1, 2, 3)
    ]


def test_a_line_shows_the_mean_loss_per_token_since_the_last(capsys):
    history = History()
    lines = Lines(history, 20)  # a line every second step
    for step, (loss, tokens, seconds) in enumerate([(9, 10, 1.0), (1, 30, 2.0), (4, 5, 2.5)] * 2):
        history.step.append(step + 1)
        history.loss.append(float(loss))
        history.tokens.append(tokens)
        history.seconds.append(seconds + 2.5 * (step > 2))
        lines.step(False)
    assert capsys.readouterr().out.splitlines() == [
        "step 2 of 20: loss 3.000, 20 tokens/s",  # (9 * 10 + 1 * 30) / 40, 40 in 2 s
        "step 4 of 20: loss 7.333, 10 tokens/s",  # (4 * 5 + 9 * 10) / 15, 15 in 1.5 s
        "step 6 of 20: loss 1.429, 23 tokens/s",  # (1 * 30 + 4 * 5) / 35, 35 in 1.5 s
    ]


def test_silence(capsys):
    assert shown(capsys, progress=False, validation=small_batches()) == ("", "")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_there_is_a_bar(capsys, monkeypatch):
    pytest.importorskip("tqdm")
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    out, _ = shown(capsys, progress=None, validation=small_batches(), validate_every=10)
    assert "20/20" in screen.getvalue()
    assert "loss=" in screen.getvalue()
    assert "\r" in screen.getvalue()
    assert [line for line in out.splitlines() if line.strip()] == [
        line for line in out.splitlines() if "validation loss" in line
    ]


def test_a_terminal_without_tqdm_gets_lines(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr(sys, "stderr", Terminal())
    out, _ = shown(capsys)
    assert len(out.splitlines()) == 10
    assert sys.stderr.getvalue() == ""


def test_silence_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert shown(capsys, progress=False)[0] == ""
    assert sys.stderr.getvalue() == ""


def test_the_number_of_steps_of_the_other_tests():
    assert 14 < STEPS < 21  # in the third epoch, as they say
