"""The records of the long trainings, which the chapters read (chapters 04 and 05)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from attncourse.data.files import write_atomically


def records(name: str) -> list[dict[str, Any]]:
    """Read what was recorded of a recipe's trainings (chapter 04).

    Args:
        name: of the recipe, as in `RECIPES`.

    Returns:
        One record a seed, in the order of the seeds: the recipe, the environment, how the
        training went, and the scores. What was measured once and without a seed is one record.

    Raises:
        FileNotFoundError: if there is no record of that name.
    """
    found = []
    for file in _folder().glob("*.json"):
        stem, _, seed = file.stem.rpartition("-seed")
        if file.stem == name or (stem == name and seed.isdigit()):
            found.append(json.loads(file.read_text(encoding="utf-8")))
    if not found:
        raise FileNotFoundError(f"no training by the recipe {name!r} is recorded")
    return sorted(found, key=lambda record: record.get("seed", 0))


def write_record(path: str | os.PathLike, record: dict[str, Any]) -> None:
    """Write a record as JSON that reads well in a diff, whole or not at all."""
    text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(path, text.encode("utf-8"))


def _folder() -> Path:
    """In an installed package the records are inside; in a checkout they stand beside it."""
    package = Path(__file__).parents[1]
    inside = package / "results"
    return inside if inside.is_dir() else package.parent / "results"
