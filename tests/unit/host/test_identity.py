"""The id of a box."""

from __future__ import annotations

import shutil
import stat
import subprocess
import uuid
from pathlib import Path

import pytest

from agent.host import identity as identity_module
from agent.host.identity import MACHINE_ID, identity


def test_made_once_and_kept(tmp_path: Path) -> None:
    """The first call makes a UUID, in a private file in a private directory, and later calls give the same."""
    state = tmp_path / "state" / "cast-agent"
    first = identity(state)
    assert str(uuid.UUID(first.id)) == first.id
    assert first.is_kept
    assert identity(state) == first
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert stat.S_IMODE((state / "device-id").stat().st_mode) == 0o600
    assert [entry.name for entry in state.iterdir()] == ["device-id"]


@pytest.mark.parametrize(
    "content", [b"", b"4f7c2a0e-6f0b", b"\xff\xfe\x00", b"4F7C2A0E6F0B4C9E9D550D8F3F6C1B7A", b"x" * 100_000]
)
def test_bad_file_is_set_aside(tmp_path: Path, content: bytes) -> None:
    """A torn or foreign file is kept as device-id.bad and a new id takes its place."""
    (tmp_path / "device-id").write_bytes(content)
    made = identity(tmp_path)
    assert (tmp_path / "device-id.bad").read_bytes() == content
    assert identity(tmp_path) == made


def test_two_boxes_differ(tmp_path: Path) -> None:
    """Two state directories have two ids."""
    assert identity(tmp_path / "a") != identity(tmp_path / "b")


MACHINE = "3d1219c7c4c5404aaa1f6d2a48adfda4"


@pytest.fixture
def machine_id(tmp_path: Path) -> Path:
    file = tmp_path / "machine-id"
    file.write_text(f"{MACHINE}\n")
    return file


def test_an_id_that_cannot_be_kept_is_the_same_each_time(tmp_path: Path, machine_id: Path) -> None:
    """If nothing can be written, the id is derived from that of the machine, and does not give the machine's own
    away."""
    (tmp_path / "file").touch()
    first, second = (identity(tmp_path / "file" / name, machine_id=machine_id) for name in ("state", "elsewhere"))
    assert first == second
    assert not first.is_kept
    assert str(uuid.UUID(first.id)) == first.id
    assert uuid.UUID(first.id).version == 4
    machine_id.write_text("0" * 32)
    assert identity(tmp_path / "file" / "state", machine_id=machine_id).id != first.id


def test_the_derived_id_is_the_one_that_systemd_derives(tmp_path: Path, machine_id: Path) -> None:
    """It is sd_id128_get_machine_app_specific(3) of this machine's id, as systemd-id128 has it."""
    tool = shutil.which("systemd-id128")
    if tool is None or not MACHINE_ID.exists():
        pytest.skip("NOT TRIED: there is no systemd here to compare with")
    made = identity_module._derived(MACHINE_ID)
    application = str(identity_module._APPLICATION)
    done = subprocess.run([tool, "machine-id", "--app-specific", application], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"NOT TRIED: {done.stderr.decode()}")
    assert made == str(uuid.UUID(done.stdout.decode().strip()))


@pytest.mark.parametrize("content", [None, "", "uninitialized\n", "abcd"])
def test_a_machine_without_an_id_has_one_until_the_restart(tmp_path: Path, content: str | None) -> None:
    """Then it is made up, and held in memory."""
    (tmp_path / "file").touch()
    if content is not None:
        (tmp_path / "machine-id").write_text(content)
    made = identity(tmp_path / "file" / "state", machine_id=tmp_path / "machine-id")
    assert not made.is_kept
    assert str(uuid.UUID(made.id)) == made.id


def test_failed_write_leaves_nothing(tmp_path: Path, machine_id: Path) -> None:
    """If the id cannot be put in place, no half-written file stays behind."""
    state = tmp_path / "state"
    (state / "device-id.bad").mkdir(parents=True)
    (state / "device-id").write_text("torn")
    assert not identity(state, machine_id=machine_id).is_kept
    assert {entry.name for entry in state.iterdir()} == {"device-id", "device-id.bad"}
