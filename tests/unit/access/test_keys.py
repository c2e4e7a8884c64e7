"""API keys on disk: made once, kept as hashes, changed by several processes, read by the daemon as they change."""

from __future__ import annotations

import fcntl
import json
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.access import keys
from agent.access.key_ring import KeyRing
from agent.access.keys import ApiKey, KeyFile, KeysError
from agent.media.redaction import redact

NOBODY = 65534


@contextmanager
def as_nobody() -> Iterator[None]:
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "state")


@pytest.fixture
def ring(file: KeyFile) -> KeyRing[ApiKey]:
    return KeyRing(file)


def knows(ring: KeyRing[ApiKey], key: str) -> bool:
    ring.look()
    return ring.find(key) is not None


def test_a_key_is_random_and_recognised(file: KeyFile) -> None:
    """256 random bits behind a prefix that people and secret scanners know; no two are the same."""
    made = {file.add(f"key-{number}") for number in range(20)}
    assert len(made) == 20
    assert all(re.fullmatch(r"cak_[A-Za-z0-9_-]{43}", key) for key in made)


def test_only_the_hash_is_kept_and_only_for_us(file: KeyFile) -> None:
    """Neither the file nor anything else in the folder holds the key; nobody else may read either."""
    key = file.add("ha")
    text = file.path.read_text()
    assert key not in text
    assert key.removeprefix("cak_") not in text
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700
    assert [path.name for path in file.path.parent.iterdir()] == ["api-keys.json"]


def test_a_key_never_gets_into_the_log(file: KeyFile) -> None:
    """Whatever is logged goes through `redact`, which knows our keys wherever they stand."""
    key = file.add("ha")
    shown = redact(f"GET /{key} and Bearer {key}, once more {key[:20]}")
    assert key[4:12] not in shown
    assert shown.count("cak_***") == 3
    assert redact(shown) == shown


@pytest.mark.parametrize("name", ["", "a b", "-a", ".a", "ä", "a" * 65, "a\n", "a/b"])
def test_a_name_that_cannot_be_one(file: KeyFile, name: str) -> None:
    """It is refused with what is allowed."""
    with pytest.raises(KeysError, match=r"1 to 64 letters"):
        file.add(name)
    assert not file.path.exists()


def test_names_are_taken_once(file: KeyFile) -> None:
    """The same name again is refused, because nobody could tell the two apart, until it was revoked."""
    first = file.add("ha")
    with pytest.raises(KeysError, match="cast-agent key revoke ha"):
        file.add("ha")
    file.revoke("ha")
    assert file.add("ha") != first


def test_revoking_what_is_not_there(file: KeyFile) -> None:
    """The answer says which there are."""
    with pytest.raises(KeysError, match="no keys at all"):
        file.revoke("ha")
    file.add("tv")
    with pytest.raises(KeysError, match="There are: tv"):
        file.revoke("ha")


def test_there_is_a_most(file: KeyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """More keys than anybody needs are refused."""
    monkeypatch.setattr(keys, "MAX_KEYS", 2)
    file.add("a")
    file.add("b")
    with pytest.raises(KeysError, match="Revoke one"):
        file.add("c")


def test_a_full_file_is_still_read(file: KeyFile) -> None:
    """The most keys with the longest names, all of them used, are within what is read."""
    for number in range(keys.MAX_KEYS):
        name = f"{number:03}".ljust(64, "x")
        file.add(name)
    file.note_use({key.name: datetime.now(UTC) for key in file.read()})
    assert len(file.read()) == keys.MAX_KEYS
    assert file.path.stat().st_size < keys.READ_LIMIT


def test_the_daemon_sees_each_change_at_once(file: KeyFile, ring: KeyRing[ApiKey]) -> None:
    """A key that was added is known at the next look, one that was revoked is not any more."""
    ring.look()
    assert not ring.needed
    first, second = file.add("a"), file.add("b")
    assert knows(ring, first)
    assert knows(ring, second)
    assert ring.needed
    file.revoke("a")
    assert not knows(ring, first)
    assert knows(ring, second)
    file.revoke("b")
    assert not knows(ring, second)
    assert not ring.needed


def test_every_one_of_many_changes_is_seen(file: KeyFile, ring: KeyRing[ApiKey]) -> None:
    """Every change is seen, even if it follows another one within a tick of the file system's clock."""
    for number in range(200):
        key = file.add("a")
        assert knows(ring, key), number
        file.revoke("a")
        assert not knows(ring, key), number


@pytest.mark.parametrize("presented", ["", "cak_", "cak_x", "x" * 8000, "\udcff", "Bearer"])
def test_anything_else_is_no_key(file: KeyFile, ring: KeyRing[ApiKey], presented: str) -> None:
    """A text that is no key is not known, and breaks nothing."""
    file.add("a")
    assert not knows(ring, presented)


def test_the_hash_is_no_key(file: KeyFile, ring: KeyRing[ApiKey]) -> None:
    """Whoever has read the file cannot call."""
    file.add("a")
    assert not knows(ring, file.read()[0].sha256)


def test_commands_at_the_same_time_lose_nothing(file: KeyFile) -> None:
    """Each change is made to what the one before has left."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: file.add(f"key-{number}"), range(24)))
    assert {key.name for key in file.read()} == {f"key-{number}" for number in range(24)}


def test_a_change_does_not_wait_for_ever(file: KeyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """When another process keeps the lock, the command says so."""
    file.add("a")
    monkeypatch.setattr(keys, "LOCK_TIMEOUT_S", 0.1)
    descriptor = os.open(file.path.parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(KeysError, match="Another process"):
            file.add("b")
    finally:
        os.close(descriptor)
    file.add("b")


def test_use_is_kept(file: KeyFile, ring: KeyRing[ApiKey]) -> None:
    """The use is kept for the keys that there are; a key that was revoked meanwhile does not come back."""
    key, gone = file.add("a"), file.add("b")
    moment = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    file.revoke("b")
    file.note_use({"a": moment, "b": moment + timedelta(hours=1)})
    [kept] = file.read()
    assert (kept.name, kept.last_used_at) == ("a", moment)
    assert knows(ring, key)
    assert not knows(ring, gone)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 2, "keys": []}', '{"version": 1, "kees": []}'])
def test_a_damaged_file_from_the_beginning_lets_nobody_in(file: KeyFile, ring: KeyRing[ApiKey], content: str) -> None:
    """Nobody knows who may come in: so keys are needed, and none is right. A command says what to do."""
    key = file.add("a")
    file.path.write_text(content)
    assert not knows(ring, key)
    assert ring.needed
    with pytest.raises(KeysError, match="Restore it, or remove it"):
        file.add("b")
    file.path.unlink()
    ring.look()
    assert not ring.needed


def test_a_file_that_is_damaged_later_changes_nothing(file: KeyFile, ring: KeyRing[ApiKey]) -> None:
    """The keys from before stay valid, and no others."""
    key = file.add("a")
    assert knows(ring, key)
    file.path.write_text("{")
    assert knows(ring, key)
    assert not knows(ring, "cak_other")
    assert ring.needed


def test_what_is_no_file_of_ours_is_not_read(file: KeyFile, tmp_path: Path) -> None:
    """A link, a pipe or a folder in its place is named and not followed, waited for or filled."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text('{"version": 1, "keys": []}')
    file.path.parent.mkdir()
    file.path.symlink_to(elsewhere)
    with pytest.raises(KeysError, match="cannot be read"):
        file.read()
    file.path.unlink()
    os.mkfifo(file.path)
    with pytest.raises(KeysError, match="is not a file"):
        file.read()
    file.path.unlink()
    file.path.mkdir()
    with pytest.raises(KeysError, match="Is a directory"):
        file.read()


def test_a_change_that_cannot_be_written_leaves_the_old(file: KeyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk the command fails with a sentence, and all keys stay as they were."""
    key = file.add("a")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KeysError, match="No space left"):
        file.add("b")
    assert [kept.name for kept in file.read()] == ["a"]
    assert knows(KeyRing(file), key)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can get to, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="keys-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")
def test_root_changes_the_keys_of_another_user(open_folder: Path) -> None:
    """The file belongs to the owner of the state directory, who can read it and note when a key was used; who is
    neither that user nor root is told whom to ask."""
    folder = open_folder / "state"
    folder.mkdir(mode=0o700)
    os.chown(folder, NOBODY, NOBODY)
    file, ring = KeyFile(folder), KeyRing(KeyFile(folder))
    key = file.add("ha")
    found = file.path.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (NOBODY, NOBODY, 0o600)
    with as_nobody():
        assert knows(ring, key)
        file.note_use({"ha": datetime.now(UTC)})
    file.revoke("ha")
    with as_nobody():
        assert not knows(ring, key)
    os.chown(folder, 0, 0)
    with as_nobody(), pytest.raises(KeysError, match="as root"):
        file.add("b")


def test_the_file_is_readable_for_people(file: KeyFile) -> None:
    """Names and times stand in it in words."""
    file.add("ha")
    kept = json.loads(file.path.read_text())
    assert kept["version"] == 1
    assert set(kept["keys"][0]) == {"name", "sha256", "created_at", "last_used_at"}
