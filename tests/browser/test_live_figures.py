"""Every figure that answers, alone on a page: by keys, in light and dark, on a phone.

A figure's numbers are compared with the package's in the last part, one test each.
"""

from __future__ import annotations

import math
import re

import pytest
import torch

from attncourse import NadarayaWatson, attend, attention_weights
from attncourse.decoding import beam_search
from attncourse.figures.live_beam import GREY
from attncourse.figures.live_desk import coverage, red_and_light
from attncourse.figures.looks import BLUE
from attncourse.positions import SinusoidalPositions
from attncourse.scores import DotProductScore
from tests.browser.conftest import Visitor
from tests.browser.test_book import serious_violations
from tests.live_figures import FIGURES, MESSAGES, by_hand, cards, desk, harbour, made
from tests.searched import BOS, EOS, LOWEST, MARKS, Markov, kinds, lists

pytestmark = pytest.mark.browser

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A figure</title>
<meta name="viewport" content="width=device-width"><style>
:root {{ color-scheme: light dark; }}
body {{ background: Canvas; color: CanvasText; font: 16px/1.5 sans-serif; margin: 16px; }}
</style></head><body><main><h1>A figure</h1>{}</main></body></html>"""

CONTRAST = """(svg) => {
    const context = document.createElement("canvas").getContext("2d");
    const light = (colour) => {
        context.fillStyle = colour;
        context.fillRect(0, 0, 1, 1);
        const parts = [...context.getImageData(0, 0, 1, 1).data].slice(0, 3).map((part) =>
            part > 10 ? ((part / 255 + 0.055) / 1.055) ** 2.4 : part / 255 / 12.92);
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
    };
    const ground = light(getComputedStyle(document.body).backgroundColor);
    return [...svg.querySelectorAll("text, [color]")].map((part) => {
        const own = light(getComputedStyle(part).color);
        return (Math.max(own, ground) + 0.05) / (Math.min(own, ground) + 0.05);
    });
}"""


class Shown:
    """A page with figures, and what a reader does there."""

    def __init__(self, visit):
        self.visit, self.page = visit, visit.page

    def press(self, label: str, key: str, times: int = 1) -> None:
        slider = self.page.get_by_role("slider", name=label).first
        for _ in range(times):
            slider.press(key)

    @property
    def numbers(self) -> list[float]:
        """The numbers that are told to those who listen."""
        text = self.page.locator(".live output").first.inner_text().replace("−", "-")
        return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)]


@pytest.fixture
def show(browser, tmp_path):
    """A function that opens a page of its own with the figures of the names, or with HTML."""
    visitor = Visitor(browser, tmp_path.as_uri() + "/")

    def show(*names: str, before: str = "") -> Shown:
        body = before + "\n".join(made(name)._repr_html_() for name in names)
        (tmp_path / "index.html").write_text(PAGE.format(body), encoding="utf-8")
        visit = visitor.open("index.html")
        if not before:
            visit.page.locator(".live output").first.wait_for()
        return Shown(visit)

    yield show
    visitor.context.close()


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_asks_for_nothing_and_all_may_use_it(show, name):
    shown = show(name)
    assert shown.visit.foreign == []
    assert shown.visit.errors == []
    assert shown.page.locator(".live svg[role=img]").get_attribute("aria-label") == made(name).alt
    assert shown.page.locator(".live output[aria-live=polite]").inner_text()
    assert serious_violations(shown.page) == []
    controls = shown.page.locator(".live :is(input, button)").all()
    assert controls
    for control in controls:
        assert control.get_attribute("data-lm-suppress-shortcuts") == "true"
        assert control.bounding_box()["height"] >= 44


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_figure_is_legible_in_light_and_dark(show, name, scheme):
    shown = show(name)
    shown.page.emulate_media(color_scheme=scheme)
    assert min(shown.page.locator(".live svg").evaluate(CONTRAST)) >= 3


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_fits_a_phone_and_its_words_can_be_read_there(show, name):
    shown = show(name)
    shown.page.set_viewport_size({"width": 375, "height": 812})
    assert shown.page.evaluate("document.documentElement.scrollWidth") == 375
    heights = shown.page.locator(".live svg text").evaluate_all(
        "all => all.map(e => parseFloat(getComputedStyle(e).fontSize) * e.getScreenCTM().a)"
    )
    assert min(heights) >= 11
    outside = shown.page.locator(".live svg text").evaluate_all(
        """all => all.filter(e => {
            const box = e.getBoundingClientRect();
            const around = e.ownerSVGElement.getBoundingClientRect();
            return box.left < around.left - 1 || box.right > around.right + 1;
        }).map(e => e.textContent)"""
    )
    assert outside == []


def test_a_figure_starts_when_it_comes_near_and_twice_on_a_page_twice(show):
    shown = show("desk", "desk", before='<div style="height: 3000px"></div>')
    shown.page.wait_for_timeout(200)
    assert shown.page.locator(".live img").count() == 2
    assert shown.page.locator(".live :is(svg, output)").count() == 0
    shown.page.locator(".live").last.scroll_into_view_if_needed()
    shown.page.locator(".live output").last.wait_for()
    assert shown.page.locator(".live svg").count() == 2
    assert shown.page.locator(".live input").count() == 4
    first, second = shown.page.locator(".live output").all()
    shown.press("Turn the query", "ArrowLeft", 10)
    assert first.inner_text() != second.inner_text()
    assert shown.visit.errors == []


def test_a_cell_that_runs_again_starts_anew(show):
    shown = show("desk")
    shown.page.evaluate(
        """text => {
            document.querySelector(".live").outerHTML = text;
            const old = document.querySelector(".live [type=module]");
            const script = Object.assign(document.createElement("script"), { type: "module" });
            script.textContent = old.textContent;
            old.replaceWith(script);
        }""",
        made("desk")._repr_html_(),
    )
    shown.page.locator(".live output").wait_for()
    assert shown.page.locator(".live input").count() == 2
    assert shown.visit.errors == []


def test_without_scripts_the_picture_stands_alone(browser, tmp_path):
    (tmp_path / "index.html").write_text(PAGE.format(made("desk")._repr_html_()), "utf-8")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((tmp_path / "index.html").as_uri())
    picture = page.locator(".live img")
    assert picture.bounding_box()["height"] > 300
    assert page.locator(".live :is(input, output)").count() == 0
    context.close()


# Chapter 12


def phone() -> tuple[Markov, dict[str, int]]:
    """The model that writes the messages of the phone, and its tokens."""
    words = [*MESSAGES, *(word for _, rest in MESSAGES.values() for word in rest)]
    token = {word: 3 + place for place, word in enumerate(words)}
    logits = torch.full((1, 13, 13), LOWEST, dtype=torch.float64)
    logits[:, :, EOS] = 0.0
    for last, following in [(BOS, MESSAGES), *((token[w], MESSAGES[w][1]) for w in MESSAGES)]:
        logits[0, last, EOS] = LOWEST
        for word, (chance, _) in following.items():
            logits[0, last, token[word]] = math.log(chance)
    return Markov(logits), token


def test_the_beam_keeps_what_the_beam_search_of_the_package_finds(show):
    shown = show("beam")
    model, token = phone()
    for size, message in ((1, "see you"), (2, "good night"), (3, "good night")):
        found = beam_search(model, kinds(1), **MARKS, max_length=3, beam_size=size)
        assert lists(found) == [[*map(token.get, message.split()), EOS]]
        said = shown.page.locator(".live output").inner_text()
        assert said.startswith(f"Kept: {message} ")
        assert shown.numbers[0] == pytest.approx(found.log_probability.item(), abs=0.0051)
        assert len(shown.numbers) == size + 2
        shown.press("Beginnings kept", "ArrowRight")
    shown.press("Words written", "Home")
    # ln 0.5, ln 0.4 and ln 0.1; three of the ten words were compared
    assert shown.numbers == [-0.69, -0.92, -2.3, 3, 10]


def test_what_a_beam_never_compared_is_grey_and_what_it_kept_blue(show):
    shown = show("beam")
    colour = {}
    for size in (1, 2):
        for place, word in ((3, "what"), (5, "night"), (8, "end")):
            part = shown.page.locator(f"[data-at=node{place}]")
            assert part.locator("text").text_content().startswith(f"{word} ")
            colour[size, word] = part.get_attribute("color")
        shown.press("Beginnings kept", "ArrowRight")
    assert [colour[1, word] for word in ("what", "night", "end")] == ["inherit", GREY, GREY]
    assert [colour[2, word] for word in ("what", "night", "end")] == ["inherit", BLUE, GREY]


# Chapter 01


def shares_on_desk(degrees, length):
    angle = torch.tensor(degrees).double().deg2rad()
    query = length * torch.stack([angle.cos(), angle.sin()])
    key, cover = red_and_light(desk()), coverage(desk())
    weights = attention_weights(query[None], key, score=DotProductScore())
    return [*query.tolist(), *(100 * weights @ cover).squeeze()[1:].tolist()]


def test_the_desk_shows_the_weights_of_the_package(show):
    shown = show("desk")
    assert shown.numbers == pytest.approx(shares_on_desk(330, 2.0), abs=0.51)
    shown.press("Turn the query", "ArrowLeft", 22)
    shown.press("Its length", "ArrowRight", 4)
    at_book = shares_on_desk(220, 3.0)
    assert at_book[3] > 80
    assert shown.numbers == pytest.approx(at_book, abs=0.51)
    shown.press("Its length", "Home")
    assert shown.numbers == pytest.approx(shares_on_desk(220, 0.0), abs=0.51)


def test_the_query_on_the_desk_is_dragged(show):
    shown = show("desk")
    plane = shown.page.locator("[data-at=plane]").bounding_box()
    unit = plane["width"] / 192 * 18
    x = plane["x"] + plane["width"] * 78 / 192
    y = plane["y"] + plane["height"] / 2
    shown.page.mouse.move(x, y)
    shown.page.mouse.down()
    shown.page.mouse.move(x, y - 3 * unit)
    shown.page.mouse.up()
    assert shown.numbers == pytest.approx(shares_on_desk(90, 3.0), abs=0.6)
    assert shown.page.get_by_label("Turn the query").get_attribute("aria-valuetext") == "90°"


# Chapter 02


def test_the_width_shows_the_estimate_and_the_error_of_the_package(show):
    def expected(hour, width):
        key, value, query, truth = harbour()
        layer = NadarayaWatson(bandwidth=width).double()
        asked = layer(torch.tensor([[hour]]).double(), key, value).item()
        return asked, 100 * (layer(query, key, value) - truth).square().mean().sqrt().item()

    shown = show("width")
    _, _, *numbers = shown.numbers  # after the hour and the minute
    assert numbers == pytest.approx(expected(16.5, 0.5), abs=0.06)
    shown.press("Width", "ArrowLeft", 12)
    shown.press("Hour asked about", "ArrowLeft", 3)
    hour, minute, *numbers = shown.numbers
    assert (hour, minute) == (15, 45)
    assert numbers == pytest.approx(expected(15.75, 2**-4), abs=0.06)
    shown.press("Width", "End")
    assert shown.numbers[2:] == pytest.approx(expected(15.75, 4.0), abs=0.06)


# Chapter 03


def test_the_largest_weight_is_the_package_s_at_every_width_and_power(show):
    def expected(width, power):
        query, key = (x[:, :width] for x in cards())
        weights = attention_weights(query, key, scale=float(width) ** -power)
        return [width, width**power, weights.max().item()]

    shown = show("root")
    assert shown.numbers == pytest.approx(expected(4, 0), abs=0.06)
    shown.press("Width", "ArrowRight", 2)
    assert shown.numbers == pytest.approx(expected(64, 0), abs=0.06)
    shown.press("Scores divided by", "ArrowRight", 4)
    assert shown.numbers == pytest.approx(expected(64, 0.5), abs=0.06)
    shown.press("Width", "End")
    assert shown.numbers == pytest.approx(expected(1024, 0.5), abs=0.06)
    shown.press("Scores divided by", "End")
    assert shown.numbers == pytest.approx([1024, 1024, 1 / 32], abs=0.01)


# Chapter 06


def test_a_word_that_asks_gets_what_attend_gives(show):
    def expected(asks):
        _, key, value = by_hand()
        asks = torch.tensor([asks])
        numbers = (
            asks,
            asks @ key.mT / 2**0.5,
            attention_weights(asks, key),
            attend(asks, key, value),
        )
        return torch.cat(numbers, dim=1)[0].tolist()

    shown = show("word")
    assert shown.numbers == pytest.approx(expected([1.0, 1.0]), abs=0.006)
    shown.page.get_by_role("button", name="hungry").press("Enter")
    assert shown.numbers == pytest.approx(expected([2.0, 1.0]), abs=0.006)
    shown.press("second number", "Home")
    assert shown.numbers == pytest.approx(expected([2.0, -3.0]), abs=0.006)


# Chapter 08


def test_the_hands_turn_by_the_same_angles_wherever_they_stand(show):
    def expected(start, shift):
        code = SinusoidalPositions(16).code(start + shift + 1, dtype=torch.float64)
        waves = code[1, 0::2].arcsin()  # after one token: the angle, at most a radian
        similarity = (code[start] @ code[start + shift]).item() / 8
        return [start, start + shift, *(shift * waves.rad2deg()).tolist(), similarity]

    shown = show("clocks")
    assert shown.numbers == pytest.approx(expected(0, 5), abs=0.51)
    assert shown.numbers[-1] == pytest.approx(expected(0, 5)[-1], abs=0.006)
    shown.press("So many tokens further", "ArrowRight", 20)
    shown.press("Position", "ArrowRight", 7)
    assert shown.numbers == pytest.approx(expected(7, 25), abs=0.51)
    assert shown.numbers[-1] == pytest.approx(expected(7, 25)[-1], abs=0.006)
