"""pyproject.toml: what is installed is what is here."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_package_is_installed():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = settings["tool"]["setuptools"]["packages"]
    here = {
        ".".join(file.parent.relative_to(ROOT).parts)
        for file in (ROOT / "attncourse").rglob("__init__.py")
    }
    assert sorted(listed) == sorted(here | {"attncourse.results"})
