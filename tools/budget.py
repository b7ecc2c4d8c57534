"""How long a page is, and how long its reader takes.

For example:

    python -m tools.budget chapters/*.ipynb

A reader takes 100 words a minute, 45 seconds for a code cell that is open, and 10 minutes for an
exercise. The page states both times, the first rounded up to five; `make stamp` writes them.
"""

from __future__ import annotations

import math
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

MOST_WORDS = 3000
MOST_CELLS = 40  # with as many words, an hour
MOST_EXERCISES = 6
EXERCISE = 10  # minutes
FOLDED = {"hide-input", "hide-cell", "remove-input", "remove-cell"}  # tags: the code is not open
STATED = re.compile(r"(\d+) minutes to read, (\d+) for the exercises?\b")


@dataclass(frozen=True)
class Length:
    words: int  # outside of exercises, folded answers and sources; a formula counts as one
    cells: int  # code cells that are open
    exercises: int

    @property
    def minutes(self) -> tuple[int, int]:
        """Return how long the page takes to read, and how long its exercises take."""
        return 5 * math.ceil((self.words / 100 + self.cells * 3 / 4) / 5), EXERCISE * self.exercises


def length_of(notebook: NotebookNode) -> Length:
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    visible = [cell for cell in cells if not FOLDED & set(cell.metadata.get("tags", []))]
    prose = "\n\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    exercises = len(re.findall(r"^:::+\{exercise-start\}", prose, re.MULTILINE))
    return Length(len(plain(prose).split()), len(visible), exercises)


def plain(prose: str) -> str:
    """Leave out what does not count as prose."""
    between = re.DOTALL | re.MULTILINE
    prose = re.sub(
        r"^:::+\{exercise-start\}.*?^:::+\{exercise-end\}\n:::+$", "", prose, flags=between
    )
    prose = re.sub(r"^(:::+)\{dropdown\}.*?^\1$", "", prose, flags=between)
    prose = re.sub(r"^## Sources$.*?(?=^## |\Z)", "", prose, flags=between)
    return re.sub(r"\$\$.*?\$\$|\$[^$]+\$", "formula", prose, flags=re.DOTALL)


def stated_minutes(notebook: NotebookNode) -> tuple[int, int] | None:
    """Find how long the page says it takes to read, and how long for its exercises."""
    prose = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    found = STATED.search(prose)
    return (int(found[1]), int(found[2])) if found else None


def state_minutes(notebook: NotebookNode) -> None:
    """Write into the page how long it takes, where it states another time."""
    reading, practice = length_of(notebook).minutes
    exercises = "exercise" if practice == EXERCISE else "exercises"
    stated = f"{reading} minutes to read, {practice} for the {exercises}"
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = STATED.sub(stated, cell.source)


def main(paths: list[str]) -> None:
    print("words  cells  exercises  to read  in all")
    for path in paths:
        page = length_of(nbformat.read(path, as_version=4))
        print(f"{page.words:5}{page.cells:7}{page.exercises:11}", end="")
        print(f"{page.minutes[0]:9}{sum(page.minutes):8}  {Path(path).name}")


if __name__ == "__main__":
    main(sys.argv[1:])
