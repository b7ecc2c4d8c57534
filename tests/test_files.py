"""attncourse.data.files: written whole or not at all."""

import os

import pytest

from attncourse.data.files import write_atomically


def test_a_file_is_written_with_the_folders_above_it(tmp_path):
    path = tmp_path / "a" / "b" / "c.bin"
    write_atomically(path, b"\x00one")
    assert path.read_bytes() == b"\x00one"
    write_atomically(str(path), b"two")
    assert path.read_bytes() == b"two"
    assert [p.name for p in path.parent.iterdir()] == ["c.bin"]


@pytest.mark.parametrize("broken", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path, monkeypatch, broken, error
):
    path = tmp_path / "c.bin"
    path.write_bytes(b"old")

    def fail(*arguments):
        raise error

    monkeypatch.setattr(os, broken, fail)
    with pytest.raises(type(error)):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["c.bin"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002], ids=oct)
def test_who_may_read_a_new_file_is_the_users_to_say(tmp_path, umask):
    """Kind: what the user has set is overridden."""
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "c.bin", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "c.bin").stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
@pytest.mark.parametrize("mode", [0o600, 0o664, 0o440], ids=oct)
def test_who_may_read_a_file_stays_when_it_is_written_anew(tmp_path, mode):
    """Kind: what the user has set is overridden."""
    path = tmp_path / "c.bin"
    path.write_bytes(b"old")
    path.chmod(mode)
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == mode
