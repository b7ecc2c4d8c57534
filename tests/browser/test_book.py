"""The built book as a reader meets it: every page, in a browser, with no other host in reach."""

from __future__ import annotations

import re
import zipfile
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit
from urllib.request import url2pathname

import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup

from tools.project import BOOK, ZIP_NAME, pages_url, repository

pytestmark = pytest.mark.browser

# Pages with content of ours; the theme's own (search, index of names) are in ALL only.
ALL = sorted(path.relative_to(BOOK).as_posix() for path in BOOK.glob("**/*.html"))
ALL = [name for name in ALL if not name.startswith("_static/")]
PAGES = [name for name in ALL if name.startswith("chapters/")]

RAW_MARKUP = re.compile(
    r"\$\$|\$[^$\n]{1,60}\$|\\[(\[]|\\(?:frac|sum|sqrt|begin|mathbf)\b"  # maths
    r"|```|:::|\{[a-z:]+\}`|\]\(#|^\([\w-]+\)=|^:[a-z]+:",  # directives, roles, links, labels
    re.MULTILINE,
)
AXE_OPTIONS = {
    # The theme's buttons and their tooltips disagree by a word; our pages cannot change that.
    "rules": {"label-content-name-mismatch": {"enabled": False}},
    "resultTypes": ["violations"],
}
# The inside of a formula is MathJax's, with a reading for screen readers of its own.
AXE_CONTEXT = {"exclude": [["mjx-container"]]}


@pytest.fixture(scope="module", params=PAGES or [pytest.param("none", id="not-built")])
def visit(request, book, visitor):
    """One page of the book, opened once for all tests of it."""
    visit = visitor.open(request.param)
    yield visit
    visit.page.close()


@pytest.fixture
def phone(visit):
    """The same page at the width of a small phone."""
    visit.page.set_viewport_size({"width": 375, "height": 812})
    yield visit.page
    visit.page.set_viewport_size({"width": 1280, "height": 900})


def test_page_loads_nothing_from_other_hosts(visit):
    assert visit.foreign == []


def test_page_raises_no_error(visit):
    assert visit.errors == []


def test_all_maths_is_rendered(visit):
    unset = visit.page.eval_on_selector_all(
        ".math", "all => all.filter(e => !e.querySelector('mjx-container')).map(e => e.innerText)"
    )
    assert unset == []
    # MathJax prints a formula that it cannot read as an error, and an unknown macro in red.
    wrong = visit.page.locator("mjx-merror, mjx-container mtext[mathcolor='red']")
    assert wrong.all_text_contents() == []


def test_a_preview_says_what_the_page_says_of_itself(visit):
    said = visit.page.eval_on_selector_all(
        "meta", "all => all.map(e => [e.getAttribute('property') || e.name, e.content])"
    )
    said = dict(said)
    assert said["og:site_name"] == "Attention, from the Ground Up"
    assert said["og:description"] == said["description"]
    assert not said["description"].startswith("Open in Colab")
    assert said["og:image"] == f"{pages_url(repository())}_static/card.png"
    assert (BOOK / "_static" / "card.png").is_file()
    assert " " in said["og:image:alt"]
    assert said["twitter:card"] == "summary_large_image"


def test_no_raw_markup_is_left(visit):
    text = visit.page.evaluate(
        """() => {
            const article = document.querySelector('article').cloneNode(true);
            const drop = 'pre, code, script, style, mjx-container, .math';
            article.querySelectorAll(drop).forEach(e => e.remove());
            return article.textContent;
        }"""
    )
    assert RAW_MARKUP.findall(text) == []


def test_every_picture_is_shown_and_described(visit):
    pictures = visit.page.eval_on_selector_all(
        "article img", "all => all.map(e => [e.src, e.alt, e.naturalWidth])"
    )
    for source, alt, width in pictures:
        assert width > 0, source
        assert " " in alt, f"{source} is described as {alt!r}"
        assert not alt.endswith((".png", ".svg")), f"{source} is described by its path"


# A small phone, a tablet on its side, a small window, and just where the margin finds its room.
@pytest.mark.parametrize("width", [375, 1000, 1100, 1200])
def test_nothing_is_wider_than_the_window(visit, width):
    visit.page.set_viewport_size({"width": width, "height": 812})
    try:
        wide = visit.page.evaluate(
            """() => {
                const width = document.documentElement.clientWidth;
                if (document.documentElement.scrollWidth <= width) return [];
                return [...document.querySelectorAll('article *')]
                    .filter(e => e.getBoundingClientRect().right > width + 1)
                    .map(e => e.outerHTML.slice(0, 120));
            }"""
        )
        assert wide == []
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    finally:
        visit.page.set_viewport_size({"width": 1280, "height": 900})


# Formulas at every width; code where there is room for the 76 columns that a cell may have.
@pytest.mark.parametrize("width", [375, 1280, 1440])
def test_formulas_and_code_stand_inside_their_column(visit, width):
    if "/api/" in visit.page.url:
        return  # docstrings, set for a terminal: what is too wide scrolls in its own box
    what = "mjx-container[display='true']"
    what += ", .cell_input pre" if width >= 1280 else ""
    visit.page.set_viewport_size({"width": width, "height": 900})
    try:
        wide = visit.page.evaluate(
            """what => [...document.querySelectorAll(what)]
                .filter(e => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1)
                .map(e => [e.scrollWidth - e.clientWidth, e.parentElement.id || e.innerText])""",
            what,
        )
        assert wide == []
    finally:
        visit.page.set_viewport_size({"width": 1280, "height": 900})


def serious_violations(page, **options) -> list[str]:
    """Return what axe-core holds to be a serious or critical hindrance, one line a place."""
    found = Axe().run(page, context=AXE_CONTEXT, options=AXE_OPTIONS | options).response
    return [
        f"{violation['id']}: {node['html'][:160]} ({' '.join(node['failureSummary'].split())})"
        for violation in found["violations"]
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
    ]


def test_page_is_accessible(visit):
    found = serious_violations(visit.page)
    assert not found, "\n".join(found)


def test_page_is_legible_in_the_dark(visit):
    visit.page.evaluate("document.documentElement.dataset.theme = 'dark'")
    # Only colours differ from the light page.
    only = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
    found = serious_violations(visit.page, runOnly=only)
    visit.page.evaluate("document.documentElement.dataset.theme = 'light'")
    assert not found, "\n".join(found)


def test_the_keyboard_reaches_the_skip_link_first_and_then_the_search(visit):
    visit.page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
    reached = []
    for _ in range(12):
        visit.page.keyboard.press("Tab")
        reached.append(
            visit.page.evaluate(
                "(e => e.textContent.trim() + '|' + e.className)(document.activeElement)"
            )
        )
    assert "Skip to main content" in reached[0]
    assert any("search" in name for name in reached), reached


def test_search_finds_a_term(book, visitor):
    visit = visitor.open("search.html?q=Nadaraya")
    found = visit.page.locator("ul.search li a")
    found.first.wait_for(timeout=10_000)
    assert any("02_attention_pooling" in a.get_attribute("href") for a in found.all())
    assert visit.foreign == []
    assert visit.errors == []
    visit.page.close()


def test_the_front_door_names_its_icon(book):
    # Without one a browser asks for /favicon.ico, if it stays long enough, and logs an error.
    found = re.search(r'<link rel="icon" href="([^"]+)"', (book / "index.html").read_text("utf-8"))
    assert (book / found[1]).is_file()


def test_the_front_door_has_the_preview_of_the_page_behind_it(book):
    door, page = (
        {
            tag["property"]: tag["content"]
            for tag in soup(book / name).find_all("meta", property=True)
        }
        for name in ("index.html", "chapters/index.html")
    )
    assert door["og:image"].endswith("/_static/card.png")
    assert door == {name: text for name, text in page.items() if name.startswith("og:")}


def test_front_page_leads_to_the_last_chapter_by_its_next_links(book, visitor):
    visit = visitor.open("chapters/index.html")
    visit.page.goto(visitor.home + "index.html")
    visit.page.wait_for_url("**/chapters/index.html")
    passed = []
    while (following := visit.page.locator("a.right-next")).count():
        following.first.click()
        visit.page.wait_for_load_state("networkidle")
        passed.append(visit.page.url.rsplit("/", 1)[1])
        assert len(passed) < 100
    chapters = [name.rsplit("/", 1)[1] for name in PAGES if name != "chapters/index.html"]
    assert sorted(passed) == sorted(chapters)
    assert visit.errors == []
    visit.page.close()


@pytest.mark.parametrize("name", PAGES)
def test_page_of_the_offline_copy_works_without_a_server(file_visitor, name):
    visit = file_visitor.open(name)
    assert visit.page.locator("h1").first.inner_text()
    assert visit.page.locator(".math:not(:has(mjx-container))").count() == 0
    assert visit.foreign == []
    assert visit.errors == []
    visit.page.close()


def test_the_offline_copy_is_searched_without_a_server(file_visitor):
    visit = file_visitor.open("search.html?q=Nadaraya")
    # Without a server the theme cannot fetch the lines around a hit; the hits are there.
    visit.page.locator("ul.search li a[href*='02_attention_pooling']").first.wait_for(
        timeout=10_000
    )
    assert visit.foreign == []
    visit.page.close()


# What can be read from the files needs no browser.


@cache
def soup(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@cache
def anchors(path: Path) -> set[str]:
    page = soup(path)
    return {tag["id"] for tag in page.find_all(id=True)} | {
        tag["name"] for tag in page.find_all("a", attrs={"name": True})
    }


def dead_ends(book: Path, name: str) -> list[str]:
    """Return the links of a page that lead to no file, or to no anchor in one."""
    found = []
    here = (book / name).as_uri()
    for tag in soup(book / name).find_all(["a", "link", "img", "script"]):
        link = tag.get("href") or tag.get("src") or ""
        if urlsplit(link).scheme or link.startswith(("//", "/")) or link in {"", "#"}:
            continue
        address, anchor = urldefrag(urljoin(here, link))
        path = Path(url2pathname(urlsplit(address).path))
        if not path.exists():
            found.append(f"{link}: no such file")
        elif anchor and path.suffix == ".html" and unquote(anchor) not in anchors(path):
            found.append(f"{link}: no such anchor")
    return found


@pytest.mark.parametrize("name", ALL)
def test_all_links_and_anchors_resolve(book, name):
    assert dead_ends(book, name) == []


def test_a_dead_link_is_found(tmp_path):
    (tmp_path / "a.html").write_text('<a href="b.html">b</a><a href="#here">c</a><p id="there">')
    assert dead_ends(tmp_path, "a.html") == ["b.html: no such file", "#here: no such anchor"]


def test_the_zip_holds_the_book_but_not_itself(book):
    with zipfile.ZipFile(book / ZIP_NAME) as archive:
        names = set(archive.namelist())
        page = archive.read(f"{Path(ZIP_NAME).stem}/chapters/index.html").decode()
    assert {f"{Path(ZIP_NAME).stem}/{name}" for name in ALL} <= names
    assert not any(name.endswith(".zip") for name in names)
    assert ZIP_NAME not in page
