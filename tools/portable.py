"""Run chapters as other machines would, and name the cells that do not hold there.

    python -m tools.portable chapters/*.ipynb
    python -m tools.portable --runs default "1e-4*" -- chapters/12_decoding.ipynb

An output that depends on the last digits is another one on the next processor. So every chapter
runs under several arithmetics, and every chapter that trains or loads a model runs with that model
nudged (see `tools.nudge`): what is compared must be equal in all runs, what is asserted must hold.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from xml.etree import ElementTree

from tools import nudge

# A processor that lacks what a variable asks for ignores the variable.
ARITHMETICS = {
    "own": {},
    "two-threads": {"OMP_NUM_THREADS": "2"},
    "avx2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
    },
    "default": {"ATEN_CPU_CAPABILITY": "default"},
    "compatible": {"MKL_CBWR": "COMPATIBLE"},
}
NUDGES = {
    f"{size}-{seed}": (float(size), seed) for size in ["1e-6", "1e-4"] for seed in range(1, 6)
}
RUNS = [*ARITHMETICS, *NUDGES]
MOST_LINES = 30  # of what is said about one cell
AT_A_TIME = 2


@dataclass
class Outcome:
    """What one run of one chapter showed.

    Attributes:
        failures: by the cell, counted from 1 as a reader counts code cells, what went wrong; 0 is
            the chapter as a whole.
        nudged: whether anything was there to nudge.
    """

    failures: dict[int, str] = field(default_factory=dict)
    nudged: bool = False

    def __str__(self) -> str:
        return ",".join(f"[{cell}]" for cell in self.failures) or "ok"


def run(chapter: Path, name: str) -> Outcome:
    """Run a chapter once, in one of `RUNS`, and compare all that it stores."""
    settings = {key for arithmetic in ARITHMETICS.values() for key in arithmetic}
    environment = {key: value for key, value in os.environ.items() if key not in settings}
    environment |= {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    environment |= {"OMP_WAIT_POLICY": "passive"} | ARITHMETICS.get(name, {})
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        if name in NUDGES:
            environment |= nudge.environment(*NUDGES[name], folder / "ipython")
        report = folder / "report.xml"
        command = [sys.executable, "-m", "pytest", "-vv", "--nbval", "--nbval-current-env"]
        command += ["-o", "addopts=", "-o", "timeout=0", f"--junitxml={report}", str(chapter)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        failures = read_failures(report) if report.exists() else {}
        if done.returncode and not failures:
            failures = {0: done.stdout + done.stderr}
        return Outcome(failures, name in NUDGES and nudge.nudged(folder / "ipython"))


def read_failures(report: Path) -> dict[int, str]:
    """Return what a report of pytest says of each cell that failed."""
    failures = {}
    for case in ElementTree.parse(report).iter("testcase"):
        said = [found for kind in ("failure", "error") for found in case.findall(kind)]
        if said:
            number = re.search(r"Cell (\d+)", case.get("name", ""))
            text = re.sub(r"(?:#x1B|\x1b)\[[\d;]*m", "", said[0].text or "")
            failures[int(number[1]) + 1 if number else 0] = text.split("Traceback:")[-1].strip()
    return failures


def run_all(chapter: Path, runs: list[str]) -> dict[str, Outcome]:
    """Run a chapter in each of `runs`, until one nudge finds nothing to nudge."""
    outcomes: dict[str, Outcome] = {}
    for name in runs:
        outcomes[name] = run(chapter, name)
        print(describe(chapter, name, outcomes[name]), flush=True)
        if name in NUDGES and not outcomes[name].nudged:
            return outcomes | {other: outcomes[name] for other in runs if other in NUDGES}
    return outcomes


def describe(chapter: Path, name: str, outcome: Outcome) -> str:
    """Return a line for a run, and for each cell that failed in it what was found there."""
    lines = [f"{chapter.stem}  {name}  {outcome}"]
    for cell, text in outcome.failures.items():
        lines.append(f"  {chapter.stem}, code cell {cell}, run {name}:")
        lines += [f"    {line}" for line in text.splitlines()[-MOST_LINES:]]
    return "\n".join(lines)


def table(found: dict[str, dict[str, Outcome]]) -> str:
    """Return a row for each chapter and a column for each run; "-" where nothing is to nudge."""
    runs = list(next(iter(found.values())))
    rows = [["", *runs]]
    for chapter, outcomes in found.items():
        rows.append([chapter])
        for name, outcome in outcomes.items():
            idle = name in NUDGES and not outcome.nudged and not outcome.failures
            rows[-1].append("-" if idle else str(outcome))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def chosen(patterns: list[str]) -> list[str]:
    """Return the runs that patterns such as `1e-4*` name."""
    for pattern in patterns:
        if not any(fnmatch(name, pattern) for name in RUNS):
            raise ValueError(f"no run is named {pattern}; there are {', '.join(RUNS)}")
    return [name for name in RUNS if any(fnmatch(name, pattern) for pattern in patterns)]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", nargs="+", default=["*"], help=f"of {', '.join(RUNS)}")
    parser.add_argument("chapters", nargs="+", type=Path)
    given = parser.parse_args(arguments)
    try:
        runs = chosen(given.runs)
    except ValueError as error:
        parser.error(str(error))
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        results = pool.map(lambda chapter: run_all(chapter, runs), given.chapters)
        found = dict(zip([chapter.stem for chapter in given.chapters], results, strict=True))
    print(table(found))
    return int(any(outcome.failures for row in found.values() for outcome in row.values()))


if __name__ == "__main__":
    sys.exit(main())
