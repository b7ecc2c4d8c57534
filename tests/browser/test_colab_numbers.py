"""What the notebooks for Colab say of the book is so in the built book: numbers, and places."""

from __future__ import annotations

import re
from functools import cache
from urllib.parse import urldefrag

import nbformat
import pytest
from bs4 import BeautifulSoup

from tools.colab.book import Book
from tools.colab.notebook import rendered
from tools.project import BOOK, colab_url

pytestmark = pytest.mark.browser

OURS = Book()
PAGES = OURS.notebooks


@cache
def html(page: str) -> BeautifulSoup:
    return BeautifulSoup((BOOK / f"{page}.html").read_text(encoding="utf-8"), "html.parser")


@cache
def anchors(address: str) -> set[str]:
    return set(re.findall(r'\bid="([^"]+)"', (BOOK / address).read_text(encoding="utf-8")))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.split("/")[-1])
def test_its_links_into_the_book_lead_to_pages_and_places_that_exist(book, page):
    notebook = rendered(nbformat.read(OURS.path(page), as_version=4), page, OURS, "0" * 40)
    text = "\n\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    links = [link for link in re.findall(r"\]\((\S+?)\)", text) if link.startswith(OURS.site)]
    assert links
    for link in links:
        address, anchor = urldefrag(link.removeprefix(OURS.site))
        assert (BOOK / address).exists(), link
        assert not anchor or anchor in anchors(address), link


def test_numbers_are_those_of_the_book(book):
    numbered = [target for target in OURS.labels.values() if target.number]
    assert {target.kind for target in numbered} == {"equation", "figure", "table", "exercise"}
    for target in numbered:
        element = html(target.page).find(id=target.anchor)
        number = element.select_one(".eqno, .caption-number").text
        assert re.search(r"[\d.]*\d", number)[0] == target.number, target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.split("/")[-1])
def test_the_rocket_opens_the_notebook_made_for_colab(book, page):
    buttons = html(page).select('a[href^="https://colab.research.google.com/"].btn')
    assert colab_url(page.split("/")[-1] + ".ipynb") in {button["href"] for button in buttons}
