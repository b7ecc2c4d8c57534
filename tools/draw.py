"""Draw the figures of the pages that are no notebooks.

python -m tools.draw
"""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib

matplotlib.use("svg")

import matplotlib.pyplot as plt
import torch

from attncourse import causal_mask
from attncourse.figures import style, two_products
from tools.project import ROOT

FOLDER = ROOT / "chapters" / "figures"
CREATOR = f"Matplotlib v{matplotlib.__version__}"  # another one draws other outlines


def attention_in_shapes() -> None:
    """Draw the figure of the cheat sheet: four queries, six keys, causal."""
    generator = torch.Generator().manual_seed(3)
    query, key, value = (
        torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in ((4, 3), (6, 3), (6, 2))
    )
    two_products(query, key, value, causal_mask(4, 6))


FIGURES = {"attention_in_shapes": attention_in_shapes}


def drawn(name: str) -> str:
    """Return a figure as SVG, the same each time: no date, no random names, letters as outlines."""
    with plt.rc_context():
        style()
        plt.rcParams.update({"svg.hashsalt": name, "svg.fonttype": "path"})
        FIGURES[name]()
        file = io.StringIO()
        plt.savefig(file, format="svg", metadata={"Date": None, "Creator": CREATOR})
        plt.close("all")
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in FIGURES:
        path = Path(FOLDER / f"{name}.svg")
        path.write_text(drawn(name), encoding="utf-8")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
