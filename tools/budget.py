"""How long a page is, and how long its reader takes.

For example:

    python -m tools.budget chapters/*.ipynb

A reader takes 150 words a minute, half a minute for a code cell that is open, and 5 minutes for an
exercise. Rounded up to five minutes, that is the time which the page states.
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
MOST_CELLS = 40
MOST_MINUTES = 60
FOLDED = {"hide-input", "hide-cell", "remove-input", "remove-cell"}  # tags: the code is not open


@dataclass(frozen=True)
class Length:
    words: int  # outside of exercises, folded answers and sources; a formula counts as one
    cells: int  # code cells that are open
    exercises: int

    @property
    def minutes(self) -> int:
        minutes = self.words / 150 + self.cells / 2 + 5 * self.exercises
        return 5 * math.ceil(minutes / 5)


def length_of(notebook: NotebookNode) -> Length:
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    visible = [cell for cell in cells if not FOLDED & set(cell.metadata.get("tags", []))]
    prose = "\n\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    exercises = len(re.findall(r"^:::+\{exercise-start\}", prose, re.MULTILINE))
    return Length(len(plain(prose).split()), len(visible), exercises)


def plain(prose: str) -> str:
    """Leave out what does not count as prose."""
    between = re.DOTALL | re.MULTILINE
    prose = re.sub(r"^:::+\{exercise-start\}.*?^:::+\{exercise-end\}$", "", prose, flags=between)
    prose = re.sub(r"^(:::+)\{dropdown\}.*?^\1$", "", prose, flags=between)
    prose = re.sub(r"^## Sources$.*?(?=^## |\Z)", "", prose, flags=between)
    return re.sub(r"\$\$.*?\$\$|\$[^$]+\$", "formula", prose, flags=re.DOTALL)


def stated_minutes(notebook: NotebookNode) -> int | None:
    """Find the minutes that the page says it takes to read and try."""
    prose = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    found = re.search(r"(\d+) minutes to read", prose)
    return int(found[1]) if found else None


def main(paths: list[str]) -> None:
    print("words  cells  exercises  minutes  stated")
    for path in paths:
        notebook = nbformat.read(path, as_version=4)
        page = length_of(notebook)
        print(f"{page.words:5}{page.cells:7}{page.exercises:11}{page.minutes:9}", end="")
        print(f"{stated_minutes(notebook) or '-':>8}  {Path(path).name}")


if __name__ == "__main__":
    main(sys.argv[1:])
