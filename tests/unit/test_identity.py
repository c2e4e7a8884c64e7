"""The id of a box."""

from __future__ import annotations

import stat
import uuid
from pathlib import Path

import pytest

from agent.errors import ConfigError
from agent.identity import device_id


def test_made_once_and_kept(tmp_path: Path) -> None:
    """The first call makes a UUID, in a private file in a private directory, and later calls give the same."""
    state = tmp_path / "state" / "cast-agent"
    first = device_id(state)
    assert str(uuid.UUID(first)) == first
    assert device_id(state) == first
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert stat.S_IMODE((state / "device-id").stat().st_mode) == 0o600
    assert [entry.name for entry in state.iterdir()] == ["device-id"]


@pytest.mark.parametrize(
    "content", [b"", b"4f7c2a0e-6f0b", b"\xff\xfe\x00", b"4F7C2A0E6F0B4C9E9D550D8F3F6C1B7A", b"x" * 100_000]
)
def test_bad_file_is_set_aside(tmp_path: Path, content: bytes) -> None:
    """A torn or foreign file is kept as device-id.bad and a new id takes its place."""
    (tmp_path / "device-id").write_bytes(content)
    made = device_id(tmp_path)
    assert (tmp_path / "device-id.bad").read_bytes() == content
    assert device_id(tmp_path) == made


def test_two_boxes_differ(tmp_path: Path) -> None:
    """Two state directories have two ids."""
    assert device_id(tmp_path / "a") != device_id(tmp_path / "b")


def test_directory_that_cannot_be_written(tmp_path: Path) -> None:
    """A state directory that cannot be used is an error that names it and says what to do."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"file/state cannot be used .* set dir in the section \[state\]"):
        device_id(tmp_path / "file" / "state")


def test_failed_write_leaves_nothing(tmp_path: Path) -> None:
    """When the id cannot be put in place no half-written file stays behind."""
    (tmp_path / "device-id.bad").mkdir()
    (tmp_path / "device-id").write_text("torn")
    with pytest.raises(ConfigError):
        device_id(tmp_path)
    assert {entry.name for entry in tmp_path.iterdir()} == {"device-id", "device-id.bad"}
