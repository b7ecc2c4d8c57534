"""The front page in a browser: playing with the desk within seconds, by keys as well."""

from __future__ import annotations

import re

import pytest

from attncourse.data.desk import THINGS
from tests.browser.reading import CAPTION
from tools import desk
from tools.project import BOOK, ZIP_NAME

pytestmark = pytest.mark.browser

ADDRESS = "chapters/index.html"
SCREENS = {"desktop": (1280, 900), "phone": (375, 812)}
SHARES = {
    degrees: dict(
        zip(THINGS, (desk.weights_of(degrees) @ desk.coverage(desk.desk())).tolist(), strict=True)
    )
    for degrees, _ in desk.QUERIES.values()
}


@pytest.fixture
def visit(visitor):
    visit = visitor.open(ADDRESS)
    yield visit
    assert visit.foreign == []
    assert visit.errors == []
    visit.page.close()


def shown(page) -> dict[str, int]:
    """The percentages below the desk."""
    said = page.locator(".live output").inner_text()
    return {thing: int(percent) for thing, percent in re.findall(r"(\w+) (\d+)%", said)}


def expect(page, degrees: float) -> None:
    """Wait until the query has turned, and compare the numbers with Python's."""
    page.wait_for_function(
        "goal => document.querySelector('.live input').value === goal", arg=str(degrees)
    )
    found = shown(page)
    assert set(found) == set(THINGS[1:])
    for thing, percent in found.items():
        assert abs(percent - 100 * SHARES[degrees][thing]) <= 0.5 + 1e-6, thing


def test_a_press_turns_the_query_and_the_weight_moves(visit):
    for asked, (degrees, thing) in reversed(desk.QUERIES.items()):
        visit.page.get_by_role("button", name=asked).click()
        expect(visit.page, degrees)
        assert max(shown(visit.page), key=shown(visit.page).get) == thing


def test_the_keyboard_reaches_the_desk_and_turns_the_query(visit):
    page = visit.page
    page.locator("article h1").click()  # from here the keyboard goes on
    reached = []
    for _ in range(2):  # the title has a link to itself
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent"))
    assert "What stands out?" in reached
    page.get_by_role("button", name="What stands out?").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page, 210)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.type") == "range"
    before = shown(page)
    for _ in range(6):
        page.keyboard.press("ArrowLeft")
    assert shown(page) != before


def test_who_wants_no_motion_sees_none(browser, served):
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.goto(served + ADDRESS)
    page.get_by_role("button", name="I want to read.").click()
    assert page.locator(".live input").first.input_value() == "210"  # at once
    context.close()


def test_without_scripts_the_desk_is_a_picture(browser, served):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(served + ADDRESS)
    picture = page.locator(".live img")
    assert picture.is_visible()
    assert "cup" in picture.get_attribute("alt")
    assert not page.get_by_role("button", name="I want to read.").is_visible()
    context.close()


@pytest.mark.parametrize("screen", SCREENS)
def test_the_first_screen_holds_the_desk_and_the_second_ends_at_the_map(visit, screen):
    page, (width, height) = visit.page, SCREENS[screen]
    page.set_viewport_size({"width": width, "height": height})
    for part in (".wishes", '.live [data-at="cup-share"]'):
        box = page.locator(part).bounding_box()
        assert box["y"] + box["height"] <= height, part
    if screen == "desktop":
        assert page.locator("#the-chapters").bounding_box()["y"] <= 2 * height
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_desk_answers_from_the_unpacked_copy(file_visitor):
    visit = file_visitor.open(ADDRESS)
    visit.page.get_by_role("button", name="I want to read.").click()
    expect(visit.page, 210)
    assert visit.foreign == []
    assert visit.errors == []
    visit.page.close()


def test_a_link_carries_a_caption_to_the_translator(visit):
    visit.page.get_by_role("link", name=CAPTION).click()
    visit.page.wait_for_url("**/translator.html?*")
    assert visit.page.locator("#caption").input_value() == CAPTION


def test_the_chapters_on_the_map_are_links(visit):
    links = visit.page.locator(".chapter-map td:first-child strong a, .chapter-map strong > a")
    found = [link.get_attribute("href") for link in links.all()]
    wanted = sorted(p.name for p in BOOK.glob("chapters/[0-9][0-9]_*.html"))
    assert found == [name for name in wanted if not name.endswith("_deeper.html")]


def test_the_offline_copy_holds_the_picture(book):
    assert (book / "_static" / "card.png").read_bytes() == desk.CARD.read_bytes()
    assert (book / ZIP_NAME).exists()
