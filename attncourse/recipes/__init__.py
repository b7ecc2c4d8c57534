"""The long trainings of the course: recipes, and what comes of them (from chapter 04).

| module | what it holds |
|---|---|
| `models` | what can be trained |
| `recipe` | what is trained on what, and how |
| `book` | the recipes whose figures the chapters show |
| `corpora` | a corpus with its vocabularies and tests |
| `scores` | how a trained translator is judged |
| `runs` | a training in its folder |
| `folders` | to which recipe a folder belongs |
| `repeating` | a recorded training once more, on a GPU |
| `shipped` | the translator that comes with the package |
| `environment` | on what a training runs |
| `records` | what is kept of it |
| `applications` | chapters 13 to 17 side by side |
"""

from attncourse.recipes.applications import Compared, applications
from attncourse.recipes.book import RECIPES
from attncourse.recipes.environment import environment
from attncourse.recipes.recipe import Recipe
from attncourse.recipes.records import records, write_record
from attncourse.recipes.repeating import repeat
from attncourse.recipes.runs import Run, evaluate, load, train
from attncourse.recipes.shipped import ship, shipped

__all__ = [
    "RECIPES",
    "Compared",
    "Recipe",
    "Run",
    "applications",
    "environment",
    "evaluate",
    "load",
    "records",
    "repeat",
    "ship",
    "shipped",
    "train",
    "write_record",
]
