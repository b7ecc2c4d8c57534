"""Photograph every page of the built book: light, dark, and as on a phone.

    python -m tools.screenshots FOLDER [part of a page's name ...]

The browser is found as in the tests (tests/browser/conftest.py).
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import FLAGS, browser_path
from tools.project import BOOK

VIEWS = {"light": (1280, "light"), "dark": (1280, "dark"), "phone": (375, "light")}
TALLEST = 2400  # pixels; a longer page becomes several pictures


def photograph(folder: Path, parts: list[str]) -> None:
    """Write pictures of each page whose name holds one of the parts, in each view."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = sorted(
        path
        for path in BOOK.glob("chapters/*.html")
        if not parts or any(part in path.name for part in parts)
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=FLAGS)
        for view, (width, scheme) in VIEWS.items():
            tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            for path in pages:
                tab.goto(path.as_uri())
                tab.wait_for_load_state("networkidle")
                tab.evaluate("window.MathJax?.startup?.promise")
                height = tab.evaluate("document.documentElement.scrollHeight")
                for number, top in enumerate(range(0, height, TALLEST), 1):
                    target = folder / f"{path.stem}-{view}-{number}.png"
                    piece = {"x": 0, "y": top, "width": width, "height": min(TALLEST, height - top)}
                    tab.screenshot(path=target, full_page=True, clip=piece)
                    print(target)
        browser.close()


if __name__ == "__main__":
    photograph(Path(sys.argv[1]), sys.argv[2:])
