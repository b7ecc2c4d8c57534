"""The page of the translator in every reader's hands: by keys, on a phone, with odd texts."""

from __future__ import annotations

import re

import pytest

from tests.browser.reading import ADDRESS, CAPTION, Reader
from tests.browser.test_book import serious_violations

pytestmark = pytest.mark.browser


def test_everything_is_done_by_keyboard(opened, run):
    reader, keys = Reader(opened.page), opened.page.keyboard
    reader.at("caption").focus()
    keys.press("Control+A")
    keys.type("A dog runs.")
    keys.press("Enter")
    reader.settle()
    assert [reader.translation] == run.translator(["A dog runs."])

    def tab_to(selector):
        for _ in range(30):
            keys.press("Tab")
            if opened.page.evaluate("s => document.activeElement.matches(s)", selector):
                return
        raise AssertionError(f"no Tab leads to {selector}")

    tab_to("[name=piece]")
    keys.press("ArrowRight")
    assert "▁chien" in reader.at("asks").inner_text()
    tab_to(".others button")
    tab_to(".map input")
    keys.press("Space")
    reader.settle()
    assert "Heads that are off: 1" in reader.at("notes").inner_text()
    tab_to(".map td button")
    keys.press("ArrowRight")
    keys.press("ArrowDown")
    keys.press("Enter")
    assert "Layer 1, head 2" in reader.at("numbers").inner_text()
    assert "dog answers" in reader.at("numbers").inner_text()
    assert opened.page.evaluate("document.activeElement.textContent").startswith("How this weight")
    tab_to("#beam-step")


def test_cells_and_pieces_have_names_for_those_who_listen(reader):
    cell = reader.at("maps").locator("td button").nth(1)
    assert re.fullmatch(r"\d+% on ▁children", cell.text_content())
    assert reader.page.get_by_role("checkbox", name="layer 4, head 3 is on").count() == 2
    assert reader.page.get_by_role("radio", name="▁enfants").count() == 1
    assert reader.page.locator("#translator [role=status]").count() == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "nothing to translate"),
        (" \n ", "nothing to translate"),
        ("你好世界", "none of these signs"),
        ("🙂 🙂", "none of these signs"),
        ("a dog " * 500, "1000 pieces, and this page takes 80"),
    ],
    ids=["empty", "blank", "Chinese", "emoji", "long"],
)
def test_what_is_no_caption_gets_a_clear_line(opened, text, said):
    reader = Reader(opened.page)
    reader.translate(text)
    assert said in reader.status
    assert not reader.at("result").is_visible()
    assert opened.errors == []


MARKUP = "<img src=x onerror='document.title=1'> A \"dog\" & 狗"


def test_markup_is_text_and_signs_that_are_unknown_are_named(opened, run):
    reader = Reader(opened.page)
    opened.page.get_by_label("greedy").check()
    assert [reader.translate(MARKUP)] == run.translator([MARKUP], beam_size=1)
    assert opened.page.locator("#translator img").count() == 0
    assert "狗" in reader.at("notes").inner_text()
    assert reader.printed_by_python() == reader.translation
    assert opened.page.title() != "1"
    assert opened.errors == []


def test_a_link_carries_the_caption_as_text(visitor):
    visit = visitor.open(ADDRESS)
    reader = Reader(visit.page)
    visit.page.get_by_label("greedy").check()
    reader.translate(MARKUP)
    link = reader.at("link").get_attribute("href")
    second = visitor.open(ADDRESS + link)
    assert Reader(second.page).at("caption").input_value() == MARKUP
    assert second.page.get_by_label("greedy").is_checked()
    assert second.page.locator("#translator img").count() == 0
    visit.page.close()
    second.page.close()


# Scripts that a page asks for twice come from its memory, unseen by the browser's events.
WATCH = """() => {
    globalThis.asked = [];
    new MutationObserver((changes) => {
        const added = changes.flatMap((change) => [...change.addedNodes]);
        asked.push(...added.filter((node) => node.src).map((node) => node.src));
    }).observe(document.head, { childList: true });
}"""


@pytest.mark.parametrize("how", ["not found", "damaged", "missing"])
def test_a_download_that_stops_says_so_and_goes_on_when_asked(opened, how):
    reader = Reader(opened.page)
    broken = {
        "not found": lambda route: route.abort(),
        "damaged": lambda route: route.fulfill(body='attncourseReceive("weights-3","abc'),
        "missing": lambda route: route.fulfill(status=404),
    }[how]
    opened.page.route("**/weights-3.js*", broken)
    reader.translate(CAPTION)
    reason = how.replace("missing", "not found")
    assert f"The download of the model stopped ({reason})" in reader.status
    assert "press Translate to go on" in reader.status
    assert not reader.at("result").is_visible()
    assert not reader.at("progress").is_visible()
    opened.page.unroute("**/weights-3.js*")
    opened.page.evaluate(WATCH)
    reader.translate(CAPTION)
    assert reader.translation
    assert reader.status == ""
    asked = opened.page.evaluate("asked")
    assert asked
    names = [re.search(r"/([\w-]+)\.js", address)[1] for address in asked]
    assert names[0] == "weights-3"  # what had arrived is kept
    assert "vocabulary" not in names


def test_the_lines_of_python_are_copied_or_selected(reader):
    lines = reader.at("python").inner_text().strip()
    context = reader.page.context
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    reader.at("copy").click()
    reader.page.get_by_text("Copied.").wait_for()
    assert reader.page.evaluate("navigator.clipboard.readText()").strip() == lines
    context.clear_permissions()
    reader.page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(); }")
    reader.at("copy").click()
    reader.page.get_by_text("press Ctrl-C to copy").wait_for()
    assert reader.page.evaluate("getSelection().toString()").strip() == lines


def test_the_translation_stays_in_sight_where_heads_are_switched(reader):
    reader.page.locator(".map input").last.scroll_into_view_if_needed()
    box = reader.at("translation").bounding_box()
    assert 0 < box["y"] < 200


def test_the_last_press_wins(reader, run):
    texts = [button.inner_text() for button in reader.page.locator("[data-example]").all()]
    reader.page.evaluate("document.querySelectorAll('[data-example]').forEach(b => b.click())")
    reader.settle()
    assert [reader.translation] == run.translator(texts[-1:])


def test_without_script_the_form_is_hidden_and_the_command_named(browser, served):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(served + ADDRESS)
    assert not page.locator("#translator").is_visible()
    assert 'attncourse translate "A dog runs on the beach."' in page.locator("article").inner_text()
    context.close()


def test_nothing_moves_for_those_who_asked_for_that(browser, served):
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.goto(served + ADDRESS)
    Reader(page).translate(CAPTION)
    moving = "document.getAnimations().filter(a => a.effect.target.closest('#translator')).length"
    assert page.evaluate(moving) == 0
    context.close()


def test_it_fits_a_phone(reader):
    reader.page.set_viewport_size({"width": 375, "height": 812})
    reader.at("maps").locator("td button").first.click()
    reader.at("numbers").locator("summary").click()
    wide = reader.page.evaluate(
        """() => [...document.querySelectorAll('#translator *')]
            .filter(e => !e.closest('.scrolling, pre') && !e.closest('.unseen'))
            .filter(e => e.getBoundingClientRect().right > 376)
            .map(e => e.outerHTML.slice(0, 100))"""
    )
    assert wide == []
    assert reader.page.evaluate("document.documentElement.scrollWidth") <= 375


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_accessible_with_a_translation_on_it(reader, theme):
    reader.page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    reader.at("maps").locator("td button").first.click()
    reader.at("numbers").locator("summary").click()
    found = serious_violations(reader.page)
    assert not found, "\n".join(found)


def luminance(colour):
    """The relative luminance of a computed colour, by WCAG 2's formula."""
    numbers = [float(number) for number in re.findall(r"[\d.]+(?:e-?\d+)?", colour)[:3]]
    if not colour.startswith("color("):
        numbers = [number / 255 for number in numbers]
    linear = [n / 12.92 if n <= 0.04045 else ((n + 0.055) / 1.055) ** 2.4 for n in numbers]
    return sum(share * n for share, n in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_weights_are_legible_and_stand_apart_by_computed_colours(reader, theme):
    reader.page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    seen = (
        reader.at("maps")
        .locator("td button")
        .evaluate_all(
            """all => all.map(e => [Number(e.style.getPropertyValue('--weight')),
            getComputedStyle(e).color, getComputedStyle(e).backgroundColor])"""
        )
    )
    for _, ink, ground in seen:
        low, high = sorted([luminance(ink), luminance(ground)])
        assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, ground)
    seen.sort(key=lambda each: each[0])
    ink = luminance(seen[0][1])
    distance = [abs(luminance(ground) - ink) for _, _, ground in seen]
    assert distance[0] - distance[-1] > 0.1 * distance[0]  # a large weight is nearer to the ink
