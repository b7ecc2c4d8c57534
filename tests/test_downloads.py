"""attncourse.data.downloads: fetched whole or not at all, and errors that say what to do.

A server on this machine stands in for the network, so that what runs is what runs for a reader.
"""

from __future__ import annotations

import errno
import gc
import gzip
import hashlib
import io
import os
import socket
import sys
import tempfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pooch
import pytest
from support import refused

from attncourse.data import downloads
from attncourse.data.downloads import DataError, RemoteFile, cache_folder, fetch, gunzip, unzip

CONTENT = bytes(range(251)) * 41

# pooch leaves the closing of a failed answer to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        cut = len(self.server.content) // 2 if self.path == "/broken" else None
        self.wfile.write(self.server.content[:cut])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.content, server.asked = CONTENT, []
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
    gc.collect()


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("ATTNCOURSE_DATA", str(folder))
    return folder


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def remote(url: str = "http://127.0.0.1:9/none", content: bytes = CONTENT) -> RemoteFile:
    return RemoteFile("corpus/file.bin", url, sha256(content))


def place(cache: Path, content: bytes) -> Path:
    path = cache / "corpus" / "file.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def files_in(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


# The cache folder


def test_the_variable_names_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("ATTNCOURSE_DATA", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.setenv("ATTNCOURSE_DATA", os.path.join("~", "data"))
    assert cache_folder() == Path.home() / "data"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ATTNCOURSE_DATA", "data")
    assert cache_folder() == tmp_path / "data"


@pytest.mark.parametrize("named", [None, ""])
def test_without_it_the_platform_has_a_cache(monkeypatch, named):
    monkeypatch.delenv("ATTNCOURSE_DATA", raising=False)
    if named is not None:
        monkeypatch.setenv("ATTNCOURSE_DATA", named)
    assert cache_folder() == Path(pooch.os_cache("attncourse"))


# Fetching


def test_a_file_is_fetched_once_and_then_used_without_a_network(cache, server, capsys):
    file = remote(f"{server.url}/file")
    path = fetch(file)
    assert path == file.path == cache / "corpus" / "file.bin"
    assert path.read_bytes() == CONTENT
    assert files_in(cache) == ["corpus/file.bin"]
    assert "100%" in capsys.readouterr().err  # the progress bar
    assert fetch(file) == path
    assert server.asked == ["/file"]
    assert capsys.readouterr().err == ""


def test_a_file_that_is_there_needs_neither_network_nor_library_nor_a_folder_to_write_to(
    cache, monkeypatch
):
    path = place(cache, CONTENT)
    monkeypatch.setitem(sys.modules, "pooch", None)
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", None)
    monkeypatch.setattr(socket, "socket", None)
    before = path.stat()
    assert fetch(remote()).read_bytes() == CONTENT
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert files_in(cache) == ["corpus/file.bin"]


def test_a_damaged_file_is_fetched_again(cache, server):
    path = place(cache, CONTENT[:-1])
    fetch(remote(f"{server.url}/file"))
    assert path.read_bytes() == CONTENT
    assert files_in(cache) == ["corpus/file.bin"]


def test_other_algorithms_are_known(cache, server):
    digits = hashlib.sha1(CONTENT).hexdigest()
    file = RemoteFile("a.bin", f"{server.url}/file", f"sha1:{digits}")
    assert fetch(file).read_bytes() == CONTENT
    assert fetch(file) == cache / "a.bin"
    assert len(server.asked) == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_others_may_read_what_was_fetched(cache, server):
    assert fetch(remote(f"{server.url}/file")).stat().st_mode & 0o444 == 0o444


def test_a_reader_without_tqdm_does_without_the_bar(cache, server, monkeypatch, capsys):
    monkeypatch.setattr("pooch.downloaders.tqdm", None)
    assert fetch(remote(f"{server.url}/file")).read_bytes() == CONTENT
    assert "%" not in capsys.readouterr().err


# What goes wrong


def told_what_to_do(cache: Path, url: str, *words: str):
    """Expect an error that names the file, its address, its place and the variable."""
    place = str(cache / "corpus" / "file.bin")
    return refused(DataError, "corpus/file.bin", url, place, "ATTNCOURSE_DATA", "by hand", *words)


@pytest.mark.parametrize("old", [None, b"damaged"])
@pytest.mark.parametrize(
    ("page", "word"),
    [
        ("missing", "404"),
        ("broken", "broke off before its end"),
        ("other", "does not have the checksum"),
    ],
)
def test_a_failed_download_leaves_everything_as_it_was(cache, server, page, word, old):
    if old is not None:
        place(cache, old)
    url = f"{server.url}/{page}"
    content = b"what was wanted" if page == "other" else CONTENT
    words = [word] if old is None else [word, "damaged", sha256(old)]
    with told_what_to_do(cache, url, *words):
        fetch(remote(url, content))
    assert server.asked == [f"/{page}"]
    assert files_in(cache) == ([] if old is None else ["corpus/file.bin"])
    if old is not None:
        assert (cache / "corpus" / "file.bin").read_bytes() == old


def test_without_a_network_the_error_says_where_to_put_the_file(cache, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as free:  # a port that nobody listens on
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/file"
        with told_what_to_do(cache, url, "is there a network?"):
            fetch(remote(url))
    assert files_in(cache) == []


def test_an_unknown_host_is_a_missing_network(cache, monkeypatch):
    def unknown(*arguments, **options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with told_what_to_do(cache, "http://example.invalid/file", "is there a network?"):
        fetch(remote("http://example.invalid/file"))


def test_a_download_that_is_interrupted_leaves_nothing(cache, monkeypatch):
    def interrupted(self, url, output_file, pooch):
        Path(output_file).write_bytes(CONTENT[:97])
        raise KeyboardInterrupt

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch(remote())
    assert files_in(cache) == []


def test_a_cache_that_cannot_be_made_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("ATTNCOURSE_DATA", str(tmp_path / "file"))
    with refused(DataError, "cannot be written to", str(tmp_path / "file"), "ATTNCOURSE_DATA"):
        fetch(remote())


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ENOSPC])
@pytest.mark.parametrize("exists", [True, False])
def test_a_cache_that_is_read_only_or_full_is_named(cache, server, monkeypatch, code, exists):
    # Permissions would not stop a test that runs as root, so the system's answer is made up.
    def refuse(*arguments, **options):
        raise OSError(code, os.strerror(code))

    if exists:
        place(cache, b"damaged")
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", refuse)
    monkeypatch.setattr(os, "makedirs", refuse)
    words = ["cannot be written to", str(cache / "corpus"), "ATTNCOURSE_DATA", "corpus/file.bin"]
    with refused(DataError, *words):
        fetch(remote(f"{server.url}/file"))
    assert files_in(cache.parent) == (["cache/corpus/file.bin"] if exists else [])
    assert server.asked == []


@pytest.mark.skipif(
    os.name == "nt" or getattr(os, "geteuid", lambda: 0)() == 0,
    reason="needs permissions that bind: neither Windows nor root has them",
)
def test_a_folder_without_write_permission_is_named(cache, server):
    cache.mkdir()
    cache.chmod(0o500)
    with refused(DataError, "cannot be written to", "Permission denied", "ATTNCOURSE_DATA"):
        fetch(remote(f"{server.url}/file"))
    assert files_in(cache) == []


def test_a_folder_in_the_files_place_is_named(cache):
    (cache / "corpus" / "file.bin").mkdir(parents=True)
    with refused(DataError, "cannot be read", str(cache / "corpus" / "file.bin")):
        fetch(remote())


def test_a_missing_library_is_named_with_the_command_that_installs_it(cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with refused(ImportError, "pip install pooch"):
        fetch(remote())


# Archives


def test_a_gzip_file_is_read(cache):
    packed = gzip.compress(CONTENT)
    place(cache, packed)
    assert gunzip(remote(content=packed)) == CONTENT


@pytest.mark.parametrize("kept", [1, 9, 97, -9, -1])
def test_a_gzip_file_cut_off_anywhere_is_refused(cache, kept):
    packed = gzip.compress(CONTENT)[:kept]
    path = place(cache, packed)
    with refused(DataError, str(path), "cut off or damaged", "Delete it", "http://127.0.0.1:9"):
        gunzip(remote(content=packed))


@pytest.mark.parametrize("place_of_flip", [0, 10, 31, 61])
def test_a_damaged_gzip_file_is_refused(cache, place_of_flip):
    packed = bytearray(gzip.compress(CONTENT))
    packed[place_of_flip] ^= 0xFF
    path = place(cache, bytes(packed))
    with refused(DataError, str(path), "cut off or damaged", "Delete it"):
        gunzip(remote(content=bytes(packed)))


def zipped(**members: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return file.getvalue()


def test_one_member_of_a_zip_is_read_and_nothing_unpacked(cache):
    packed = zipped(**{"a/b.txt": "text", "a/c.txt": "other"})
    place(cache, packed)
    assert unzip(remote(content=packed), "a/b.txt") == b"text"
    assert files_in(cache) == ["corpus/file.bin"]


@pytest.mark.parametrize(
    "name",
    [
        "../b.txt",
        "a/../../b.txt",
        "/etc/b.txt",
        "..\\b.txt",
        "C:\\b.txt",
        "\\\\host\\b.txt",
        "a/..",
    ],
)
def test_a_name_that_leads_out_of_the_archive_is_refused(cache, name):
    packed = zipped(**{"a/b.txt": "text", name: "evil"})
    path = place(cache, packed)
    with refused(DataError, str(path), "leads out of its folder", repr(name), "Delete it"):
        unzip(remote(content=packed), "a/b.txt")
    assert files_in(cache.parent) == ["cache/corpus/file.bin"]


def test_a_name_with_dots_in_it_is_none_of_these(cache):
    packed = zipped(**{"a/b..txt": "text", "..a/b.txt": "text", "a:b": "text"})
    packed = packed.replace(b"a:b", b"a-b")  # a name of one letter and a colon is a drive's
    place(cache, packed)
    assert unzip(remote(content=packed), "..a/b.txt") == b"text"


def test_a_zip_without_the_member_is_refused(cache):
    packed = zipped(**{"other.txt": "text"})
    path = place(cache, packed)
    with refused(DataError, str(path), "a/b.txt", "other.txt", "Delete it"):
        unzip(remote(content=packed), "a/b.txt")


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9])
def test_a_zip_cut_off_anywhere_is_refused(cache, share):
    packed = zipped(**{"a/b.txt": "text" * 97})
    packed = packed[: int(share * len(packed))]
    path = place(cache, packed)
    with refused(DataError, str(path), "cut off or damaged", "Delete it", "http://127.0.0.1:9"):
        unzip(remote(content=packed), "a/b.txt")


def test_a_damaged_or_locked_member_is_refused(cache):
    packed = zipped(**{"a/b.txt": "text" * 97})
    start = packed.index(b"a/b.txt") + len("a/b.txt")
    damaged = packed[:start] + b"\xff\xff\xff" + packed[start + 3 :]
    path = place(cache, damaged)
    with refused(DataError, str(path), "cut off or damaged"):
        unzip(remote(content=damaged), "a/b.txt")
    # bit 0 of the flags, in the entry (at 6) and in the directory (at 8): encrypted
    locked, directory = bytearray(packed), packed.index(b"PK\x01\x02")
    locked[6] |= 1
    locked[directory + 8] |= 1
    path.write_bytes(locked)
    with refused(DataError, str(path), "password"):
        unzip(remote(content=bytes(locked)), "a/b.txt")


def test_every_failure_can_be_caught_as_one():
    assert issubclass(DataError, Exception)
    assert not issubclass(DataError, (OSError, ValueError))
    assert downloads.__doc__
