"""A small model, a small corpus, and a training of them that can be killed (see test_resuming).

As a script it trains in processes of its own, forked so that torch is imported once: `reference`
without a stop, and then, in a folder each, killed at some moment and gone on with.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import torch
from torch import nn

from attncourse.data.batches import Batches
from attncourse.training import Checkpoints, History, Validation, fit

VOCABULARY, WIDTH = 23, 5
STEPS = 17  # the third epoch of 7 steps has 3
QUIET = {"device": "cpu", "progress": False}


class SmallModel(nn.Module):
    """The mean of the source's real tokens is added to each token of the target."""

    def __init__(self, dropout: float = 0.25, tied: bool = False, width: int = WIDTH):
        super().__init__()
        self.source = nn.Embedding(VOCABULARY, width)
        self.target = nn.Embedding(VOCABULARY, width)
        self.output = nn.Linear(width, VOCABULARY)
        self.dropout = nn.Dropout(dropout)
        if tied:
            self.output.weight = self.target.weight

    def forward(self, source, target, source_mask=None, target_mask=None):
        real = source_mask[..., None]
        mean = (self.source(source) * real).sum(1, keepdim=True) / real.sum(1, keepdim=True)
        return self.output(self.dropout(self.target(target) + mean))


def small_model(seed: int = 0, **options) -> SmallModel:
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return SmallModel(**options)


def corpus(count: int = 31, seed: int = 0) -> list[tuple[list[int], list[int]]]:
    draw = random.Random(seed)
    sources = [
        [draw.randrange(4, VOCABULARY) for _ in range(draw.randint(1, 7))] for _ in range(count)
    ]
    return [(source, [4 + (token * 5) % 19 for token in source[:5]]) for source in sources]


def small_batches(**options) -> Batches:
    settings = {"sentences": 5, "bucket": 11, "generator": torch.Generator()}
    return Batches(corpus(), **(settings | options))


def unlike_the_corpus() -> Batches:
    """Sentences on which the loss falls at first, and rises after step 9."""
    pairs = [(source, [22, 22, 21]) for source, _ in corpus(13, 1)]
    return Batches(pairs, sentences=6, generator=torch.Generator())


def train(
    folder: Path | None = None,
    model: nn.Module | None = None,
    *,
    every: int | None = 4,
    resume: bool = True,
    patience: int | None = STEPS,
    validate_every: int | None = 3,
    **options,
) -> History:
    """Train with everything that a checkpoint has to keep."""
    settings = {
        "steps": STEPS,
        "learning_rate": 0.2,
        "schedule": lambda step: min(1.0, step / 9),
        "label_smoothing": 0.1,
        "device": "cpu",
        "validation": Validation(unlike_the_corpus(), validate_every, patience),
        "checkpoint": None if folder is None else Checkpoints(folder, every, resume),
        "progress": False,
    }
    model = small_model(tied=True) if model is None else model
    return fit(model, small_batches(), **(settings | options))


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


ONE_PAIR = [([4], [5])]  # two labels: 5 and <eos>


def plain_sgd(model: nn.Module, rate: float = 1.0) -> torch.optim.SGD:
    return torch.optim.SGD(model.parameters(), lr=rate)


def same_weights(ours: nn.Module, others: nn.Module) -> bool:
    pairs = zip(ours.state_dict().values(), others.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


# Where a training can be killed: before or after which call of which function.
MOMENTS = [
    *[("forward", before, call) for before in (True, False) for call in (1, 6, 13, 20)],
    *[("update", before, call) for before in (True, False) for call in (4, 5, 16, 17)],
    ("plan", False, 1),
    ("plan", True, 2),
    ("plan", False, 3),
    ("validate", True, 2),
    ("validate", False, 5),
    *[("write", before, call) for before in (True, False) for call in (1, 2, 5)],
    *[("fsync", before, call) for before in (True, False) for call in (1, 2, 5)],
    *[("replace", before, call) for before in (True, False) for call in (1, 3, 5)],
]


def kill_at(what: str, before: bool, call: int) -> None:
    """Let this process be killed at a moment."""
    import attncourse.data.files
    import attncourse.training.state

    owner, name = {
        "forward": (SmallModel, "forward"),
        "update": (torch.optim.Adam, "step"),
        "plan": (Batches, "plan"),
        "validate": (attncourse.training.state.Training, "validate"),
        "write": (attncourse.training.checkpoints, "write_atomically"),
        "fsync": (os, "fsync"),
        "replace": (os, "replace"),
    }[what]
    original = getattr(owner, name)
    calls = 0

    def deadly(*arguments, **options):
        nonlocal calls
        calls += 1
        if before and calls == call:
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*arguments, **options)
        if calls == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, deadly)


def in_a_process(action, kill_after: float | None = None) -> bool:
    """Run `action` in a process of its own, kill it after a while, and say if it was killed."""
    process = os.fork()
    if process == 0:
        code = 1
        try:
            action()
            code = 0
        finally:
            os._exit(code)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert killed or status == 0
    return killed


def main(root: Path) -> None:
    import safetensors.torch  # noqa: F401  imported now, or every process would do it later
    import torch._dynamo

    torch.set_num_threads(1)
    assert not in_a_process(lambda: train(root / "reference"))

    for moment in MOMENTS:  # killed once
        folder = root / "-".join(map(str, moment))
        assert in_a_process(lambda: (kill_at(*moment), train(folder))), moment  # noqa: B023
        assert not in_a_process(lambda: train(folder))  # noqa: B023

    folder = root / "again_and_again"  # killed before and after each write, so it comes far
    for what in ("write", "fsync", "replace"):
        for before in (True, False):
            in_a_process(lambda: (kill_at(what, before, 1), train(folder)))  # noqa: B023
    assert not in_a_process(lambda: train(folder))

    # Killed from outside, at times all over the training; its naps make up most of its time.
    naps = {"every": 1, "callbacks": [lambda *_: time.sleep(0.01)]}
    began = time.perf_counter()
    assert not in_a_process(lambda: train(root / "in_naps", **naps))
    duration = time.perf_counter() - began
    kills = 0
    for tenth in range(1, 9):
        folder = root / f"by_the_clock-{tenth}"
        kills += in_a_process(lambda: train(folder, **naps), duration * tenth / 10)  # noqa: B023
        assert not in_a_process(lambda: train(folder, **naps))  # noqa: B023
    print(kills)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
