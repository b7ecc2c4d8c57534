"""Files written whole or not at all (every chapter that saves something)."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_atomically(path: str | os.PathLike, content: bytes) -> None:
    """Write `content` to `path` so that a reader finds the old file or the new one, never half.

    Args:
        path: the file to write; its folder is made if need be.
        content: what the file will hold.

    Raises:
        OSError: if the folder cannot be made or written to. The old file is then untouched.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_atomically(Path(folder) / "new" / "note.txt", b"whole")
        ...     (Path(folder) / "new" / "note.txt").read_text()
        'whole'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the same folder, since only within one file system is a renaming atomic.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)  # a temporary file is its owner's alone
        os.replace(name, path)
    except BaseException:  # also a Ctrl-C
        Path(name).unlink(missing_ok=True)
        raise
