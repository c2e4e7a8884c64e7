"""Files that are written whole."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from agent.util.files import write_whole


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, which alone can give files away")
def test_what_root_writes_belongs_to_the_owner_of_the_folder(tmp_path: Path) -> None:
    """A daemon of another user can read it then, and nobody else can."""
    folder, file = tmp_path / "state", tmp_path / "state" / "file"
    folder.mkdir()
    os.chown(folder, 65534, 65533)
    write_whole(file, "text\n")
    found = file.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (65534, 65533, 0o600)
    os.chown(folder, 0, 0)
    write_whole(file, "text\n")
    assert file.stat().st_uid == 0
