"""The notebooks for Colab and Jupyter: what becomes of ours, and what is refused.

Whether numbers and anchors are those of the built book: tests/browser/test_colab_numbers.py.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup
from markdown_it import MarkdownIt
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from test_chapters import DOT

from tools.colab.__main__ import main
from tools.colab.book import Book
from tools.colab.markdown import directive, parse
from tools.colab.notebook import UnfitError, head, rendered, write_all
from tools.colab.prose import Prose
from tools.project import ROOT, bootstrap_source

COMMIT = "0123456789" * 4


# Every notebook of the book


@cache
def book() -> Book:
    return Book()


@cache
def both(page: str) -> tuple[NotebookNode, NotebookNode]:
    """Give a notebook of the book, and what is made of it."""
    ours = nbformat.read(book().path(page), as_version=4)
    return ours, rendered(ours, page, book(), COMMIT)


def code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook: NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


every_notebook = pytest.mark.parametrize("page", book().notebooks, ids=lambda p: Path(p).name)


@every_notebook
def test_the_code_is_the_same_byte_by_byte_apart_from_the_folding(page):
    ours, theirs = both(page)
    assert len(code(ours)) == len(code(theirs))
    for before, after in zip(code(ours), code(theirs), strict=True):
        if "bootstrap" in before.metadata.get("tags", []):
            before = {"source": bootstrap_source(state=COMMIT)}
        elif before.source.startswith("# @title"):
            pytest.fail("our own code has a title of Colab's")
        source = after.source
        if source.startswith("# @title "):
            source = source.split("\n", 1)[1]
        assert source.encode() == before["source"].encode()


@every_notebook
def test_nothing_is_stored_that_would_answer_a_prediction(page):
    for cell in code(both(page)[1]):
        assert cell.outputs == []
        assert cell.execution_count is None


@every_notebook
def test_what_the_book_folds_is_folded_in_colab_and_in_jupyter(page):
    ours, theirs = both(page)
    solving = False
    made = iter(code(theirs))
    for cell in ours.cells:
        if cell.cell_type == "markdown":
            names = [found.name for token in parse(cell.source) if (found := directive(token))]
            solving = (solving or "solution-start" in names) and "solution-end" not in names
            continue
        # With "hide-output" the code is open: a bug is to be found in it.
        folded = solving or bool({"hide-input", "hide-cell"} & set(cell.metadata.get("tags", [])))
        metadata = {"cellView": "form", "jupyter": {"source_hidden": True}} if folded else {}
        theirs = next(made)
        assert theirs.metadata == metadata
        assert bool(re.match(r"# @title \S", theirs.source)) == folded


@every_notebook
def test_answers_and_solutions_are_folded(page):
    for text in prose(both(page)[1]):
        assert text.count("<details>") == text.count("</details>")
        open_text = re.sub(r"<details>.*?</details>", "", text, flags=re.DOTALL)
        assert not re.search(r"\*\*(Answers?|Solutions?)\b|Solution to", open_text), open_text


def plain_tokens(text: str):
    """Yield the pieces of a text as a program sees it that knows Markdown and tables only."""
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        yield from token.children or [token]


@every_notebook
def test_the_prose_is_markdown_that_everyone_knows(page):
    html = r'(<a id="[\w-]+" name="[\w-]+">|</a>|</?code>|</?details>|<summary>.*?</summary>|\n)*'
    for text in prose(both(page)[1]):
        without_maths = re.sub(r"\$\$.*?\$\$|\$[^$]+\$", "", text, flags=re.DOTALL)
        for token in plain_tokens(without_maths):
            if token.type == "text":
                assert not re.search(r":::|\{[\w:-]+\}$|^\([\w-]+\)=|\]\(", token.content), text
            if token.type in {"html_block", "html_inline"}:
                assert re.fullmatch(html, token.content), token.content
            if token.type == "fence":
                assert not token.info.startswith("{")
        assert not re.search(r"\$\$ *\(", text)  # the label of an equation


@every_notebook
def test_links_lead_to_the_notebook_itself_or_to_the_book(page):
    text = "\n\n".join(prose(both(page)[1]))
    anchors = set(re.findall(r'<a id="([\w-]+)"', text))
    pages = {f"{book().site}{name}.html" for name in book().sections}
    for token in plain_tokens(text):
        if token.type == "link_open":
            link = token.attrs["href"]
            assert link.startswith(("#", "https://", "http://")), link
            assert not link.startswith("#") or link[1:] in anchors, link
            assert not link.startswith(book().site) or link.partition("#")[0] in pages, link
            assert "colab.research.google.com" not in link
    assert text.startswith("# ")
    assert f"[This page in the book]({book().site}{page}.html)" in prose(both(page)[1])[0]


@every_notebook
def test_each_caption_stands_below_its_figure(page):
    ours, theirs = both(page)
    below = {cell.id: after for cell, after in zip(theirs.cells, theirs.cells[1:], strict=False)}
    for cell in code(ours):
        if figure := cell.metadata.get("mystnb", {}).get("figure"):
            number = book().labels[figure["name"]].number
            assert f"**Fig. {number}.** " in below[cell.id].source


@every_notebook
def test_only_a_notebook_that_uses_a_gpu_asks_for_one(page):
    ours, theirs = both(page)
    uses = any(re.search("^#+ On a GPU$", text, re.MULTILINE) for text in prose(ours))
    asked = {key: theirs.metadata.get(key) for key in ("accelerator", "colab")}
    wanted = {"accelerator": "GPU", "colab": {"gpuType": "T4"}}
    assert asked == (wanted if uses else dict.fromkeys(wanted))
    assert not {"accelerator", "colab"} & set(ours.metadata)  # the section alone asks


def test_the_chapters_with_a_long_training_use_a_gpu():
    asking = {page for page in book().notebooks if both(page)[1].metadata.get("accelerator")}
    assert asking == {"chapters/05_bahdanau_attention", "chapters/11_training"}


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """A folder that holds the package as its wheel brings it, and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    shutil.unpack_archive(wheel, folder, "zip")
    return folder


@pytest.mark.timeout(900)  # whole chapters: half a minute on an idle machine
@pytest.mark.parametrize("name", ["01_attention_cues", "20_looking_back"])
def test_it_runs_in_an_empty_folder_with_the_wheel_alone(name, installed, tmp_path, monkeypatch):
    from nbclient import NotebookClient

    notebook = both(f"chapters/{name}")[1].copy()
    asked = new_code_cell("import attncourse\nprint(attncourse.__file__)")
    notebook.cells = [*notebook.cells, asked]
    monkeypatch.setenv("PYTHONPATH", str(installed))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.chdir(tmp_path)
    arguments = ["--IPKernelApp.log_level=ERROR"]
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", extra_arguments=arguments
    ).execute()
    (where,) = asked.outputs
    assert Path(where.text.strip()).is_relative_to(installed)
    assert list(tmp_path.iterdir()) == []


# A small book, of two chapters, of which the second has a page below it

FIGURE = {
    "image": {"alt": "A dot."},
    "figure": {"caption": "A dot, as in {eq}`eq-second`.", "name": "fig-dot"},
}
FIRST = [
    "# First\n\n[Open in Colab](https://colab.research.google.com/x)\n\nAs $a$.\n\n$$a$$ (eq-a)"
]
SECOND = """# Second

A ([link](#fig-dot)), {eq}`eq-second` and {eq}`eq-a`; {cite:t}`ada1843notes`.

$$
b
$$ (eq-second)

(a-label)=
## A `part`

:::{exercise-start} Mend $it$
:label: ex-mend
:::

Why?"""
BELOW = ["# Below", "$$c$$ (eq-below)\n\nSee {numref}`fig-dot`, {eq}`eq-below`, [up](#a-label)."]
BIBLIOGRAPHY = """@misc{ada1843notes, author = {Lovelace, Ada}, title = {Notes}, year = {1843}}
@misc{two, author = {{\\'E}luard, Paul and de Beauvoir, Simone}, title = {B}, year = {1946}}
@misc{many, author = {A, B and C, D and E, F}, title = {M}, year = {2000}}
"""


def notebook(*cells: str | NotebookNode) -> NotebookNode:
    """Make a notebook that was executed; a text is a cell of Markdown."""
    cells = [new_markdown_cell(c) if isinstance(c, str) else c for c in cells]
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return new_notebook(cells=cells, metadata=kernel | {"language_info": {"name": "python"}})


def run(source: str, **metadata) -> NotebookNode:
    """Make a code cell that was executed and drew a dot."""
    output = new_output("display_data", {"image/png": DOT})
    return new_code_cell(source, metadata=metadata, execution_count=1, outputs=[output])


def dot() -> NotebookNode:
    return run("plt.show()", tags=["hide-input"], mystnb=FIGURE)


@pytest.fixture
def root(tmp_path) -> Path:
    """The folder of the small book."""
    root = tmp_path / "book"
    (root / "chapters").mkdir(parents=True)
    for name in ["_config.yml", "pyproject.toml", "LICENSE"]:
        shutil.copy(ROOT / name, root)
    (root / "_toc.yml").write_text(
        "format: jb-book\nroot: chapters/index\nparts:\n"
        "- {caption: One, numbered: true, chapters: [{file: chapters/01_first}]}\n"
        "- caption: Two\n  numbered: true\n  chapters:\n"
        "  - file: chapters/02_second\n    sections: [{file: chapters/02_second_deeper}]\n"
        "- {caption: Back, chapters: [{file: chapters/references}]}\n"
    )
    (root / "chapters" / "index.md").write_text("# Front\n")
    (root / "chapters" / "references.md").write_text("# All\n\n```{bibliography}\n:all:\n```\n")
    (root / "chapters" / "references.bib").write_text(BIBLIOGRAPHY, encoding="utf-8")
    write(root, "01_first", notebook(*FIRST))
    end = ":::{exercise-end}\n:::"
    write(root, "02_second", notebook(SECOND, end, dot()))
    write(root, "02_second_deeper", notebook(*BELOW, run("3", mystnb=named("fig-below"))))
    return root


def named(name: str) -> dict:
    return {"image": {"alt": "A dot."}, "figure": {"caption": "A dot.", "name": name}}


def write(root: Path, name: str, made: NotebookNode) -> None:
    nbformat.write(made, root / "chapters" / f"{name}.ipynb")


def made(root: Path, name: str) -> NotebookNode:
    return nbformat.read(root / "made" / "chapters" / f"{name}.ipynb", as_version=4)


def test_numbers_go_on_in_the_page_below_a_chapter(root):
    labels = Book(root).labels
    numbers = {name: labels[name].number for name in labels if labels[name].number}
    assert numbers == {
        "eq-a": "1.1",
        "eq-second": "2.1",
        "ex-mend": "2.1",
        "fig-dot": "2.1",
        "eq-below": "2.2",
        "fig-below": "2.2",
    }


def test_sphinx_gives_the_same_numbers(root):
    # Built with the settings of the book, but for its looks and its links to others.
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    del config["logo"], config["html"]["favicon"], config["sphinx"]["local_extensions"]
    settings = config["sphinx"]["config"]
    del settings["templates_path"], settings["html_theme_options"], settings["intersphinx_mapping"]
    for name in ["book_extension", "sphinx-mathjax-offline"]:
        settings["extensions"].remove(name)
    (root / "_config.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    build = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", "."]
    done = subprocess.run([*build, "-q", "-W", "-n"], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr

    for label, target in Book(root).labels.items():
        page = (root / "_build" / "html" / f"{target.page}.html").read_text(encoding="utf-8")
        element = BeautifulSoup(page, "html.parser").find(id=target.anchor)
        assert element is not None, label
        if target.number:
            number = element.select_one(".eqno, .caption-number").text
            assert re.search(r"[\d.]*\d", number)[0] == target.number, label


def test_a_notebook_becomes_plain(root):
    write_all(root / "made", COMMIT, root)
    site = Book(root).site
    first, second = made(root, "01_first"), made(root, "02_second")
    assert first.cells[0].source == (
        f"# First\n\n[This page in the book]({site}chapters/01_first.html)\n\n"
        "As $a$.\n\n$$a \\tag{1.1}$$"
    )
    text, figure, caption = second.cells  # the end of the exercise left no cell
    assert text.source == (
        "# Second\n\nA ([link](#fig-dot)), [Equation 2.1](#equation-eq-second) and "
        f"[Equation 1.1]({site}chapters/01_first.html#equation-eq-a); "
        f"[Lovelace (1843)]({site}chapters/references.html#cite-ada1843notes).\n\n"
        '<a id="equation-eq-second" name="equation-eq-second"></a>\n\n'
        "$$\nb \\tag{2.1}\n$$\n\n## A `part`\n\n#### Exercise 2.1: Mend $it$\n\nWhy?"
    )
    assert figure.source == "# @title The code\nplt.show()"
    assert caption.source == (
        '<a id="fig-dot" name="fig-dot"></a>\n\n'
        "**Fig. 2.1.** A dot, as in [Equation 2.1](#equation-eq-second)."
    )
    below = made(root, "02_second_deeper").cells[1].source
    assert f"See [Fig. 2.1]({site}chapters/02_second.html#fig-dot), " in below
    assert f"[up]({site}chapters/02_second.html#a-label)" in below


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (":::{margin}\n**You** need\n\nit.\n:::", "> **You** need\n>\n> it."),
        (":::{note}\nCareful.\n:::", "> **Note.** Careful."),
        (":::{admonition} Of *note*\nCareful.\n:::", "> **Of *note***\n>\n> Careful."),
        (
            ":::{dropdown} Is `a < b`?\nYes.\n:::",
            "<details>\n<summary>Is <code>a &lt; b</code>?</summary>\n\nYes.\n\n</details>",
        ),
        ("a\n\n% a comment\n\n+++\n\nb", "a\n\nb"),
        ("> a {cite:yearpar}`two`\n> b {cite:p}`two, many`", "> a ({0})\n> b ({1}; {2})"),
        (
            "| {cite:t}`many` | `{eq}` |\n|---|---|\n| x | y |",
            "| {3} | `{eq}` |\n|---|---|\n| x | y |",
        ),
        ("- one\n\n  $$a$$ (eq-a)\n- two", "- one\n\n  $$a \\tag{{1.1}}$$\n- two"),
        ("```text\n:::{margin}\n{eq}`a`\n```", "```text\n:::{margin}\n{eq}`a`\n```"),
        ("`{eq}` and `a` [`b`](https://c.d)", "`{eq}` and `a` [`b`](https://c.d)"),
        ("[a\nb](02_second.ipynb#a-part)", "[a\nb]({site}chapters/02_second.html#a-part)"),
    ],
)
def test_a_text_becomes_plain(root, text, plain):
    small = Book(root)
    works = [("1946", "two"), ("Éluard and de Beauvoir 1946", "two"), ("A et al. 2000", "many")]
    works.append(("A et al. (2000)", "many"))
    links = [f"[{words}]({small.work_url(key)})" for words, key in works]
    plain = re.sub(r"\{(\d)\}", lambda found: links[int(found[1])], plain)
    plain = plain.replace("{site}", small.site).replace("{{1.1}}", "{1.1}")
    assert Prose(small, "chapters/01_first").cell(text) == plain


def test_a_solution_is_folded_in_each_of_its_cells(root):
    start = "Before.\n\n:::{solution-start} ex-mend\n:::"
    cells = [start, "So.", run("1"), "And so.\n\n:::{solution-end}\n:::\n\nAfter.", run("2")]
    write(root, "01_first", notebook(*FIRST, *cells))
    write_all(root / "made", COMMIT, root)
    fold = "<details>\n<summary>Solution to Exercise 2.1: Mend $it$</summary>\n\n{}\n\n</details>"
    assert [cell.source for cell in made(root, "01_first").cells[1:]] == [
        "Before.",
        fold.format("So."),
        "# @title Solution to Exercise 2.1: Mend $it$\n1",
        fold.format("And so.") + "\n\nAfter.",
        "2",
    ]


@pytest.mark.parametrize(
    ("source", "prompt", "title"),
    [
        ("x = 1", "Show a solution", "A solution"),
        ("x = 1", None, "The code"),
        (
            "# Checks that one is one,\n# and no more.\nassert 1 == 1",
            None,
            "Checks that one is one, and no more.",
        ),
        ("# Checks one.\nassert 1 == 1", "Show the check", "Checks one."),
        ("# one\nx = 1", "Show the code of the figure", "The code of the figure"),
    ],
)
def test_a_folded_cell_says_what_it_holds(root, source, prompt, title):
    settings = {"mystnb": {"code_prompt_show": prompt}} if prompt else {}
    write(root, "01_first", notebook(*FIRST, run(source, tags=["hide-cell"], **settings)))
    write_all(root / "made", COMMIT, root)
    cell = made(root, "01_first").cells[1]
    assert cell.source == f"# @title {title}\n{source}"


def test_the_package_is_installed_from_the_commit(root):
    write(root, "01_first", notebook(*FIRST, run("%pip", tags=["bootstrap"])))
    write_all(root / "made", COMMIT, root)
    assert f'/attncourse@{COMMIT}"' in made(root, "01_first").cells[1].source
    assert f"/tree/{COMMIT}/chapters" in (root / "made" / "README.md").read_text(encoding="utf-8")


def test_a_section_on_a_gpu_asks_for_one(root):
    write(root, "01_first", notebook(*FIRST, "## On a GPU\n\nFaster."))
    write_all(root / "made", COMMIT, root)
    metadata = made(root, "01_first").metadata
    assert (metadata.accelerator, metadata.colab.gpuType) == ("GPU", "T4")
    assert not {"accelerator", "colab"} & set(made(root, "02_second").metadata)


# What is refused


REFUSED = {
    "the directive poem is unknown": ":::{poem}\nRoses.\n:::",
    "the directive figure is unknown": "```{figure} a.png\n```",
    "the directive note stands within another block": "- a\n\n  :::{note}\n  b\n  :::",
    "the role term is unknown": "A {term}`query`.",
    "the link to #nowhere leads nowhere": "A [link](#nowhere).",
    "the link to 09_none.ipynb leads nowhere": "A [link](09_none.ipynb).",
    "the link to 02_second.md leads nowhere": "A [link](02_second.md).",
    "the link to 02_second.ipynb#none leads nowhere": "A [link](02_second.ipynb#none).",
    "the reference to eq-none is unresolved": "{eq}`eq-none`",
    "the reference to ex-mend is unresolved": "{eq}`ex-mend`",
    "the citation of nobody is unresolved": "{cite:p}`nobody`",
    "is not of the form [text](address)": "A [link][1].\n\n[1]: https://a.b",
    "html_inline is no part of plain Markdown: '<b>'": "A <b>bold</b> word.",
    "image is no part of plain Markdown": "![A dot](dot.png)",
    "amsmath is no part of plain Markdown": "\\begin{align}\na\n\\end{align}",
    "the cell was never executed": new_code_cell("1 + 1"),
    "cannot be folded": run("%%time\n1", tags=["hide-input"]),
    "has a caption and draws no figure": new_code_cell(
        "1", execution_count=1, metadata={"mystnb": named("fig-none")}
    ),
    "of the type raw is unknown": nbformat.v4.new_raw_cell("a"),
}


@pytest.mark.parametrize("complaint", REFUSED)
def test_what_is_unfit_is_named_and_nothing_is_written(root, complaint):
    target = root / "made"
    write_all(target, COMMIT, root)
    before = {path: path.read_bytes() for path in target.rglob("*.*")}
    write(root, "01_first", notebook(*FIRST, REFUSED[complaint]))
    with pytest.raises(UnfitError) as refusal:
        write_all(target, COMMIT, root)
    assert str(refusal.value).startswith("chapters/01_first.ipynb, cell 2 (")
    assert complaint in str(refusal.value)
    assert {path: path.read_bytes() for path in target.rglob("*.*")} == before
    assert {path.name for path in root.iterdir() if path.is_dir()} == {"chapters", "made"}


def test_all_cells_that_are_unfit_are_named(root):
    write(root, "01_first", notebook(*FIRST, "{a}`b`", "fit", "{c}`d`"))
    write(root, "02_second_deeper", notebook(*BELOW, "{e}`f`"))
    with pytest.raises(UnfitError) as refusal:
        write_all(root / "made", COMMIT, root)
    assert re.findall(r"(\w+).ipynb, cell (\d)", str(refusal.value)) == [
        ("01_first", "2"),
        ("01_first", "4"),
        ("02_second_deeper", "3"),
    ]
    assert not (root / "made").exists()


def test_a_solution_without_an_end_is_named(root):
    write(root, "01_first", notebook(*FIRST, ":::{solution-start} ex-mend\n:::"))
    with pytest.raises(UnfitError, match=r"the Solution to Exercise 2\.1: Mend .* has no end"):
        write_all(root / "made", COMMIT, root)


@pytest.mark.parametrize("commit", ["main", "0123", "v0.1.0", COMMIT + "0", "A" * 40])
def test_only_a_whole_commit_names_a_state_for_good(root, commit):
    with pytest.raises(
        ValueError, match=f"the commit must be 40 hexadecimal digits, got '{commit}'"
    ):
        write_all(root / "made", commit, root)


def test_the_commit_is_the_one_that_is_checked_out(tmp_path):
    with pytest.raises(ValueError, match="has no commit to install the package from"):
        head(tmp_path)
    author = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    command = ["git", *author, "commit", "-q", "--allow-empty", "-m", "first"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert re.fullmatch("[0-9a-f]{40}", head(tmp_path))


def test_a_refusal_on_the_command_line_is_a_sentence(tmp_path, monkeypatch):
    command = ["colab", "--commit", "main", "--to", str(tmp_path / "made")]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as refusal:
        main()
    assert refusal.value.code == "the commit must be 40 hexadecimal digits, got 'main'"
