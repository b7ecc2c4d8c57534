"""Chapters 13 to 17 side by side, from their records: with attention and without (chapter 17)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from attncourse.recipes.records import records


@dataclass(frozen=True)
class Compared:
    """What attention was worth at one task, a number for each seed (chapter 17).

    Attributes:
        task: what was measured, after the number of the chapter.
        attention: the scores with attention.
        replaced: those of the same model with a mean, a window or a small network in its place.
        rival: the name of another way without attention that comes near, "" if there is none.
        rival_scores: its scores.
    """

    task: str
    attention: tuple[float, ...]
    replaced: tuple[float, ...]
    rival: str
    rival_scores: tuple[float, ...]


def applications() -> list[Compared]:
    """Read from the records what attention was worth in chapters 13 to 17.

    Returns:
        One comparison a task.
    """
    return [_compared(*given) for given in _TASKS]


def _compared(
    task: str,
    name: str,
    score: Callable[[dict[str, Any], Any], float],
    ours: Any,
    replaced: Any,
    rival: Any = None,
    rival_name: str = "",
) -> Compared:
    recorded = records(name)

    def scores(model: Any) -> tuple[float, ...]:
        return tuple(score(record, model) for record in recorded)

    rival_scores = () if rival is None else scores(rival)
    return Compared(task, scores(ours), scores(replaced), rival_name, rival_scores)


def _run(runs: list[dict[str, Any]], **wanted: Any) -> dict[str, Any]:
    """Give the one run with these settings."""
    (found,) = [run for run in runs if wanted.items() <= run.items()]
    return found


def _names_right(record: dict[str, Any], model: str) -> float:
    rate = record["chosen"][model]  # the best in validation
    return _run(record["runs"], model=model, learning_rate=rate)["test"]["names"][0]


def _f1(record: dict[str, Any], kind: str) -> float:
    runs = [run for run in record["runs"] if run["kind"] == kind]
    return max(runs, key=lambda run: run["validation_f1"])["test_f1"][0]


def _digits_right(record: dict[str, Any], model_and_steps: tuple[str, int]) -> float:
    model, steps = model_and_steps
    return _run(record["runs"], model=model, steps=steps)["accuracy"]


def _ap50(record: dict[str, Any], model: str) -> float:
    return _run(record["runs"], model=model)["ap50"]


def _agreement(record: dict[str, Any], model: str) -> float:
    return _run(record["gpts"] + record["gans"], model=model)["corrected"]


_DIGIT = ("attention", 700), ("mean", 700), ("FiLM", 1800), "FiLM, 1,800 steps"
_DETECTED = "queries", "queries with a mean", "grid", "grid of convolutions"
_JUDGES = "attention in both", "attention in the generator"  # the judge is what is compared

_TASKS = (
    ("13 unseen names right", "summaries", _names_right, "pointer", "mean"),
    ("14 F1 of names", "entities", _f1, "attention, start alike", "mean"),
    ("15 the digit asked for", "red-digit", _digits_right, *_DIGIT),
    ("16 objects found, AP50", "detection", _ap50, *_DETECTED),
    ("17 corners agree, GPT", "generation", _agreement, "full", "window"),
    ("17 corners agree, GAN", "generation", _agreement, *_JUDGES),
)
