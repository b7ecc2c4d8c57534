"""Write the repository's address and the version into every file that repeats them.

python -m tools.stamp                 after a new version in pyproject.toml
python -m tools.stamp owner/name      in a fork
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tools.project import ROOT, pages_url, repository, version

TEXT = {".cff", ".ipynb", ".md", ".py", ".toml", ".yml", ".yaml", ".html", ".txt"}


def tracked(root: Path) -> list[Path]:
    """Return the files that belong to the repository, committed or not yet."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    return [root / name for name in names.split("\0") if name]


def stamped(text: str, old: str, new: str, version: str) -> str:
    """Return a file's text with the old address replaced and the version renewed."""
    name, new_name = old.split("/")[1], new.split("/")[1]
    for prefix in ("github.com/", "colab.research.google.com/github/"):
        text = re.sub(rf"{re.escape(prefix + old)}(?![\w-])", prefix + new, text)
    text = text.replace(pages_url(old).rstrip("/"), pages_url(new).rstrip("/"))
    text = text.replace(f"notfound_urls_prefix: /{name}/", f"notfound_urls_prefix: /{new_name}/")
    return re.sub(rf"(github\.com/{re.escape(new)}@v)[\d.]+\d", rf"\g<1>{version}", text)


def stamp(new: str | None = None, root: Path = ROOT) -> list[Path]:
    """Stamp all files below `root` and return those that changed."""
    old, release = repository(root), version(root)
    new = new or old
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", new):
        raise ValueError(f"the repository must be owner/name, got {new!r}")
    changed = []
    for path in tracked(root):
        if not path.is_file() or path.suffix not in TEXT:
            continue
        text = path.read_bytes().decode("utf-8")
        result = stamped(text, old, new, release)
        if path.name == "CITATION.cff":
            result = re.sub(r"(?m)^version: .*$", f"version: {release}", result)
        if path.name == "__init__.py":
            result = re.sub(r'(?m)^__version__ = ".*"$', f'__version__ = "{release}"', result)
        if result != text:
            path.write_bytes(result.encode("utf-8"))
            changed.append(path)
    return changed


if __name__ == "__main__":
    for path in stamp(*sys.argv[1:2]):
        print(path.relative_to(ROOT))
