"""The key that this box and Home Assistant share: kept in the state directory, and accepted from the first one who
comes while a window is open."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from agent.errors import StorageError
from agent.host.clock import boot_id, since_boot
from agent.util.files import write_whole
from agent.util.threads import Threads

KEY_FILE: Final = "esphome-key"
WINDOW_FILE: Final = "esphome-window"

KEY_BYTES: Final = 32

NO_KEY: Final = bytes(KEY_BYTES)
"""The key with which a client encrypts while it brings the real one. Nothing is secret under it."""

WINDOW_S: Final = 900.0
"""A person installs the box and walks to Home Assistant; whoever else is in the LAN has no longer than that."""

READ_LIMIT: Final = 256
"""Bytes; the key has 45, the window some 60."""

WRITE_TIMEOUT_S: Final = 8.0
"""A slow card takes a second; Home Assistant waits for the answer for 10."""

log = structlog.get_logger(__name__)


class KeyFile:
    """The file with the key in the state directory `folder`: base64, mode 0600. Commands and the daemon change it, and
    a key that is there is never overwritten. Everything here blocks for the disk and raises StorageError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path: Final = folder / KEY_FILE

    def read(self) -> bytes | None:
        """The key; None when there is none."""
        try:
            with self.path.open("rb") as stream:
                return decoded(stream.read(READ_LIMIT).strip())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failed("read", error) from error
        except ValueError as error:
            raise StorageError(
                f"{self.path} holds no key: it was changed by hand, or is damaged. Remove it with `cast-agent esphome "
                "reset`, and add the box to Home Assistant again."
            ) from error

    def add(self, key: bytes) -> bool:
        """Keep this key. Return False, and change nothing, when there is one."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                write_whole(self.path, encoded(key) + "\n", fresh=True)
            except FileExistsError:
                return False
        except OSError as error:
            raise self._failed("written", error) from error
        return True

    def make(self) -> bytes:
        """The key; a new one when there was none."""
        while (key := self.read()) is None:
            self.add(secrets.token_bytes(KEY_BYTES))
        return key

    def remove(self) -> bool:
        """Have no key any more. Return True if there was one."""
        try:
            self.path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._failed("removed", error) from error
        return True

    def _failed(self, what: str, error: OSError) -> StorageError:
        advice = (
            "Run this as the user who runs cast-agent, or as root (sudo)."
            if isinstance(error, PermissionError)
            else "Look at the disk and at the state directory."
        )
        return StorageError(f"The key in {self.path} cannot be {what} ({error.strerror}). {advice}")


def encoded(key: bytes) -> str:
    """The key as Home Assistant and people write it."""
    return base64.b64encode(key).decode()


def decoded(text: bytes) -> bytes:
    """The key from base64. Raises ValueError if it is no key, or a well-known one."""
    key = base64.b64decode(text, validate=True)
    if len(key) != KEY_BYTES or key == NO_KEY:
        raise binascii.Error("not a key")
    return key


def open_window(folder: Path) -> None:
    """Have the first key accepted for WINDOW_S from now on, by the daemon that runs or by one that is started
    meanwhile. The file names the run of the machine, so that later starts in the same one know of it. Blocks. Raises
    OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(folder / WINDOW_FILE, f"{boot_id()} {int(since_boot() + WINDOW_S)}\n", durable=False)


_Sign = tuple[int, ...] | None
"""Another one when a file has changed; None where there is none, or it cannot be looked at."""


def _sign_of(path: Path) -> _Sign:
    try:
        found = path.stat()
    except OSError:  # the next read says what it is
        return None
    return found.st_ino, found.st_size, found.st_ctime_ns


class KeyRing:
    """The key as the daemon knows it: that of the file, as soon as it changes. A file that cannot be read lets nobody
    in, with a key or without. `now` gives seconds since the machine was switched on."""

    def __init__(self, folder: Path, *, now: Callable[[], float] = since_boot) -> None:
        self._folder = folder
        self._file = KeyFile(folder)
        self._window_file = folder / WINDOW_FILE
        self._now = now
        self._threads = Threads(KEY_FILE, limit=1)
        self._seen: _Sign = ()
        self._window_seen: _Sign = ()
        self._opened = "", 0.0
        """What the file of the window says."""
        self._key: bytes | None = None
        self.problem = ""
        """The reason why the key cannot be read; a sentence that says what to do."""

    def begin(self) -> None:
        """Open the window where there is no key, once in each run of the machine: whoever can have the agent restarted
        can not have the window opened by that. Blocks for the disk."""
        if self.key is not None or self.problem or self._window()[0] == boot_id():
            return
        try:
            open_window(self._folder)
        except OSError as error:
            hint = "Home Assistant cannot add the box while nothing can be written there."
            log.warning("esphome_window_write_failed", file=str(self._window_file), reason=error.strerror, hint=hint)

    @property
    def key(self) -> bytes | None:
        """The key now; None when there is none, or it cannot be read (`problem`). Costs 2 µs when the file is the same:
        its inode is looked at so often that it is in memory."""
        if (seen := _sign_of(self._file.path)) != self._seen or self.problem:
            self._seen = seen
            self._read()
        return self._key

    @property
    def window_s(self) -> float:
        """Seconds for which a first key is accepted yet; 0.0 when there is a key, or the window is closed."""
        if self.key is not None or self.problem:
            return 0.0
        boot, until = self._window()
        left_s = until - self._now()
        # A file that says more than was ever written is not believed.
        return left_s if boot == boot_id() and 0.0 < left_s <= WINDOW_S else 0.0

    async def accept(self, key: bytes) -> bool:
        """Take the key of a client, given in base64 as clients send it, and return True; once it is on the disk. False
        where there is one, or the window is closed, or it is no key, or it could not be kept."""
        try:
            made = decoded(key)
        except ValueError:
            log.warning("esphome_key_rejected", reason="It is empty, or no key.")
            return False
        if not self.window_s:
            log.warning("esphome_key_rejected", reason="The window is closed.")
            return False
        try:
            return await self._threads.call(lambda: self._file.add(made), timeout_s=WRITE_TIMEOUT_S)
        except (StorageError, TimeoutError, RuntimeError) as error:
            reason = str(error) or "The disk does not answer."
            log.error("esphome_key_write_failed", reason=reason)
            return False

    def _read(self) -> None:
        try:
            self._key, self.problem = self._file.read(), ""
        except StorageError as error:
            if str(error) != self.problem:
                log.error("esphome_key_read_failed", reason=str(error))
            self._key, self.problem = None, str(error)

    def _window(self) -> tuple[str, float]:
        """The run of the machine in which the window was opened last, and its end by the clock of that run."""
        if (seen := _sign_of(self._window_file)) != self._window_seen:
            self._window_seen, self._opened = seen, self._read_window()
        return self._opened

    def _read_window(self) -> tuple[str, float]:
        with contextlib.suppress(OSError, ValueError):  # a new box has no such file; a torn one opens nothing
            with open(self._window_file, "rb", opener=_without_waiting) as stream:
                boot, until = stream.read(READ_LIMIT).decode("ascii").split()
            return boot, float(until)
        return "", 0.0


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)
