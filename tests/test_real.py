"""attncourse.data.real: Multi30k as released, where it is, and made files for what goes wrong."""

from __future__ import annotations

import gzip
import hashlib
import io
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from support import refused

from attncourse.data import real
from attncourse.data.downloads import DataError
from attncourse.data.real import (
    MULTI30K_FILES,
    MULTI30K_LANGUAGES,
    MULTI30K_SPLITS,
    TATOEBA_FILE,
    Pair,
    multi30k,
    tatoeba,
)
from attncourse.data.vocabulary import Vocabulary, split_words


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """Use an empty cache, and no network."""
    monkeypatch.setenv("ATTNCOURSE_DATA", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:9")
    return tmp_path


def place(path: Path, content: bytes) -> str:
    """Write a file and return its checksum in SHA-256."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.fixture
def made(cache, monkeypatch):
    """Give a function that stands made texts in for a split of Multi30k."""

    def make(split: str = "val", **texts: str | bytes) -> None:
        for language, text in texts.items():
            name = f"{split}.{language}"
            content = text if isinstance(text, bytes) else text.encode("utf-8")
            checksum = place(MULTI30K_FILES[name].path, gzip.compress(content))
            monkeypatch.setitem(
                MULTI30K_FILES, name, replace(MULTI30K_FILES[name], checksum=checksum)
            )

    return make


@pytest.fixture
def made_tatoeba(cache, monkeypatch):
    """Give a function that stands a made text in for Tatoeba's archive."""

    def make(text: str | bytes, member: str = "fra-eng/fra.txt") -> None:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("fra-eng/_about.txt", "about")
            archive.writestr(member, text)
        checksum = place(TATOEBA_FILE.path, file.getvalue())
        monkeypatch.setattr(real, "TATOEBA_FILE", replace(TATOEBA_FILE, checksum=checksum))

    return make


# Multi30k as released


@pytest.mark.parametrize("split", MULTI30K_SPLITS)
@pytest.mark.parametrize(("source", "target"), [("en", "fr"), ("de", "en"), ("fr", "de")])
def test_the_released_splits_have_the_published_counts(released, source, target, split):
    published = {
        "train": 29_000,
        "val": 1_014,
        "test_2016_flickr": 1_000,
        "test_2017_flickr": 1_000,
        "test_2017_mscoco": 461,
    }
    pairs = multi30k(source, target, split)
    assert len(pairs) == MULTI30K_SPLITS[split] == published[split]
    # A shift by one line would set a long caption beside a short one: lengths go together.
    lengths = [(len(pair.source), len(pair.target)) for pair in pairs]
    apart = sum(not 1 / 3 < a / b < 3 for a, b in lengths)
    assert apart < 0.01 * len(pairs)


def test_the_released_pairs_are_translations_of_each_other(released):
    first = multi30k("en", "fr")[0]
    assert first.source == "Two young, White males are outside near many bushes."
    assert first.target == "Deux jeunes hommes blancs sont dehors près de buissons."
    assert multi30k("fr", "de")[0] == (
        "Deux jeunes hommes blancs sont dehors près de buissons.",
        "Zwei junge weiße Männer sind im Freien in der Nähe vieler Büsche.",
    )
    assert [pair.source for pair in multi30k("en", "de")] == [
        pair.source for pair in multi30k("en", "fr")
    ]


def test_reading_the_released_files_changes_nothing_there(released):
    def state():
        return {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in sorted(released.rglob("*"))}

    before = state()
    multi30k("de", "en", "val")
    assert state() == before


def test_the_released_captions_go_through_a_vocabulary(released):
    pairs = multi30k("en", "fr", "train")
    sentences = [split_words(pair.target) for pair in pairs]
    vocabulary = Vocabulary.build(sentences, min_count=2)
    # words of which there are two or more cover nearly all of the held-out captions
    held_out = [split_words(pair.target) for pair in multi30k("en", "fr", "val")]
    ids = [number for sentence in held_out for number in vocabulary.encode(sentence)]
    assert 0.01 < ids.count(3) / len(ids) < 0.03
    assert vocabulary.decode(vocabulary.encode(sentences[0])) == sentences[0]


def test_every_released_file_has_a_checksum_and_an_address(released):
    names = {f"{s}.{language}" for s in MULTI30K_SPLITS for language in MULTI30K_LANGUAGES}
    assert set(MULTI30K_FILES) == names
    for name, file in MULTI30K_FILES.items():
        assert file.name == f"multi30k/{name}.gz"
        assert file.url.startswith("https://raw.githubusercontent.com/multi30k/dataset/")
        assert file.url.endswith(f"/data/task1/raw/{name}.gz")
        found = hashlib.sha256((released / file.name).read_bytes()).hexdigest()
        assert file.checksum == f"sha256:{found}"


# Multi30k, made


def test_pairs_keep_their_lines_together(made):
    made(en="one\ntwo\nthree\n", fr="un\ndeux\ntrois\n")
    assert multi30k("en", "fr", "val") == [("one", "un"), ("two", "deux"), ("three", "trois")]
    assert multi30k("fr", "en", "val")[1] == Pair(source="deux", target="two")


def test_only_a_line_feed_ends_a_line(made):
    # what str.splitlines takes for an end too, and a tab
    odd = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\rh\ti\u00a0j"
    made(de=f"{odd}\nzwei\n", en="one\ntwo\n")
    assert multi30k("de", "en", "val") == [(odd, "one"), ("zwei", "two")]


def test_the_last_line_may_lack_its_end_and_windows_ends_are_taken_off(made):
    made(en="one\r\ntwo", fr="un\ndeux\n")
    assert multi30k("en", "fr", "val") == [("one", "un"), ("two", "deux")]


def test_sides_of_unequal_length_are_refused(made, cache):
    made(en="one\ntwo\nthree\n", fr="un\ndeux\n")
    paths = [str(cache / "multi30k" / f"val.{language}.gz") for language in ("en", "fr")]
    with refused(DataError, *paths, "3 and 2", "Delete both"):
        multi30k("en", "fr", "val")


@pytest.mark.parametrize("line", ["", "  ", "\u00a0"])
def test_an_empty_sentence_is_refused(made, cache, line):
    made(en="one\ntwo\n", fr=f"un\n{line}\n")
    with refused(DataError, "line 2", str(cache / "multi30k" / "val.fr.gz"), "empty", "Delete"):
        multi30k("en", "fr", "val")


def test_text_that_is_not_utf_8_is_refused(made, cache):
    made(en="one\ntwo\n", fr=b"un\nd\xe9ux\n")
    with refused(DataError, "line 2", str(cache / "multi30k" / "val.fr.gz"), "UTF-8", "Delete"):
        multi30k("en", "fr", "val")


def test_a_file_cut_off_is_not_read(made, cache):
    made(en="one\ntwo\n", fr="un\ndeux\n")
    path = cache / "multi30k" / "val.fr.gz"
    path.write_bytes(path.read_bytes()[:-5])
    before = path.read_bytes()
    with refused(DataError, str(path), "damaged", "by hand", "ATTNCOURSE_DATA"):
        multi30k("en", "fr", "val")
    assert path.read_bytes() == before


def test_a_file_that_holds_nothing_is_refused(made, cache):
    made(en="", fr="")
    with refused(DataError, str(cache / "multi30k" / "val.en.gz"), "no line", "Delete"):
        multi30k("en", "fr", "val")


def test_unknown_languages_and_splits_are_refused(cache):
    with refused(ValueError, "source", "'en', 'de', 'fr'", "'cs'"):
        multi30k("cs", "en")
    with refused(ValueError, "target", "'en', 'de', 'fr'", "'English'"):
        multi30k("en", "English")
    with refused(ValueError, "split", "'test_2016_flickr'", "'test'"):
        multi30k("en", "fr", "test")
    with refused(ValueError, "source and target", "'en'"):
        multi30k("en", "en")
    assert list(cache.iterdir()) == []


# Tatoeba


def test_tatoeba_is_read_in_both_directions(made_tatoeba):
    made_tatoeba("Go.\tVa !\nHi.\tSalut !\nHi.\tSalut.\n")
    assert tatoeba() == [("Go.", "Va !"), ("Hi.", "Salut !"), ("Hi.", "Salut.")]
    assert tatoeba("fr", "en")[0] == Pair(source="Va !", target="Go.")


def test_no_break_spaces_stay_and_a_third_column_goes(made_tatoeba):
    made_tatoeba("Go.\tVa\u202f!\tCC-BY 2.0 (France) Attribution: tatoeba.org\n")
    assert tatoeba() == [("Go.", "Va\u202f!")]


@pytest.mark.parametrize("line", ["Hi. Salut !", "a\tb\tc\td", ""])
def test_a_line_without_its_tab_is_refused(made_tatoeba, cache, line):
    made_tatoeba(f"Go.\tVa !\n{line}\nHi.\tSalut.\n")
    words = ["line 2", str(cache / "tatoeba" / "fra-eng.zip"), "tabs", repr(line), "Delete"]
    with refused(DataError, *words):
        tatoeba()


@pytest.mark.parametrize("line", ["\tSalut !", "Hi.\t", "Hi.\t "])
def test_a_line_without_one_of_its_sentences_is_refused(made_tatoeba, line):
    made_tatoeba(f"Go.\tVa !\n{line}\n")
    with refused(DataError, "line 2", "empty"):
        tatoeba()


def test_an_archive_that_leads_out_of_its_folder_is_refused(made_tatoeba):
    made_tatoeba("Go.\tVa !\n", member="../../fra.txt")
    with refused(DataError, "leads out of its folder"):
        tatoeba()


def test_an_archive_without_the_sentences_is_refused(made_tatoeba):
    made_tatoeba("Go.\tVa !\n", member="fra-eng/deu.txt")
    with refused(DataError, "fra-eng/fra.txt", "fra-eng/deu.txt"):
        tatoeba()


def test_tatoeba_has_two_languages(cache):
    with refused(ValueError, "target", "'en', 'fr'", "'de'"):
        tatoeba("en", "de")
    with refused(ValueError, "source and target", "'fr'"):
        tatoeba("fr", "fr")


def test_the_archive_is_the_one_that_d2l_uses(d2l):
    url, checksum = d2l.DATA_HUB["fra-eng"]
    assert TATOEBA_FILE.checksum == f"sha1:{checksum}"
    assert TATOEBA_FILE.url.split("://")[1] == url.split("://")[1]


def test_a_first_use_without_a_network_says_where_to_put_the_file(cache):
    for load, file in ((multi30k, MULTI30K_FILES["train.en"]), (tatoeba, TATOEBA_FILE)):
        with refused(DataError, file.url, str(cache / file.name), "by hand", "a network?"):
            load()
    assert [p for p in cache.rglob("*") if p.is_file()] == []
