"""Write the tables of the page "How this course was checked": what equals what, from the marks of
the tests, and what was measured, from the records.

python -m tools.checked             write them
python -m tools.checked --check     say whether the page is as written, and exit with 1 if it is not

The page's own sentences are written by hand. What stands between `% written: NAME` and `% end` is
the tool's.
"""

from __future__ import annotations

import pkgutil
import re
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools import recorded
from tools.project import ROOT

PAGE = ROOT / "chapters" / "how_checked.md"
LIBRARIES = {
    "torch": "PyTorch",
    "d2l": "Dive into Deep Learning",
    "transformers": "Hugging Face Transformers",
    "x_transformers": "x-transformers",
    "sacrebleu": "sacreBLEU",
    "rouge_score": "rouge-score",
    "nervaluate": "nervaluate",
    "faster_coco_eval": "faster-coco-eval",
    "sklearn": "scikit-learn",
    "scipy": "SciPy",
}
PACKAGES = {"sklearn": "scikit-learn"}  # where the import has another name
OPEN, CLOSE = "::::{div} dense", "::::"
DTYPES = ["float64", "float32"]  # the columns; other dtypes share the last, so that a table fits
BY_HAND = "The formula, written out plainly"


@dataclass(frozen=True)
class Equality:
    """What the mark `equals` of a test says."""

    ours: str
    theirs: str
    within: tuple[tuple[str, float], ...]  # by dtype
    file: str

    @property
    def module(self) -> str | None:
        """The library of the reference; None where the reference is a formula, in words."""
        return None if " " in self.theirs else self.theirs.split(".")[0]


# What the tests say


class Collector:
    """A plugin of pytest that keeps what it collects."""

    def __init__(self):
        self.items: list[pytest.Item] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.items = session.items


def collect(folder: Path = ROOT / "tests") -> list[pytest.Item]:
    """Return the tests of all files that hold a mark, without running them."""
    files = [
        str(path)
        for path in sorted(folder.rglob("test_*.py"))
        if "mark.equals(" in path.read_text(encoding="utf-8")
    ]
    collector = Collector()
    # without the conftest, whose hook would check the shapes of what is not run
    quiet = ["--collect-only", "--noconftest", "-p", "no:terminal", "-o", "addopts="]
    if pytest.main([*quiet, *files], plugins=[collector]) != pytest.ExitCode.OK:
        raise SystemExit(f"the tests cannot be collected: run pytest --collect-only {files}")
    return collector.items


def equalities(items: list[pytest.Item]) -> list[Equality]:
    """Return what the marked tests hold to what, each once."""
    found = []
    for item in items:
        for mark in item.iter_markers("equals"):
            if "same" not in item.fixturenames:
                raise SystemExit(f"{item.nodeid} has the mark `equals` and does not ask for `same`")
            ours, theirs = mark.args
            within = by_dtype(mark.kwargs["within"])
            found.append(Equality(ours, theirs, within, item.path.name))
    return list(dict.fromkeys(found))


def by_dtype(within: float | dict) -> tuple[tuple[str, float], ...]:
    """Return a tolerance by the name of its dtype; plain numbers are Python's, float64."""
    if not isinstance(within, dict):
        return (("float64", within),)
    return tuple((str(dtype).removeprefix("torch."), number) for dtype, number in within.items())


# The page


REQUIREMENTS = ["requirements.txt", "requirements-nodeps.txt"]


def versions() -> dict[str, str]:
    """Return the version of each package that the tests are run with."""
    text = "\n".join((ROOT / name).read_text("utf-8") for name in REQUIREMENTS)
    return dict(re.findall(r"^([\w-]+)==(\S+)", text, re.MULTILINE))


def equalities_tables(found: list[Equality]) -> str:
    """Return a table for each library, in the order of LIBRARIES, and one for the formulas."""
    unknown = {row.module for row in found} - {*LIBRARIES, None}
    if unknown:
        raise SystemExit(f"LIBRARIES in tools/checked.py has no title for {sorted(unknown)}")
    version, sections = versions(), []
    for library in [*LIBRARIES, None]:
        rows = [row for row in found if row.module == library]
        if not rows:
            continue
        title = BY_HAND
        if library is not None:
            package = PACKAGES.get(library, library.replace("_", "-"))
            title = f"{LIBRARIES[library]} {version[package]}"
        dtypes = [name for name in DTYPES if any(name in dict(row.within) for row in rows)]
        head = f"| ours | theirs | {' | '.join(dtypes)} | test |"
        rule = f"|---|---|{'--:|' * len(dtypes)}---|"
        sections.append(
            "\n".join([f"### {title}\n", head, rule, *(row_of(r, dtypes) for r in rows)])
        )
    return "\n\n".join(sections)


def row_of(row: Equality, dtypes: list[str]) -> str:
    ours = ", ".join(f"`{name.split('.')[-1]}`" for name in row.ours.split(", "))
    theirs = row.theirs
    if row.module is not None:
        *above, last = row.theirs.split(".")
        model = f" of {above[2]}" if above[1:2] == ["models"] else ""
        theirs = f"`{last}`{model}"
    within = {name: exponent(number) for name, number in row.within}
    cells = [within.pop(name, "") for name in dtypes]
    cells[-1] = ", ".join(filter(None, [cells[-1], *map(" ".join, within.items())]))
    return f"| {ours} | {theirs} | {' | '.join(cells)} | `{row.file}` |"


def exponent(number: float) -> str:
    return f"{number:.0e}".replace("e-0", "e-") if number else "0"


def bugs(items: list[pytest.Item]) -> str:
    """Return a list of the mistakes that the tests plant, to see whether they are found."""
    planted = dict.fromkeys(
        item.callspec.params["bug"].__name__.replace("_", " ")
        for item in items
        if item.originalname == "test_a_known_bug_is_caught"
    )
    return "\n".join(f"- {bug}" for bug in planted)


def write(page: str, parts: dict[str, str]) -> str:
    """Return the page with each part between its marks."""
    for name, text in parts.items():
        pattern = rf"(^% written: {name}\n).*?(^% end$)"
        page, count = re.subn(
            pattern,
            # the class makes tables small
            lambda found, text=text: f"{found[1]}\n{OPEN}\n{text}\n{CLOSE}\n\n{found[2]}",
            page,
            flags=re.MULTILINE | re.DOTALL,
        )
        if count != 1:
            raise SystemExit(f"{PAGE.name} needs one part '% written: {name}' ... '% end'")
    return page


def there_must_be(ours: str, theirs: str) -> None:
    """See that both sides of an equality are there under the names that the mark gives."""
    names = [f"attncourse.{name}" for name in ours.split(", ")]
    if " " not in theirs and not theirs.startswith("d2l."):  # which imports in the tests alone
        names.append(theirs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the imports of some libraries warn
        for name in names:
            pkgutil.resolve_name(name)


def main() -> int:
    items = collect()
    found, checking = equalities(items), "--check" in sys.argv[1:]
    before = PAGE.read_text(encoding="utf-8")
    parts = {
        "equalities": equalities_tables(found),
        "bugs": bugs(items),
        "records": recorded.tables(),
    }
    after = write(before, parts)
    if checking:
        if after != before:
            print(f"{PAGE.relative_to(ROOT)} is not what the tests and records say: make checked")
            return 1
        return 0
    for row in found:
        there_must_be(row.ours, row.theirs)
    PAGE.write_text(after, encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}: {'as before' if after == before else 'written'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
