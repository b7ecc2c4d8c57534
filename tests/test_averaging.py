"""attncourse.training.averaging: which weights are kept, and their mean."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import refused
from torch import nn

from attncourse.training import (
    CheckpointError,
    History,
    KeepWeights,
    average_weights,
    save_checkpoint,
)


def line(slope: float, bias: float) -> nn.Linear:
    model = nn.Linear(1, 1)
    nn.init.constant_(model.weight, slope)
    nn.init.constant_(model.bias, bias)
    return model


def names(folder: Path) -> list[int]:
    return sorted(int(path.stem.removeprefix("weights-")) for path in folder.iterdir())


def test_the_last_few_stay(tmp_path):
    keep, model = KeepWeights(tmp_path, every=3, last=2), line(0, 0)
    for step in range(1, 12):
        nn.init.constant_(model.weight, step)
        keep(step, model, History())
    assert names(tmp_path) == [6, 9]
    assert [path.name for path in keep.files(11)] == [
        "weights-00000006.safetensors",
        "weights-00000009.safetensors",
    ]
    average_weights(model, keep.files(11))
    assert model.weight.item() == 7.5


def test_the_mean_is_taken_in_double_precision(tmp_path):
    slopes = [1.0] + [3e-8] * 40  # in float32 each of these is lost beside 1
    files = [
        save_checkpoint(tmp_path / f"{i}.safetensors", line(slope, 0), step=i)
        for i, slope in enumerate(slopes)
    ]
    for order in (files, files[::-1]):
        model = line(97, 97)
        average_weights(model, order)
        assert model.weight.item() == pytest.approx((1 + 40 * 3e-8) / 41, rel=1e-7)


def test_before_there_are_so_many_all_count(tmp_path):
    keep = KeepWeights(tmp_path, every=3, last=5)
    for step in range(1, 8):
        keep(step, line(step, 0), History())
    assert keep.files(7) == sorted(tmp_path.iterdir())
    assert names(tmp_path) == [3, 6]


def test_the_mean_of_weights_by_hand(tmp_path):
    files = [
        save_checkpoint(tmp_path / f"{i}.safetensors", line(*weights), step=i)
        for i, weights in enumerate([(1, 10), (2, 30), (6, 20)])
    ]
    for order in (files, files[::-1]):
        model = line(97, 97)
        average_weights(model, order)
        assert (model.weight.item(), model.bias.item()) == (3, 20)


def test_tied_weights_stay_tied(tmp_path):
    def tied(number):
        model = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5, bias=False))
        model[1].weight = model[0].weight
        nn.init.constant_(model[0].weight, number)
        return model

    files = [save_checkpoint(tmp_path / f"{i}.safetensors", tied(i), step=i) for i in (1, 2)]
    model = tied(0)
    average_weights(model, files)
    assert model[0].weight is model[1].weight
    assert (model[0].weight == 1.5).all()


def test_what_cannot_be_averaged_is_refused(tmp_path):
    model = line(1, 1)
    with refused(ValueError, "files", "at least one"):
        average_weights(model, [])
    other = save_checkpoint(tmp_path / "other.safetensors", nn.Linear(2, 1), step=1)
    with refused(CheckpointError, "other.safetensors", "does not fit"):
        average_weights(model, [other])
    assert model.weight.item() == 1
    for options, word in (({"every": 0, "last": 1}, "every"), ({"every": 1, "last": 0}, "last")):
        with refused(ValueError, word, "positive"):
            KeepWeights(tmp_path, **options)
    with pytest.raises(TypeError, match="every"):
        KeepWeights(tmp_path, every=1.5, last=1)
