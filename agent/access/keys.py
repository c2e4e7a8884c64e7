"""API keys, and other secrets of their kind: named, revocable, random. Their hashes are kept in the state directory,
the secrets themselves nowhere (but for the key that `cast-agent key add --keep` is to keep)."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import os
import re
import secrets
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Generic, Literal, TypeVar

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from agent.errors import AgentError
from agent.util.files import write_whole

FILE: Final = "api-keys.json"

PREFIX: Final = "cak_"
"""Begins every key, so that people and secret scanners recognise one."""

KEY_BYTES: Final = 32
"""Random bytes of a key: it cannot be guessed, so a plain SHA-256 of it needs no salt and no stretching."""

MAX_KEYS: Final = 100

READ_LIMIT: Final = 64 * 1024
"""Bytes. A hundred keys with the longest names need 25 KiB; whatever is longer is not ours."""

LOCK_TIMEOUT_S: Final = 5.0
"""The longest wait for another command that changes the keys; one takes some milliseconds, on a slow card half a
second."""

LOCK_LOOK_EVERY_S: Final = 0.02
"""Looked for again and again, because nothing ends a wait in flock(2): a thread that waits there would stay behind each
time that the lock is held for too long, and the daemon comes every 2 s."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

log = structlog.get_logger(__name__)


class KeysError(AgentError):
    """The keys cannot be read or changed; the text says what to do."""


class NameTakenError(KeysError):
    """There is a key of this name already."""


class ApiKey(BaseModel):
    """A key as it is stored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=f"^{_NAME.pattern}$")
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    created_at: AwareDatetime
    last_used_at: AwareDatetime | None = None
    """Noted at most once an hour, so it may have been used later than this, by up to an hour."""


K = TypeVar("K", bound=ApiKey)


class Kept(BaseModel, Generic[K]):
    """The content of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    keys: tuple[K, ...] = Field(default=(), max_length=MAX_KEYS)


@dataclass(frozen=True, slots=True)
class Kind(Generic[K]):
    """The properties of one kind of secret."""

    noun: str
    """The name of the kind for people."""
    maker: str
    """The command that makes one."""
    file: str
    prefix: str
    record: type[K]
    kept: type[Kept[K]]


KEYS: Final = Kind("key", "cast-agent key add", FILE, PREFIX, ApiKey, Kept[ApiKey])


class SecretFile(Generic[K]):
    """The file with the secrets of one kind in the state directory `folder`. Several processes may change it: each
    change is made under a lock and written whole. Everything here blocks for the disk and raises KeysError."""

    def __init__(self, folder: Path, kind: Kind[K]) -> None:
        self._folder = folder
        self.kind: Final = kind
        self.path: Final = folder / kind.file

    def read(self) -> tuple[K, ...]:
        """The keys, the oldest first; none when there is no file."""
        try:
            with open(self.path, "rb", opener=_open_carefully) as stream:
                if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                    raise self._damaged("is not a file")
                return self.kind.kept.model_validate_json(stream.read(READ_LIMIT)).keys
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise self._failed("read", error) from error
        except ValidationError as error:
            raise self._damaged("cannot be understood") from error

    def add(self, name: str, **fields: Any) -> str:
        """Make a secret of that name, with the fields that its record has beside, and the state directory if there is
        none. It is never shown again."""
        noun = self.kind.noun
        if _NAME.fullmatch(name) is None:
            raise KeysError(
                f"{name!r} cannot be the name of a {noun}. Take 1 to 64 letters, digits, dots, dashes and underscores, "
                "beginning with a letter or a digit: home-assistant, for example."
            )
        with self._changing() as keys:
            if any(key.name == name for key in keys):
                raise NameTakenError(
                    f"There is a {noun} {name} already, and it cannot be shown again. Take another name, or revoke it "
                    f"first: cast-agent {noun} revoke {name}"
                )
            if len(keys) >= MAX_KEYS:
                raise KeysError(f"There are {MAX_KEYS} {noun}s, the most there may be. Revoke one that is not used.")
            secret = self.kind.prefix + secrets.token_urlsafe(KEY_BYTES)
            record = self.kind.record(name=name, sha256=_hash(secret), created_at=_now(), **fields)
            self._write((*keys, record))
        return secret

    def revoke(self, name: str) -> tuple[K, ...]:
        """Delete the secret of that name. Returns the remaining records."""
        noun = self.kind.noun
        with self._changing() as keys:
            left = tuple(key for key in keys if key.name != name)
            if len(left) == len(keys):
                names = ", ".join(key.name for key in keys)
                raise KeysError(
                    f"There is no {noun} {name!r}. "
                    + (f"There are: {names}." if names else f"There are no {noun}s at all.")
                )
            self._write(left)
        return left

    def find(self, presented: str) -> K | None:
        """The record of this secret. Takes equally long for every candidate."""
        return matching(self.read(), presented)

    def note_use(self, used: Mapping[str, datetime]) -> None:
        """Keep when these, by name, were used last; passes over those that are gone."""
        with self._changing() as keys:
            noted = tuple(
                key.model_copy(update={"last_used_at": used[key.name]}) if key.name in used else key for key in keys
            )
            if noted != keys:
                self._write(noted)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[tuple[K, ...]]:
        """The records as they are, and as they stay until the end of the block for everybody else."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise self._failed("changed", error) from error
        try:
            self._lock(lock)
            yield self.read()
        finally:
            os.close(lock)  # which unlocks

    def _lock(self, descriptor: int) -> None:
        deadline = time.monotonic() + LOCK_TIMEOUT_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError as error:
                if time.monotonic() >= deadline:
                    raise KeysError(
                        f"Another process has been changing the {self.kind.noun}s for {LOCK_TIMEOUT_S:g} s. See which "
                        f"(lsof {self._folder}), and try again."
                    ) from error
                time.sleep(LOCK_LOOK_EVERY_S)
            except OSError as error:
                raise self._failed("changed", error) from error

    def _write(self, keys: tuple[K, ...]) -> None:
        try:
            write_whole(self.path, self.kind.kept(keys=keys).model_dump_json(indent=1) + "\n")
        except OSError as error:
            raise self._failed("changed", error) from error

    def _failed(self, what: str, error: OSError) -> KeysError:
        advice = (
            "Run this as the user who runs cast-agent, or as root (sudo)."
            if isinstance(error, PermissionError)
            else "Look at the disk and at the state directory."
        )
        return KeysError(f"The {self.kind.noun}s in {self.path} cannot be {what} ({error.strerror}). {advice}")

    def _damaged(self, how: str) -> KeysError:
        return KeysError(
            f"{self.path} {how}: it was changed by hand, or is damaged. Restore it, or remove it and make all "
            f"{self.kind.noun}s again with {self.kind.maker}."
        )


class KeyFile(SecretFile[ApiKey]):
    """The file with the keys."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, KEYS)


def _open_carefully(path: str, flags: int) -> int:
    """Open a file, but not by way of a link, and without waiting for a pipe's other end: root reads in somebody else's
    folder."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def matching(keys: Iterable[K], presented: str) -> K | None:
    """The record of this secret. Takes equally long for every candidate."""
    digest = _hash(presented)
    return next(
        iter([key for key in keys if hmac.compare_digest(key.sha256, digest)]), None
    )  # a list: all are compared


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
