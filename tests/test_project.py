"""The project agrees with itself: address, version, requirements, documentation, tools."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
import zipfile
import zlib
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_notebook, new_output

import attncourse
from tools import stamp as stamping
from tools.book_extension import as_restructured_text, keep_returns_whole
from tools.execute import execute, normalise, write
from tools.inventories import INVENTORIES, inventory
from tools.project import ROOT, bootstrap_source, pages_url, repository, version
from tools.zip_book import pack

CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


# Address and version


def test_every_file_names_the_same_repository():
    owner, name = repository().split("/")
    found = {}
    for path in stamping.tracked(ROOT):
        if path.suffix in stamping.TEXT and path.is_file():
            text = path.read_text(encoding="utf-8")
            for other in re.findall(rf"github\.com/(?:github/)?([\w-]+/{name})\b", text):
                if other != f"{owner}/{name}":
                    found[path.name] = other
    assert found == {}


def test_the_book_is_served_where_the_repository_publishes_it():
    url = pages_url(repository())
    config = CONFIG["sphinx"]["config"]
    assert CONFIG["html"]["baseurl"] == url
    assert config["ogp_site_url"] == url
    assert config["notfound_urls_prefix"] == "/" + url.split("/", 3)[3]
    assert url in read("README.md")
    assert url in read("CITATION.cff")
    assert f'Repository = "https://github.com/{repository()}"' in read("pyproject.toml")


def test_the_version_is_one_everywhere():
    assert attncourse.__version__ == version()
    assert f"\nversion: {version()}\n" in read("CITATION.cff")
    assert f"\n## {version()}\n" in read("CHANGELOG.md")
    assert f"@v{version()}" in read("README.md")


def make_repository(folder: Path) -> dict[Path, bytes]:
    """Copy what repeats the address into a repository of its own, and return its files."""
    for path in stamping.tracked(ROOT):
        if path.is_file() and path.suffix in stamping.TEXT:
            target = folder / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    return {path: path.read_bytes() for path in stamping.tracked(folder)}


def test_a_fork_is_stamped_and_stamped_back(tmp_path):
    before = make_repository(tmp_path)
    old = repository(tmp_path)
    changed = {path.name for path in stamping.stamp("ada/attention-2", tmp_path)}
    assert {"_config.yml", "pyproject.toml", "README.md", "CITATION.cff"} <= changed
    assert repository(tmp_path) == "ada/attention-2"
    assert pages_url("ada/attention-2") in (tmp_path / "_config.yml").read_text("utf-8")
    notebooks = list((tmp_path / "chapters").glob("*.ipynb"))
    assert notebooks
    for path in notebooks:
        text = path.read_text(encoding="utf-8")
        assert f"github.com/{old}" not in text
        cells = nbformat.reads(text, as_version=4).cells
        code = next(cell for cell in cells if cell.cell_type == "code")
        assert code.source == bootstrap_source(tmp_path)

    stamping.stamp(old, tmp_path)
    assert {path: path.read_bytes() for path in before} == before


def test_a_new_version_is_stamped(tmp_path):
    make_repository(tmp_path)
    project = tmp_path / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    project.write_text(text.replace(f'"{version()}"', '"7.8.9"', 1), encoding="utf-8")
    stamping.stamp(root=tmp_path)
    assert "\nversion: 7.8.9\n" in (tmp_path / "CITATION.cff").read_text(encoding="utf-8")
    assert f"{repository()}@v7.8.9" in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_an_address_without_an_owner_is_refused(tmp_path):
    make_repository(tmp_path)
    with pytest.raises(ValueError, match="must be owner/name, got 'attention'"):
        stamping.stamp("attention", tmp_path)


# Requirements and packaging


def requirements(name: str) -> list[str]:
    return [line for line in read(name).splitlines() if line and not line.startswith("#")]


def test_the_tools_are_pinned_to_the_version():
    for line in requirements("requirements.txt") + requirements("requirements-nodeps.txt"):
        assert re.fullmatch(r"[\w.-]+==[\w.]+", line), line


def test_the_package_has_lower_bounds_only():
    found = re.search(r"^dependencies = \[\n(.*?)^\]", read("pyproject.toml"), re.M | re.S)
    lines = re.findall(r'"(.+)"', found[1])
    assert {re.split(">=", line)[0] for line in lines} >= {"torch", "numpy", "matplotlib"}
    for line in lines:
        assert re.fullmatch(r"[\w-]+>=[\d.]+", line), line
    pinned = {line.split("==")[0] for line in requirements("requirements.txt")}
    assert {line.split(">=")[0] for line in lines} <= pinned


def test_the_wheel_holds_the_whole_package_and_nothing_else(tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    # From a copy, since building leaves files beside the sources.
    copy = tmp_path / "copy"
    for path in stamping.tracked(ROOT):
        inside = path.relative_to(ROOT)
        wanted = inside.parts[0] == "attncourse" or inside.name in {
            "pyproject.toml",
            "README.md",
            "LICENSE",
        }
        if wanted and path.is_file():
            (copy / inside).parent.mkdir(parents=True, exist_ok=True)
            (copy / inside).write_bytes(path.read_bytes())
    subprocess.run([*command, "-w", str(tmp_path), str(copy)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    sources = {p.relative_to(ROOT).as_posix() for p in (ROOT / "attncourse").rglob("*.py")}
    assert held == sources | {"attncourse/py.typed"}


# Documentation


def test_the_readme_shows_the_two_commands_first():
    first = re.search(r"```bash\n(.*?)```", read("README.md"), re.DOTALL)[1]
    assert [line.split("#")[0].strip() for line in first.splitlines()] == ["make book", "make test"]


def test_the_example_in_the_readme_runs():
    code = re.search(r" *```python\n(.*?)```", read("README.md"), re.DOTALL)[1]
    names: dict = {}
    exec(textwrap.dedent(code), names)
    assert names["output"].shape == (2, 3, 4)


@pytest.mark.parametrize("path", [*ROOT.glob(".github/workflows/*.yml")], ids=lambda p: p.stem)
def test_workflows_ask_for_no_more_rights_than_they_need(path):
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    assert "concurrency" in workflow
    for job in workflow["jobs"].values():
        assert "timeout-minutes" in job
        assert set(job.get("permissions", {})) <= {"pages", "id-token"}
        for step in job["steps"]:
            assert re.search(r"@v\d+$", step.get("uses", "@v1")), step


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_documents_name_targets_and_files_that_exist(name):
    text = read(name)
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)\b(?=[ `\n])", code_in(text))) <= targets
    links = re.findall(r"\]\((?!https?:|#)([^)]+)\)", text)
    paths = re.findall(r"`((?:[\w.]+/)+[\w.]*|[\w-]+\.(?:md|txt|toml|yml|py))`", text)
    for path in links + paths:
        assert (ROOT / path).exists(), path


def code_in(text: str) -> str:
    """Return the code of a Markdown text, one piece a line."""
    return "\n".join(re.findall(r"```bash\n(.*?)```", text, re.DOTALL)) + "\n".join(
        re.findall(r"`([^`\n]+)`", text)
    )


def test_every_make_target_is_in_its_help():
    targets = set(re.findall(r"^([a-z-]+):(?!=)", MAKEFILE, re.MULTILINE))
    described = set(re.findall(r"^([a-z-]+):.*## \w", MAKEFILE, re.MULTILINE))
    assert targets == described


def test_the_chapters_are_compared_strictly():
    assert "--nbval " in MAKEFILE
    assert "nbval-lax" not in MAKEFILE
    assert CONFIG["execute"]["execute_notebooks"] == "off"


def test_the_build_takes_warnings_for_errors():
    assert re.search(r"jupyter-book build .*-W -n --keep-going", MAKEFILE)


# Tools


def test_executing_numbers_the_cells_and_leaves_no_trace_of_the_run(tmp_path):
    cell = new_code_cell("print(1)\nprint(2)", metadata={"tags": ["kept"], "dropped": 1})
    notebook = new_notebook(cells=[cell, new_code_cell("3 + 4\n")], metadata={"dropped": 1})
    identity = [cell.id for cell in notebook.cells]
    execute(notebook, tmp_path)
    normalise(notebook)
    assert [cell.id for cell in notebook.cells] == identity
    assert [cell.execution_count for cell in notebook.cells] == [1, 2]
    assert [cell.metadata for cell in notebook.cells] == [{"tags": ["kept"]}, {}]
    assert [output.text for output in notebook.cells[0].outputs] == ["1\n2\n"]
    assert notebook.cells[1].outputs[0].data == {"text/plain": "7"}
    assert set(notebook.metadata) == {"accelerator", "kernelspec", "language_info"}

    first, second = tmp_path / "first.ipynb", tmp_path / "second.ipynb"
    write(notebook, first)
    again = nbformat.read(first, as_version=4)
    execute(again, tmp_path)
    normalise(again)
    write(again, second)
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes().endswith(b"}\n")


def test_pieces_of_a_stream_are_joined_unless_something_stands_between():
    outputs = [
        new_output("stream", text="a"),
        new_output("stream", text="b"),
        new_output("stream", name="stderr", text="c"),
        new_output("display_data", {"text/plain": "d"}),
        new_output("stream", name="stderr", text="e"),
    ]
    notebook = new_notebook(cells=[new_code_cell("f()", outputs=outputs, execution_count=5)])
    normalise(notebook)
    assert [o.get("text") for o in notebook.cells[0].outputs] == ["ab", "c", None, "e"]
    assert notebook.cells[0].execution_count == 1


def test_the_zip_is_the_same_twice_and_leaves_itself_out(tmp_path):
    (tmp_path / "chapters").mkdir()
    page = tmp_path / "chapters" / "a.html"
    page.write_text("before<!--offline--><a>zip</a><!--/offline-->after")
    first = pack(tmp_path).read_bytes()
    page.touch()
    target = pack(tmp_path)
    assert target.read_bytes() == first
    with zipfile.ZipFile(target) as archive:
        assert archive.namelist() == ["attncourse-book/chapters/a.html"]
        assert archive.read("attncourse-book/chapters/a.html") == b"beforeafter"


def test_the_inventories_are_those_that_the_tool_writes():
    for project, objects in INVENTORIES.items():
        head, rows = (ROOT / "_inv" / f"{project}.inv").read_bytes().split(b"zlib.\n", 1)
        new_head, new_rows = inventory(project, objects).split(b"zlib.\n", 1)
        assert head == new_head
        assert zlib.decompress(rows) == zlib.decompress(new_rows)


def test_docstrings_become_restructured_text():
    assert as_restructured_text(["The `mask`, and $a_i$; it costs \\$5, ``b``, :math:`c`."]) == [
        "The ``mask``, and :math:`a_i`; it costs \\$5, ``b``, :math:`c`."
    ]
    assert as_restructured_text(["  $$x = 1$$"]) == ["", "  .. math::", "", "      x = 1", ""]


def test_what_a_function_returns_stays_one_sentence():
    lines = ["Returns:", "    Weights: non-negative."]
    assert keep_returns_whole(lines) == ["Returns:", "    : Weights: non-negative."]
