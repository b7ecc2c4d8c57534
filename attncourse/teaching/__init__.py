"""Homework (every chapter): an assignment from a chapter, and the marks of what came back.

| module | what it holds |
|---|---|
| `notebooks` | notebooks as files: their cells, the exercises they check, the student's name |
| `assignments` | an assignment from a chapter: questions, stubs and checks, without solutions |
| `marking` | the marks of a folder of returned notebooks, and their table |
| `supervision` | a process for each notebook: its time, its output, its end |
| `worker` | what that process does: run the cells, then check the functions |
| `guards` | what the notebook may not do there, and what shows that it changed the package |
"""

from __future__ import annotations

from attncourse.teaching.assignments import write_assignment
from attncourse.teaching.marking import Mark, mark_folder, write_marks

__all__ = ["Mark", "mark_folder", "write_assignment", "write_marks"]
