"""Articles and their summaries from a folder of one's own, in CNN/DailyMail's columns (chapter 13).

Nothing is downloaded. What the corpus' distributors give is read as it is: CSV, JSON lines or
Parquet with the columns `article`, `highlights` and `id`.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from attncourse.checks import require_integer

COLUMNS = ("article", "highlights", "id")


class Reported(NamedTuple):
    """An article with its summary, as released (chapter 13).

    Attributes:
        article: its text.
        highlights: the summary, a sentence a line.
        id: by which the corpus names it.
    """

    article: str
    highlights: str
    id: str


def local_articles(
    folder: str | os.PathLike, split: str = "train", *, limit: int | None = None
) -> list[Reported]:
    """Read articles and summaries from a local folder (chapter 13).

    A split's files are named after it: `train.csv`, `train.jsonl`, or several such as
    `train-00000-of-00003.parquet`, which are read in the order of their names. Other columns are
    ignored. Parquet needs the library pyarrow.

    Args:
        folder: where the files lie.
        split: the beginning of their names.
        limit: how many articles to read, by default all.

    Returns:
        The articles.

    Raises:
        FileNotFoundError: if there is no file of this split.
        ImportError: if a Parquet file is there and no pyarrow.
        TypeError: if `limit` is no integer.
        ValueError: if a file is cut off, is no such file, lacks a column, or has an empty article
            or summary; the message names the file and the place. If a split's files are of several
            kinds, or `limit` is not positive.

    Source: See et al. 2017, section 4, for the corpus in this form; Hermann et al. 2015 made it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     text = 'id,article,highlights\\n7,"Rosa Voss swims, at night.",Voss swims\\n'
        ...     _ = (Path(folder) / "test.csv").write_text(text)
        ...     local_articles(folder, "test")
        [Reported(article='Rosa Voss swims, at night.', highlights='Voss swims', id='7')]
    """
    if limit is not None:
        require_integer("limit", limit, least=1)
    rows = (row for file in _files(Path(folder), split) for row in _READERS[file.suffix](file))
    return list(islice(rows, limit))


def _files(folder: Path, split: str) -> list[Path]:
    """List the files of a split, all of one kind."""
    found = sorted(
        path
        for path in (folder.iterdir() if folder.is_dir() else ())
        if path.suffix in _READERS and (path.stem == split or path.stem.startswith(f"{split}-"))
    )
    kinds = sorted({path.suffix for path in found})
    if not found:
        raise FileNotFoundError(
            f"{folder} holds no file of the split {split!r}: {split}.csv, {split}.jsonl or "
            f"{split}-*.parquet"
        )
    if len(kinds) > 1:
        raise ValueError(f"{folder} holds files of the split {split!r} in {', '.join(kinds)}")
    return found


def _from_csv(file: Path) -> Iterator[Reported]:
    with file.open(encoding="utf-8", newline="") as lines:
        # Strict, so that a quotation that never ends is an error.
        reader = csv.DictReader(_whole_lines(file, lines), strict=True)
        try:
            for row in reader:
                if None in row or None in row.values():
                    fields = len(row) - (None in row) - sum(each is None for each in row.values())
                    raise ValueError(f"{len(reader.fieldnames)} fields wanted, got {fields}")
                yield _reported(row)
        except (csv.Error, ValueError) as error:  # also of bytes that are no UTF-8
            raise _broken(file, f"line {reader.line_num}", error) from error


def _whole_lines(file: Path, lines: Iterator[str]) -> Iterator[str]:
    """Give the lines of a file; refuse a last one without its end, where it was cut off."""
    for line in lines:
        yield line
        if not line.endswith(("\n", "\r", '"')):
            raise ValueError("the last line has no end")


def _from_json_lines(file: Path) -> Iterator[Reported]:
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ValueError(f"an object wanted, got {type(row).__name__}")
                yield _reported(row)
            except ValueError as error:  # also what json and the decoding raise
                raise _broken(file, f"line {number}", error) from error


def _from_parquet(file: Path) -> Iterator[Reported]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise ImportError(
            f"{file.name} is a Parquet file, which needs the library pyarrow: pip install pyarrow"
        ) from error
    number = 0
    try:
        with ParquetFile(file) as table:
            wanted = [name for name in COLUMNS if name in table.schema.names]
            for batch in table.iter_batches(columns=wanted):
                for row in batch.to_pylist():
                    number += 1
                    yield _reported(row)
    except (ArrowException, OSError, ValueError) as error:
        raise _broken(file, f"row {number}", error) from error


_READERS: dict[str, Callable[[Path], Iterator[Reported]]] = {
    ".csv": _from_csv,
    ".jsonl": _from_json_lines,
    ".json": _from_json_lines,
    ".parquet": _from_parquet,
}


def _reported(row: dict[str, Any]) -> Reported:
    """Take the three columns of a row, and refuse it if one is missing or empty."""
    for name in COLUMNS:
        if name not in row:
            raise ValueError(f"the column {name!r} is missing, there are {', '.join(row)}")
        if not isinstance(row[name], str):
            raise ValueError(f"{name} must be a text, got {row[name]!r}")
        if not row[name].strip():
            raise ValueError(f"{name} is empty" + (f" (id {row['id']})" if row.get("id") else ""))
    return Reported(*(row[name] for name in COLUMNS))


def _broken(file: Path, place: str, error: Exception) -> ValueError:
    return ValueError(f"{file} cannot be read at {place}: {error}. Is it whole?")
