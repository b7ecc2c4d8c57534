"""The tables of what was measured, from the records in `results/` and `results/about.toml`.

A record is a JSON file. Its figures are the numbers in it that a training or a measurement found,
not those that were chosen for it. Records of one name and several seeds make one row a figure:
mean, smallest, largest.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Any

import tomllib

from tools.project import ROOT

# What a record holds beside figures
APART = {"name", "seed", "recipe", "environment", "settings", "minutes", "chosen"}
# Settings that a run may repeat; where they vary they tell the runs of a record apart.
SETTINGS = {
    "asked",
    "batch",
    "beam_size",
    "depth",
    "dropout",
    "from",
    "learning_rate",
    "length",
    "length_penalty",
    "parameters",
    "sentences",
    "steps",
    "target_tokens",
    "warmup",
    "width",
}
# What a run took
COST = {"cpu_seconds", "seconds_of_processor", "seconds"}
# Names of parts that tell nothing of their own
PLAIN = {"runs", "models", "scores"}
WORDS = {"bleu": "BLEU", "f1": "F1", "rouge": "ROUGE", "l": "L", "fid": "FID", "ap": "AP"}


def read_records(folder: Path = ROOT / "results") -> dict[str, list[dict[str, Any]]]:
    """Return the records of each name, in the order of `about.toml`, the seeds in theirs."""
    about = descriptions(folder)
    found = defaultdict(list)
    for path in sorted(folder.glob("*.json")):
        name = path.stem.rpartition("-seed")[0] or path.stem
        if name not in about:
            raise ValueError(
                f"results/{path.name} is described nowhere: add a line {name!r} to "
                "results/about.toml, and run make checked"
            )
        found[name].append(json.loads(path.read_text(encoding="utf-8")))
    return {
        name: sorted(found[name], key=lambda record: record.get("seed", 0))
        for name in about
        if name in found
    }


def descriptions(folder: Path = ROOT / "results") -> dict[str, dict[str, Any]]:
    """Return what `about.toml` says of each name."""
    return tomllib.loads((folder / "about.toml").read_text(encoding="utf-8"))


# The figures of one experiment: its records, one a seed


def figures(records: list[dict], about: dict[str, Any]) -> dict[tuple[str, str], list[float]]:
    """Return the numbers of each figure, one a seed: by (of what, which)."""
    found = defaultdict(list)
    fields = {key: about.get("by") or telling_apart(runs) for key, runs in lists(records).items()}
    for record in records:
        for which, number in _figures(record, "", fields, about.get("figures")):
            found[which].append(number)
    if not found:
        raise ValueError(
            f"the record {records[0]['name']!r} has none of the figures {about.get('figures')} "
            "that results/about.toml names"
        )
    # those of every seed first, then the trials that one seed made
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def lists(records: list[dict]) -> dict[str, list[dict]]:
    """Return the longest list of runs below each key."""
    found = defaultdict(list)
    for record in records:
        for key, value in record.items():
            if is_runs(value) and len(value) > len(found[key]):
                found[key] = value
    return found


def is_runs(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def telling_apart(runs: list[dict]) -> list[str]:
    """Return the fields that tell runs apart: their words, and settings until that suffices."""
    fields = [key for key, value in runs[0].items() if isinstance(value, str | bool)]
    for key in sorted(SETTINGS & runs[0].keys(), key=list(runs[0]).index):
        if len({tuple(run.get(field) for field in fields) for run in runs}) == len(runs):
            break
        if len({run.get(key) for run in runs}) > 1:
            fields.append(key)
    return fields


def labels(runs: list[dict], fields: list[str]) -> list[str]:
    found = [
        ", ".join(told(key, run[key]) for key in fields if run.get(key) is not None) for run in runs
    ]
    if len(set(found)) < len(runs):
        raise ValueError(
            f"two runs cannot be told apart by {fields} ({found}): name the fields that do in "
            "results/about.toml, by = [...]"
        )
    return found


def told(key: str, value: object) -> str:
    if isinstance(value, bool):
        return in_words(key) if value else f"no {in_words(key)}"
    return value if isinstance(value, str) else f"{in_words(key)} {value:g}"


def _figures(node: dict, of: str, fields: dict, wanted: list | None) -> Iterator[tuple]:
    """Yield ((of what, which), number) of all below a part of a record."""
    for key, value in node.items():
        below = ", ".join(filter(None, [of, "" if key in PLAIN else in_words(key)]))
        if not of and (key in APART or (key == "training" and "recipe" in node)):
            continue
        if isinstance(value, dict) and key != "by_length":
            yield from _figures(value, below, fields, wanted)
        elif is_runs(value):
            known = fields.get(key) or telling_apart(value)
            if of and not known:  # steps of one run, as a curve: they are its page's
                continue
            for run, label in zip(value, labels(value, known), strict=True):
                left = {key: value for key, value in run.items() if key not in known}
                yield from _figures(left, ", ".join(filter(None, [below, label])), fields, wanted)
        elif key not in SETTINGS | COST and (not wanted or key in wanted):
            number = value[0] if is_interval(value) else value
            if isinstance(number, int | float) and not isinstance(number, bool):
                yield (of, in_words(key)), number


def is_interval(value: object) -> bool:
    """A number with its lower and upper bound, as the metrics give it."""
    return (
        isinstance(value, list)
        and len(value) == 3
        and all(isinstance(number, int | float) for number in value)
        and value[1] <= value[0] <= value[2]
    )


def in_words(key: str) -> str:
    return " ".join(WORDS.get(word, word) for word in key.split("_")).replace("ROUGE L", "ROUGE-L")


# What it took


def minutes(record: dict[str, Any]) -> float | None:
    """Return the minutes of a record: those it states, else the sum of its parts' seconds."""
    if "minutes" in record:
        return record["minutes"]
    if "recipe" in record:
        return record["training"]["minutes"]
    parts = [part for value in record.values() for part in (value if is_runs(value) else [value])]
    seconds = [
        part[key]
        for part in parts
        if isinstance(part, dict)
        for key in ("cpu_seconds", "seconds_of_processor")
        if part.get(key) is not None
    ]
    return sum(seconds) / 60 if seconds else None


def machine(record: dict[str, Any]) -> str:
    told = record["environment"]
    if told.get("gpu"):
        return told["gpu"]
    threads = told["threads"]
    return f"{told['processor'].replace('(R)', '')}, {threads} thread{'s' * (threads > 1)}"


def span(numbers: list[float]) -> str:
    low, high = (
        f"{number:.0f}" if number >= 9.5 else f"{number:.1f}" for number in spread(numbers)
    )
    return low if low == high else f"{low} to {high}"


def spread(numbers: list[float]) -> tuple[float, float]:
    return min(numbers), max(numbers)


# The tables


def tables(folder: Path = ROOT / "results") -> str:
    """Return a section for each page of the book: its experiments, and their figures folded."""
    about, records = descriptions(folder), read_records(folder)
    pages = dict.fromkeys(about[name].get("page", "") for name in records)
    sections = []
    for page in pages:
        here = {name: found for name, found in records.items() if about[name].get("page") == page}
        if not page:
            here = {name: found for name, found in records.items() if "page" not in about[name]}
        below = "\n\n".join(figures_table(name, here[name], about[name]) for name in here)
        sections.append(
            f"{heading(page)}\n\n{experiments_table(here, about)}\n\n"
            f":::{{dropdown}} The figures\n{below}\n:::"
        )
    return "\n\n".join(sections)


def heading(page: str) -> str:
    """Return the heading of a page's experiments, and a link to the page."""
    if not page:
        return "### Benchmarks\n\nTime and memory, and what cheaper forms of attention find."
    for path in (ROOT / "chapters").glob(f"{page}.*"):
        title = re.search(r"^\W*# (.+?)(?:\\n.*)?$", path.read_text("utf-8"), re.MULTILINE)[1]
        number = page.partition("_")[0]
        what = f"Chapter {number}: {title}" if number.isdigit() else title
        return f"### {what}\n\nThese are the figures of [{title}]({path.name})."
    raise ValueError(f"results/about.toml names the page {page!r}, which is not in chapters/")


def experiments_table(records: dict[str, list[dict]], about: dict[str, dict]) -> str:
    """Return a row for each experiment: what was asked, how often, on what, how long."""
    rows = [
        "| record | what was asked | seeds | hardware | minutes each |",
        "|---|---|--:|---|--:|",
    ]
    for name, runs in records.items():
        took = [found for run in runs if (found := minutes(run)) is not None]
        machines = "; ".join(dict.fromkeys(map(machine, runs)))
        seeds = len(runs) if "seed" in runs[0] else ""
        minutes_each = span(took) if took else ""
        rows.append(
            f"| `{name}` | {about[name]['asked']} | {seeds} | {machines} | {minutes_each} |"
        )
    return "\n".join(rows)


def figures_table(name: str, records: list[dict], about: dict[str, Any]) -> str:
    """Return a row for each figure of an experiment."""
    rows = [f"`{name}`\n", "| of what | figure | seeds | mean | smallest | largest |"]
    rows.append("|---|---|--:|--:|--:|--:|")
    for (of, which), numbers in figures(records, about).items():
        low, high = (f"{number:.4g}" for number in spread(numbers))
        bounds = f"{low} | {high}" if len(numbers) > 1 else " | "
        seeds = len(numbers) if "seed" in records[0] else ""
        rows.append(f"| {of} | {which} | {seeds} | {mean(numbers):.4g} | {bounds} |")
    return "\n".join(rows)
