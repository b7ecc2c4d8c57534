"""pyproject.toml: what is installed is what is here."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_package_is_installed():
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (listed,) = re.findall(r"^packages = \[(.*?)\]", settings, re.DOTALL | re.MULTILINE)
    here = {
        ".".join(file.parent.relative_to(ROOT).parts)
        for file in (ROOT / "attncourse").rglob("__init__.py")
    }
    assert sorted(re.findall(r'"(.*?)"', listed)) == sorted(here | {"attncourse.results"})
