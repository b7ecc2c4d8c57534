"""The device and the seed."""

from __future__ import annotations

import os
import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from support import refused
from torch import nn

import attncourse
from attncourse.runtime import device_of, evaluating, peak_memory


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


# memory


def test_the_peak_is_what_was_held_at_once(device):
    x = torch.ones(128, 8, device=device)  # 4,096 bytes, a multiple of what a GPU hands out
    size = x.nbytes
    peak = {
        name: peak_memory(call, device)
        for name, call in {
            "a view": lambda: x.T,
            "the result": lambda: x.exp(),
            "no longer held": lambda: x.exp() is None,
            "one after another": lambda: x.exp().exp().exp(),
            "both factors and their product": lambda: x.exp() * x.sin(),
            "twice as many features": lambda: torch.cat([x, x], -1),
            "in place": lambda: x.exp().sin_().cos_(),
        }.items()
    }
    assert peak == {
        "a view": 0,
        "the result": size,
        "no longer held": size,
        "one after another": 2 * size,
        "both factors and their product": 3 * size,
        "twice as many features": 2 * size,
        "in place": size,
    }


def test_the_peak_counts_every_pair_of_plain_attention():
    # float64, 31 queries and keys: scores and weights of 31 x 31 at once
    query, key = torch.randn(2, 1, 31, 4, dtype=torch.float64)
    pairs = 31 * 31 * 8
    assert peak_memory(lambda: (query @ key.mT).softmax(-1), "cpu") == 2 * pairs


def test_what_was_there_before_and_is_freed_in_the_call_does_not_count():
    held = []

    def swap():
        held.clear()
        return torch.ones(500)

    for size in (1000, 300, 1000, 500, 300):  # also where the addresses were others' before
        held.append(torch.ones(size))
        assert peak_memory(swap, "cpu") == 2000


def test_the_peak_is_the_same_on_every_repetition():
    layer = attncourse.MultiHeadAttention(12, num_heads=3)
    x = torch.randn(2, 37, 12, requires_grad=True)

    def gradient():
        return torch.autograd.grad(layer(x).sum(), x)

    peaks = {peak_memory(gradient, "cpu") for _ in range(3)}
    assert len(peaks) == 1
    assert peaks.pop() > layer(x).nbytes


def test_an_error_in_the_call_comes_through_and_the_next_is_measured():
    def fail():
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        peak_memory(fail, "cpu")
    assert peak_memory(lambda: torch.empty(3), "cpu") == 12


def test_a_measurement_writes_nothing_to_the_screen_and_leaves_the_environment():
    code = (
        "import os, torch; from attncourse.runtime import peak_memory; before = dict(os.environ);"
        "print(peak_memory(lambda: torch.empty(3), 'cpu')); assert dict(os.environ) == before"
    )
    environment = {name: value for name, value in os.environ.items() if "KINETO" not in name}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert (done.stdout, done.stderr) == ("12\n", "")


def test_on_a_gpu_the_allocator_is_asked(monkeypatch):
    # a GPU of three lines: 700 bytes there before, 1,900 at most
    did = []
    answers = {"memory_allocated": 700, "max_memory_allocated": 1900}
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    for name in ("synchronize", "reset_peak_memory_stats", *answers):

        def asked(where, name=name):
            did.append((name, str(where)))
            return answers.get(name)

        monkeypatch.setattr(torch.cuda, name, asked)
    assert peak_memory(lambda: did.append("the call"), "cuda:0") == 1200
    assert [what if isinstance(what, str) else what[0] for what in did] == [
        "synchronize",
        "reset_peak_memory_stats",
        "memory_allocated",
        "the call",
        "synchronize",
        "max_memory_allocated",
    ]
    assert {what[1] for what in did if not isinstance(what, str)} == {"cuda:0"}


def test_what_cannot_be_measured_is_refused(own_errors):
    with refused(TypeError, "call", "function", "Tensor"):
        peak_memory(torch.ones(3))
    with refused(ValueError, "'gpu'"):
        peak_memory(list, "gpu")
    with refused(ValueError, "on", "CPU or a CUDA GPU", "'meta'"):
        peak_memory(list, "meta")
