"""attncourse.training.objective: the loss over a corpus, and one's own."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from small_training import QUIET, corpus, plain_sgd, small_batches, small_model
from support import refused
from torch import Tensor, nn

from attncourse.data.batches import Batch, Batches
from attncourse.training import Validation, batch_loss, fit, mean_loss
from attncourse.training.objective import moved, rows


def test_the_mean_loss_does_not_depend_on_how_a_corpus_is_cut():
    model = small_model(dropout=0.9)
    pairs = corpus()
    whole = mean_loss(model, [Batch.of(pairs)])
    for cut in ({"sentences": 1}, {"sentences": 4}, {"tokens": 40}):
        assert mean_loss(model, Batches(pairs, **cut)) == pytest.approx(whole, rel=1e-6)
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


@pytest.mark.usefixtures("own_errors")
def test_pairs_in_place_of_batches_are_refused():
    model, pairs = small_model(), corpus(3)
    with refused(TypeError, "batches", "tuple", "Batches(pairs"):
        mean_loss(model, pairs)
    with refused(TypeError, "batches", "tuple", "Batches(pairs"):
        batch_loss(model, pairs[0])


# A loss of one's own


class Labelled(NamedTuple):
    inputs: Tensor
    labels: Tensor


def squares(model: nn.Module, batch: Labelled) -> Tensor:
    inputs, labels = batch
    return (model(inputs) - labels).square().mean()


def some_rows(count: int) -> Labelled:
    inputs = torch.randn(count, 5, dtype=torch.float64)
    return Labelled(inputs, inputs.sum(-1, keepdim=True))


def line() -> nn.Module:
    torch.manual_seed(3)
    return nn.Linear(5, 1, dtype=torch.float64)


def test_a_loss_of_ones_own_is_trained_by_hand():
    model, by_hand, batch = line(), line(), some_rows(7)
    history = fit(
        model, [batch], steps=3, loss=squares, optimiser=plain_sgd(model, 0.1), clip=None, **QUIET
    )
    for step in range(3):
        by_hand.zero_grad()
        loss = squares(by_hand, batch)
        loss.backward()
        assert history.loss[step] == pytest.approx(loss.item(), rel=1e-12)
        for weights in by_hand.parameters():
            weights.data -= 0.1 * weights.grad
    torch.testing.assert_close(model.weight, by_hand.weight)
    assert history.tokens == [7, 7, 7]


def test_batches_of_ones_own_count_by_their_rows():
    parts = [some_rows(2), some_rows(11)]
    whole = Labelled(*(torch.cat(sides) for sides in zip(*parts, strict=True)))
    one, two = line(), line()
    large = fit(one, [whole], steps=1, loss=squares, **QUIET)
    small = fit(two, parts, steps=1, accumulate=2, loss=squares, **QUIET)
    assert small.loss == pytest.approx(large.loss, rel=1e-12)
    torch.testing.assert_close(one.weight, two.weight)
    assert mean_loss(one, parts, loss=squares) == pytest.approx(
        mean_loss(one, [whole], loss=squares), rel=1e-12
    )


def test_the_validation_is_by_the_same_loss():
    model, held_out = line(), [some_rows(3), some_rows(5)]
    history = fit(
        model, [some_rows(7)], steps=4, loss=squares, validation=Validation(held_out), **QUIET
    )
    last = mean_loss(model, held_out, loss=squares)
    assert history.validation_loss[-1] == pytest.approx(last, rel=1e-12)


def test_a_loss_of_ones_own_runs_in_the_precision_asked_for():
    seen = []

    def noting(model, batch):
        seen.append(model(batch[0]).dtype)
        return model(batch[0]).float().mean()

    batch = (torch.ones(3, 5), torch.ones(3, 1))
    fit(nn.Linear(5, 1), [batch], steps=1, loss=noting, precision="bfloat16", **QUIET)
    assert seen == [torch.bfloat16]


def test_a_pytorch_loader_is_trained_on():
    data = torch.utils.data.TensorDataset(*some_rows(23))
    loader = torch.utils.data.DataLoader(data, batch_size=7, shuffle=True)
    history = fit(line(), loader, epochs=40, loss=squares, learning_rate=0.05, **QUIET)
    assert history.tokens[:4] == [7, 7, 7, 2]
    assert history.loss[-1] < history.loss[0] / 10


def test_progress_counts_what_the_loss_counts(capsys):
    fit(line(), [some_rows(7)], steps=1, loss=squares, device="cpu")
    assert capsys.readouterr().out.rstrip().endswith(" rows/s")


@pytest.mark.parametrize(
    ("batch", "count"),
    [
        (torch.ones(3, 5), 3),
        ((torch.ones(3, 5), torch.ones(7)), 3),
        ({"images": [torch.ones(3, 5)], "names": ["a", "b", "c"]}, 3),
        (Labelled(torch.ones(3, 5), torch.ones(3)), 3),
        (Batch.of([([4], [5]), ([6], [7]), ([8], [9])]), 3),
    ],
    ids=lambda batch: type(batch).__name__,
)
def test_a_batch_may_be_anything_that_holds_tensors(batch, count):
    assert rows(batch) == count
    there = moved(batch, torch.device("meta"))
    assert type(there) is type(batch)
    while not isinstance(there, (Tensor, Batch)):
        there = next(iter(there.values() if isinstance(there, dict) else there))
    assert (there.source if isinstance(there, Batch) else there).device.type == "meta"
