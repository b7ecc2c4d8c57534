"""The cheat sheet on paper: one sheet of A4, one of Letter, nothing cut."""

from __future__ import annotations

import re

import pytest

pytestmark = pytest.mark.browser

SHEET = "chapters/cheat_sheet.html"
MARGIN = 10  # millimetres, as book.css has them
PAPERS = {"A4": (210, 297), "Letter": (215.9, 279.4)}
PIXELS = 96 / 25.4  # a millimetre


@pytest.fixture
def sheet(visitor):
    visit = visitor.open(SHEET)
    yield visit.page
    visit.page.close()


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_cheat_sheet_is_one_page(sheet, paper, theme):
    sheet.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    assert pages(sheet.pdf(format=paper)) == 1
    # and a longer one would be seen
    sheet.add_style_tag(content=".cheat-sheet { height: 40cm !important }")
    assert pages(sheet.pdf(format=paper)) > 1


@pytest.mark.parametrize("paper", PAPERS)
def test_nothing_of_it_is_cut(sheet, paper):
    width, height = (round((side - 2 * MARGIN) * PIXELS) for side in PAPERS[paper])
    sheet.set_viewport_size({"width": width, "height": height})
    sheet.emulate_media(media="print")
    cut = sheet.evaluate(
        """() => {
            const sheet = document.querySelector('.cheat-sheet');
            const style = getComputedStyle(sheet);
            const column = (sheet.clientWidth - parseFloat(style.columnGap)) / 2;
            const wide = e => e.getBoundingClientRect().width > column + 1
                || e.scrollWidth > e.clientWidth + 1;
            return [...sheet.querySelectorAll('table, figure, mjx-container[display]')]
                .filter(wide).map(e => e.outerHTML.slice(0, 160));
        }"""
    )
    assert cut == []
    right = sheet.evaluate(
        "Math.max(...[...document.querySelectorAll('.cheat-sheet *')]"
        ".map(e => e.getBoundingClientRect().right))"
    )
    assert right <= width + 1


def test_it_is_dark_on_white_also_from_a_dark_page(sheet):
    sheet.evaluate("document.documentElement.dataset.theme = 'dark'")
    sheet.emulate_media(media="print")
    colours = sheet.eval_on_selector_all(
        ".cheat-sheet :is(h2, p, td, code)", "all => all.map(e => getComputedStyle(e).color)"
    )
    assert colours
    for colour in set(colours):
        assert max(map(int, re.findall(r"\d+", colour)[:3])) < 150, colour


def test_only_the_page_itself_is_printed(sheet):
    sheet.emulate_media(media="print")
    for part in (".bd-header", ".bd-sidebar-primary", ".bd-footer-content", ".prev-next-footer"):
        assert not sheet.locator(part).first.is_visible(), part
    assert sheet.locator(".cheat-sheet img").is_visible()
