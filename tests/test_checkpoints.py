"""attncourse.training.checkpoints: written whole or not at all, read whole or not at all."""

from __future__ import annotations

import json
import os
import re
import shutil

import pytest
import safetensors
import safetensors.torch
import torch
from small_training import SmallModel, small_model
from torch import nn

from attncourse.data import files
from attncourse.training import CheckpointError, load_checkpoint, read_checkpoint, save_checkpoint

OPTIMISERS = {
    "Adam": lambda parameters: torch.optim.Adam(parameters, lr=0.1, betas=(0.8, 0.98)),
    "fused Adam": lambda parameters: torch.optim.Adam(parameters, lr=0.1, fused=True),
    "AdamW": lambda parameters: torch.optim.AdamW(parameters, lr=0.1, amsgrad=True),
    "SGD": lambda parameters: torch.optim.SGD(parameters, lr=0.1),
    "SGD with momentum": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9),
    "Adadelta": lambda parameters: torch.optim.Adadelta(parameters),
}


def some_steps(model: nn.Module, optimiser: torch.optim.Optimizer, count: int) -> None:
    for _ in range(count):
        optimiser.zero_grad()
        sum(((each - 3) ** 2).sum() for each in model.parameters()).backward()
        optimiser.step()


def content(model: nn.Module, optimiser: torch.optim.Optimizer | None = None) -> list:
    """Return all that can change, copied."""
    held = [each.clone() for each in model.state_dict().values()]
    if optimiser is not None:
        for _, values in sorted(optimiser.state_dict()["state"].items()):
            values = [values[name] for name in sorted(values)]
            held += [torch.as_tensor(each).clone() for each in values if each is not None]
    return held


def same(ours: list, others: list) -> bool:
    return len(ours) == len(others) and all(
        a.dtype == b.dtype and torch.equal(a, b) for a, b in zip(ours, others, strict=True)
    )


def refuses(path, model, *words: str, optimiser=None) -> None:
    """Check that a file is refused with its name and the words, and that nothing is loaded."""
    before = content(model, optimiser)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path, model, optimiser)
    for word in (str(path), *words):
        assert word in str(caught.value)
    assert same(before, content(model, optimiser))


# Saved and loaded


@pytest.mark.parametrize("kind", OPTIMISERS)
@pytest.mark.parametrize("tied", [False, True])
def test_model_and_optimiser_go_on_bit_for_bit(tmp_path, kind, tied):
    model, other = small_model(0, tied=tied), small_model(1, tied=tied)
    optimiser, other_optimiser = (OPTIMISERS[kind](each.parameters()) for each in (model, other))
    some_steps(model, optimiser, 3)
    optimiser.param_groups[0]["lr"] = 0.07
    path = save_checkpoint(tmp_path, model, optimiser, step=3)
    assert load_checkpoint(path, other, other_optimiser).step == 3
    assert same(content(model, optimiser), content(other, other_optimiser))
    assert other_optimiser.state_dict()["param_groups"] == optimiser.state_dict()["param_groups"]
    some_steps(model, optimiser, 2)
    some_steps(other, other_optimiser, 2)
    assert same(content(model, optimiser), content(other, other_optimiser))


def test_every_kind_of_tensor_comes_back_as_it_was(tmp_path):
    tensors = {
        "half": torch.randn(2, 3).half(),
        "brain": torch.randn(2, 3).bfloat16(),
        "double": torch.randn(3, dtype=torch.float64),
        "not a number": torch.tensor([torch.nan, torch.inf, -0.0]),
        "mask": torch.tensor([True, False]),
        "count": torch.tensor(7),
        "empty": torch.zeros(0, 5),
        "transposed": torch.randn(2, 3).T,
        "part": torch.arange(7)[2:5],
        "random state": torch.get_rng_state(),
    }
    path = save_checkpoint(tmp_path, nn.Linear(2, 3), step=0, tensors=tensors)
    found = read_checkpoint(path).tensors
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert found[name].shape == tensor.shape
        bits = [each.contiguous().reshape(-1).view(torch.uint8) for each in (found[name], tensor)]
        assert torch.equal(*bits)


def test_what_is_not_a_tensor_comes_back_exactly(tmp_path):
    extra = {"rate": 0.1 + 0.2, "names": ["é", 'a "quoted" one'], "none": None, "deep": {"a": [1]}}
    path = save_checkpoint(tmp_path / "a" / "b", nn.Linear(2, 3), step=5, extra=extra)
    assert path == tmp_path / "a" / "b" / "checkpoint.safetensors"
    assert read_checkpoint(path) == read_checkpoint(path.parent) == (5, extra, {})


def test_a_file_can_be_named(tmp_path):
    path = save_checkpoint(tmp_path / "mine.safetensors", nn.Linear(2, 3), step=5)
    assert path == tmp_path / "mine.safetensors"
    assert [each.name for each in tmp_path.iterdir()] == ["mine.safetensors"]


def test_the_file_is_plain_safetensors_with_plain_json(tmp_path):
    model = nn.Linear(2, 3)
    path = save_checkpoint(tmp_path, model, step=5, extra={"a": 1})
    with safetensors.safe_open(path, framework="pt") as file:
        assert set(file.keys()) == {"model.weight", "model.bias"}
        assert torch.equal(file.get_tensor("model.weight"), model.weight)
        assert json.loads(file.metadata()["record"])["extra"] == {"a": 1}


def test_tied_parameters_are_saved_once_and_stay_tied(tmp_path):
    model, other = small_model(0, tied=True), small_model(1, tied=True)
    path = save_checkpoint(tmp_path, model, step=0)
    names = safetensors.torch.load_file(path).keys()
    assert len(names) == 3
    assert len({"model.target.weight", "model.output.weight"} & set(names)) == 1
    load_checkpoint(path, other)
    assert other.output.weight is other.target.weight
    assert torch.equal(other.output.weight, model.target.weight)


def test_loading_does_not_live_in_the_file(tmp_path):
    model, optimiser = small_model(), None
    optimiser = OPTIMISERS["Adam"](model.parameters())
    some_steps(model, optimiser, 1)
    before = content(model, optimiser)
    path = save_checkpoint(tmp_path, model, optimiser, step=1, tensors={"a": torch.ones(3)})
    found = load_checkpoint(path, model, optimiser)
    path.write_bytes(b"\xff" * path.stat().st_size)
    assert same(before, content(model, optimiser))
    assert found.tensors["a"].tolist() == [1, 1, 1]


def test_a_compiled_model_and_its_plain_self_share_checkpoints(tmp_path):
    plain, other = small_model(0), small_model(1)
    path = save_checkpoint(tmp_path, torch.compile(plain, backend="eager"), step=0)
    load_checkpoint(path, other)
    assert same(content(plain), content(other))
    load_checkpoint(path, torch.compile(small_model(2), backend="eager"))


def test_a_checkpoint_is_read_on_another_device(tmp_path, device):
    model = small_model(0).to(device)
    optimiser = OPTIMISERS["Adam"](model.parameters())
    some_steps(model, optimiser, 2)
    path = save_checkpoint(tmp_path, model, optimiser, step=2)
    other = small_model(1)
    other_optimiser = OPTIMISERS["Adam"](other.parameters())
    load_checkpoint(path, other, other_optimiser)
    moved = [each.cpu() for each in content(model, optimiser)]
    assert same(moved, content(other, other_optimiser))
    load_checkpoint(path, model, optimiser)
    assert next(model.parameters()).device.type == device.type


# A write that fails


def half_written(path, mode):
    """Open a file whose disk is full after a few bytes."""
    file = open(path, mode)  # noqa: SIM115  it is closed by `Full`
    write = file.write

    class Full:
        def write(self, content):
            write(content[:100])
            file.flush()
            raise OSError("disk full")

        def __enter__(self):
            return self

        def __exit__(self, *_):
            file.close()

    return Full()


def fail(*arguments, **options):
    raise OSError("disk full")


@pytest.mark.parametrize(
    ("owner", "name", "replacement"),
    [
        (safetensors.torch, "save", fail),
        (files, "open", fail),
        (files, "open", half_written),
        (shutil, "copymode", fail),
        (os, "fsync", fail),
        (os, "replace", fail),
    ],
    ids=lambda each: each if isinstance(each, str) else getattr(each, "__name__", ""),
)
def test_a_write_that_fails_leaves_the_older_one(tmp_path, monkeypatch, owner, name, replacement):
    model = small_model()
    path = save_checkpoint(tmp_path, model, step=1)
    older = path.read_bytes()
    monkeypatch.setattr(owner, name, replacement, raising=False)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(tmp_path, small_model(1), step=2)
    assert path.read_bytes() == older
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    assert load_checkpoint(path, small_model(2)).step == 1


def test_what_a_killed_writer_left_is_cleared_away(tmp_path):
    path = save_checkpoint(tmp_path, nn.Linear(2, 3), step=1)
    (tmp_path / f".{path.name}.x7.part").write_bytes(b"half")
    (tmp_path / ".other.safetensors.x7.part").write_bytes(b"someone else's")
    save_checkpoint(tmp_path, nn.Linear(2, 3), step=2)
    assert {each.name for each in tmp_path.iterdir()} == {path.name, ".other.safetensors.x7.part"}


def test_what_json_cannot_hold_is_refused_before_anything_is_written(tmp_path):
    path = save_checkpoint(tmp_path, nn.Linear(2, 3), step=1)
    older = path.read_bytes()
    with pytest.raises(TypeError, match="set"):
        save_checkpoint(tmp_path, nn.Linear(2, 3), step=2, extra={"a": {1, 2}})
    assert path.read_bytes() == older


# A file that is refused


def test_a_missing_file_is_refused(tmp_path):
    refuses(tmp_path / "none.safetensors", nn.Linear(2, 3), "is not there")
    with pytest.raises(CheckpointError, match=r"checkpoint\.safetensors is not there"):
        read_checkpoint(tmp_path)


def test_a_folder_with_a_files_name_is_refused(tmp_path):
    (tmp_path / "a.safetensors").mkdir()
    refuses(tmp_path / "a.safetensors", nn.Linear(2, 3), "cannot be read")


def test_a_truncated_file_is_refused_wherever_it_was_cut(tmp_path):
    path = save_checkpoint(tmp_path, nn.Linear(2, 3), step=1)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        refuses(path, nn.Linear(2, 3), "cut off")
    path.write_bytes(whole + b"\0")
    refuses(path, nn.Linear(2, 3), "cut off, or no safetensors file")


def test_a_flipped_bit_is_found_in_every_byte(tmp_path):
    path = save_checkpoint(tmp_path, nn.Linear(2, 1), step=1, extra={"loss": 0.25})
    whole = path.read_bytes()
    for place in range(len(whole)):
        for bit in {place % 8, 5}:  # the fifth turns small letters to capitals, blanks to zeros
            damaged = bytearray(whole)
            damaged[place] ^= 1 << bit
            path.write_bytes(damaged)
            with pytest.raises(CheckpointError, match=re.escape(str(path))):
                read_checkpoint(path)


@pytest.mark.parametrize(
    ("old", "new"), [("[3,2]", "[2,3]"), ('"F32"', '"I32"'), ("model.weight", "model.height")]
)
def test_a_header_that_was_altered_is_found(tmp_path, old, new):
    path = save_checkpoint(tmp_path, nn.Linear(2, 3), step=1)
    whole = path.read_bytes()
    assert old.encode() in whole
    path.write_bytes(whole.replace(old.encode(), new.encode()))
    with pytest.raises(CheckpointError, match="checksum is wrong"):
        read_checkpoint(path)


def test_a_flipped_bit_of_a_weight_is_told_as_damage(tmp_path):
    path = save_checkpoint(tmp_path, nn.Linear(2, 3), step=1)
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    refuses(path, nn.Linear(2, 3), "checksum is wrong", "damaged")


@pytest.mark.parametrize("text", ["", "no tensors at all", "{}", "PK\x03\x04" + "x" * 99])
def test_a_file_of_another_kind_is_refused(tmp_path, text):
    path = tmp_path / "a.safetensors"
    path.write_text(text)
    refuses(path, nn.Linear(2, 3), "no safetensors file")


def test_a_foreign_safetensors_file_is_refused(tmp_path):
    path, model = tmp_path / "a.safetensors", nn.Linear(2, 3)
    safetensors.torch.save_file(model.state_dict(), path)
    refuses(path, model, "no checkpoint of the course", "None")
    safetensors.torch.save_file(model.state_dict(), path, {"format": "pt"})
    refuses(path, model, "no checkpoint of the course", "'pt'")


def test_a_model_of_another_shape_is_refused(tmp_path):
    path = save_checkpoint(tmp_path, nn.Linear(2, 3), step=1)
    refuses(path, nn.Linear(2, 4), "weight is (3, 2)", "and (4, 2)", "bias is (3,)")
    refuses(path, nn.Linear(2, 3, bias=False), "the model lacks bias")
    refuses(path, nn.Linear(2, 3).double(), "torch.float32 in the file and", "torch.float64")
    path = save_checkpoint(tmp_path, nn.Linear(2, 3, bias=False), step=1)
    refuses(path, nn.Linear(2, 3), "the file lacks bias")


def test_ties_must_be_the_same(tmp_path):
    path = save_checkpoint(tmp_path, small_model(tied=True), step=1)
    refuses(path, small_model(tied=False), "only in the file output.weight is tied to target")
    path = save_checkpoint(tmp_path, small_model(tied=False), step=1)
    refuses(path, small_model(tied=True), "only in the model output.weight is tied to target")


def test_another_optimiser_is_refused(tmp_path):
    model = small_model()
    adam, sgd = (OPTIMISERS[name](model.parameters()) for name in ("Adam", "SGD"))
    some_steps(model, adam, 1)
    path = save_checkpoint(tmp_path, model, adam, step=1)
    refuses(path, model, "optimiser Adam, not SGD", optimiser=sgd)
    fewer = OPTIMISERS["Adam"](list(model.parameters())[1:])
    refuses(path, model, "other parameters", optimiser=fewer)
    turned = OPTIMISERS["Adam"](list(model.parameters())[::-1])
    refuses(path, model, "other parameters", optimiser=turned)
    path = save_checkpoint(tmp_path, model, step=1)
    refuses(path, model, "no optimiser's state", optimiser=adam)


def test_a_missing_library_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "safetensors.torch", None)
    with pytest.raises(ImportError, match="pip install safetensors"):
        save_checkpoint(tmp_path, SmallModel(), step=1)
    with pytest.raises(ImportError, match="pip install safetensors"):
        read_checkpoint(tmp_path)
