"""The front door as it is written: the map of the chapters, the desk and its picture, README."""

from __future__ import annotations

import re
from io import BytesIO

import nbformat
import numpy as np
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from PIL import Image

from attncourse.data.desk import THINGS
from tools import desk
from tools.budget import stated_minutes
from tools.chapter_map import chapter_map, needs, parts
from tools.project import ROOT, colab_url, pages_url, repository, version

PAGE = (ROOT / "chapters" / "index.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINES = re.search(r"^```\{chapter-map\}\n(.*?)^```$", PAGE, re.M | re.S)[1].splitlines()
CHAPTERS = sorted(p for p in ROOT.glob("chapters/*.ipynb") if not p.stem.endswith("_deeper"))


@pytest.fixture(scope="module")
def rows() -> list[list[str]]:
    """The rows of the map: said, to read, to try, needs."""
    lines = chapter_map(LINES).splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.fixture(scope="module")
def chapters(rows) -> list[list[str]]:
    return [row for row in rows if ".ipynb" in row[0]]


# The map


def test_every_chapter_is_on_the_map_once_and_in_order(chapters):
    assert [re.search(r"\((\S+)\)\*\*", said)[1] for said, *_ in chapters] == [
        path.name for path in CHAPTERS
    ]
    for (said, *_), path in zip(chapters, CHAPTERS, strict=True):
        title = nbformat.read(path, as_version=4).cells[0].source.splitlines()[0]
        assert said.startswith(f"**[{path.stem[:2]} {title.removeprefix('# ')}](")
        assert said.split("**")[2].strip().split("([")[0].strip().endswith("?")


def test_every_deeper_page_stands_beside_its_chapter(chapters):
    deeper = {path.name for path in ROOT.glob("chapters/*_deeper.ipynb")}
    found = {said: re.findall(r"\((\w+_deeper\.ipynb)\)", said) for said, *_ in chapters}
    assert sorted(name for names in found.values() for name in names) == sorted(deeper)
    for said, names in found.items():
        assert all(name.replace("_deeper", "") in said for name in names)


def test_the_minutes_on_the_map_are_those_of_the_pages(chapters):
    for (_, reading, trying, _), path in zip(chapters, CHAPTERS, strict=True):
        stated = stated_minutes(nbformat.read(path, as_version=4))
        assert (reading, trying) == tuple(f"{minutes} min" for minutes in stated)


def test_the_hours_of_a_part_are_those_of_its_chapters(rows):
    sums, heads = [], []
    for said, reading, trying, _ in rows:
        if ".ipynb" in said:
            minutes = (int(reading.split()[0]), int(trying.split()[0]))
            sums[-1] = [total + more for total, more in zip(sums[-1], minutes, strict=True)]
        else:
            heads.append([reading, trying])
            sums.append([0, 0])
    assert len(heads) == len(parts()) == 5
    assert heads == [[f"{total / 60:.1f} h" for total in part] for part in sums]


def test_a_chapter_needs_earlier_ones_and_what_it_installs(chapters):
    found = {said[3:5]: needed for said, *_, needed in chapters}
    assert found["01"] == "the [self-check](prerequisites.md)"
    assert found["02"] == "01"
    assert found["15"] == "01, 07, 09; scikit-learn"
    for number, needed in found.items():
        assert all(earlier < number for earlier in re.findall(r"\b\d\d\b", needed))


def test_a_deeper_page_and_the_package_are_no_needs_and_a_gpu_is():
    said = "**You need** chapter [04](04_a.ipynb). A [deeper page](05_b_deeper.ipynb) has more."
    cells = [new_code_cell('%pip install -q "attncourse @ git+x"'), new_markdown_cell(said)]
    assert needs(new_notebook(cells=cells)) == "04"
    cells += [new_code_cell("%pip install -q a b-c"), new_markdown_cell("## On a GPU\n\nFaster.")]
    assert needs(new_notebook(cells=cells)) == "04; a and b-c; a GPU helps"


@pytest.mark.parametrize("lines", [LINES[1:], [LINES[0], *LINES], LINES[::-1], []])
def test_a_map_that_misses_a_chapter_is_refused(lines):
    with pytest.raises(ValueError, match="the map must name 01_attention_cues, 02_"):
        chapter_map(lines)


# The desk and its picture


@pytest.mark.parametrize(("degrees", "thing"), desk.QUERIES.values())
def test_each_query_finds_its_thing(degrees, thing):
    shares = desk.weights_of(degrees) @ desk.coverage(desk.desk())
    assert shares.sum().item() == pytest.approx(1)
    assert THINGS[shares.argmax()] == thing
    assert shares.max() > 0.7


def test_the_buttons_of_the_page_ask_what_the_picture_shows():
    buttons = re.findall(r'<button type="button" data-turn="(\d+)">(.*?)</button>', PAGE)
    assert {asked: int(turn) for turn, asked in buttons} == {
        asked: degrees for asked, (degrees, _) in desk.QUERIES.items()
    }
    assert PAGE.count(desk.MARKER) == 1


def test_the_picture_has_the_size_that_social_cards_have():
    for picture in (desk.CARD.read_bytes(), desk.drawn()):
        assert Image.open(BytesIO(picture)).size == (1200, 630)
        assert len(picture) <= 150_000


def test_the_picture_is_lit_where_the_weights_lie():
    picture = np.array(Image.open(BytesIO(desk.drawn())).convert("L"), dtype=float)
    left, right = picture[150:500, 40:585], picture[150:500, 615:1160]
    cup, book = np.s_[20:130, 330:450], np.s_[180:310, 190:360]  # on both desks
    assert left[cup].mean() > right[cup].mean() + 5
    assert right[book].mean() > left[book].mean() + 5


def test_the_cards_of_all_pages_show_the_picture():
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["sphinx"]["config"]
    assert ROOT / config["ogp_image"] == desk.CARD
    size = f'content="{desk.WIDTH}"', f'content="{desk.HEIGHT}"'
    assert all(any(tag.count(side) for tag in config["ogp_custom_meta_tags"]) for side in size)


# README, on GitHub and elsewhere


def links(text: str) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)|<(https?:[^>]+)>|^\[\d+\]: (\S+)$", text, re.M)


def test_the_links_of_the_readme_lead_to_what_is_there_from_everywhere():
    site, files = pages_url(repository()), f"https://github.com/{repository()}/"
    found = ["".join(link) for link in links(README)]
    assert len(found) > 30
    for link in found:
        assert link.startswith("https://"), f"{link} leads nowhere from a package index"
        if link.startswith(site):
            page = link.removeprefix(site).split("#")[0].removesuffix(".html") or "chapters/index"
            assert [*ROOT.glob(f"{page}.*")], link
        elif kind := re.match(rf"{files}(blob|raw)/main/", link):
            assert (ROOT / link.removeprefix(kind[0])).is_file(), link


def test_the_readme_shows_the_picture_and_names_every_chapter_of_each_part():
    assert f"/raw/main/{desk.CARD.relative_to(ROOT).as_posix()})](" in README.split("```")[0]
    for name, part in parts().items():
        (row,) = [line for line in README.splitlines() if line.startswith(f"| {name} |")]
        numbers = [chapter.stem[:2] for chapter, *_ in part]
        assert re.findall(r"\]\[(\d\d)\]", row) == numbers
        for chapter, *_ in part:
            title = nbformat.read(chapter, as_version=4).cells[0].source.splitlines()[0]
            assert f"[{chapter.stem[:2]} {title.removeprefix('# ')}][" in row
            assert f"\n[{chapter.stem[:2]}]: " in README


def test_both_doors_name_the_same_ways_in():
    install = f'pip install "attncourse @ git+https://github.com/{repository()}@v{version()}"'
    for text in (PAGE, README):
        assert install in text
        assert f"({colab_url(CHAPTERS[0].name)})" in text
