"""The folder of a training, which belongs to one recipe and seed (chapter 04)."""

from __future__ import annotations

import json
from pathlib import Path

from attncourse.data.vocabulary import load_vocabulary
from attncourse.recipes.corpora import Corpus
from attncourse.recipes.recipe import Recipe
from attncourse.recipes.records import write_record


def claim(folder: Path, recipe: Recipe, seed: int) -> None:
    """Write down what the folder is for; refuse one that is for something else."""
    require_own(folder, recipe, seed)
    write_record(folder / "recipe.json", {"recipe": recipe.to_dict(), "seed": int(seed)})


def require_own(folder: Path, recipe: Recipe, seed: int) -> None:
    """Refuse a folder that is for something else."""
    try:
        found, by = claimed(folder)
    except FileNotFoundError:
        return
    if (found.to_dict(), by) != (recipe.to_dict(), seed):
        raise ValueError(
            f"folder {folder} holds a training by another recipe or seed; "
            "give another, or delete it"
        )


def require_same_words(folder: Path, corpus: Corpus) -> None:
    """Refuse a folder whose training knew other words, as of an older version of the corpus."""
    for side in ("source", "target"):
        file = folder / f"{side}.json"
        if file.exists() and load_vocabulary(file) != getattr(corpus, side):
            raise ValueError(
                f"folder {folder} holds a training on other words than the corpus has now: {file} "
                "differs; give another, or delete it"
            )


def claimed(folder: Path) -> tuple[Recipe, int]:
    """Read what a folder is for.

    Raises:
        FileNotFoundError: if it is for nothing yet.
        ValueError: if what was written down is damaged.
    """
    path = folder / "recipe.json"
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        return Recipe.from_dict(held["recipe"]), held["seed"]
    except FileNotFoundError:
        raise FileNotFoundError(f"{folder} holds no training: there is no {path.name}") from None
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
