"""The project's facts, each read from its one place: the address from `_config.yml`, the version
from `pyproject.toml`; and what follows from them.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "_build" / "html"
COLAB_FOLDER = ROOT / "_build" / "colab"
COLAB_BRANCH = "colab"
ZIP_NAME = "attncourse-book.zip"


def _find(pattern: str, path: Path) -> str:
    found = re.search(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise ValueError(f"{path} has no line that matches {pattern}")
    return found[1]


def repository(root: Path = ROOT) -> str:
    """Return the repository as owner/name."""
    return _find(r"^  url: https://github\.com/([\w.-]+/[\w.-]+)$", root / "_config.yml")


def version(root: Path = ROOT) -> str:
    """Return the version that a release carries."""
    return _find(r'^version = "(.+)"$', root / "pyproject.toml")


def pages_url(repository: str) -> str:
    """Return where GitHub Pages serves the book: the site of an owner at the root of its host."""
    owner, name = repository.split("/")
    host = f"{owner.lower()}.github.io"
    return f"https://{host}/" if name.lower() == host else f"https://{host}/{name}/"


def bootstrap_source(root: Path = ROOT, state: str = "main") -> str:
    """Return the first code cell of every notebook: where the package is missing, it installs it.

    `state` is a branch or a commit: the notebooks made for Colab name the one they are made of.
    """
    return (
        "import importlib.util\n\n"
        'spec = importlib.util.find_spec("attncourse")\n'
        "if spec is None or spec.origin is None:  # a mere folder has no origin\n"
        f'    %pip install -q "attncourse @ git+https://github.com/{repository(root)}'
        f'@{state}"'
    )


def colab_url(notebook: str, root: Path = ROOT) -> str:
    """Return the address that opens on Colab what is made of a notebook of `chapters/`."""
    return (
        f"https://colab.research.google.com/github/{repository(root)}"
        f"/blob/{COLAB_BRANCH}/chapters/{notebook}"
    )
