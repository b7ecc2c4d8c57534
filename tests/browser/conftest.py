"""The built book in a browser, with every other host blocked."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from attncourse.recipes import Run, shipped
from tests.browser.reading import ADDRESS, CAPTION, Reader
from tools.project import BOOK, ZIP_NAME

NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"]
PLACES = [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    # Every other host is out of reach, as without a network. (Intercepting requests instead
    # would change what a page may load from file://.)
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
HELP = (
    "no Chromium or Chrome found; install one (Debian and Ubuntu: apt-get install chromium) "
    "or let BROWSER_PATH name it"
)


def give_up(reason: str) -> None:
    """Skip on a reader's machine; fail where the tests must all run."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason} (CI is set, so this is a failure)")
    pytest.skip(reason)


def browser_path() -> str | None:
    """Return the browser to use: the one named, else the first on the path, else a usual place."""
    named = os.environ.get("BROWSER_PATH")
    found = [shutil.which(name) for name in NAMES] + [p for p in PLACES if Path(p).exists()]
    return named or next(filter(None, found), None)


@pytest.fixture(scope="session")
def book() -> Path:
    """The folder of the built book."""
    if not (BOOK / "index.html").exists():
        give_up("the book is not built; run make book")
    return BOOK


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = browser_path()
    if path is None:
        give_up(HELP)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def served(book) -> Iterator[str]:
    """The address at which the book is served on this machine."""
    handler = functools.partial(Quiet, directory=str(book))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@dataclass
class Visit:
    """A page that was opened, and what happened meanwhile."""

    page: Page
    foreign: list[str] = field(default_factory=list)  # addresses on other hosts
    errors: list[str] = field(default_factory=list)  # of scripts, and on the console


class Visitor:
    """Opens addresses in new tabs and notes what they ask for and complain about."""

    def __init__(self, browser: Browser, home: str):
        self.home = home
        self.context = browser.new_context(viewport={"width": 1280, "height": 900})

    def open(self, address: str) -> Visit:
        """Open an address below home and wait until its maths is set."""
        page = self.context.new_page()
        visit = Visit(page)
        own = (self.home, "data:", "blob:")
        page.on(
            "request",
            lambda asked: None if asked.url.startswith(own) else visit.foreign.append(asked.url),
        )
        page.on("pageerror", lambda error: visit.errors.append(str(error)))
        page.on(
            "console",
            lambda said: (
                visit.errors.append(f"{said.text} ({said.location.get('url')})")
                if said.type == "error"
                else None
            ),
        )
        page.goto(self.home + address)
        # A theme that fades in would be judged half-way.
        page.add_style_tag(content="* { transition: none !important; animation: none !important }")
        page.wait_for_load_state("networkidle")
        page.evaluate("window.MathJax?.startup?.promise")
        return visit


@pytest.fixture(scope="session")
def visitor(browser, served) -> Iterator[Visitor]:
    visitor = Visitor(browser, served)
    yield visitor
    visitor.context.close()


@pytest.fixture(scope="session")
def file_visitor(browser, book, tmp_path_factory) -> Iterator[Visitor]:
    """The same for the copy that is read offline, unpacked, over file://."""
    folder = tmp_path_factory.mktemp("offline")
    with zipfile.ZipFile(book / ZIP_NAME) as archive:
        archive.extractall(folder)
    visitor = Visitor(browser, (folder / Path(ZIP_NAME).stem).as_uri() + "/")
    yield visitor
    visitor.context.close()


@pytest.fixture(scope="session")
def run() -> Run:
    """The shipped translator, which the translator's page is held to."""
    return shipped()


@pytest.fixture
def opened(visitor) -> Iterator[Visit]:
    """The translator's page, new."""
    visit = visitor.open(ADDRESS)
    yield visit
    visit.page.close()


@pytest.fixture
def reader(opened) -> Reader:
    """A reader who has translated a caption."""
    reader = Reader(opened.page)
    reader.translate(CAPTION)
    return reader
