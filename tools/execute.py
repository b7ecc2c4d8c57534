"""Run notebooks in fresh kernels and write them so that a diff shows only what changed.

For example:

    python -m tools.execute chapters/02_attention_pooling.ipynb
    python -m tools.execute --normalise-only chapters/*.ipynb
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import time
from pathlib import Path

import nbformat
from PIL import Image

# What a notebook and its cells may say about themselves; editors add much else.
NOTEBOOK_METADATA = {"kernelspec", "language_info", "myst", "mystnb"}
CELL_METADATA = {"mystnb", "tags"}
KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def execute(notebook: nbformat.NotebookNode, folder: Path, timeout: int = 600) -> None:
    """Run every cell, in place, on the CPU and with the notebook's folder as the current one."""
    from nbclient import NotebookClient

    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # outputs are those of a CPU, whoever runs this
    NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        record_timing=False,
        # Not its warning that it listens on this machine's own address.
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        resources={"metadata": {"path": str(folder)}},
    ).execute()


def normalise(notebook: nbformat.NotebookNode) -> None:
    """Drop, in place, whatever differs between two runs of the same notebook."""
    kept = {key: value for key, value in notebook.metadata.items() if key in NOTEBOOK_METADATA}
    notebook.metadata = nbformat.from_dict(kept | KERNEL)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    taken = {cell.get("id") for cell in notebook.cells}
    count = 0
    for number, cell in enumerate(notebook.cells, 1):
        if not cell.get("id"):
            fresh = f"cell-{number}"
            cell["id"] = fresh if fresh not in taken else f"{fresh}-new"
        cell.source = cell.source.rstrip()
        cell.metadata = nbformat.from_dict(
            {key: value for key, value in cell.metadata.items() if key in CELL_METADATA}
        )
        if cell.cell_type != "code":
            continue
        if cell.execution_count is not None:
            count += 1
            cell.execution_count = count
        cell.outputs = _joined([_plain(output, cell.execution_count) for output in cell.outputs])


def _plain(output: nbformat.NotebookNode, count: int | None) -> nbformat.NotebookNode:
    """Return an output without its metadata, numbered like its cell."""
    if "metadata" in output:
        output.metadata = {}
    if output.output_type == "execute_result":
        output.execution_count = count
    if "image/png" in output.get("data", {}):
        output.data["image/png"] = _small(output.data["image/png"])
    return output


def _small(png: str) -> str:
    """Return a figure, in base64, with a palette of 256 colours: a third of the size."""
    image = Image.open(io.BytesIO(base64.b64decode(png)))
    if image.mode == "P":  # it was made small before
        return png
    image = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small = io.BytesIO()
    image.save(small, "PNG", optimize=True)
    return base64.b64encode(small.getvalue()).decode()


def _joined(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Join neighbouring pieces of one stream: how a kernel cuts them depends on the clock."""
    joined: list[nbformat.NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else {}
        if output.get("name") and output.get("name") == last.get("name"):
            last.text += output.text
        else:
            joined.append(output)
    return joined


def write(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Write a valid notebook with sorted keys, Unix line ends and one at the end."""
    nbformat.validate(notebook)
    text = nbformat.writes(notebook).rstrip() + "\n"
    path.write_text(text, encoding="utf-8", newline="\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--normalise-only", action="store_true", help="do not run anything")
    parser.add_argument("notebooks", nargs="+", type=Path)
    arguments = parser.parse_args()
    for path in arguments.notebooks:
        notebook = nbformat.read(path, as_version=4)
        start = time.perf_counter()
        if not arguments.normalise_only:
            execute(notebook, path.parent)
        normalise(notebook)
        write(notebook, path)
        print(f"{path}  {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
