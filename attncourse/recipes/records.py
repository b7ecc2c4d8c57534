"""The records of the long trainings, which the chapters read (chapters 04 and 05)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def records(name: str) -> list[dict[str, Any]]:
    """Read what was recorded of a recipe's trainings (chapter 04).

    Args:
        name: of the recipe, as in `RECIPES`.

    Returns:
        One record a seed, in the order of the seeds: the recipe, the environment, how the
        training went, and the scores.

    Raises:
        FileNotFoundError: if there is no record of that name.
    """
    found = []
    for file in _folder().glob("*.json"):
        stem, _, seed = file.stem.rpartition("-seed")
        if stem == name and seed.isdigit():
            found.append(json.loads(file.read_text(encoding="utf-8")))
    if not found:
        raise FileNotFoundError(f"no training by the recipe {name!r} is recorded")
    return sorted(found, key=lambda record: record["seed"])


def _folder() -> Path:
    """In an installed package the records are inside; in a checkout they stand beside it."""
    package = Path(__file__).parents[1]
    inside = package / "results"
    return inside if inside.is_dir() else package.parent / "results"
