"""What a page of the book can point at: each label with its page, its anchor and its number, each
work with its short name. Numbers are given as Sphinx gives them; a test compares.
"""

from __future__ import annotations

import itertools
import posixpath
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
import yaml
from docutils.nodes import make_id
from markdown_it.token import Token
from pybtex.database import Entry, parse_file

from tools.colab.markdown import Directive, directive, heading_anchor, headings, parse, slug
from tools.project import ROOT, pages_url, repository

# The kinds that are counted within a chapter, and how a number of each is called.
CALLED = {
    "equation": "Equation {}",
    "figure": "Fig. {}",
    "table": "Table {}",
    "exercise": "Exercise {}",
}
COUNTED = {"exercise": "exercise", "exercise-start": "exercise", "table": "table"}
SOLUTIONS = {"solution", "solution-start"}
HEADING_LEVELS = 3  # `myst_heading_anchors`: deeper headings have no anchor


@dataclass(frozen=True)
class Target:
    """What a link leads to. `page` is as in `_toc.yml`, `anchor` the id in the page's HTML."""

    page: str
    anchor: str = ""
    kind: str = ""
    number: str = ""
    title: str = ""

    @property
    def called(self) -> str:
        return CALLED[self.kind].format(self.number)


class Book:
    """The pages of the book, and what they define."""

    def __init__(self, root: Path = ROOT):
        self.root = root
        self.site = pages_url(repository(root))
        self.labels: dict[str, Target] = {}
        self.sections: dict[str, dict[str, Target]] = {}
        self.titles: dict[str, str] = {}
        toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
        self._read(toc["root"], counter(""))
        chapters = map(str, itertools.count(1))
        for part in toc["parts"]:
            for entry in part["chapters"]:
                count = counter(next(chapters) if part.get("numbered") else "")
                self._read_with_pages_below(entry, count)
        self.works = parse_file(str(root / "chapters" / "references.bib")).entries

    @property
    def notebooks(self) -> list[str]:
        """The pages that are notebooks, in the order of the book."""
        return [page for page in self.sections if self.path(page).suffix == ".ipynb"]

    def path(self, page: str) -> Path:
        notebook = self.root / f"{page}.ipynb"
        return notebook if notebook.exists() else self.root / f"{page}.md"

    def url(self, target: Target) -> str:
        return f"{self.site}{target.page}.html" + (target.anchor and f"#{target.anchor}")

    def find(self, link: str, page: str) -> Target:
        """Return what a link of a page leads to: `#label`, `page.ipynb`, `page.md#label`."""
        path, _, label = link.partition("#")
        aim = posixpath.normpath(posixpath.join(posixpath.dirname(page), path))
        where = posixpath.splitext(aim)[0] if path else page
        if where not in self.sections or (path and self.path(where).name != Path(path).name):
            raise ValueError(f"the link to {link} leads nowhere")
        if not label:
            return Target(where)
        found = self.sections[where].get(label)
        if found is None and not path:  # behind a file's name only headings are found
            found = self.labels.get(label)
        if found is None:
            raise ValueError(f"the link to {link} leads nowhere")
        return found

    def numbered(self, label: str, kinds: set[str]) -> Target:
        """Return what a reference by number, such as {eq} or {numref}, stands for."""
        found = self.labels.get(label)
        if found is None or found.kind not in kinds or not found.number:
            raise ValueError(f"the reference to {label} is unresolved")
        return found

    def work(self, key: str) -> tuple[str, str]:
        """Return the authors and the year of a cited work: ("Vaswani et al.", "2017")."""
        if key not in self.works:
            raise ValueError(f"the citation of {key} is unresolved")
        entry = self.works[key]
        return authors(entry), entry.fields["year"]

    def work_url(self, key: str) -> str:
        return self.url(Target("chapters/references", f"cite-{key}"))

    # Reading the pages

    def _read_with_pages_below(self, entry: dict, count: Callable[[str], str]) -> None:
        """Read a page, then those below it: Sphinx goes on counting in them."""
        self._read(entry["file"], count)
        for below in entry.get("sections", []):
            self._read_with_pages_below(below, count)

    def _read(self, page: str, count: Callable[[str], str]) -> None:
        self.sections[page] = {}
        path = self.path(page)
        if not path.exists():
            raise ValueError(f"_toc.yml lists {page}, which is not there")
        if path.suffix == ".md":
            self._note(page, count, parse(path.read_text(encoding="utf-8")))
            return
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                self._note(page, count, parse(cell.source))
            elif figure := cell.metadata.get("mystnb", {}).get("figure"):
                name = figure.get("name", "")
                self.labels[name] = Target(page, make_id(name), "figure", count("figure"))

    def _note(self, page: str, count: Callable[[str], str], tokens: list[Token]) -> None:
        """Note the labels among the tokens, those within directives too."""
        for level, inline in headings(tokens):
            if level <= HEADING_LEVELS:
                self._note_heading(page, inline)
        for token in tokens:
            if token.type == "myst_target":
                self.labels[token.content] = Target(page, make_id(token.content))
            elif token.type == "math_block_label":
                anchor = make_id(f"equation-{token.info}")
                self.labels[token.info] = Target(page, anchor, "equation", count("equation"))
            elif found := directive(token):
                self._note_directive(page, count, found)
                if token.type == "colon_fence":
                    self._note(page, count, parse(found.body))

    def _note_heading(self, page: str, inline: Token) -> None:
        sections = self.sections[page]
        self.titles.setdefault(page, inline.content)
        plain, number = slug(inline), 0
        name = plain
        while name in sections:  # told apart as the parser does
            number += 1
            name = f"{plain}-{number}"
        sections[name] = Target(page, heading_anchor(inline))

    def _note_directive(self, page: str, count: Callable[[str], str], found: Directive) -> None:
        kind = COUNTED.get(found.name, "")
        number = count(kind) if kind and "nonumber" not in found.options else ""
        label = found.options.get("label") or found.options.get("name")
        if label and (kind or found.name in SOLUTIONS):
            self.labels[label] = Target(page, make_id(label), kind, number, found.argument)


def counter(prefix: str) -> Callable[[str], str]:
    """Return a function that numbers each kind by itself: 3.1, 3.2, ...; without a prefix, none."""
    counts: Counter[str] = Counter()

    def count(kind: str) -> str:
        counts[kind] += 1
        return f"{prefix}.{counts[kind]}" if prefix else ""

    return count


def authors(entry: Entry) -> str:
    """Return the authors as a text names them: one, two, or the first "et al."."""
    people = entry.persons.get("author") or entry.persons["editor"]
    last = [
        " ".join(str(name) for name in [*person.rich_prelast_names, *person.rich_last_names])
        for person in people
    ]
    return f"{last[0]} et al." if len(last) > 2 else " and ".join(last)
