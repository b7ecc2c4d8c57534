"""attncourse.training.workers: several processes train to what one trains to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from support import refused

from attncourse.data.batches import Batch, Batches
from attncourse.training import Workers, adam, fit, read_checkpoint, working_together
from attncourse.training import workers as module
from attncourse.transformer import Transformer, TransformerConfig

HERE = Path(__file__).parent


def run(script: str, *arguments: str, processes: int, folder: Path) -> subprocess.CompletedProcess:
    """Run a script in a folder, alone or by torchrun."""
    folder.mkdir(exist_ok=True)
    launcher = [sys.executable]
    if processes > 1:
        launcher += ["-m", "torch.distributed.run", "--standalone", "--no-python"]
        launcher += [f"--nproc_per_node={processes}", sys.executable]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
        environment.pop(name, None)
    command = [*launcher, str(HERE / script), *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        start_new_session=True,  # a Ctrl-C inside stays inside
    )


def start(folder: Path, processes: int, **asked) -> subprocess.CompletedProcess:
    arguments = str(folder), json.dumps(asked)
    return run("together.py", *arguments, processes=processes, folder=folder)


def trained(folder: Path, processes: int, **asked) -> dict:
    done = start(folder, processes, **asked)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((folder / "result.json").read_text())


def assert_same(one: dict, other: dict, tolerance: float) -> None:
    for name in ("loss", "gradient_norm", "validation_loss", "tokens", "learning_rate"):
        mine, theirs = (torch.tensor(each["history"][name]).double() for each in (one, other))
        assert (mine - theirs).abs().max() <= tolerance, name
    for name, weights in one["weights"].items():
        weights, others = torch.tensor(weights), torch.tensor(other["weights"][name])
        # Adam divides a gradient by its own size, and the key's bias has none but rounding.
        if not name.endswith("key_projection.bias"):
            assert (weights - others).abs().max() <= tolerance, name


@pytest.mark.parametrize("cut", [{"sentences": 6}, {"tokens": 60}], ids=lambda cut: next(iter(cut)))
def test_two_processes_train_as_one(tmp_path, cut):
    asked = {"steps": 17, "cut": cut, "accumulate": 2, "label_smoothing": 0.1}
    alone = trained(tmp_path / "alone", 1, **asked)
    assert alone["history"]["loss"][0] > alone["history"]["loss"][-1] + 0.1, "learned nothing"
    assert_same(alone, trained(tmp_path / "together", 2, **asked), 1e-6)
    sharded = trained(tmp_path / "sharded", 2, **asked, sharded=True)
    assert_same(alone, sharded, 1e-6)
    assert sharded["numbers here"] <= 0.6 * alone["numbers here"]


def test_a_sharded_training_goes_on_whole_or_sharded(tmp_path):
    """Its checkpoints hold whole weights and moments, whoever made them."""
    whole = trained(tmp_path / "whole", 1, steps=11)
    for first, second in ((True, True), (True, False), (False, True)):
        folder = tmp_path / f"{first}-{second}"
        trained(folder, 2, steps=6, sharded=first)
        assert_same(whole, trained(folder, 2, steps=11, sharded=second), 1e-6)


def test_a_sharded_training_with_patience_ends_with_its_best_weights_also_when_called_again(
    tmp_path,
):
    asked = {"steps": 60, "patience": 2, "learning_rate": 0.3}
    alone = trained(tmp_path / "alone", 1, **asked)
    assert len(alone["history"]["step"]) < 60
    for _ in range(2):
        assert_same(alone, trained(tmp_path / "sharded", 2, **asked, sharded=True), 1e-6)


def test_a_sharded_training_that_loses_a_process_keeps_its_last_checkpoint(tmp_path):
    asked = {"steps": 11, "sharded": True, "checkpoint_every": 4}
    done = start(tmp_path, 2, **asked, die=[1, 6])
    assert done.returncode != 0
    assert "WorkerError: step 7 was not made" in done.stderr
    assert f"The last checkpoint, {tmp_path}/checkpoint.safetensors, stays" in done.stderr
    assert read_checkpoint(tmp_path).step == 4


def test_a_process_that_is_killed_ends_the_training_which_then_goes_on(tmp_path):
    asked = {"steps": 11, "dropout": 0.3}
    whole = trained(tmp_path / "whole", 2, **asked)
    for rank in (0, 1):
        folder = tmp_path / f"killed{rank}"
        done = start(folder, 2, **asked, die=[rank, 6])
        assert done.returncode != 0
        assert "WorkerError: step 7 was not made" in done.stderr
        assert f"{folder}/checkpoint.safetensors holds step 6" in done.stderr
        assert read_checkpoint(folder).step == 6
        assert [path.name for path in folder.iterdir()] == ["checkpoint.safetensors"]
        again = trained(folder, 2, **asked)
        assert again["history"]["loss"] == whole["history"]["loss"]
        assert again["weights"] == whole["weights"]


def test_what_is_kept_is_said_also_if_torchrun_is_quick(tmp_path):
    done = start(tmp_path, 2, steps=11, die=[0, 6], cut_short=True)
    assert "WorkerError: step 7 was not made" in done.stderr
    assert f"{tmp_path}/checkpoint.safetensors holds step 6" in done.stderr


def test_ctrl_c_stops_all_after_a_step_and_the_training_goes_on(tmp_path):
    asked = {"steps": 60, "dropout": 0.3}
    whole = trained(tmp_path / "whole", 2, **asked)
    folder = tmp_path / "interrupted"
    done = start(folder, 2, **asked, interrupt=6)
    assert done.returncode != 0
    held = read_checkpoint(folder).step
    assert 6 <= held < 60
    assert f"interrupted after step {held}; the same call goes on" in done.stderr
    again = trained(folder, 2, **asked)
    assert again["history"]["loss"] == whole["history"]["loss"]
    assert again["weights"] == whole["weights"]


def test_the_command_line_is_the_same_for_one_process_and_two(tmp_path):
    records = []
    for processes, more in ((1, []), (2, []), (2, ["--sharded"])):
        folder = tmp_path / f"{processes}{''.join(more)}"
        command = ["train", "small", "--device", "cpu", *more]
        done = run("together_cli.py", *command, processes=processes, folder=folder)
        assert done.returncode == 0, done.stderr[-3000:]
        assert done.stdout.count("recorded in results/small-seed0.json") == 1
        assert done.stdout.count("step 12 of 12") == 1
        records.append(json.loads((folder / "results/small-seed0.json").read_text()))
    one, *others = (record["training"] for record in records)
    assert one["curve"]["loss"][0] > one["curve"]["loss"][-1] + 0.1, "learned nothing"
    for other in others:
        for name in ("loss", "validation_loss"):  # in single precision
            assert other["curve"][name] == pytest.approx(one["curve"][name], abs=2e-4)
        for name in ("target_tokens", "parameters"):
            assert other[name] == one[name]


def test_each_process_draws_its_own_and_always_the_same():
    """With the same draws in all, half the noise of dropout would be lost."""

    def drawn(*numbers, size=2):
        with torch.random.fork_rng():
            torch.manual_seed(3)
            Workers(0, size).seed(*numbers)
            return torch.rand(3).tolist()

    ways = [(5, 7, 0), (5, 7, 1), (5, 8, 0), (6, 7, 0)]  # seed, step, rank
    assert len({tuple(drawn(*way)) for way in ways}) == 4
    assert drawn(*ways[0]) == drawn(*ways[0])
    with torch.random.fork_rng():
        torch.manual_seed(3)
        assert drawn(*ways[0], size=1) == torch.rand(3).tolist(), "alone nothing is seeded anew"


def test_the_rows_of_a_batch_are_shared_out():
    batch = Batch.of([([4, 5], [6]), ([7], [8, 9]), ([4, 4, 4], [5])])
    first, second = (Workers(rank, 2).share(batch) for rank in (0, 1))
    assert first.indices.tolist() == [0, 2]
    assert second.indices.tolist() == [1]
    assert second.source.tolist() == [[7]]
    assert second.target.tolist() == [[1, 8, 9, 2]]
    assert first.target.shape[1] == 3, "cut to its own longest"
    assert Workers().share(batch) is batch


def test_alone_nothing_is_asked_of_others():
    with working_together() as workers:
        assert workers == Workers(0, 1)
    assert workers.first
    assert workers.any(True, torch.device("cpu")) is True
    assert not torch.distributed.is_initialized()


@pytest.mark.parametrize(
    ("device", "local", "backend"),
    [(None, 0, "nccl"), ("cuda", 0, "nccl"), ("cpu", 0, "gloo"), ("cpu", 1, "gloo")],
)
def test_processes_talk_as_suits_the_device(monkeypatch, device, local, backend):
    """Here on a machine that pretends to have one GPU; nothing is moved to it."""
    begun = pretend_one_gpu(monkeypatch, local)
    with working_together(device):
        assert begun == [backend]
    assert begun == [backend, "ended"]


def test_too_few_gpus_are_refused_by_number(monkeypatch):
    begun = pretend_one_gpu(monkeypatch, local=1)
    with refused(RuntimeError, "1 GPUs", "process 2"), working_together():
        pass
    assert begun == []


def pretend_one_gpu(monkeypatch, local: int) -> list[str]:
    """Pretend to be a process of torchrun's beside one GPU; give what is begun and ended."""
    begun = []
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", str(local))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "set_device", lambda _: None)
    monkeypatch.setattr(module.dist, "init_process_group", begun.append)
    monkeypatch.setattr(module.dist, "destroy_process_group", lambda: begun.append("ended"))
    return begun


def test_a_batch_that_cannot_be_shared_equally_is_refused(monkeypatch):
    monkeypatch.setattr(module.Workers, "present", classmethod(lambda cls: cls(0, 2)))
    config = TransformerConfig(17, embed_dim=8, num_heads=2, ffn_dim=12, num_layers=1)
    batches = Batches([([4], [5])] * 3, sentences=3)
    with refused(ValueError, "sentences", "3", "2 processes"):
        fit(Transformer(config), batches, steps=1, device="cpu", progress=False)


def test_what_cannot_be_sharded_is_refused():
    config = TransformerConfig(17, embed_dim=8, num_heads=2, ffn_dim=12, num_layers=1)
    model, batches = Transformer(config), Batches([([4], [5])], sentences=1)
    options = {"steps": 1, "device": "cpu", "progress": False, "sharded": True}
    with refused(RuntimeError, "several processes", "torchrun"):
        fit(model, batches, **options)
    with refused(TypeError, "optimiser", "function"):
        fit(model, batches, optimiser=adam(model), **options)
