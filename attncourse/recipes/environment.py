"""On what a training runs, for its record (chapter 04)."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch


def environment() -> dict[str, Any]:
    """Say on what this runs: versions, hardware, and the commit if this is a checkout."""
    from attncourse import __version__

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "attncourse": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "gpu": gpu,
    }


def _commit() -> str | None:
    """The commit of the checkout that this file is in, marked if something was changed."""
    here = Path(__file__).parent
    try:
        found = [
            subprocess.run(
                ["git", *command], cwd=here, capture_output=True, text=True, check=True, timeout=10
            ).stdout.strip()
            for command in (
                # A package that is installed may lie in a checkout of something else.
                ("ls-files", "--error-unmatch", Path(__file__).name),
                ("rev-parse", "--short=10", "HEAD"),
                ("status", "--porcelain", "."),
            )
        ]
    except (OSError, subprocess.SubprocessError):
        return None
    _, commit, changed = found
    return commit + ("+" if changed else "")


def _processor() -> str:
    """The processor's name and its cores."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            name = next(line for line in file if line.startswith("model name")).split(":")[1]
    except (OSError, StopIteration):
        pass
    return f"{name.strip()}, {os.cpu_count()} cores"
