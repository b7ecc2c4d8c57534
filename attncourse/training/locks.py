"""Who holds a file that is written again and again (from chapter 04).

Two trainings with one checkpoint would undo each other's work, so one holds it, and a file beside
it, such as `.checkpoint.safetensors.lock`, says which. That file is locked as well. The system
unlocks it when the process ends, however it ends, so what a killed one left behind is taken over.
"""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from attncourse.training.checkpoints import CheckpointError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

_FIELDS = {"host", "process", "since"}


@contextmanager
def held(file: Path) -> Iterator[None]:
    """Hold a file while the block lasts. Its folder is made, and goes again if it stays empty.

    Raises:
        CheckpointError: if another process holds it, or a file of another kind has the lock's
            name; that file is left alone.
    """
    path = file.with_name(f".{file.name}.lock")
    made = not path.parent.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock = _take(file, path)
        try:
            yield
        finally:
            if fcntl is None:  # Windows deletes no open file
                os.close(lock)
            with suppress(OSError):
                path.unlink()
            if fcntl is not None:
                os.close(lock)
    finally:
        if made:
            with suppress(OSError):  # it is not empty
                path.parent.rmdir()


def _take(file: Path, path: Path) -> int:
    """Lock a file's lock, and write into it who has."""
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _require_free(file, path, lock)
            # It may have been deleted since it was opened, by the one who let go of it.
            if path.exists() and os.path.samestat(os.fstat(lock), path.stat()):
                since = datetime.now().astimezone().isoformat(" ", "seconds")
                holder = {"host": socket.gethostname(), "process": os.getpid(), "since": since}
                os.ftruncate(lock, 0)
                os.lseek(lock, 0, os.SEEK_SET)
                os.write(lock, json.dumps(holder).encode())
                return lock
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)


def _require_free(file: Path, path: Path, lock: int) -> None:
    """Lock it, or refuse what is no lock of ours, another machine's, or a living process'."""
    text = os.read(lock, 10_000).decode(errors="replace")
    holder = dict.fromkeys(_FIELDS, "unknown")
    if text:  # else it was made just now
        try:
            holder = json.loads(text)
        except ValueError:
            holder = None
        if not isinstance(holder, dict) or set(holder) != _FIELDS:
            raise CheckpointError(
                f"{file} cannot be held: {path} is no lock of a training, and is left alone. Move "
                "it away, or name another folder."
            )
    elsewhere = bool(text) and holder["host"] != socket.gethostname()
    if elsewhere or not _lock(lock):
        gone = f" If that process is gone, delete {path}." if elsewhere else ""
        raise CheckpointError(
            f"{file} is held by process {holder['process']} on {holder['host']} since "
            f"{holder['since']}: wait until it has ended, or name another folder.{gone}"
        )


def _lock(lock: int) -> bool:
    """Lock an open file until it is closed; say False if another process has."""
    try:
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:  # no other process can read a locked byte: one far behind the text
            os.lseek(lock, 2**20, os.SEEK_SET)
            msvcrt.locking(lock, msvcrt.LK_NBLCK, 1)
    except OSError as error:
        # A file system without locks cannot say who lives: there nobody is kept out.
        return error.errno in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
    return True
