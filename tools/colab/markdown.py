"""Our Markdown, read by the parser that the book is built with.

The parser gives the lines of a block and not the place of a link or a role within them. Here its
rules for these two note the place, so that the rest of a text can stay as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import yaml
from docutils.nodes import make_id
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from mdit_py_plugins.anchors.index import slugify
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser

from tools.project import ROOT

PLACED = {"link": "link_open", "myst_role": "myst_role"}


@cache
def parser() -> MarkdownIt:
    """Return the book's parser, which notes where links and roles begin and end."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    extensions = set(config["parse"]["myst_enable_extensions"])
    made = create_md_parser(MdParserConfig(enable_extensions=extensions), RendererHTML)
    for rule in made.inline.ruler.__rules__:
        if rule.name in PLACED:
            made.inline.ruler.at(rule.name, noting(rule.fn, PLACED[rule.name]))
    return made


def noting(rule, kind: str):
    """Return a rule of the parser that notes in its token what part of the text it has read."""

    def placed(state, silent: bool) -> bool:
        start, before = state.pos, len(state.tokens)
        found = rule(state, silent)
        if found and not silent:
            token = next(token for token in state.tokens[before:] if token.type == kind)
            token.meta["span"] = (start, state.pos)
        return found

    return placed


def parse(text: str) -> list[Token]:
    return parser().parse(text)


@dataclass(frozen=True)
class Directive:
    """A directive: `:::{name} argument`, its options and its body."""

    name: str
    argument: str
    options: dict[str, str]
    body: str


def directive(token: Token) -> Directive | None:
    """Return the directive that a fence is, or None if it holds code."""
    head = re.match(r"\{([\w:-]+)\}\s*(.*)", token.info.strip())
    if token.type not in {"fence", "colon_fence"} or head is None:
        return None
    lines = token.content.split("\n")
    options = {}
    while lines and (found := re.match(r":([\w-]+):\s*(.*)", lines[0])):
        options[found[1]] = found[2].strip()
        lines.pop(0)
    return Directive(head[1], head[2].strip(), options, "\n".join(lines).strip("\n"))


def slug(inline: Token) -> str:
    """Return what a link names a heading by: made from its words and code, as the parser does."""
    return slugify(_words(inline, {"text", "code_inline"}))


def heading_anchor(inline: Token) -> str:
    """Return the id that a heading has in a page's HTML."""
    return make_id(_words(inline, {"text", "code_inline", "math_inline"}))


def _words(inline: Token, kinds: set[str]) -> str:
    return "".join(piece.content for piece in inline.children or [] if piece.type in kinds)


def headings(tokens: list[Token]) -> Iterator[tuple[int, Token]]:
    """Yield the level of each heading, and the token with its words."""
    for token, inline in pairwise(tokens):
        if token.type == "heading_open":
            yield int(token.tag[1]), inline


def placed_content(token: Token, starts: list[int], text: str, after: dict[int, int]) -> list[int]:
    """Return where each character of an inline token stands in the text.

    `starts` are the places where lines begin, `after` says up to where a line has been used by
    earlier tokens: the cells of a table share one.
    """
    places: list[int] = []
    for number, piece in enumerate(token.content.split("\n"), token.map[0]):
        end = starts[number + 1] if number + 1 < len(starts) else len(text)
        found = text.find(piece, after.get(number, starts[number]), end)
        if found < 0:
            raise ValueError(f"the text {piece!r} cannot be placed")
        after[number] = found + len(piece)
        places += range(found, found + len(piece) + 1)  # with the end of the line
    return places


def line_starts(text: str) -> list[int]:
    return [0, *(found.end() for found in re.finditer("\n", text))]
