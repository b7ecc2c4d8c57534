"""Files written whole or not at all (every chapter that saves something)."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path


def write_atomically(path: str | os.PathLike, content: bytes) -> None:
    """Write `content` to `path` so that a reader finds the old file or the new one, never half.

    Args:
        path: the file to write; its folder is made if need be.
        content: what the file will hold. Who may read it stays as it was; of a new file, the
            user's umask says.

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
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        with open(part, "xb") as file:
            if path.exists():
                shutil.copymode(path, part)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:  # also a Ctrl-C
        part.unlink(missing_ok=True)
        raise
