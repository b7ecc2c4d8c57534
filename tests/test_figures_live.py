"""attncourse.figures.live: what a figure that answers puts into a notebook."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
import torch
from live_figures import FIGURES, desk, made
from support import refused

from attncourse import attention_weights, figures
from attncourse.figures.live import MODULES, SHARED, LiveFigure, script
from attncourse.figures.live_desk import LENGTH, TURN, coverage, red_and_light
from attncourse.figures.live_svg import label, svg
from attncourse.scores import DotProductScore

MOST_BYTES = 10_000
PICTURE = svg(20, 20, label(5, 15, "a", at="text"))


def html_of(data, alt="A letter."):
    return LiveFigure("desk", data, PICTURE, alt)._repr_html_()


def data_in(text):
    return re.search(r'<script type="application/json">(.*?)</script>', text, re.DOTALL)[1]


def picture_in(text):
    return unquote(re.search(r"svg\+xml,([^\"]+)", text)[1])


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_small_alone_and_whole(name):
    text = made(name)._repr_html_()
    assert len(text.encode()) <= MOST_BYTES
    assert "\n\n" not in text  # a blank line would end the HTML of a Markdown page
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|\bfetch\b|Storage|innerHTML", text)
    assert text.count("</script>") == 2
    picture = ElementTree.fromstring(picture_in(text))
    moved = [part.get("data-at") for part in picture.iter() if part.get("data-at")]
    assert len(moved) == len(set(moved))
    assert not any(part.get("id") for part in picture.iter())  # two figures, the same names


def test_figures_have_the_same_bytes_in_another_process_with_other_instructions():
    program = (
        "import json; from live_figures import FIGURES, made;"
        "print(json.dumps([made(name)._repr_html_() for name in FIGURES]))"
    )
    other = {
        "ATEN_CPU_CAPABILITY": "default",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    again = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | other,
    )
    assert json.loads(again.stdout) == [made(name)._repr_html_() for name in FIGURES]


def test_every_module_has_a_figure_that_is_tested():
    assert {path.stem for path in MODULES.glob("*.js")} - SHARED == set(FIGURES)


def test_a_script_holds_each_module_once_and_no_comment():
    text = script("desk")
    assert text.count("function live(") == text.count("function softmax(") == 1
    assert not re.search(r"^(import|export)\b|//|/\*", text, re.MULTILINE)
    assert '"Turn the query:"' in text  # spaces between signs go, those in texts stay


def test_data_can_neither_close_their_element_nor_be_markup():
    text = html_of({"word": "</script><script>alert(1)</script><!--", "a<b": "é"})
    assert text.count("</script>") == 2
    assert json.loads(data_in(text)) == {
        "word": "</script><script>alert(1)</script><!--",
        "a<b": "é",
    }


def test_numbers_have_six_digits_and_tensors_are_lists():
    data = {"third": 1 / 3, "none": -0.0, "two": 2.0, "matrix": torch.tensor([[1, 2.5]])}
    assert data_in(html_of(data)) == '{"third":0.333333,"none":0,"two":2,"matrix":[[1,2.5]]}'


def test_the_alternative_text_is_text_and_every_letter_reaches_the_picture():
    assert 'alt="&quot;a&quot; &lt; b"' in html_of({}, alt='"a" < b')
    drawn = LiveFigure("desk", {}, svg(9, 9, label(0, 9, "β < 注")), "A letter.")
    (text,) = ElementTree.fromstring(picture_in(drawn._repr_html_())).iter(
        "{http://www.w3.org/2000/svg}text"
    )
    assert text.text == "β < 注"


def test_as_text_a_figure_is_its_description():
    assert repr(LiveFigure("desk", {}, PICTURE, "A letter.")) == "<LiveFigure desk: A letter.>"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), torch.tensor([1, -torch.inf])])
def test_numbers_that_are_not_finite_are_refused_by_name(number):
    with refused(ValueError, "data['weights']", "finite"):
        LiveFigure("desk", {"weights": number}, PICTURE, "A letter.")


def test_unknown_names_and_things_are_refused():
    with refused(ValueError, "'desks'", "desk"):
        LiveFigure("desks", {}, PICTURE, "A letter.")
    with refused(ValueError, "'live'"):  # the shared part is no figure
        LiveFigure("live", {}, PICTURE, "A letter.")
    with refused(TypeError, "data['a'][1]", "complex"):
        LiveFigure("desk", {"a": [1, 2j]}, PICTURE, "A letter.")


@pytest.mark.parametrize("name", FIGURES)
def test_every_part_that_a_module_moves_is_in_the_picture(name):
    picture = picture_in(made(name)._repr_html_())
    module = (MODULES / f"{name}.js").read_text("utf-8")
    moved = re.findall(r'\b(?:move|drag)\(["`](.+?)["`]', module)
    patterns = [re.sub(r"\$\{\w+\}", r"\\w+", part) for part in moved]  # of `node${place}`
    assert patterns
    assert [part for part in patterns if not re.search(f"data-at='{part}'", picture)] == []


@pytest.mark.usefixtures("own_errors")
def test_what_a_chapter_s_figure_cannot_show_is_refused():
    with refused(ValueError, "1024 numbers", "got 5"):
        figures.divided_scores(torch.ones(1, 5), torch.ones(2, 5))
    with refused(ValueError, "query", "two numbers", "got 3"):
        figures.asking_word(["a", "b"], *torch.ones(3, 2, 3), asking=0)
    with refused(ValueError, "value", "two numbers", "got 3"):
        figures.asking_word(["a", "b"], *torch.ones(2, 2, 2), torch.ones(2, 3), asking=0)
    with refused(ValueError, "asking", "0 to 1", "got 2"):
        figures.asking_word(["a", "b"], *torch.ones(3, 2, 2), asking=2)
    hours = torch.tensor([[6.0], [12.0]])
    with refused(ValueError, "data['value'][0]", "finite"):
        figures.moving_width(hours, hours * float("nan"), hours, hours)


# Chapter 01


def texts_of(figure):
    picture = ElementTree.fromstring(picture_in(figure._repr_html_()))
    return {part.get("data-at"): part.text for part in picture.iter() if part.get("data-at")}


def test_the_picture_of_the_desk_shows_where_the_query_looks():
    angle = torch.tensor(TURN).deg2rad().double()
    query = LENGTH * torch.stack([angle.cos(), angle.sin()])
    weights = attention_weights(query[None], red_and_light(desk()), score=DotProductScore())
    cup = (weights @ coverage(desk())).squeeze()[4]
    assert cup > 0.9
    assert texts_of(made("desk"))["cup-share"] == f"{cup:.0%}"


def test_the_data_of_the_desk_are_the_keys_and_what_covers_each_patch():
    data = made("desk").data
    key, cover = red_and_light(desk()), coverage(desk())
    assert key.shape == (150, 2)
    assert cover.sum(1).eq(1).all()
    found, covered = torch.tensor([data["bare"]] * 150), torch.zeros(150, 4)
    for place, red, light, *pairs in data["others"]:
        found[place] = torch.tensor([red, light])
        for thing, pixels in zip(pairs[::2], pairs[1::2], strict=True):
            covered[place, thing] = pixels / 256
    assert (found / 10 - key).abs().max() < 1e-6
    assert torch.equal(covered.double(), cover[:, 1:])
