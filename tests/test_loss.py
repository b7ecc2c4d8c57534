"""attncourse.training.loss: cross-entropy per real token, and teacher forcing."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_training import ONE_PAIR, VOCABULARY, Biases, Recording, corpus, small_model
from support import refused
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from attncourse.data.batches import Batch
from attncourse.data.vocabulary import BOS, EOS
from attncourse.training import batch_loss, sequence_loss
from attncourse.training.objective import Objective

CPU = torch.device("cpu")


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


@pytest.mark.equals(
    "training.sequence_loss", "torch.nn.functional.cross_entropy", within={torch.float64: 1e-11}
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # `same` holds no state
@given(case=sequences())
def test_the_loss_is_pytorchs_on_the_real_tokens_alone(case, same):
    logits, labels, mask, smoothing = case
    loss = sequence_loss(logits, labels, mask, smoothing)
    expected = F.cross_entropy(logits[mask], labels[mask], label_smoothing=smoothing)
    same(loss, expected)


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


@pytest.mark.parametrize("label", [-100, -1, 4])
def test_a_real_token_that_is_no_id_is_refused(label):
    labels, mask = torch.tensor([[3, label]]), torch.tensor([[True, True]])
    with refused(ValueError, "labels", "0 to 3", str(label)):
        sequence_loss(torch.zeros(1, 2, 4), labels, mask)
    sequence_loss(torch.zeros(1, 2, 4), labels, torch.tensor([[True, False]]))


# Teacher forcing


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


# Where values are unknown: tracing, transforms, and tensors that hold nothing


def test_the_loss_goes_through_vmap_and_grad():
    logits, labels, mask = torch.randn(3, 5, 7), torch.randint(7, (3, 5)), torch.rand(3, 5) < 0.7
    mask[:, 0] = True

    def loss(logits, labels, mask):
        return sequence_loss(logits[None], labels[None], mask[None])

    gradients = torch.func.vmap(torch.func.grad(loss))(logits, labels, mask)
    for row in range(3):
        (by_hand,) = torch.autograd.grad(
            loss(single := logits[row].requires_grad_(), labels[row], mask[row]), single
        )
        torch.testing.assert_close(gradients[row], by_hand)


def test_the_loss_takes_tensors_that_hold_nothing():
    with FakeTensorMode():
        logits, labels = torch.zeros(2, 3, 5), torch.zeros(2, 3, dtype=torch.int64)
        assert sequence_loss(logits, labels, torch.ones(2, 3, dtype=torch.bool)).shape == ()


def test_the_loss_of_a_batch_goes_through_functional_call():
    model, batch = Parts(), Batch.of(corpus(7))
    weights = dict(model.named_parameters())

    def loss(weights):
        names = {f"model.{name}": each for name, each in weights.items()}
        return torch.func.functional_call(Objective(model, device=CPU), names, (batch,))

    gradients = torch.func.grad(loss)(weights)
    batch_loss(model, batch).backward()
    for name, each in weights.items():
        torch.testing.assert_close(gradients[name], each.grad)
