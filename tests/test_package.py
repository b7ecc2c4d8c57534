"""attncourse: what is found at the top, when it is imported, and what a student sees of it."""

from __future__ import annotations

import ast
import pydoc
import re
import subprocess
import sys
from pathlib import Path

import pytest

import attncourse

PACKAGE = Path(attncourse.__file__).parent
MODULES = {path.parent.name for path in PACKAGE.glob("*/__init__.py")} | {
    path.stem for path in PACKAGE.glob("[!_]*.py")
}


def in_a_fresh_process(program: str) -> str:
    """Run a program and return what it printed."""
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout


def test_importing_the_package_imports_what_part_one_needs_and_no_more():
    printed = in_a_fresh_process("import sys, attncourse; print(*sys.modules)").split()
    ours = {name.split(".")[1] for name in printed if name.startswith("attncourse.")}
    assert ours == {"attention", "checks", "kernels", "masks", "runtime", "scores"}
    assert not {"matplotlib", "pooch", "safetensors", "tokenizers"} & set(printed)


def test_every_module_is_found_without_an_import_of_its_own():
    program = "import attncourse\nfor name in {}: print(getattr(attncourse, name).__name__)"
    printed = in_a_fresh_process(program.format(sorted(MODULES))).split()
    assert printed == [f"attncourse.{name}" for name in sorted(MODULES)]


@pytest.mark.parametrize(
    ("name", "home"),
    [
        ("Transformer", "transformer"),
        ("TransformerConfig", "transformer"),
        ("Translator", "translator"),
        ("fit", "training"),
        ("shipped", "recipes"),
    ],
)
def test_the_names_of_a_program_are_those_of_their_modules(name, home):
    assert getattr(attncourse, name) is getattr(getattr(attncourse, home), name)
    assert name in attncourse.__all__


def test_the_list_of_names_holds_names_of_the_course_alone():
    listed = set(dir(attncourse))
    assert listed == {*attncourse.__all__, *MODULES, "__version__"}
    assert all(hasattr(attncourse, name) for name in listed)


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(AttributeError, match="'attncourse' has no attribute 'atend'") as refusal:
        _ = attncourse.atend
    assert (refusal.value.name, refusal.value.obj) == ("atend", attncourse)  # for "Did you mean"


def test_editors_see_what_is_found_when_asked_for():
    tree = ast.parse(Path(attncourse.__file__).read_text(encoding="utf-8"))
    (branch,) = [node for node in tree.body if isinstance(node, ast.If)]
    told = {alias.name for node in branch.body for alias in node.names}
    eager = {"attention", "kernels", "masks", "runtime", "scores"}  # imported in any case
    lazy = {name for name in attncourse.__all__ if name not in vars(attncourse)}
    assert told == lazy | MODULES - eager


def test_help_begins_with_a_program():
    text = pydoc.render_doc(attncourse, renderer=pydoc.plaintext)
    description = text.split("DESCRIPTION\n", 1)[1].lstrip()
    assert description.startswith(">>> import torch\n    ")  # doctest runs it


def test_the_map_names_every_chapter_and_every_module():
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", attncourse.__doc__, re.MULTILINE)[1:]
    chapters = {number for row in rows for number in re.findall(r"\b\d\d\b", row[0])}
    written = {path.name[:2] for path in (PACKAGE.parent / "chapters").glob("[0-9]*.ipynb")}
    assert chapters == written
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row[1])}
    assert named | {"checks", "cli"} == MODULES


def documented() -> list[str]:
    """Return every object of the API pages by its full name, members included."""
    found = []
    line = re.compile(r"^(?:\.\. (\w+)::| +:(members):) (.+?)(?:\(.*)?$", re.MULTILINE)
    for page in (PACKAGE.parent / "chapters" / "api").glob("*.md"):
        module = ""
        for directive, option, names in line.findall(page.read_text(encoding="utf-8")):
            if directive == "currentmodule":
                module = names
            elif option:
                found += [f"{owner}.{name}" for name in names.split(", ")]
            else:
                owner = names if names.startswith("attncourse.") else f"{module}.{names}"
                found.append(owner)
    return found


def test_what_the_api_pages_name_exists():
    assert [name for name in documented() if pydoc.locate(name) is None] == []


def test_the_api_pages_hold_every_public_name_once():
    objects = [pydoc.locate(name) for name in documented()]
    assert len(set(documented())) == len(objects)
    homes = [attncourse, *(getattr(attncourse, name) for name in sorted(MODULES))]
    public = {name: home for home in homes for name in getattr(home, "__all__", ())}
    missing = [
        name
        for name, home in public.items()
        if not name.isupper() and all(getattr(home, name) is not found for found in objects)
    ]
    assert missing == []


def test_every_page_of_the_api_is_in_its_table():
    chapters = PACKAGE.parent / "chapters"
    linked = re.findall(r"\]\(api/(\w+)\.md\)", (chapters / "api.md").read_text("utf-8"))
    assert sorted(linked) == sorted(path.stem for path in chapters.glob("api/*.md"))
