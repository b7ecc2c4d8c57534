"""Chapter 20's timeline: each date has its paper, and the paper's entry agrees with it."""

from __future__ import annotations

import ast
import re
from calendar import month_name
from itertools import pairwise

import nbformat
import pytest

from attncourse.figures import preprint_date
from tools.project import ROOT

CELLS = nbformat.read(ROOT / "chapters" / "20_looking_back.ipynb", as_version=4).cells
ENTRIES = re.split(r"^@\w+\{", (ROOT / "chapters/references.bib").read_text("utf-8"), flags=re.M)
PAPERS = {entry.partition(",")[0]: entry for entry in ENTRIES if entry}
MONTHS = list(month_name)[1:]


def preprints() -> dict[str, str]:
    (cell,) = [cell for cell in CELLS if cell.source.startswith("preprints = {")]
    return ast.literal_eval(cell.source.partition("=")[2].strip())


def rows() -> list[tuple[float, list[str]]]:
    """The table below the figure: dates, and the keys of the papers."""
    (cell,) = [cell for cell in CELLS if "| first shown | paper |" in cell.source]
    found = []
    for line in cell.source.splitlines():
        row = re.match(r"\| (?:(\w+) )?(\d{4}) \| \{cite:t\}`([\w,]+)` \|", line)
        if row:
            month, year, keys = row.groups()
            date = int(year) + ((MONTHS.index(month) + 0.5) / 12 if month else 0)
            found.append((date, keys.split(",")))
    return found


def test_each_dot_has_a_row_in_the_order_of_the_dates():
    dates = [date for date, _ in rows()]
    assert all(earlier < later for earlier, later in pairwise(dates))
    dots = {round(preprint_date(number), 3) for number in preprints()}
    # The three that are no preprints: 1964, 2010 and GPT.
    assert len(dots) == len(preprints()) == len(dates) - 3
    assert dots < {round(date, 3) for date in dates}


def test_a_paper_is_in_the_references_with_the_year_or_the_next():
    for date, keys in rows():
        for key in keys:
            if key not in PAPERS:  # another chapter's, listed when that chapter is
                continue
            year = int(re.search(r"year = \{(\d{4})\}", PAPERS[key])[1])
            assert year - int(date) in (0, 1), key


@pytest.mark.parametrize("number", preprints())
def test_the_number_is_the_papers(number):
    noted = [key for key, entry in PAPERS.items() if f"arXiv:{number}" in entry]
    date = round(preprint_date(number), 3)
    cited = [keys for when, keys in rows() if round(when, 3) == date]
    assert len(cited) == 1
    assert noted in ([], cited[0])
