"""The project agrees with itself: address, version, requirements, documentation, tools."""

from __future__ import annotations

import os
import re
import shutil
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
from tools import portable
from tools import stamp as stamping
from tools.book_extension import as_restructured_text, keep_returns_whole
from tools.execute import execute, normalise, write
from tools.inventories import INVENTORIES, inventory
from tools.project import COLAB_FOLDER, ROOT, bootstrap_source, pages_url, repository, version
from tools.zip_book import pack

CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
WORKFLOWS = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    for path in ROOT.glob(".github/workflows/*.yml")
}


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_test_files_outside_of_packages_have_different_names():
    """Pytest imports them by their bare names, so the second of a name would stop the run."""
    files = (ROOT / "tests").rglob("test_*.py")
    names = [path.name for path in files if not (path.parent / "__init__.py").exists()]
    assert sorted(names) == sorted(set(names))


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


@pytest.mark.parametrize(
    ("cell", "now", "before"), [(0, "/blob/colab/", "/blob/main/"), (1, "@main", "@v0.0.1")]
)
def test_the_beginning_of_a_notebook_is_stamped(tmp_path, cell, now, before):
    make_repository(tmp_path)
    path = min((tmp_path / "chapters").glob("*.ipynb"))
    stamped = path.read_bytes()
    notebook = nbformat.read(path, as_version=4)
    assert now in notebook.cells[cell].source
    notebook.cells[cell].source = notebook.cells[cell].source.replace(now, before)
    write(notebook, path)
    assert stamping.stamp(root=tmp_path) == [path]
    assert path.read_bytes() == stamped
    assert stamping.stamp(root=tmp_path) == []


@pytest.mark.parametrize(
    ("made", "installs"),
    [([], True), (["attncourse"], True), (["attncourse", "attncourse/__init__.py"], False)],
)
def test_a_folder_with_the_name_of_the_package_is_not_the_package(tmp_path, made, installs):
    for name in made:
        (tmp_path / name).touch() if name.endswith(".py") else (tmp_path / name).mkdir()
    code = re.sub("%pip install.*", "print('installs')", bootstrap_source())
    command = [sys.executable, "-S", "-c", code]  # -S: with nothing that is installed
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert ("installs" in done.stdout) == installs


def test_a_version_before_a_release_is_stamped_whole():
    address = "https://github.com/ada/b"
    line = f'"attncourse @ git+{address}@v{{}}"'
    for old, new in [("0.2.0rc1", "0.2.0rc1"), ("0.2.0rc1", "0.2.0"), ("0.1.0", "0.2.0.dev1")]:
        assert stamping.stamped(line.format(old), "ada/b", "ada/b", new) == line.format(new)
    sentence = f"It is at {address}@v{{}}."
    stamped = stamping.stamped(sentence.format("0.1.0"), "ada/b", "ada/b", "0.2.0rc1")
    assert stamped == sentence.format("0.2.0rc1")


def test_the_site_of_an_owner_is_served_at_the_root(tmp_path):
    assert pages_url("ada/attention") == "https://ada.github.io/attention/"
    assert pages_url("Ada/Ada.github.io") == "https://ada.github.io/"

    before = make_repository(tmp_path)
    old = repository(tmp_path)
    owner = "eva"  # whose site no file names in full, so that stamping back finds its own only
    stamping.stamp(f"{owner}/{owner}.github.io", tmp_path)
    config = yaml.safe_load((tmp_path / "_config.yml").read_text(encoding="utf-8"))
    assert config["html"]["baseurl"] == f"https://{owner}.github.io/"
    assert config["repository"]["url"] == f"https://github.com/{owner}/{owner}.github.io"
    assert config["sphinx"]["config"]["notfound_urls_prefix"] == "/"
    stamping.stamp(old, tmp_path)
    assert {path: path.read_bytes() for path in before} == before


def test_a_name_that_begins_with_another_is_left_alone():
    text = "https://ada.github.io/b-2/ https://github.com/ada/b-2"
    assert stamping.stamped(text, "ada/b", "eva/c", "0.1.0") == text


@pytest.mark.parametrize(
    "address",
    [
        "ada/b",
        "https://github.com/ada/b",
        "https://github.com/ada/b.git",
        "github.com/ada/b/",
        "git@github.com:ada/b.git",
    ],
)
def test_an_address_is_taken_as_github_writes_it(address):
    assert stamping.owner_and_name(address) == "ada/b"


@pytest.mark.parametrize(
    "address", ["attention", "https://gitlab.com/ada/b", "ada/b/tree/main", "ada/", "ada b/c"]
)
def test_another_address_is_refused_without_a_traceback(address, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["stamp", address])
    with pytest.raises(SystemExit) as refusal:
        stamping.main()
    assert refusal.value.code == f"the repository must be owner/name on GitHub, got {address!r}"


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


def test_the_wheel_holds_the_whole_package_and_nothing_else(wheel):
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    package = [p for p in (ROOT / "attncourse").rglob("*") if "__pycache__" not in p.parts]
    wanted = {p.relative_to(ROOT).as_posix() for p in package if p.is_file()}
    records = {f"attncourse/results/{path.name}" for path in (ROOT / "results").glob("*.json")}
    assert held == wanted | records


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
        # Only what publishes may write, each what it publishes.
        writes = {"contents"} if "git push" in steps(job) else {"pages", "id-token"}
        assert set(job.get("permissions", {})) <= writes
        for step in job["steps"]:
            assert re.search(r"@v\d+$", step.get("uses", "@v1")), step


def steps(job: dict) -> str:
    """Return what the steps of a job run and use, one a line."""
    return "\n".join(step.get("run", step.get("uses", "")) for step in job["steps"])


def test_only_a_book_whose_tests_passed_is_published():
    for jobs in WORKFLOWS.values():
        for name, job in jobs.items():
            if "deploy-pages" in steps(job):
                assert jobs["colab"]["needs"] == [name]
                assert set(job["needs"]) == set(jobs) - {name, "colab"}
                needed = [jobs[name] for name in job["needs"]]
                (tested,) = [need for need in needed if "make test" in steps(need)]
                # The very pages that the tests opened, not others built later.
                assert "make test" in steps(tested).split("upload-pages-artifact")[0]
                assert "always" not in str(job.get("if"))
                return
    pytest.fail("nothing publishes the book")


def test_the_notebooks_for_colab_are_made_of_the_commit_that_was_tested():
    job = WORKFLOWS["test"]["test"]
    assert "make colab PYTHON=python COMMIT=$GITHUB_SHA" in steps(job).split("make test")[1]
    (kept,) = [s["with"] for s in job["steps"] if "upload-artifact" in s.get("uses", "")]
    assert kept["path"] == COLAB_FOLDER.relative_to(ROOT).as_posix()


def test_the_branch_for_colab_is_one_commit_made_anew(tmp_path):
    *_, step = WORKFLOWS["test"]["colab"]["steps"]
    git = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    for command in [
        "init -q --bare origin.git",
        "clone -q origin.git first",
        "-C first switch -q -c main",
        "-C first commit -q --allow-empty -m state",
    ]:
        subprocess.run([*git, *command.split()], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "first" / "old.py").touch()
    for command in ["add --all", "commit -q -m more", "push -q origin main"]:
        subprocess.run([*git, "-C", "first", *command.split()], cwd=tmp_path, check=True)

    made = tmp_path / "colab" / "chapters"
    made.mkdir(parents=True)
    for name in ["01_a.ipynb", "02_b.ipynb"]:  # the second time, the first is gone
        for path in made.iterdir():
            path.unlink()
        (made / name).touch()
        clone = f"clone -q -b main origin.git {name[:2]}"
        subprocess.run([*git, *clone.split()], cwd=tmp_path, check=True)
        subprocess.run(
            ["bash", "-eu", "-c", step["run"]],
            cwd=tmp_path / name[:2],
            env=os.environ | {"RUNNER_TEMP": str(tmp_path), "GITHUB_SHA": "0123"},
            check=True,
        )
        for command, wanted in [
            ("log --format=%s colab", "The notebooks of 0123"),
            ("ls-tree -r --name-only colab", f"chapters/{name}"),
        ]:
            asked = [*git, "-C", "origin.git", *command.split()]
            done = subprocess.run(asked, cwd=tmp_path, check=True, capture_output=True, text=True)
            assert done.stdout == wanted + "\n"


def test_workflows_name_a_python_that_does_not_move():
    for jobs in WORKFLOWS.values():
        for job in jobs.values():
            for step in job["steps"]:
                if "setup-python" in step.get("uses", ""):
                    assert re.fullmatch(r"3\.\d+", step["with"]["python-version"])


def test_the_oldest_that_the_package_allows_is_tested():
    job = WORKFLOWS["test"]["oldest"]
    (setup,) = [step["with"] for step in job["steps"] if "setup-python" in step.get("uses", "")]
    assert f'requires-python = ">={setup["python-version"]}"' in read("pyproject.toml")
    # The workflow turns the lower bounds into pins with sed; the same pattern finds all here.
    pattern, pin = re.search(r"sed -nE 's/(.+)/(.+)/p' pyproject.toml", steps(job)).groups()
    found = re.findall(pattern, read("pyproject.toml"), re.MULTILINE)
    assert pin == r"\1==\2"
    assert [name for name, _ in found] == [
        "torch",
        "numpy",
        "matplotlib",
        "jaxtyping",
        "safetensors",
        "pooch",
        "tqdm",
        "tokenizers",
    ]


def test_the_newest_of_everything_builds_the_book_as_well():
    newest = steps(WORKFLOWS["weekly"]["newest"])
    assert 'pytest -n 2 -m "not browser"' in newest
    assert "--nbval " in newest
    assert "jupyter-book build ." in newest


def test_every_week_the_chapters_run_as_on_other_machines():
    job = WORKFLOWS["weekly"]["portable"]
    assert len(job["strategy"]["matrix"]["os"]) == 3
    runs = job["strategy"]["matrix"]["runs"]
    assert portable.chosen(" ".join(runs).split()) == portable.RUNS
    assert "make test-portable PYTHON=python RUNS='${{ matrix.runs }}'" in steps(job)


def test_some_runs_can_be_picked(checkout):
    assert "--runs '*' -- " in make("-n", "test-portable", folder=checkout).stdout
    picked = make("-n", "test-portable", "RUNS=own 1e-4*", folder=checkout).stdout
    assert "--runs 'own' '1e-4*' -- chapters/01_first.ipynb" in picked


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
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    return "\n".join([*blocks, *re.findall(r"`([^`\n]+)`", text)])


def test_a_fork_is_told_to_push_the_tag_that_its_readme_installs(monkeypatch, capsys):
    changed = [ROOT / "README.md"]
    monkeypatch.setattr(stamping, "stamp", lambda *_: changed)
    monkeypatch.setattr(sys, "argv", ["stamp"])
    stamping.main()
    said = capsys.readouterr().out
    assert said.startswith("README.md\n")
    for command in ["git tag -f {}", "git push origin main +{}"]:
        assert command.format(f"v{version()}") in said
        assert command.format("v0.1.0") in read("CONTRIBUTING.md")

    changed.clear()
    stamping.main()
    assert "git" not in capsys.readouterr().out


def imports(path: Path) -> set[str]:
    """Return the modules of the package that a file imports."""
    return set(re.findall(r"^(?:from|import) attncourse\.(\w+)", path.read_text("utf-8"), re.M))


def test_modules_import_only_earlier_ones_as_the_guide_says():
    found = re.search(r"import in one direction: ([\w, \n]+)\.", read("CONTRIBUTING.md"))
    order = [name.strip() for name in found[1].split(",")]
    package = ROOT / "attncourse"
    modules = {path.stem for path in package.glob("[!_]*")} - {"py"}
    # Two hold files, and nothing that Python imports.
    assert modules - {"data", "shipped", "browser"} == set(order)
    for place, name in enumerate(order):
        for path in [*package.glob(f"{name}.py"), *package.glob(f"{name}/**/*.py")]:
            assert imports(path) <= {*order[: place + 1], "data"}, path
    for path in package.glob("data/**/*.py"):
        assert imports(path) <= {"data", "checks"}, path


# The Makefile


def make(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run make without what an outer make hands down."""
    if shutil.which("make") is None:
        pytest.skip("no make here")
    handed = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"}
    handed |= {"PYTHON", "VENV", "CHAPTER", "RUNS", "REPO", "COMMIT", "PORT"}
    environment = {name: value for name, value in os.environ.items() if name not in handed}
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A folder with the Makefile and what it needs to know, nothing installed."""
    for name in ["Makefile", "requirements.txt", "requirements-nodeps.txt", "pyproject.toml"]:
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "chapters").mkdir()
    for name in ["01_first.ipynb", "02_second.ipynb"]:
        (tmp_path / "chapters" / name).touch()
    return tmp_path


def stand_in(folder: Path, version: tuple[int, ...]) -> str:
    """Return a PYTHON of that version, which notes what it is asked for and installs nothing."""
    script = folder / "stand_in.py"
    script.write_text(
        "import sys\n"
        f"sys.version_info = {version}\n"
        f"sys.version = '{'.'.join(map(str, version))} (stand-in)'\n"
        "if sys.argv[1] == '-c':\n"
        "    exec(sys.argv[2])\n"
        "else:\n"
        "    print('asked for', *sys.argv[1:])\n",
        encoding="utf-8",
    )
    return f'PYTHON="{Path(sys.executable).as_posix()}" {script.name}'


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 10, 13)])
def test_a_python_that_is_too_old_is_refused_before_anything_is_made(checkout, version):
    done = make("book", stand_in(checkout, version), folder=checkout)
    assert done.returncode != 0
    number = ".".join(map(str, version))
    assert f"Python 3.11 or later is needed, and this is {number}." in done.stderr
    assert "make PYTHON=python3.11 book" in done.stderr
    assert not (checkout / ".venv").exists()
    assert "asked for" not in done.stdout


def test_an_environment_is_made_where_there_is_none(checkout):
    done = make("book", stand_in(checkout, (3, 11, 0)), folder=checkout)
    assert "asked for -m venv .venv\n" in done.stdout


def test_a_half_made_environment_is_made_anew(checkout):
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "pyvenv.cfg").touch()
    done = make("book", stand_in(checkout, (3, 12, 1)), folder=checkout)
    assert "asked for -m venv --clear .venv\n" in done.stdout


def test_a_folder_that_is_no_environment_is_not_emptied(checkout):
    done = make("book", "VENV=chapters", stand_in(checkout, (3, 12, 1)), folder=checkout)
    assert "asked for -m venv chapters\n" in done.stdout


def test_every_target_that_runs_python_installs_first(checkout):
    for target in re.findall(r"^([a-z-]+):(?!=)", MAKEFILE, re.MULTILINE):
        lines = make("-n", target, folder=checkout).stdout.splitlines()
        needing = [line for line in lines if ".venv/" in line]
        assert not needing or "pip --version" in needing[0], target


@pytest.mark.parametrize("target", ["chapters", "test-portable", "execute"])
def test_a_chapter_is_named_by_the_start_of_its_name(checkout, target):
    both = make("-n", target, folder=checkout).stdout
    assert "chapters/01_first.ipynb" in both
    assert "chapters/02_second.ipynb" in both
    one = make("-n", target, "CHAPTER=02", folder=checkout).stdout
    assert "chapters/01_first.ipynb" not in one
    assert "chapters/02_second.ipynb" in one


@pytest.mark.parametrize("target", ["chapters", "test-portable", "execute"])
def test_a_chapter_that_is_not_there_is_refused(checkout, target):
    done = make("-n", target, "CHAPTER=99", folder=checkout)
    assert done.returncode != 0
    wanted = "no notebook's name begins with CHAPTER=99; there are 01_first 02_second"
    assert wanted in done.stderr
    assert make("-n", "unit", "CHAPTER=99", folder=checkout).returncode == 0


def test_the_chapters_are_compared_where_they_were_executed_on_the_cpu(checkout):
    assert "CUDA_VISIBLE_DEVICES= " in make("-n", "chapters", folder=checkout).stdout


def test_the_notebooks_for_colab_are_of_head_or_of_a_commit(checkout):
    assert make("-n", "colab", folder=checkout).stdout.splitlines()[-1].endswith("tools.colab ")
    named = make("-n", "colab", "COMMIT=0123", folder=checkout).stdout
    assert named.endswith("tools.colab --commit '0123'\n")


def test_the_browser_asks_for_a_book(checkout):
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / ".installed").touch()
    done = make("browser", folder=checkout)
    assert done.returncode != 0
    assert "There is no book yet: run make book first." in done.stderr


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
    assert set(notebook.metadata) == {"kernelspec", "language_info"}

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
