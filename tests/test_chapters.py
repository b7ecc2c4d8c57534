"""What every notebook keeps to, whatever it teaches.

Each rule is a function that takes a notebook and yields one sentence per breach. A second half of
this file plants every breach in a sound notebook and expects the rule to name it.
"""

from __future__ import annotations

import base64
import copy
import io
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from attncourse import figures
from attncourse.exercises import EXERCISES
from attncourse.figures import LiveFigure
from tools.budget import MOST_CELLS, MOST_EXERCISES, MOST_WORDS, length_of, stated_minutes
from tools.execute import normalise
from tools.project import ROOT, bootstrap_source, colab_url

CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
PAGES = sorted((ROOT / "chapters").glob("**/*.md"))

MOST_BYTES = 400_000
MOST_LINES = 15
LEAST_COMPARED = 0.6
SHORTEST_ALT = 20  # characters; shorter ones name the figure instead of describing it
PHONE = 343  # pixels of a figure's width on a screen of 375
LEAST_TYPE = 8.9  # nine pixels, but for the margin around a picture
# Figures that are still to be drawn narrower, or with larger type.
SMALL_TYPE = {
    *("fig-wishes", "fig-sharpness", "fig-desks", "fig-plain-digits"),
    *("fig-red-digit-curves", "fig-right-and-wrong", "fig-detector", "fig-precision"),
    "fig-duplicates",
}

Rule = Callable[[NotebookNode, str], Iterator[str]]
RULES: dict[str, Rule] = {}


def rule(function: Rule) -> Rule:
    RULES[function.__name__] = function
    return function


def code_cells(notebook: NotebookNode) -> list[tuple[int, NotebookNode]]:
    """Return the code cells, numbered from 1 as a reader counts them."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return list(enumerate(cells, 1))


def tags(cell: NotebookNode) -> set[str]:
    return set(cell.metadata.get("tags", []))


def texts(cell: NotebookNode) -> Iterator[str]:
    """Yield the text of each output that has one."""
    for output in cell.outputs:
        if output.output_type == "stream":
            yield output.text
        for kind, content in output.get("data", {}).items():
            if kind.startswith("text/"):
                yield re.sub(r"(?<=data:image)[^\"]+", "", content)  # a picture


def has_image(output: NotebookNode) -> bool:
    return any(kind.startswith("image/") for kind in output.get("data", {}))


def live_picture(output: NotebookNode) -> str | None:
    """Return the description of a figure that answers, and None for any other output."""
    found = re.match(r'<div class="live".*?<img alt="([^"]*)"', html_of(output), re.DOTALL)
    return found and found[1]


def html_of(output: NotebookNode) -> str:
    return output.get("data", {}).get("text/html", "")


def is_compared(cell: NotebookNode) -> bool:
    """Say whether nbval compares something of this cell. Images it never does."""
    if tags(cell) & {"nbval-ignore-output", "nbval-skip"}:
        return False
    return any(not has_image(output) for output in cell.outputs)


@rule
def counts_run_from_one(notebook, name):
    for number, cell in code_cells(notebook):
        if cell.execution_count != number:
            yield f"cell {number} has execution count {cell.execution_count}"


@rule
def nothing_went_wrong(notebook, name):
    for number, cell in code_cells(notebook):
        for output in cell.outputs:
            if output.output_type == "error":
                yield f"cell {number} stores an error, {output.ename}"
            if output.get("name") == "stderr":
                yield f"cell {number} wrote to stderr"


@rule
def nothing_is_left_out_of_the_comparison(notebook, name):
    for number, cell in code_cells(notebook):
        # nbval-skip does not run a cell; a cell marked raises-exception passes without raising.
        for tag in sorted(tags(cell) & {"nbval-skip", "raises-exception"}):
            yield f"cell {number} is tagged {tag}"
        if "NBVAL_" in cell.source:
            yield f"cell {number} steers nbval by a comment; use a tag"


@rule
def most_cells_are_compared(notebook, name):
    shown = [cell for _, cell in code_cells(notebook) if cell.outputs]
    compared = sum(map(is_compared, shown))
    if compared < LEAST_COMPARED * len(shown):
        yield f"{compared} of {len(shown)} cells with output are compared"


@rule
def outputs_are_the_same_on_every_machine(notebook, name):
    # An address; a path of two parts or more that begins at the root; a drive.
    unstable = re.compile(r"\b0x[0-9a-f]{6,}|(?<![\w:/.<])/(?:[\w.-]+/)+[\w.-]+|\b[A-Z]:\\\w")
    for number, cell in code_cells(notebook):
        for text in [cell.source, *texts(cell)]:
            for found in unstable.findall(text):
                yield f"cell {number} holds a path or an address, {found}"
        for output in cell.outputs:
            if "image/svg+xml" in output.get("data", {}):
                yield f"cell {number} stores an SVG image, which holds a date; use PNG"


@rule
def the_file_is_small(notebook, name):
    size = len(nbformat.writes(notebook).encode())
    if size > MOST_BYTES:
        yield f"the file has {size} bytes, more than {MOST_BYTES}"


@rule
def every_figure_is_described(notebook, name):
    for number, cell in code_cells(notebook):
        settings = cell.metadata.get("mystnb", {})
        alts = [settings.get("image", {}).get("alt", "") for _ in filter(has_image, cell.outputs)]
        alts += [alt for alt in map(live_picture, cell.outputs) if alt is not None]  # their own
        if not alts:
            continue
        if len(alts) > 1:
            yield f"cell {number} draws {len(alts)} figures; one alt text cannot describe them"
        if len(alts[0]) < SHORTEST_ALT:
            yield f"cell {number} draws a figure without alt text"
        figure = settings.get("figure", {})
        if not figure.get("caption"):
            yield f"cell {number} draws a figure without a caption"
        if not figure.get("name", "").startswith("fig-"):
            yield f"cell {number} draws a figure without a label fig-..."


def smallest_type(cell: NotebookNode, png: str) -> float:
    """Return the height in pixels of a figure's smallest type, as a phone shows it.

    From the picture's width and the sizes that the cell names; a plot of the package may use a
    smaller one, which tests/test_figures_looks.py measures.
    """
    with plt.rc_context():
        figures.style()
        usual, dpi = plt.rcParams["font.size"], plt.rcParams["figure.dpi"]
    named = re.findall(r"\b(?:font|label)?size=(\d+)", cell.source)
    width = int.from_bytes(base64.b64decode(png[:32])[16:20], "big")  # from the PNG's header
    return min([usual, *map(float, named)]) * dpi / 72 * PHONE / width


@rule
def figures_can_be_read_on_a_phone(notebook, name):
    for number, cell in code_cells(notebook):
        label = cell.metadata.get("mystnb", {}).get("figure", {}).get("name")
        for output in cell.outputs:
            if label in SMALL_TYPE or "image/png" not in output.get("data", {}):
                continue
            height = smallest_type(cell, output.data["image/png"])
            if height < LEAST_TYPE:
                yield f"cell {number} draws type of {height:.1f} pixels on a phone, too small"


@rule
def cells_are_short(notebook, name):
    for number, cell in code_cells(notebook):
        lines = len(cell.source.splitlines())
        if lines > MOST_LINES:
            yield f"cell {number} has {lines} lines, more than {MOST_LINES}"


@rule
def the_first_code_cell_installs_the_package(notebook, name):
    cells = code_cells(notebook)
    if not cells or cells[0][1].source != bootstrap_source():
        yield "the first code cell is not the bootstrap cell (make stamp writes it)"
    elif not {"bootstrap", "hide-input"} <= tags(cells[0][1]):
        yield "the bootstrap cell lacks its tags bootstrap and hide-input"


@rule
def the_first_cell_links_to_colab(notebook, name):
    first = notebook.cells[0]
    if first.cell_type != "markdown" or not re.search(r"^# \S", first.source, re.MULTILINE):
        yield "the first cell holds no title"
    if f"[Open in Colab]({colab_url(name)})" not in first.source:
        yield f"the first cell does not link to {colab_url(name)}"


@rule
def checks_name_an_exercise(notebook, name):
    for number, cell in code_cells(notebook):
        for found in re.findall(r"\bcheck\(\s*[\"']([^\"']*)[\"']", cell.source):
            if found not in EXERCISES:
                yield f"cell {number} checks {found!r}, which is no exercise"


@rule
def links_lead_somewhere(notebook, name):
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield from dead_links(cell.source)


@rule
def the_page_describes_itself(notebook, name):
    description = notebook.metadata.get("myst", {}).get("html_meta", {}).get("description", "")
    if not description:
        yield "the metadata lack myst.html_meta.description"


@rule
def the_file_is_normalised(notebook, name):
    normal = copy.deepcopy(notebook)
    normalise(normal)
    if normal != notebook:
        yield "the file is not as `make execute` writes it"


@rule
def the_page_keeps_its_budget(notebook, name):
    page = length_of(notebook)
    for size, most, what in (
        (page.words, MOST_WORDS, "words"),
        (page.cells, MOST_CELLS, "open code cells"),
        (page.exercises, MOST_EXERCISES, "exercises"),
    ):
        if size > most:
            yield f"the page has {size} {what}, more than {most}"
    if stated_minutes(notebook) != page.minutes:
        yield f"the page states {stated_minutes(notebook)} minutes, and takes {page.minutes}"


@rule
def the_reader_has_to_answer(notebook, name):
    prose = [cell.source if cell.cell_type == "markdown" else "" for cell in notebook.cells]
    if "".join(prose).count("**Predict") < 2:
        yield "the reader predicts less than twice"
    at = [place for place, text in enumerate(prose) if "{exercise-start}" in text]
    if not any(place < 0.7 * len(prose) for place in at):
        yield "no exercise stands before the last third"


@rule
def nothing_stands_twice_or_open(notebook, name):
    """What goes wrong when two versions of a notebook are merged line by line."""
    headings: set[str] = set()
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            continue
        fences = re.findall(r"^:{3,}(\{?)", cell.source, re.MULTILINE)
        if fences.count("{") * 2 != len(fences):
            yield f"a fence is open, or closed twice, in {cell.source[:40]!r}"
        for heading in re.findall(r"^#+ .+$", cell.source, re.MULTILINE):
            if heading in headings:
                yield f"the heading {heading!r} stands twice"
            if "**" in heading:
                yield f"the heading {heading!r} runs into the text"
            headings.add(heading)


def dead_links(text: str) -> list[str]:
    """Return a complaint for each link to a label that no page of the book defines."""
    targets = re.findall(r"\]\(#([^)]+)\)", text)
    return [f"the link to #{target} leads nowhere" for target in targets if target not in labels()]


@cache
def labels() -> set[str]:
    """Return every label that the chapters and pages define."""
    found: set[str] = set()
    for page in PAGES:
        found |= labels_in(page.read_text(encoding="utf-8"))
    for chapter in CHAPTERS:
        for cell in nbformat.read(chapter, as_version=4).cells:
            found |= labels_in(cell.source) if cell.cell_type == "markdown" else set()
            found.add(cell.metadata.get("mystnb", {}).get("figure", {}).get("name", ""))
    return found


def labels_in(text: str) -> set[str]:
    before = re.findall(r"^\s*\(([\w-]+)\)=\s*$", text, re.MULTILINE)
    options = re.findall(r"^\s*:(?:label|name):\s*(\S+)\s*$", text, re.MULTILINE)
    equations = re.findall(r"\$\$\s*\(([\w-]+)\)", text)
    # A heading without a label of its own has one made from its words.
    headings = re.findall(r"^#{1,3} (.+)$", text, re.MULTILINE)
    slugs = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    return {*before, *options, *equations, *slugs}


def breaches(notebook: NotebookNode, name: str) -> list[str]:
    return [sentence for check in RULES.values() for sentence in check(notebook, name)]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapter_keeps_every_rule(path):
    found = breaches(nbformat.read(path, as_version=4), path.name)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_page_links_lead_somewhere(path):
    found = dead_links(path.read_text(encoding="utf-8"))
    assert not found, "\n".join(found)


def test_a_figure_with_small_type_still_has_it():
    drawn = {}
    for path in CHAPTERS:
        for _, cell in code_cells(nbformat.read(path, as_version=4)):
            for output in filter(has_image, cell.outputs):
                label = cell.metadata.mystnb.figure.name
                drawn[label] = smallest_type(cell, output.data["image/png"])
    assert {label for label in SMALL_TYPE if drawn[label] < LEAST_TYPE} == SMALL_TYPE


def test_every_notebook_is_a_page_of_the_book_and_the_other_way_round():
    listed = set(re.findall(r"(?:file|root): (\S+)", (ROOT / "_toc.yml").read_text("utf-8")))
    pages = [path.relative_to(ROOT).with_suffix("") for path in [*CHAPTERS, *PAGES]]
    assert listed == {page.as_posix() for page in pages}


# A sound notebook, and one planted breach after another.

NAME = "00_sound.ipynb"
DOT = (  # a PNG of one pixel
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABAQMAAAAl21bKAAAAA1BMVEUAAACnej3a"
    "AAAACklEQVR42mNgAAAAAgAB5Sfe/AAAAABJRU5ErkJggg=="
)


def sound() -> NotebookNode:
    figure = {
        "image": {"alt": "A line that rises from 1 to 3."},
        "figure": {"caption": "A rising line.", "name": "fig-line"},
    }
    notebook = new_notebook(
        cells=[
            new_markdown_cell(f"# Sound\n[Open in Colab]({colab_url(NAME)})"),
            new_code_cell(
                bootstrap_source(),
                metadata={"tags": ["hide-input", "bootstrap"]},
                execution_count=1,
            ),
            new_code_cell(
                "print(3 / 4)",
                outputs=[new_output("stream", text="0.75\n")],
                execution_count=2,
            ),
            new_code_cell(
                "plt.show()",
                metadata={"mystnb": figure},
                outputs=[
                    new_output(
                        "display_data",
                        {"image/png": DOT, "text/plain": "<Figure size 640x480>"},
                    )
                ],
                execution_count=3,
            ),
            new_code_cell(
                "2 + 2",
                outputs=[new_output("execute_result", {"text/plain": "4"}, execution_count=4)],
                execution_count=4,
            ),
            new_markdown_cell(":::{exercise-start}\n:::\n\nDo.\n\n:::{exercise-end}\n:::"),
            new_markdown_cell("**Predict.** How many?\n\n**Predict, then run.** Why?"),
            new_markdown_cell("**It takes** 5 minutes to read, 10 for the exercise."),
        ],
        metadata={"myst": {"html_meta": {"description": "A sound notebook."}}},
    )
    normalise(notebook)
    return notebook


def test_a_sound_notebook_has_no_breach():
    assert not breaches(sound(), NAME)


def test_a_figure_that_answers_is_compared_and_described_by_itself():
    notebook = sound()
    answers(notebook, alt="A line that rises from 1 to 3.")
    del notebook.cells[3].metadata.mystnb["image"]
    assert not breaches(notebook, NAME)
    assert is_compared(notebook.cells[3])


BREACHES: list[tuple[str, str, Callable[[NotebookNode], object]]] = []


def plants(rule: str, sentence: str):
    """Register a function that plants a breach, with the rule and the sentence that name it."""

    def register(function):
        BREACHES.append((rule, sentence, function))
        return function

    return register


@plants("counts_run_from_one", "cell 2 has execution count 7")
def _(notebook):
    notebook.cells[2].execution_count = 7


@plants("counts_run_from_one", "cell 2 has execution count None")
def _(notebook):
    notebook.cells[2].execution_count = None


@plants("nothing_went_wrong", "cell 2 stores an error, ValueError")
def _(notebook):
    error = new_output("error", ename="ValueError", evalue="no", traceback=[])
    notebook.cells[2].outputs.append(error)


@plants("nothing_went_wrong", "cell 2 wrote to stderr")
def _(notebook):
    notebook.cells[2].outputs.append(new_output("stream", name="stderr", text="careful"))


@plants("nothing_is_left_out_of_the_comparison", "cell 2 is tagged nbval-skip")
def _(notebook):
    notebook.cells[2].metadata.tags = ["nbval-skip"]


@plants("nothing_is_left_out_of_the_comparison", "cell 2 is tagged raises-exception")
def _(notebook):
    notebook.cells[2].metadata.tags = ["raises-exception"]


@plants("nothing_is_left_out_of_the_comparison", "steers nbval by a comment")
def _(notebook):
    notebook.cells[2].source = "# NBVAL_IGNORE_OUTPUT\nprint(3 / 4)"


@plants("most_cells_are_compared", "1 of 3 cells with output are compared")
def _(notebook):
    notebook.cells[2].metadata.tags = ["nbval-ignore-output"]


@plants("most_cells_are_compared", "1 of 3 cells with output are compared")
def _(notebook):
    notebook.cells[2].outputs = notebook.cells[3].outputs


@plants("outputs_are_the_same_on_every_machine", "an address, 0x7f3a2b1c")
def _(notebook):
    notebook.cells[2].outputs[0].text = "<object at 0x7f3a2b1c>"


@plants("outputs_are_the_same_on_every_machine", "a path or an address, /home/ada/x.txt")
def _(notebook):
    notebook.cells[2].source = 'open("/home/ada/x.txt")'


@plants("outputs_are_the_same_on_every_machine", "an SVG image")
def _(notebook):
    notebook.cells[3].outputs[0].data["image/svg+xml"] = "<svg/>"


@plants("the_file_is_small", "more than 400000")
def _(notebook):
    notebook.cells[3].outputs[0].data["image/png"] = "A" * MOST_BYTES


@plants("every_figure_is_described", "without alt text")
def _(notebook):
    notebook.cells[3].metadata.mystnb.image.alt = "A figure"


@plants("every_figure_is_described", "without a caption")
def _(notebook):
    del notebook.cells[3].metadata.mystnb.figure["caption"]


@plants("every_figure_is_described", "without a label")
def _(notebook):
    del notebook.cells[3].metadata.mystnb.figure["name"]


@plants("every_figure_is_described", "cell 3 draws 2 figures")
def _(notebook):
    notebook.cells[3].outputs *= 2


def picture(width: int) -> str:
    """Return a PNG of that width, in base64."""
    data = io.BytesIO()
    Image.new("1", (width, 1)).save(data, "PNG")
    return base64.b64encode(data.getvalue()).decode()


@plants("figures_can_be_read_on_a_phone", "cell 3 draws type of 5.8 pixels")
def _(notebook):  # 11 points at 110 dots an inch are 16.8 pixels, 5.76 of 343
    notebook.cells[3].outputs[0].data["image/png"] = picture(1000)


@plants("figures_can_be_read_on_a_phone", "cell 3 draws type of 8.6 pixels")
def _(notebook):
    notebook.cells[3].outputs[0].data["image/png"] = picture(550)
    notebook.cells[3].source = "ax.tick_params(labelsize=9)\nplt.show()"


def answers(notebook, alt):
    """Put a figure that answers, with a description, in the place of the plotted one."""
    picture = LiveFigure("desk", {}, "<svg/>", alt)._repr_html_()
    shown = {"text/html": picture, "text/plain": "<LiveFigure>"}
    notebook.cells[3].outputs = [new_output("execute_result", shown, execution_count=3)]


@plants("every_figure_is_described", "without alt text")
def _(notebook):
    answers(notebook, alt="A figure")


@plants("every_figure_is_described", "without a caption")
def _(notebook):
    answers(notebook, alt="A line that rises from 1 to 3.")
    del notebook.cells[3].metadata.mystnb.figure["caption"]


@plants("every_figure_is_described", "cell 3 draws 2 figures")
def _(notebook):
    answers(notebook, alt="A line that rises from 1 to 3.")
    notebook.cells[3].outputs *= 2


@plants("cells_are_short", "cell 2 has 16 lines")
def _(notebook):
    notebook.cells[2].source = "\n".join(["x = 1"] * 16)


@plants("the_first_code_cell_installs_the_package", "not the bootstrap cell")
def _(notebook):
    notebook.cells[1].source = notebook.cells[1].source.replace("@main", "@old")


@plants("the_first_code_cell_installs_the_package", "lacks its tags")
def _(notebook):
    notebook.cells[1].metadata.tags = ["bootstrap"]


@plants("the_first_cell_links_to_colab", "holds no title")
def _(notebook):
    notebook.cells[0].source = notebook.cells[0].source.replace("# Sound", "Sound")


@plants("the_first_cell_links_to_colab", "does not link to")
def _(notebook):
    notebook.cells[0].source = notebook.cells[0].source.replace("/colab/", "/other/")


@plants("checks_name_an_exercise", "cell 2 checks 'no_such'")
def _(notebook):
    notebook.cells[2].source = 'check("no_such", f)'


@plants("links_lead_somewhere", "the link to #term-nonsense leads nowhere")
def _(notebook):
    notebook.cells[0].source += "\n\nA [word](#term-nonsense)."


@plants("the_page_describes_itself", "lack myst.html_meta.description")
def _(notebook):
    del notebook.metadata["myst"]


@plants("the_file_is_normalised", "not as `make execute` writes it")
def _(notebook):
    notebook.cells[2].metadata["execution"] = {"iopub.execute_input": "2020-01-01"}


@plants("the_page_keeps_its_budget", f"more than {MOST_WORDS}")
def _(notebook):
    notebook.cells[0].source += " word" * MOST_WORDS


@plants("the_page_keeps_its_budget", f"open code cells, more than {MOST_CELLS}")
def _(notebook):
    notebook.cells += [notebook.cells[2]] * MOST_CELLS


@plants("the_page_keeps_its_budget", f"exercises, more than {MOST_EXERCISES}")
def _(notebook):
    notebook.cells += [notebook.cells[5]] * MOST_EXERCISES


@plants("the_page_keeps_its_budget", "the page states None minutes, and takes (5, 10)")
def _(notebook):
    del notebook.cells[7]


@plants("the_reader_has_to_answer", "predicts less than twice")
def _(notebook):
    notebook.cells[6].source = "**Predict.** How many?"


@plants("the_reader_has_to_answer", "no exercise stands before the last third")
def _(notebook):
    notebook.cells.append(notebook.cells.pop(5))


@plants("nothing_stands_twice_or_open", "the heading '# Sound' stands twice")
def _(notebook):
    notebook.cells.append(new_markdown_cell("# Sound"))


@plants("nothing_stands_twice_or_open", "runs into the text")
def _(notebook):
    notebook.cells.append(new_markdown_cell("## A word**Answers.**"))


@plants("nothing_stands_twice_or_open", "a fence is open, or closed twice")
def _(notebook):
    notebook.cells.append(new_markdown_cell("An answer.\n:::"))


@pytest.mark.parametrize(("name", "sentence", "plant"), BREACHES)
def test_a_planted_breach_is_named(name, sentence, plant):
    notebook = sound()
    plant(notebook)
    assert any(sentence in complaint for complaint in RULES[name](notebook, NAME))


def test_every_rule_can_fail():
    assert {name for name, _, _ in BREACHES} == set(RULES)


def run_nbval(notebook: NotebookNode, folder: Path) -> subprocess.CompletedProcess[str]:
    path = folder / "numbers.ipynb"
    nbformat.write(notebook, path)
    (folder / "pytest.ini").write_text("[pytest]\n")  # nothing of this project's settings
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", str(path)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_one_wrong_number_turns_the_comparison_red(tmp_path):
    notebook = sound()
    notebook.cells = [notebook.cells[2]]
    right = run_nbval(notebook, tmp_path)
    assert right.returncode == 0, right.stdout
    assert "1 passed" in right.stdout

    notebook.cells[0].outputs[0].text = "0.76\n"
    wrong = run_nbval(notebook, tmp_path)
    assert wrong.returncode == 1, wrong.stdout
    assert "1 failed" in wrong.stdout
