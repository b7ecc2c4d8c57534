"""Files fetched once and kept, checked by their checksums (chapter 05).

They lie in the folder that the environment variable ATTNCOURSE_DATA names, else in the
platform's cache. A file that is there is used without a network and nothing is written.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import warnings
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path


class DataError(Exception):
    """Data that could not be fetched or read. The message says what to do."""


@dataclass(frozen=True)
class RemoteFile:
    """A file that can be fetched.

    Attributes:
        name: where it lies below the cache folder, such as `multi30k/train.en.gz`.
        url: where it comes from.
        checksum: `algorithm:digits`, such as `sha256:d79c...`.
    """

    name: str
    url: str
    checksum: str

    @property
    def path(self) -> Path:
        """Where it lies, or will lie."""
        return cache_folder() / self.name


def cache_folder() -> Path:
    """Return the folder of fetched files: `$ATTNCOURSE_DATA`, else the platform's cache.

    Example:
        >>> os.environ["ATTNCOURSE_DATA"] = "/data"  # doctest: +SKIP
        >>> cache_folder()  # doctest: +SKIP
        PosixPath('/data')
    """
    named = os.environ.get("ATTNCOURSE_DATA")
    if named:
        return Path(named).expanduser().absolute()
    return Path(_pooch().os_cache("attncourse"))


def fetch(file: RemoteFile) -> Path:
    """Return where a file lies, after fetching it if it is not there whole.

    A file with another checksum is fetched again. What arrives lies under its name only when it
    is complete and its checksum right; otherwise the folder stays as it was.

    Args:
        file: what is wanted.

    Returns:
        The path of the whole file.

    Raises:
        DataError: if the file cannot be fetched, kept or read; the message says what to do.
        ImportError: if it must be fetched and the `pooch` library is missing.
    """
    path = file.path
    found = _checksum(path, file)
    if found == file.checksum:
        return path
    damaged = "" if found is None else f" The file there now is damaged: its checksum is {found}."
    by_hand = (
        f"Fetch {file.url} by hand and put it at {path}, or set ATTNCOURSE_DATA to a folder that "
        f"holds {file.name}.{damaged}"
    )
    pooch = _pooch()
    import requests  # a dependency of pooch's

    try:
        pooch.retrieve(
            file.url,
            known_hash=file.checksum,
            fname=path.name,
            path=path.parent,
            downloader=pooch.HTTPDownloader(progressbar=_has_tqdm()),
        )
        path.chmod(0o644)  # it was a temporary file, its owner's alone
    except requests.RequestException as error:
        raise DataError(f"{file.name} was not fetched: {_reason(error)}. {by_hand}") from error
    except ValueError as error:  # pooch's for a wrong checksum
        raise DataError(
            f"{file.name} was not kept: what arrived does not have the checksum {file.checksum}, "
            f"so the download broke or the file has changed. Try again later. {by_hand}"
        ) from error
    except OSError as error:
        raise DataError(
            f"{file.name} was not fetched: the cache folder {path.parent} cannot be written to "
            f"({error.strerror or error}). Set ATTNCOURSE_DATA to a folder that you may write to, "
            f"or that holds {file.name} already."
        ) from error
    return path


def _checksum(path: Path, file: RemoteFile) -> str | None:
    """Return the checksum of what lies at `path`, or None if nothing does."""
    algorithm = file.checksum.split(":")[0]
    try:
        return f"{algorithm}:{hashlib.new(algorithm, path.read_bytes()).hexdigest()}"
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror or error}). Put {file.url} there as a file "
            "that you may read, or set ATTNCOURSE_DATA to another folder."
        ) from error


def _reason(error: Exception) -> str:
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code} ({error.response.reason})"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the download broke off before its end"
    if isinstance(error, (requests.ConnectionError, requests.Timeout)):
        return "the server could not be reached (is there a network?)"
    return f"the download failed ({error})"


def _has_tqdm() -> bool:
    """Say whether pooch can draw a progress bar."""
    import pooch.downloaders

    return pooch.downloaders.tqdm is not None


def _pooch():
    """Import pooch where it is needed: not at all when every file is there."""
    try:
        with warnings.catch_warnings():
            # In a notebook without widgets, tqdm's import warns; it draws plain bars there.
            warnings.simplefilter("ignore")
            import pooch
    except ImportError as error:
        raise ImportError(
            "fetching a corpus needs the library pooch, which is missing: pip install pooch"
        ) from error
    return pooch


def gunzip(file: RemoteFile) -> bytes:
    """Fetch a gzip file and return what it holds.

    Raises:
        DataError: if it cannot be fetched, or is cut off or damaged.
    """
    path = fetch(file)
    try:
        return gzip.decompress(path.read_bytes())
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _damaged(path, file, error) from error


def unzip(file: RemoteFile, member: str) -> bytes:
    """Fetch a zip archive and return one file of it. Nothing is unpacked to the disk.

    Raises:
        DataError: if the archive cannot be fetched, is cut off or damaged, lacks the member, or
            holds a name that leads out of a folder.
    """
    path = fetch(file)
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                # Also what Windows takes for a way out.
                if re.match(r"[/\\]|[A-Za-z]:", name) or ".." in re.split(r"[/\\]", name):
                    raise DataError(
                        f"{path} is refused: it holds {name!r}, which leads out of its folder, "
                        f"and is not what the course expects. Delete it and fetch {file.url}."
                    )
            if member not in archive.namelist():
                held = ", ".join(archive.namelist()[:5]) or "nothing"
                raise DataError(
                    f"{path} holds no {member} but {held}. Delete it and fetch {file.url}."
                )
            return archive.read(member)
    # RuntimeError: a password, or a method of compression that Python does not know.
    except (zipfile.BadZipFile, EOFError, zlib.error, RuntimeError) as error:
        raise _damaged(path, file, error) from error


def text_lines(content: bytes, file: RemoteFile) -> list[str]:
    """Cut a text at its line feeds, and at nothing else that Unicode takes for a line's end.

    Raises:
        DataError: if it is not UTF-8, or has no line.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"line {number:,} of {file.path} is not UTF-8 ({error.reason}). "
            "Delete the file: it will be fetched again."
        ) from error
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    if lines[-1] == "":
        lines.pop()
    if not lines:
        raise DataError(f"{file.path} has no line. Delete the file: it will be fetched again.")
    return lines


def _damaged(path: Path, file: RemoteFile, error: Exception) -> DataError:
    return DataError(
        f"{path} is cut off or damaged ({error}). Delete it: it will be fetched again from "
        f"{file.url}."
    )
