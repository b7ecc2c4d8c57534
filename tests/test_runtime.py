"""The device and the seed."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from support import refused
from torch import nn

import attncourse
from attncourse.runtime import device_of, evaluating


def draws() -> tuple:
    return random.random(), np.random.random(), torch.rand(3).tolist()


def test_the_same_seed_draws_the_same_numbers_everywhere():
    first = attncourse.seed_everything(7)
    before = draws(), torch.rand(3, generator=first).tolist()
    second = attncourse.seed_everything(7)
    assert (draws(), torch.rand(3, generator=second).tolist()) == before


def test_another_seed_draws_other_numbers_everywhere():
    first = attncourse.seed_everything(7)
    before = *draws(), torch.rand(3, generator=first).tolist()
    second = attncourse.seed_everything(11)
    after = *draws(), torch.rand(3, generator=second).tolist()
    assert all(one != other for one, other in zip(before, after, strict=True))


def test_the_generator_is_its_own_and_not_the_global_one():
    generator = attncourse.seed_everything(7)
    torch.rand(3)
    drawn = torch.rand(3, generator=generator)
    assert torch.equal(drawn, torch.rand(3, generator=torch.Generator().manual_seed(7)))
    assert generator is not torch.default_generator


@pytest.mark.parametrize("seed", [0, 2**32 - 1, np.int64(7)])
def test_seeds_from_end_to_end_are_taken(seed):
    assert attncourse.seed_everything(seed).initial_seed() == int(seed)


def test_the_gpu_is_seeded_too(device):
    attncourse.seed_everything(7)
    before = torch.rand(3, device=device)
    attncourse.seed_everything(7)
    assert torch.equal(torch.rand(3, device=device), before)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_refused(own_errors, seed):
    with refused(ValueError, "seed", "2**32 - 1", str(seed)):
        attncourse.seed_everything(seed)


@pytest.mark.parametrize(
    ("seed", "kind"), [(1.0, "float"), ("7", "str"), (True, "bool"), (None, "NoneType")]
)
def test_a_seed_that_is_no_integer_is_refused(own_errors, seed, kind):
    with refused(TypeError, "seed", "integer", kind):
        attncourse.seed_everything(seed)


@pytest.mark.parametrize(("there", "chosen"), [(False, "cpu"), (True, "cuda")])
def test_the_gpu_is_chosen_where_there_is_one(monkeypatch, there, chosen):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert attncourse.device() == torch.device(chosen)


def test_a_named_device_is_given(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert attncourse.device("cpu") == torch.device("cpu")
    assert attncourse.device(torch.device("cpu")) == torch.device("cpu")
    assert attncourse.device("cuda") == torch.device("cuda")
    assert attncourse.device("cuda:1") == torch.device("cuda", 1)


@pytest.mark.parametrize("name", ["gpu", "", "cuda:x", 3.5])
def test_a_name_that_is_no_device_is_refused(own_errors, name):
    with refused(ValueError, "name", "'cpu' or 'cuda'", repr(name)):
        attncourse.device(name)


@pytest.mark.parametrize(("name", "count"), [("cuda", 0), ("cuda:2", 2)])
def test_a_gpu_that_is_not_there_is_refused(own_errors, monkeypatch, name, count):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    with refused(ValueError, "name", repr(name), f"{count} CUDA devices"):
        attncourse.device(name)


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="this machine has that device")
def test_a_device_of_another_make_that_is_not_there_is_refused(own_errors):
    with refused(ValueError, "name", "'mps'", "not there"):
        attncourse.device("mps")


# models


def test_each_part_of_a_model_gets_its_own_mode_back_also_after_an_error():
    model = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Dropout())).train()
    model[1].eval()  # frozen, say
    before = [module.training for module in model.modules()]
    assert len(set(before)) == 2

    def fail():
        with evaluating(model):
            assert not any(module.training for module in model.modules())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert [module.training for module in model.modules()] == before


def test_what_is_no_module_is_left_alone():
    with pytest.raises(KeyError), evaluating("no module"):
        raise KeyError  # the caller's own, and no other


def test_a_model_is_where_its_first_parameter_is():
    assert device_of(nn.Linear(2, 3, device="meta")).type == "meta"
    assert device_of(nn.Identity()).type == "cpu"
