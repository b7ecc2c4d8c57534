"""A notebook of the book as the one that Colab's and Jupyter's readers get, and all of them."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tools.budget import FOLDED
from tools.colab.book import Book, Target
from tools.colab.prose import Prose, anchor
from tools.execute import write
from tools.project import ROOT, bootstrap_source, colab_url, repository

INSTALLS = "Install the package, unless it is there"
GPU_SECTION = re.compile(r"^#+ On a GPU\s*$", re.MULTILINE)
GPU_REQUEST = {"accelerator": "GPU", "colab": {"gpuType": "T4"}}  # as Colab itself writes it


class UnfitError(ValueError):
    """What keeps a notebook from being rendered: each line names a notebook and a cell."""


def rendered(notebook: NotebookNode, page: str, book: Book, commit: str) -> NotebookNode:
    """Return the notebook of a page as plain Jupyter wants it, installing the state `commit`.

    Raises:
        UnfitError: if a cell holds what the tool does not know, or was never executed.
    """
    prose = Prose(book, page)
    for _ in range(2):  # the first time tells what the page's own links need an anchor for
        cells, complaints = [], []
        for number, cell in enumerate(notebook.cells, 1):
            try:
                cells += cells_for(cell, prose, commit)
            except ValueError as error:
                complaints.append(f"{page}.ipynb, cell {number} ({beginning(cell)}): {error}")
        if prose.solution:
            complaints.append(f"{page}.ipynb: the {prose.solution} has no end")
        if complaints:
            raise UnfitError("\n".join(complaints))
    kept = {key: notebook.metadata[key] for key in ("kernelspec", "language_info")}
    if any(GPU_SECTION.search(c.source) for c in notebook.cells if c.cell_type == "markdown"):
        kept |= GPU_REQUEST
    return new_notebook(cells=cells, metadata=kept)


def beginning(cell: NotebookNode) -> str:
    """Return the first words of a cell, to find it by."""
    line = cell.source.strip().split("\n")[0]
    return repr(line if len(line) <= 40 else f"{line[:37]}...")


def cells_for(cell: NotebookNode, prose: Prose, commit: str) -> list[NotebookNode]:
    """Return what a cell becomes: nothing, itself, or itself and the caption of its figure."""
    if cell.cell_type == "markdown":
        text = prose.cell(cell.source)
        return [new_markdown_cell(text, id=cell.id)] if text else []
    if cell.cell_type != "code":
        raise ValueError(f"a cell of the type {cell.cell_type} is unknown")
    if cell.execution_count is None:
        raise ValueError("the cell was never executed (make execute)")
    tags = set(cell.metadata.get("tags", []))
    source = cell.source
    if "bootstrap" in tags:
        source = bootstrap_source(prose.book.root, commit)
    made = new_code_cell(source, id=cell.id)
    if prose.solution or FOLDED & tags:
        fold(made, INSTALLS if "bootstrap" in tags else prose.solution or title(cell))
    figure = cell.metadata.get("mystnb", {}).get("figure")
    return [made, caption(cell, figure, prose)] if figure else [made]


def title(cell: NotebookNode) -> str:
    """Return what a folded cell is called: as the book's button, or as its own first comment."""
    prompt = cell.metadata.get("mystnb", {}).get("code_prompt_show", "Show the code")
    comment = re.match(r"(?:#.*\n?)+", cell.source)
    if comment and prompt in {"Show the code", "Show the check"}:
        return " ".join(line.lstrip("# ") for line in comment[0].split("\n")).strip()
    words = prompt.removeprefix("Show ")
    return words[0].upper() + words[1:]


def fold(cell: NotebookNode, title: str) -> None:
    """Fold a code cell behind a title, for Colab and for Jupyter."""
    if cell.source.startswith("%%"):
        raise ValueError("a cell that begins with %% cannot be folded, since its title goes there")
    cell.source = f"# @title {title}\n{cell.source}"
    cell.metadata = {"cellView": "form", "jupyter": {"source_hidden": True}}


def caption(cell: NotebookNode, figure: dict, prose: Prose) -> NotebookNode:
    """Return a cell with the caption of a figure, to stand below it."""
    drawn = [output.get("data", {}) for output in cell.outputs]
    if not any("image/png" in data or "text/html" in data for data in drawn):
        raise ValueError("the cell has a caption and draws no figure")
    target = prose.book.numbered(figure.get("name", ""), {"figure"})
    text = f"**{target.called}.** {prose.render(figure['caption'])}"
    if target.anchor in prose.linked:
        text = f"{anchor(target.anchor)}\n\n{text}"
    return new_markdown_cell(text, id=f"{cell.id[:56]}-caption")


# All of them


def write_all(folder: Path, commit: str, root: Path = ROOT) -> list[Path]:
    """Write every notebook of the book into a folder, or, if one is unfit, change nothing.

    Raises:
        UnfitError: with a line for each cell that is in the way.
    """
    if re.fullmatch("[0-9a-f]{40}", commit) is None:
        raise ValueError(f"the commit must be 40 hexadecimal digits, got {commit!r}")
    book = Book(root)
    made, complaints = {}, []
    for page in book.notebooks:
        try:
            notebook = nbformat.read(book.path(page), as_version=4)
            made[page] = rendered(notebook, page, book, commit)
        except UnfitError as error:
            complaints.append(str(error))
    if complaints:
        raise UnfitError("\n".join(complaints))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as parent:
        fresh = Path(parent) / folder.name
        for page, notebook in made.items():
            path = fresh / f"{page}.ipynb"
            path.parent.mkdir(parents=True, exist_ok=True)
            write(notebook, path)
        (fresh / "README.md").write_text(readme(book, commit), encoding="utf-8", newline="\n")
        shutil.copy(root / "LICENSE", fresh)
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    return [folder / f"{page}.ipynb" for page in made]


def readme(book: Book, commit: str) -> str:
    """Return what the branch says of itself."""
    address = f"https://github.com/{repository(book.root)}"
    rows = [
        f"- [{book.titles[page]}]({colab_url(Path(page).name + '.ipynb', book.root)})"
        for page in book.notebooks
    ]
    return (
        "# The chapters, for Colab and Jupyter\n\n"
        f"Made by `make colab` from [the book's notebooks]({address}/tree/{commit}/chapters), and "
        "made anew with each change: do not edit them here. Outputs are left out, so that you can "
        f"guess them first; the [book]({book.url(Target('index'))}) shows them. "
        "On Colab:\n\n" + "\n".join(rows) + "\n"
    )


def head(root: Path = ROOT) -> str:
    """Return the commit that is checked out."""
    command = ["git", "rev-parse", "HEAD"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f"{root} has no commit to install the package from; name one: --commit")
    return done.stdout.strip()
