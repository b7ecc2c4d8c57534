"""attncourse.data.wnut17: as released, where it is, and made files for what goes wrong."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from support import refused

from attncourse.data.bio import tags_to_spans
from attncourse.data.downloads import DataError
from attncourse.data.wnut17 import WNUT17_FILES, WNUT17_KINDS, WNUT17_SPLITS, wnut17

LINES = "Rosa\tB-person\nKlein\tI-person\nsings\tO\n\nOslo\tB-location\n\t\nyes\tO\n"


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """Use an empty cache, and no network."""
    monkeypatch.setenv("ATTNCOURSE_DATA", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:9")
    return tmp_path


@pytest.fixture
def made(cache, monkeypatch):
    """Give a function that stands a made text in for the split dev, and gives its path."""

    def make(text: str | bytes, texts: int = 3) -> Path:
        content = text if isinstance(text, bytes) else text.encode("utf-8")
        file = WNUT17_FILES["dev"]
        file.path.parent.mkdir(exist_ok=True)
        file.path.write_bytes(content)
        checksum = f"sha256:{hashlib.sha256(content).hexdigest()}"
        monkeypatch.setitem(WNUT17_FILES, "dev", replace(file, checksum=checksum))
        monkeypatch.setitem(WNUT17_SPLITS, "dev", texts)
        return file.path

    return make


@pytest.mark.parametrize(
    ("split", "texts", "entities"),
    [("train", 3394, 1975), ("dev", 1009, 836), ("test", 1287, 1079)],
)
def test_the_released_splits_have_the_published_counts(released, split, texts, entities):
    read = wnut17(split)
    assert len(read) == WNUT17_SPLITS[split] == texts
    spans = [span for text in read for span in tags_to_spans(text.tags)]  # legal throughout
    assert len(spans) == entities
    assert {span.kind for span in spans} == set(WNUT17_KINDS)
    assert all(len(text.words) == len(text.tags) > 0 for text in read)


def test_hardly_a_name_of_the_test_was_in_training(released):
    forms = {
        split: {
            " ".join(text.words[start:end]).lower()
            for text in wnut17(split)
            for start, end, _ in tags_to_spans(text.tags)
        }
        for split in ("train", "test")
    }
    assert (len(forms["test"]), len(forms["train"] & forms["test"])) == (935, 19)


def test_hardly_a_name_comes_twice_in_a_text(released):
    again = 0
    for text in wnut17("test"):
        names = [text.words[start:end] for start, end, _ in tags_to_spans(text.tags)]
        names = [" ".join(name).lower() for name in names]
        again += sum(names.count(name) > 1 for name in names)
    assert again == 67  # of 1,079, says chapter 14


def test_reading_the_released_files_changes_nothing_there(released):
    def state():
        return {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in sorted(released.rglob("*"))}

    before = state()
    wnut17("dev")
    assert state() == before


def test_every_released_file_has_its_checksum(released):
    for file in WNUT17_FILES.values():
        found = hashlib.sha256((released / file.name).read_bytes()).hexdigest()
        assert file.checksum == f"sha256:{found}"
        assert file.url.endswith(file.name.removeprefix("wnut17/"))


def test_blank_lines_and_lines_of_a_tab_part_the_texts(made):
    made(LINES)
    assert wnut17("dev") == [
        (("Rosa", "Klein", "sings"), ("B-person", "I-person", "O")),
        (("Oslo",), ("B-location",)),
        (("yes",), ("O",)),
    ]


def test_windows_ends_and_a_last_line_without_one_are_taken(made):
    made("Oslo\tB-location\r\n\r\n\r\nyes\tO", texts=2)
    assert [text.words for text in wnut17("dev")] == [("Oslo",), ("yes",)]


@pytest.mark.parametrize(
    "line",
    ["Oslo", "Oslo\t", "\tO", "Oslo\tO\tO", "Oslo O", "Oslo\tB-place", "Oslo\tlocation"],
)
def test_a_line_that_is_no_word_with_its_tag_is_refused(made, line):
    path = made(f"yes\tO\n{line}\nno\tO\n", texts=1)
    with refused(DataError, "line 2", str(path), repr(line), "Delete"):
        wnut17("dev")


def test_an_entity_that_did_not_begin_is_refused(made):
    path = made("yes\tO\n\nOslo\tI-location\n", texts=2)
    with refused(DataError, "line 3", str(path), "did not begin", "Delete"):
        wnut17("dev")


def test_a_file_cut_at_the_end_of_a_text_is_refused(made):
    path = made(LINES[: LINES.index("\t\n")], texts=3)
    with refused(DataError, str(path), "2 texts", "3 were released", "cut off", "Delete"):
        wnut17("dev")


@pytest.mark.parametrize("kept", [4, 10, 25])
def test_a_file_cut_in_a_line_is_refused_and_stays(made, kept):
    """The checksum sees it; without a network it cannot be fetched again."""
    path = made(LINES)
    path.write_bytes(path.read_bytes()[:kept])
    before = path.read_bytes()
    with refused(DataError, str(path), "damaged", "by hand", "ATTNCOURSE_DATA"):
        wnut17("dev")
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_text_that_is_not_utf_8_is_refused(made):
    path = made(b"yes\tO\nd\xe9j\xe0\tO\n", texts=1)
    with refused(DataError, "line 2", str(path), "UTF-8"):
        wnut17("dev")


def test_an_unknown_split_is_refused(cache):
    with refused(ValueError, "split", "'dev'", "'validation'"):
        wnut17("validation")
    assert list(cache.iterdir()) == []
