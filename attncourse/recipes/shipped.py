"""The translator that comes with the package (chapter 12): a trained model's weights, halved."""

from __future__ import annotations

import copy
import os
from pathlib import Path

import torch

from attncourse.data.vocabulary import load_vocabulary
from attncourse.recipes.runs import Run, claim, claimed
from attncourse.training import load_checkpoint, save_checkpoint

FOLDER = Path(__file__).parents[1] / "shipped"


def shipped(folder: str | os.PathLike = FOLDER) -> Run:
    """Load the English-to-French translator that was trained on captions (chapter 12).

    Its card, `README.md` in the same folder, says on what it was trained, how good it is, and on
    which terms it may be used: for research and education, as the captions.

    Args:
        folder: another one that `ship` wrote.

    Returns:
        The model, on the CPU, in evaluation mode, and its vocabulary.

    Raises:
        CheckpointError: if the weights are missing or damaged.
        FileNotFoundError: if the folder holds no translator.

    Example:
        >>> translate = shipped().translator
        >>> translate(["A dog runs on the beach."])
        ['Un chien court sur la plage.']
    """
    folder = Path(folder)
    recipe, seed = claimed(folder)
    vocabulary = load_vocabulary(folder / "vocabulary.json")
    halved = recipe.build(len(vocabulary), len(vocabulary)).half()
    load_checkpoint(folder / "model.safetensors", halved)
    model = recipe.build(len(vocabulary), len(vocabulary))  # whose positions were never halved
    with torch.no_grad():
        for weights, half in zip(model.parameters(), halved.parameters(), strict=True):
            weights.copy_(half)
    return Run(recipe, seed, model.eval(), vocabulary, vocabulary)


def ship(run: Run, folder: str | os.PathLike) -> None:
    """Write what `shipped` reads: weights in half precision, vocabulary and recipe (chapter 12).

    Args:
        run: trained with one vocabulary for both languages.
        folder: gets three files.

    Raises:
        ValueError: if there are two vocabularies, or the folder holds another translator.
    """
    folder = Path(folder)
    if run.source != run.target:
        raise ValueError("run must have one vocabulary for both languages, got two")
    claim(folder, run.recipe, run.seed)
    halved = copy.deepcopy(run.model).half()
    save_checkpoint(folder / "model.safetensors", halved, step=run.recipe.steps)
    run.source.save(folder / "vocabulary.json")
