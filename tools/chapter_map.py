"""The map of the chapters on the front page, made when the book is built: it cannot go stale.

The page's source has a line for each chapter, with the chapter's name and its question. Parts and
order are those of `_toc.yml`; title, minutes and needs are what each notebook says of itself.
"""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode

from tools.budget import stated_minutes
from tools.colab.notebook import GPU_SECTION
from tools.project import ROOT


def parts() -> dict[str, list[list[Path]]]:
    """Return the numbered parts: for each chapter its notebook, then those of its deeper pages."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    return {
        part["caption"]: [
            [ROOT / f"{page['file']}.ipynb" for page in [chapter, *chapter.get("sections", [])]]
            for chapter in part["chapters"]
        ]
        for part in toc["parts"]
        if part.get("numbered")
    }


def chapter_map(lines: list[str]) -> str:
    """Return the map, a table in Markdown, of lines like `01_attention_cues: Why look?`.

    Raises:
        ValueError: if the lines do not name the chapters of `_toc.yml`, each once and in order.
    """
    named = [line.partition(": ") for line in lines if line.strip()]
    wanted = [chapter.stem for part in parts().values() for chapter, *_ in part]
    if [name for name, _, _ in named] != wanted:
        raise ValueError(f"the map must name {', '.join(wanted)}, each once, and got {named}")
    questions = {name: question for name, _, question in named}
    rows = ["| chapter | to read | to try | needs |", "|---|---|---|---|"]
    for name, part in parts().items():
        notebooks = [nbformat.read(chapter, as_version=4) for chapter, *_ in part]
        minutes = [stated_minutes(notebook) for notebook in notebooks]
        reading, trying = (f"{sum(each) / 60:.1f} h" for each in zip(*minutes, strict=True))
        rows.append(f"| **{name}** | {reading} | {trying} | |")
        for pages, notebook, (reading, trying) in zip(part, notebooks, minutes, strict=True):
            chapter, *deeper = pages
            said = f"**[{chapter.stem[:2]} {title(notebook)}]({chapter.name})** "
            said += questions[chapter.stem]
            said += "".join(f" ([a deeper page]({page.name}))" for page in deeper)
            rows.append(f"| {said} | {reading} min | {trying} min | {needs(notebook)} |")
    return "\n".join(rows)


def title(notebook: NotebookNode) -> str:
    return re.match(r"# (.+)", notebook.cells[0].source)[1]


def needs(notebook: NotebookNode) -> str:
    """Return what a chapter needs: the chapters before it, what it installs, a GPU."""
    source = {
        kind: "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == kind)
        for kind in ("markdown", "code")
    }
    said = re.search(r"\*\*You need\*\* (.+)", source["markdown"])[1]
    chapters = re.findall(r"\]\((\d\d)_(?!\w+_deeper)", said)
    found = [", ".join(chapters) or re.match(r"(.+?)\.(?: |$)", said)[1]]
    found += [
        " and ".join(p.split()) for p in re.findall(r"%pip install -q (\w.*)", source["code"])
    ]
    found += ["a GPU helps"] * bool(GPU_SECTION.search(source["markdown"]))
    return "; ".join(found)
