"""A list of JSON objects in the state directory, such as the saved presets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from agent.errors import StorageError
from agent.persistence.session_file import set_aside
from agent.util.files import remove_leftovers, write_whole
from agent.util.threads import Threads

PRESETS_FILE: Final = "presets.json"
RECENT_FILE: Final = "recent.json"
LIBRARY_FILE: Final = "library.json"

READ_LIMIT: Final = 4 * 1024 * 1024
"""Bytes. 200 presets with the longest addresses and titles need 2 MB; a longer file is not ours."""

ENTRIES_LIMIT: Final = 1000

ANSWER_S: Final = 5.0
"""A busy SD card takes a second."""


T = TypeVar("T")


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    entries: Annotated[list[dict[str, JsonValue]], Field(max_length=ENTRIES_LIMIT)]


class EntryFile:
    """One file, of mode 0600, read and written as a whole; the disk is waited for in a thread, for ANSWER_S at most."""

    def __init__(self, file: Path) -> None:
        self._file = file
        # One at a time: what hangs must not be written later over something newer.
        self._threads = Threads(file.name, limit=1)
        self._turn = asyncio.Lock()

    async def read(self) -> list[dict[str, Any]]:
        """The entries; none when there is no file. What cannot be understood is set aside. Raises StorageError."""
        try:
            return await self._call(self._read)
        except (OSError, RuntimeError) as error:
            raise self._failed("read", error) from error

    async def write(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Write these entries instead. Raises StorageError."""
        text = _Kept(entries=[dict(entry) for entry in entries]).model_dump_json(indent=1) + "\n"
        try:
            await self._call(partial(self._write, text))
        except (OSError, RuntimeError) as error:
            raise self._failed("written", error) from error

    async def _call(self, work: Callable[[], T]) -> T:
        """Execute a request after all earlier ones. Raises TimeoutError if that takes over ANSWER_S in total."""
        async with asyncio.timeout(ANSWER_S), self._turn:
            return await self._threads.call(work, timeout_s=ANSWER_S)

    def _read(self) -> list[dict[str, Any]]:
        try:
            with self._file.open("rb") as stream:
                return list(_Kept.model_validate_json(stream.read(READ_LIMIT)).entries)
        except FileNotFoundError:
            return []
        except ValidationError as error:
            set_aside(self._file, error)
            return []

    def _write(self, text: str) -> None:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        remove_leftovers(self._file)  # here, because a command may read beside the agent, which alone writes
        write_whole(self._file, text)

    def _failed(self, what: str, error: Exception) -> StorageError:
        reason = error.strerror if isinstance(error, OSError) else str(error)  # out of threads: that passes
        reason = reason or "its disk does not answer"
        return StorageError(
            f"{self._file} cannot be {what} ({reason}). Free some space if the disk is full, and let the user who runs "
            "cast-agent write there; a card that has become read-only is worn out."
        )
