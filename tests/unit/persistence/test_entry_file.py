"""Lists of entries on the disk."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from agent.errors import StorageError
from agent.persistence.entry_file import EntryFile
from agent.util import threads as threads_module


async def test_what_a_killed_write_has_left_goes_with_the_next_one(tmp_path: Path) -> None:
    """It may hold a password, and they would fill the card. Who only reads may do so beside a write."""
    left, other = tmp_path / ".presets.json-k2x1", tmp_path / ".recent.json-k2x1"
    left.write_text("{")
    other.write_text("{")
    file = EntryFile(tmp_path / "presets.json")
    assert await file.read() == []
    assert left.exists()
    await file.write([{"id": "door"}])
    assert sorted(path.name for path in tmp_path.iterdir()) == [other.name, "presets.json"]
    assert await file.read() == [{"id": "door"}]


async def test_a_system_without_threads_is_a_storage_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks is told, and may ask again."""

    def no_thread(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    file = EntryFile(tmp_path / "presets.json")
    with monkeypatch.context() as without:
        without.setattr(threads_module, "_idle", [])
        without.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(StorageError, match="can't start new thread"):
            await file.read()
        with pytest.raises(StorageError, match="can't start new thread"):
            await file.write([])
    await file.write([{"id": "door"}])
    assert await file.read() == [{"id": "door"}]
