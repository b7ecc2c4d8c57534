"""Disturb what a notebook trains or loads, as another processor's arithmetic would.

A start-up file of IPython runs this in the notebook's kernel; no notebook knows of it. Each
optimiser, just before its first step, has every weight multiplied by 1 + size * noise, and so has
each trained model that the package loads. Equal models get equal noise, so that two trainings which
must agree still do.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from weakref import WeakSet

SIZE, SEED, NOTE = "NUDGE_SIZE", "NUDGE_SEED", "NUDGE_NOTE"  # the note: a file, made if it nudged
STARTUP = f"__import__('runpy').run_path({str(Path(__file__).resolve())!r}, run_name='startup')\n"


def environment(size: float, seed: int, folder: Path) -> dict[str, str]:
    """Return the variables that let every kernel nudge, with `folder` for what that takes."""
    startup = folder / "profile_default" / "startup" / "nudge.py"
    startup.parent.mkdir(parents=True)
    startup.write_text(STARTUP, encoding="utf-8")
    settings = {SIZE: str(size), SEED: str(seed), NOTE: str(folder / "note")}
    return {"IPYTHONDIR": str(folder), **settings}


def nudged(folder: Path) -> bool:
    """Say whether a kernel with that environment had something to nudge."""
    return (folder / "note").exists()


def install() -> None:
    """Let this process nudge what it trains and what it loads."""
    import torch
    from torch.optim.optimizer import register_optimizer_step_pre_hook

    from attncourse.recipes import Run

    begun: WeakSet[torch.optim.Optimizer] = WeakSet()

    @torch.no_grad()
    def nudge(parameters: Iterable[torch.Tensor]) -> None:
        generator = torch.Generator().manual_seed(int(os.environ[SEED]))
        for weights in parameters:
            noise = torch.randn(weights.shape, generator=generator, dtype=torch.float64)
            weights.mul_((1 + float(os.environ[SIZE]) * noise).to(weights))
        Path(os.environ[NOTE]).touch()

    def before_step(optimiser: torch.optim.Optimizer, *_: object) -> None:
        if optimiser not in begun:
            begun.add(optimiser)
            nudge(weights for group in optimiser.param_groups for weights in group["params"])

    make_run = Run.__init__

    def make_nudged(self: Run, *arguments, **named) -> None:
        make_run(self, *arguments, **named)
        nudge(self.model.parameters())

    register_optimizer_step_pre_hook(before_step)
    Run.__init__ = make_nudged


if __name__ == "startup":
    install()
