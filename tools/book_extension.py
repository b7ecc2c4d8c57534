"""Sphinx extension: what the book needs and no setting gives.

Docstrings may be written as plainly as the chapters. They are read in a terminal far more often
than on a page, so maths stands between dollars, code between single backticks, and what a
function returns in a sentence. Sphinx expects reStructuredText; this turns the one into the other.

Citations are marked up as the list items that they are, for readers who listen to the page.

The theme's toggles in the table of contents, of pages that have pages below them, get a name.

The rocket opens a chapter on Colab from the branch that is made for it (tools/colab). Links to a
page's source lead to the branch on which it is written; the theme has one setting for both.

A social preview describes a page in the words of its own description, not in its first words.

A page of source leads back to the documentation of each name, whether that is filed under the
package or under its module; Sphinx assumes one of the two for all names of a module.

The page of the translator gets its form and script, and the book the model that the page asks for.

The front page gets its desk, and the map of the chapters from lines that name them.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # Sphinx knows this folder alone

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from tools import chapter_map, desk, translator

DISPLAY_MATHS = re.compile(r"^( *)\$\$(.+?)\$\$ *$", re.MULTILINE | re.DOTALL)
INLINE_MATHS = re.compile(r"(?<![\\$\w`])\$([^$`]+?)\$(?![\w$])")
INLINE_CODE = re.compile(r"(?<![`:\w\\])`([^`]+)`(?![`_\w])")


def _directive(found: re.Match) -> str:
    indent, formula = found.groups()
    lines = ["", ".. math::", "", *("    " + line.strip() for line in formula.strip().split("\n"))]
    return "\n".join((indent + line).rstrip() for line in [*lines, ""])


def keep_returns_whole(lines: list[str]) -> list[str]:
    """Mark the first line of a Returns section, or its text up to a colon would become a type."""
    marked = list(lines)
    for number, line in enumerate(lines[:-1]):
        if line.strip() in {"Returns:", "Yields:"}:
            text = lines[number + 1]
            marked[number + 1] = text[: len(text) - len(text.lstrip())] + ": " + text.lstrip()
    return marked


def as_restructured_text(lines: list[str]) -> list[str]:
    """Return the lines with dollar maths and backticked code as directives and roles."""
    text = "\n".join(lines)
    text = INLINE_CODE.sub(lambda found: "``" + " ".join(found[1].split()) + "``", text)
    text = DISPLAY_MATHS.sub(_directive, text)
    text = INLINE_MATHS.sub(lambda found: f":math:`{' '.join(found[1].split())}`", text)
    return text.split("\n")


def before_napoleon(app, what, name, obj, options, lines):
    lines[:] = keep_returns_whole(lines)


def after_napoleon(app, what, name, obj, options, lines):
    lines[:] = as_restructured_text(lines)


def mark_citations(app, pagename, templatename, context, doctree):
    """Replace a role that docutils sets within a list, where only list items may stand."""
    if "body" in context:
        context["body"] = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')


def name_toggles(app, pagename, templatename, context, doctree):
    """Give the toggles of the table of contents the name that the theme leaves out."""
    generate = context.get("generate_toctree_html")
    if generate is None:
        return

    def named(*arguments, **options):
        tree = generate(*arguments, **options)
        for toggle in tree.select("summary") if hasattr(tree, "select") else ():
            toggle["aria-label"] = "Pages below"
        return tree

    context["generate_toctree_html"] = named


def open_colab_branch(app, pagename, templatename, context, doctree):
    """Let the launch button open the notebook that is made for Colab."""
    branch = app.config.html_theme_options.get("repository_branch", "main")
    for group in context.get("header_buttons", []):
        for button in group.get("buttons") or []:
            if button.get("text") == "Colab":
                button["url"] = button["url"].replace(f"/blob/{branch}/", "/blob/colab/")


def describe_previews(app, pagename, templatename, context, doctree):
    """Let the preview's description be the page's."""
    tags = context.get("metatags", "")  # the index of names has none
    described = re.search(r'<meta content="([^"]+)" name="description" />', tags)
    if described:
        context["metatags"] = re.sub(
            r'(?<=<meta property="og:description" content=")[^"]*',
            lambda _: described[1],
            tags,
        )


def lead_back(app, pagename, templatename, context, doctree):
    """Correct the links from a page of source to the names documented elsewhere."""
    if not pagename.startswith("_modules/"):
        return
    documented = app.env.get_domain("py").objects

    def correct(found: re.Match) -> str:
        name = found[1]
        if name not in documented:
            ending = "." + name.removeprefix("attncourse.")
            name = next((full for full in documented if full.endswith(ending)), name)
        return f'#{name}"'

    context["body"] = re.sub(r'#(attncourse\.[\w.]+)"', correct, context["body"])


def put_translator(app, pagename, templatename, context, doctree):
    """Put form and script where the page of the translator has its marker."""
    if translator.MARKER in context.get("body", ""):
        style, body = translator.page(context["pathto"]("_static/translator/", 1))
        context["metatags"] += style
        context["body"] = context["body"].replace(translator.MARKER, body)


def put_desk(app, pagename, templatename, context, doctree):
    """Put the figure where the front page has its marker."""
    if desk.MARKER in context.get("body", ""):
        context["body"] = context["body"].replace(desk.MARKER, desk.figure())


class ChapterMap(SphinxDirective):
    """The chapters in a table: a line of the directive holds a chapter's name and its question."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        for part in chapter_map.parts().values():
            for chapter, *_ in part:
                self.env.note_dependency(str(chapter))
        try:
            text = chapter_map.chapter_map(list(self.content))
        except ValueError as error:
            raise self.error(str(error)) from error
        return [nodes.container("", *self.parse_text_to_nodes(text), classes=["chapter-map"])]


def write_model(app, error):
    """Write the model's parts. In the source's `_static` every page of the book would load them."""
    if error is None and app.builder.format == "html":
        translator.write(Path(app.outdir) / "_static" / "translator")


def setup(app):
    # Around napoleon, which reads the sections at priority 500.
    app.connect("autodoc-process-docstring", before_napoleon, priority=400)
    app.connect("autodoc-process-docstring", after_napoleon, priority=600)
    app.add_directive("chapter-map", ChapterMap)
    app.connect("html-page-context", mark_citations)
    app.connect("html-page-context", lead_back)
    app.connect("html-page-context", put_desk)
    app.connect("html-page-context", put_translator)
    app.connect("build-finished", write_model)
    app.connect("html-page-context", describe_previews, priority=900)  # after they are written
    # After the theme's own.
    app.connect("html-page-context", name_toggles, priority=900)
    app.connect("html-page-context", open_colab_branch, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
