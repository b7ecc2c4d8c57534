"""A homework of chapter 07 as students return it: for the tests of marking."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from attncourse.teaching import write_assignment
from attncourse.teaching.notebooks import Cell, read_cells, write_cells

CHAPTER = Path(__file__).parents[1] / "chapters" / "07_multi_head_attention.ipynb"

RIGHT = {
    "split_heads": """\
def split_heads(x, num_heads):
    return x.unflatten(-1, (num_heads, -1)).transpose(1, 2)""",
    "merge_heads": """\
def merge_heads(x):
    return x.transpose(1, 2).flatten(2)""",
    "multi_head": """\
def multi_head(query, key, value, num_heads, mask):
    q, k, v = (split_heads(x, num_heads) for x in (query, key, value))
    return merge_heads(ac.attend(q, k, v, mask[:, None]))""",
    "attend_heads": """\
def attend_heads(query, key, value, mask):
    return ac.attend(query, key, value, mask[:, None, None])""",
}


def give(folder: Path, **options: object) -> Path:
    """Write the assignment."""
    path, _ = write_assignment(CHAPTER, folder / "homework.ipynb", **options)
    return path


def hand_in(
    path: Path, assignment: Path, name: str, answers: Mapping[str, str], last: Sequence[str] = ()
) -> None:
    """Write what a student returns: some stubs filled in, and cells of his own at the end."""
    cells = []
    for cell in read_cells(assignment):
        source = cell.source.replace('student = ""', f"student = {json.dumps(name)}")
        for function, answer in answers.items():
            if source.startswith(f"def {function}("):
                source = answer
        cells.append(Cell(cell.kind, source, cell.metadata))
    write_cells(path, [*cells, *(Cell("code", source) for source in last)])
