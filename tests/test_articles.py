"""attncourse.data.articles: a local folder in the columns of CNN/DailyMail."""

from __future__ import annotations

import csv
import json
import sys
import types

import pytest
from support import refused

from attncourse.data.articles import Reported, local_articles

ROWS = [
    Reported('Rosa said: "I swim,\nand win."', "Rosa swims .\nShe wins .", "a1"),
    Reported("Nils fell, twice.", "Nils falls .", "b2"),
    Reported("Ümit sees the sea.", "Ümit sees .", "c3"),
]


def write_csv(file, rows=ROWS, columns=("id", "article", "highlights")):
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(columns)
        writer.writerows([getattr(row, column, "?") for column in columns] for row in rows)
    return file


def write_json_lines(file, rows=ROWS):
    lines = [json.dumps(row._asdict() | {"source": "made up"}) + "\n" for row in rows]
    file.write_text("".join(lines), encoding="utf-8")
    return file


def test_a_csv_reads_as_it_was_written(tmp_path):
    write_csv(tmp_path / "train.csv")
    assert local_articles(tmp_path) == ROWS


def test_other_columns_are_ignored_and_their_order_does_not_matter(tmp_path):
    write_csv(tmp_path / "test.csv", columns=("highlights", "length", "id", "article"))
    assert local_articles(tmp_path, "test") == ROWS


@pytest.mark.parametrize("suffix", ["jsonl", "json"])
def test_json_lines_read_as_they_were_written(tmp_path, suffix):
    write_json_lines(tmp_path / f"validation.{suffix}")
    assert local_articles(str(tmp_path), "validation") == ROWS


def test_several_files_of_a_split_follow_one_another_and_other_splits_stay_out(tmp_path):
    write_json_lines(tmp_path / "train-00001-of-00002.jsonl", ROWS[2:])
    write_json_lines(tmp_path / "train-00000-of-00002.jsonl", ROWS[:2])
    write_json_lines(tmp_path / "training.jsonl", ROWS)
    write_csv(tmp_path / "test.csv")
    assert local_articles(tmp_path) == ROWS


def test_a_limit_reads_no_further(tmp_path):
    file = write_json_lines(tmp_path / "train.jsonl")
    file.write_text(file.read_text(encoding="utf-8")[:-9], encoding="utf-8")  # the third is cut
    assert local_articles(tmp_path, limit=2) == ROWS[:2]
    with refused(ValueError, "train.jsonl", "line 3"):
        local_articles(tmp_path)


# Parquet, with a stand-in for the reader, and with the reader where there is one


@pytest.fixture
def stand_in(monkeypatch):
    """Let pyarrow read files that hold a list of rows as JSON."""

    class ParquetFile:
        def __init__(self, file):
            self.rows = json.loads(file.read_text(encoding="utf-8"))
            self.schema = types.SimpleNamespace(names=list(self.rows[0]))

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return False

        def iter_batches(self, columns):
            for row in self.rows:
                given = {name: row[name] for name in columns}
                yield types.SimpleNamespace(to_pylist=lambda given=given: [given])

    parquet = types.SimpleNamespace(ParquetFile=ParquetFile)
    arrow = types.SimpleNamespace(ArrowException=RuntimeError, parquet=parquet)
    monkeypatch.setitem(sys.modules, "pyarrow", arrow)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", parquet)


def test_parquet_is_asked_for_the_three_columns(tmp_path, stand_in):
    rows = [row._asdict() | {"length": 3} for row in ROWS]
    (tmp_path / "train-0.parquet").write_text(json.dumps(rows), encoding="utf-8")
    assert local_articles(tmp_path) == ROWS


def test_a_parquet_file_that_is_cut_is_named(tmp_path, stand_in):
    rows = json.dumps([row._asdict() for row in ROWS])
    (tmp_path / "train.parquet").write_text(rows[:-20], encoding="utf-8")
    with refused(ValueError, "train.parquet", "Is it whole?"):
        local_articles(tmp_path)


def test_a_parquet_file_of_other_columns_is_named(tmp_path, stand_in):
    rows = [{"article": "Rosa swims.", "summary": "Rosa swims", "id": "1"}]
    (tmp_path / "train.parquet").write_text(json.dumps(rows), encoding="utf-8")
    with refused(ValueError, "train.parquet", "highlights", "missing"):
        local_articles(tmp_path)


def test_parquet_reads_with_the_library_itself(tmp_path):
    arrow = pytest.importorskip("pyarrow", reason="no reader of Parquet is installed")
    table = arrow.table({name: [getattr(row, name) for row in ROWS] for name in Reported._fields})
    arrow.parquet.write_table(table, tmp_path / "train.parquet")
    assert local_articles(tmp_path) == ROWS


def test_without_a_reader_of_parquet_the_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "train.parquet").write_bytes(b"PAR1")
    with refused(ImportError, "train.parquet", "pip install pyarrow"):
        local_articles(tmp_path)


# Bad input


@pytest.mark.parametrize("share", [0.2, 0.35, 0.6, 0.8, 0.97])
def test_a_csv_that_is_cut_in_the_middle_is_named(tmp_path, own_errors, share):
    file = write_csv(tmp_path / "train.csv")
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    with refused(ValueError, "train.csv", "Is it whole?"):
        local_articles(tmp_path)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_json_lines_that_are_cut_in_the_middle_are_named(tmp_path, own_errors, share):
    file = write_json_lines(tmp_path / "train.jsonl")
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    with refused(ValueError, "train.jsonl", "line", "Is it whole?"):
        local_articles(tmp_path)


def test_a_sign_that_is_cut_in_the_middle_is_named(tmp_path, own_errors):
    file = write_csv(tmp_path / "train.csv")
    whole = file.read_bytes()
    file.write_bytes(whole[: whole.rindex("Ü".encode()) + 1])
    with refused(ValueError, "train.csv", "Is it whole?"):
        local_articles(tmp_path)


@pytest.mark.parametrize("name", ["article", "highlights", "id"])
def test_an_empty_article_is_named_by_file_and_line(tmp_path, own_errors, name):
    rows = [ROWS[1], ROWS[2]._replace(**{name: "  "})]
    write_csv(tmp_path / "train.csv", rows)
    place = ["c3"] if name != "id" else []
    with refused(ValueError, "train.csv", "line 3", f"{name} is empty", *place):
        local_articles(tmp_path)


def test_a_missing_column_is_named(tmp_path, own_errors):
    write_csv(tmp_path / "train.csv", columns=("id", "article", "summary"))
    with refused(ValueError, "train.csv", "highlights", "missing", "summary"):
        local_articles(tmp_path)


def test_rows_of_another_kind_are_named(tmp_path, own_errors):
    (tmp_path / "train.jsonl").write_text("[1, 2]\n", encoding="utf-8")
    with refused(ValueError, "train.jsonl", "line 1", "object", "list"):
        local_articles(tmp_path)
    row = {"article": 3, "highlights": "x", "id": "1"}
    (tmp_path / "train.jsonl").write_text(json.dumps(row), encoding="utf-8")
    with refused(ValueError, "train.jsonl", "article must be a text", "3"):
        local_articles(tmp_path)


def test_a_folder_without_the_split_is_refused(tmp_path, own_errors):
    write_csv(tmp_path / "test.csv")
    for folder in (tmp_path, tmp_path / "nowhere"):
        with refused(FileNotFoundError, str(folder), "'train'", "train.csv"):
            local_articles(folder)


def test_files_of_two_kinds_for_one_split_are_refused(tmp_path, own_errors):
    write_csv(tmp_path / "train.csv")
    write_json_lines(tmp_path / "train.jsonl")
    with refused(ValueError, "'train'", ".csv, .jsonl"):
        local_articles(tmp_path)


def test_a_limit_that_is_none_is_refused(tmp_path, own_errors):
    with refused(ValueError, "limit", "positive", "0"):
        local_articles(tmp_path, limit=0)
