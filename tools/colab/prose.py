"""A text of the book as plain Markdown, for readers whose program knows no directives and roles."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator

from markdown_it.token import Token

from tools.colab.book import Book, Target
from tools.colab.markdown import (
    Directive,
    directive,
    heading_anchor,
    headings,
    line_starts,
    parse,
    placed_content,
)

COLAB = "https://colab.research.google.com/"
ADMONITIONS = {
    "note": "Note",
    "tip": "Tip",
    "hint": "Hint",
    "important": "Important",
    "warning": "Warning",
    "caution": "Caution",
    "attention": "Attention",
    "seealso": "See also",
}
# What stands in a text and means the same to Jupyter and to Colab.
AROUND = (  # tokens that come in pairs
    "paragraph heading bullet_list ordered_list list_item blockquote table thead tbody tr th td "
    "em strong s link"
)
PLAIN = {
    *("text", "softbreak", "hardbreak", "code_inline", "math_inline"),
    *("fence", "code_block", "math_block", "hr"),
    *(f"{kind}_{side}" for kind in AROUND.split() for side in ("open", "close")),
}
Edit = tuple[int, int, str]


class Prose:
    """Renders the texts of one page, in their order.

    What the page itself links to gets an anchor, so its texts are rendered twice: the first time
    tells `linked` what they link to.
    """

    def __init__(self, book: Book, page: str):
        self.book = book
        self.page = page
        self.linked: set[str] = set()
        self.solution = ""  # the title of the solution in which the present cell stands

    def cell(self, text: str) -> str:
        """Render a cell. A solution that goes on over several cells is folded in each."""
        inside = self.solution
        rendered = self.render(text)
        if inside:
            rendered = f"{fold_start(inside)}\n\n{rendered}"
        if self.solution:
            rendered = f"{rendered}\n\n</details>"
        return re.sub(r"<details>\n<summary>.*?</summary>\s*</details>", "", rendered).strip()

    def render(self, text: str) -> str:
        """Return a text without directives, roles and labels; the rest is as it was."""
        starts, after = line_starts(text), {}
        tokens = parse(text)
        edits: list[Edit] = []
        for token in tokens:
            if token.type == "inline":
                edits += self._inline(token, placed_content(token, starts, text, after))
            elif token.type not in PLAIN or directive(token):
                begin, end = (
                    starts[n] if n < len(starts) else len(text) for n in token.map or (0, 0)
                )
                new = self._block(token, text[begin:end])
                if not new:  # nor the empty lines after it
                    end += len(text[end:]) - len(text[end:].lstrip("\n"))
                edits.append((begin, end, new))
        for _, inline in headings(tokens):
            if (name := heading_anchor(inline)) in self.linked:
                place = starts[inline.map[0]]
                edits.append((place, place, f"{anchor(name)}\n\n"))
        return edited(text, edits)

    # Blocks

    def _block(self, token: Token, source: str) -> str:
        if token.type in {"myst_line_comment", "myst_block_break"}:
            return ""
        if token.type == "myst_target":
            return self._anchor(token.content)
        if token.type == "math_block_label":
            number = self.book.numbered(token.info, {"equation"}).number
            end = re.search(r"(\s*)\$\$[^$]*$", source)
            tagged = f"{source[: end.start()]} \\tag{{{number}}}{end[1]}$$\n"
            indent = re.match(r"\s*", source)[0]
            anchor = self._anchor(token.info)
            return f"{indent}{anchor}{tagged}" if anchor else tagged
        found = directive(token)
        if found is None:
            raise ValueError(f"{token.type} is no part of plain Markdown: {source.strip()[:40]!r}")
        if not source.startswith(token.markup):
            raise ValueError(f"the directive {found.name} stands within another block")
        if found.name in ADMONITIONS:
            return quoted(f"**{ADMONITIONS[found.name]}.** {self._whole(found)}")
        if found.name not in DIRECTIVES:
            raise ValueError(f"the directive {found.name} is unknown")
        return DIRECTIVES[found.name](self, found)

    def _whole(self, found: Directive) -> str:
        """Render what a directive without a title says, which may begin on its first line."""
        return self.render("\n".join(filter(None, [found.argument, found.body])))

    def _margin(self, found: Directive) -> str:
        title = f"**{self.render(found.argument)}**\n\n" if found.argument else ""
        return quoted(title + self.render(found.body))

    def _dropdown(self, found: Directive) -> str:
        return f"{fold_start(found.argument)}\n\n{self.render(found.body)}\n\n</details>\n"

    def _table(self, found: Directive) -> str:
        label = found.options.get("name", "")
        called = self.book.numbered(label, {"table"}).called
        caption = f"**{called}.** {self.render(found.argument)}"
        return f"{self._anchor(label)}{caption}\n\n{self.render(found.body)}\n"

    def _exercise(self, found: Directive) -> str:
        label = found.options.get("label", "")
        called = self.book.numbered(label, {"exercise"}).called
        title = f": {self.render(found.argument)}" if found.argument else ""
        heading = f"{self._anchor(label)}#### {called}{title}\n"
        return f"{heading}\n{self.render(found.body)}\n" if found.body else heading

    def _solution(self, found: Directive) -> str:
        exercise = self.book.numbered(found.argument, {"exercise"})
        title = f"Solution to {exercise.called}: {exercise.title}"
        if found.name == "solution":
            return f"{fold_start(title)}\n\n{self.render(found.body)}\n\n</details>\n"
        self.solution = title
        return f"{fold_start(title)}\n"

    def _solution_end(self, found: Directive) -> str:
        self.solution = ""
        return "</details>\n"

    def _anchor(self, label: str) -> str:
        """Return an anchor to stand before a block, if the page links to it."""
        target = self.book.labels.get(label)
        if target is None or target.anchor not in self.linked:
            return ""
        return f"{anchor(target.anchor)}\n\n"

    # Within a line

    def _inline(self, token: Token, places: list[int]) -> Iterator[Edit]:
        for piece in token.children:
            if piece.type == "myst_role":
                begin, end = piece.meta["span"]
                new = self._role(piece.meta["name"], piece.content)
                yield places[begin], places[end - 1] + 1, new
            elif piece.type == "link_open":
                yield from self._link(piece, token.content, places)
            elif piece.type not in PLAIN:
                raise ValueError(f"{piece.type} is no part of plain Markdown: {piece.content!r}")

    def _link(self, piece: Token, text: str, places: list[int]) -> Iterator[Edit]:
        if piece.markup == "autolink":
            return
        begin, end = piece.meta["span"]
        link = re.search(r"\]\(([^()\s]+)\)$", text[begin:end])
        if link is None:
            raise ValueError(f"the link {text[begin:end]} is not of the form [text](address)")
        address = link[1]
        if address.startswith(COLAB):  # which is where the reader is
            here = f"[This page in the book]({self.book.url(Target(self.page))})"
            yield places[begin], places[end - 1] + 1, here
        elif not address.startswith(("https:", "http:", "mailto:")):
            begin += link.start(1)
            new = self._address(self.book.find(address, self.page))
            yield places[begin], places[begin + len(address) - 1] + 1, new

    def _address(self, target: Target) -> str:
        """Return where a link leads: to a place of this notebook, or to a page of the book."""
        if target.page != self.page or not target.anchor:
            return self.book.url(target)
        self.linked.add(target.anchor)
        return f"#{target.anchor}"

    def _role(self, name: str, content: str) -> str:
        if name == "eq":
            return self._reference(content, {"equation"})
        if name == "numref":
            return self._reference(content, {"figure", "table", "exercise"})
        if name not in CITATIONS:
            raise ValueError(f"the role {name} is unknown")
        works = []
        for key in re.split(r"\s*,\s*", content.strip()):
            text = CITATIONS[name].format(*self.book.work(key))
            works.append(f"[{text}]({self.book.work_url(key)})")
        return " and ".join(works) if name == "cite:t" else f"({'; '.join(works)})"

    def _reference(self, label: str, kinds: set[str]) -> str:
        target = self.book.numbered(label, kinds)
        return f"[{target.called}]({self._address(target)})"


CITATIONS = {"cite:t": "{0} ({1})", "cite:p": "{0} {1}", "cite:yearpar": "{1}"}
DIRECTIVES: dict[str, Callable[[Prose, Directive], str]] = {
    "margin": Prose._margin,
    "admonition": Prose._margin,
    "dropdown": Prose._dropdown,
    "table": Prose._table,
    "exercise": Prose._exercise,
    "exercise-start": Prose._exercise,
    "exercise-end": lambda *_: "",
    "solution": Prose._solution,
    "solution-start": Prose._solution,
    "solution-end": Prose._solution_end,
}


def anchor(name: str) -> str:
    return f'<a id="{name}" name="{name}"></a>'


def quoted(text: str) -> str:
    return "".join(f"> {line}".rstrip() + "\n" for line in text.strip().split("\n"))


def fold_start(title: str) -> str:
    """Return the beginning of a part that opens when its title is clicked."""
    words = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(title, quote=False))
    return f"<details>\n<summary>{words}</summary>"


def edited(text: str, edits: list[Edit]) -> str:
    """Return a text in which pieces are replaced: (from, to, by what)."""
    pieces, done = [], 0
    for begin, end, new in sorted(edits, key=lambda edit: edit[:2]):
        pieces += [text[done:begin], new]
        done = end
    return "".join([*pieces, text[done:]])
