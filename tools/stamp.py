"""Write the repository's address and the version into every file that repeats them, and into every
notebook the link to Colab, the first code cell and the minutes that the page takes.

python -m tools.stamp                 after a new version in pyproject.toml
python -m tools.stamp owner/name      in a fork
"""

from __future__ import annotations

import copy
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import nbformat

from tools.budget import state_minutes
from tools.execute import normalise, write
from tools.project import ROOT, bootstrap_source, colab_url, pages_url, repository, version

TEXT = {".cff", ".ipynb", ".md", ".py", ".toml", ".yml", ".yaml", ".html", ".txt"}


def tracked(root: Path) -> list[Path]:
    """Return the files that belong to the repository, committed or not yet."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    return [root / name for name in names.split("\0") if name]


def stamped(text: str, old: str, new: str, version: str) -> str:
    """Return a file's text with the old address replaced and the version renewed."""
    site, new_site = pages_url(old), pages_url(new)
    path, new_path = urlsplit(site).path, urlsplit(new_site).path
    for before, after in [
        (f"github.com/{old}", f"github.com/{new}"),
        (f"colab.research.google.com/github/{old}", f"colab.research.google.com/github/{new}"),
        (site.rstrip("/"), new_site.rstrip("/")),
    ]:
        text = re.sub(rf"{re.escape(before)}(?![\w-])", after, text)
    text = re.sub(rf"(notfound_urls_prefix: ){re.escape(path)}(?!\S)", rf"\g<1>{new_path}", text)
    # A version is more than numbers: 0.2.0rc1, 0.2.0.dev1. It ends before a full stop or a quote.
    return re.sub(rf"(github\.com/{re.escape(new)}@v)\w[\w.+!-]*\b", rf"\g<1>{version}", text)


def owner_and_name(address: str) -> str:
    """Return owner/name from that or from any address that GitHub shows for a repository."""
    found = re.fullmatch(
        r"(?:(?:https://)?github\.com/|git@github\.com:)?([\w-]+/[\w.-]+?)(?:\.git)?/?", address
    )
    if found is None:
        raise ValueError(f"the repository must be owner/name on GitHub, got {address!r}")
    return found[1]


def stamp(new: str | None = None, root: Path = ROOT) -> list[Path]:
    """Stamp all files below `root` and return those that changed."""
    old, release = repository(root), version(root)
    new = owner_and_name(new) if new else old
    changed = []
    for path in tracked(root):
        if not path.is_file() or path.suffix not in TEXT:
            continue
        text = path.read_bytes().decode("utf-8")
        result = stamped(text, old, new, release)
        if path.name == "CITATION.cff":
            result = re.sub(r"(?m)^version: \S+", f"version: {release}", result)
        if result != text:
            path.write_bytes(result.encode("utf-8"))
            changed.append(path)
    for path in sorted((root / "chapters").glob("*.ipynb")):
        if write_beginning(path, root) and path not in changed:
            changed.append(path)
    return changed


def write_beginning(path: Path, root: Path = ROOT) -> bool:
    """Write the link to Colab, the cell that installs and the minutes; say if any was new."""
    notebook = nbformat.read(path, as_version=4)
    before = copy.deepcopy(notebook)
    title = notebook.cells[0]
    link = f"[Open in Colab]({colab_url(path.name, root)})"
    title.source = re.sub(r"\[Open in Colab\]\([^)]*\)", link, title.source)
    (cell,) = [cell for cell in notebook.cells if "bootstrap" in cell.metadata.get("tags", [])]
    cell.source = bootstrap_source(root)
    state_minutes(notebook)
    normalise(notebook)
    if notebook == before:
        return False
    write(notebook, path)
    return True


def main() -> None:
    try:
        changed = stamp(*sys.argv[1:2])
    except ValueError as error:
        sys.exit(str(error))
    for path in changed:
        print(path.relative_to(ROOT).as_posix())
    if any(path.name == "README.md" for path in changed):
        tag = f"v{version()}"
        print(
            f"The README installs {tag} from github.com/{repository()}. When this is committed:\n"
            f"  git tag -f {tag} && git push origin main +{tag}"
        )


if __name__ == "__main__":
    main()
