"""The disk of the state directory: what is told of it, and what is done once it can be written again."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from pathlib import Path

import pytest

from agent.host import identity, storage
from agent.host.identity import Identity
from agent.host.storage import Storage
from tests.support.tools import until

OWN = Identity("3f2b8c1e-5a55-4c39-9c8c-1f0f5a6f7d11")
SOON_S = 0.02


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "LOOK_EVERY_S", SOON_S)


class Disk:
    """The kernel's figures of a file system."""

    def __init__(self, real: os.statvfs_result) -> None:
        self._real = real
        self.changes: dict[str, int] = {}

    def __getattr__(self, name: str) -> int:
        changes: dict[str, int] = self.__dict__["changes"]
        real: int = getattr(self._real, name)
        return changes.get(name, real)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk(os.statvfs(tmp_path))
    monkeypatch.setattr(os, "statvfs", lambda path: disk)
    return disk


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"f_bfree": 3, "f_bavail": 3}, "No space left"),
        ({"f_ffree": 0, "f_favail": 0, "f_files": 1000}, "No space left"),
        ({"f_flag": os.ST_RDONLY}, "Read-only file system"),
    ],
)
async def test_a_disk_that_takes_nothing_is_told(
    tmp_path: Path, disk: Disk, changes: dict[str, int], words: str
) -> None:
    """Without a single write it is known that nothing can be kept, and once it can be again."""
    watched = Storage(tmp_path, OWN, not_written=str)
    watched.start()
    assert watched.health.available
    disk.changes = changes
    await until(lambda: not watched.health.available)
    assert words in watched.health.message
    assert str(tmp_path) in watched.health.message
    disk.changes = {}
    await until(lambda: watched.health.available)
    assert list(tmp_path.iterdir()) == []
    await watched.stop()


async def test_a_file_that_could_not_be_written_is_told(tmp_path: Path) -> None:
    """A quota, for one, is seen by nobody before something is written."""
    reasons = ["Disk quota exceeded"]
    watched = Storage(tmp_path, OWN, not_written=lambda: reasons[0])
    assert "Disk quota exceeded" in watched.health.message
    reasons[0] = ""
    assert watched.health.available


async def test_an_id_is_kept_as_soon_as_that_can_be_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A box that began without a disk is the same box after the next restart."""
    refused = [True]
    keep = identity.keep

    def keep_or_not(folder: Path, device_id: str) -> None:
        if refused[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        keep(folder, device_id)

    monkeypatch.setattr(identity, "keep", keep_or_not)
    watched = Storage(tmp_path / "state", Identity(OWN.id, is_kept=False), not_written=str)
    watched.start()
    await until(lambda: "id of this box is not kept" in watched.health.message)
    refused[0] = False
    await until(lambda: watched.health.available)
    assert identity.identity(tmp_path / "state") == OWN
    await watched.stop()


async def test_a_disk_that_hangs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead disk holds nothing up."""
    monkeypatch.setattr(storage, "ANSWER_S", SOON_S)
    monkeypatch.setattr(storage, "try_folder", lambda folder: time.sleep(0.5))
    watched = Storage(tmp_path, OWN, not_written=str)
    watched.start()
    await until(lambda: "does not answer" in watched.health.message)
    await watched.stop()
    await asyncio.sleep(0)
