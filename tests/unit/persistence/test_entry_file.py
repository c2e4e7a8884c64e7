"""Lists of entries on the disk."""

from __future__ import annotations

from pathlib import Path

from agent.persistence.entry_file import EntryFile


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
