"""Finish the built book: furnish its front door, and pack a zip for reading without a network.

The same pages give the same bytes: names sorted, one fixed date.
"""

from __future__ import annotations

import re
import sys
import zipfile
from pathlib import Path

from tools.project import BOOK, ZIP_NAME

FIXED_DATE = (2020, 1, 1, 0, 0, 0)
# What the pages of the copy leave out: the offer of the copy itself, which it does not hold, and
# fonts loaded ahead, which browsers refuse to do from files (the fonts still come when needed).
LEFT_OUT = re.compile(
    rb'<!--offline-->.*?<!--/offline-->|<link rel="preload" as="font"[^>]*>', re.DOTALL
)
PREVIEW = re.compile(r'<meta (?:property="og|name="twitter):[^>]+>')
# Bundles of MathJax that no page loads: they would double the size.
UNUSED = re.compile(
    r"^_static/mathjax/"
    r"(?!tex-chtml\.js$|output/chtml/|input/tex/extensions/|a11y/|sre/|ui/)"
)


def furnish_door(book: Path = BOOK) -> None:
    """Put into the front door, which only leads on, what browsers and networks look for in it.

    An icon, which browsers would ask for in vain; and the preview of the page behind it, because
    the address that is shared is the door's.
    """
    door = book / "index.html"
    text = door.read_text(encoding="utf-8")
    if 'rel="icon"' not in text:
        page = (book / "chapters" / "index.html").read_text(encoding="utf-8")
        icon = '<link rel="icon" href="_static/favicon.svg">'
        door.write_text("\n".join([icon, *PREVIEW.findall(page), text]), encoding="utf-8")


def pack(book: Path = BOOK) -> Path:
    """Write the zip into the book's folder and return its path."""
    target = book / ZIP_NAME
    target.unlink(missing_ok=True)
    files = sorted(path for path in book.rglob("*") if path.is_file())
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for path in files:
            name = path.relative_to(book).as_posix()
            if path == target or name in {".buildinfo", "objects.inv"} or UNUSED.match(name):
                continue
            content = path.read_bytes()
            if path.suffix == ".html":
                content = LEFT_OUT.sub(b"", content)
            entry = zipfile.ZipInfo(f"{target.stem}/{name}", FIXED_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return target


if __name__ == "__main__":
    furnish_door(*map(Path, sys.argv[1:]))
    path = pack(*map(Path, sys.argv[1:]))
    print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")
