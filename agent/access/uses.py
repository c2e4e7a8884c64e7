"""The last uses of keys and hooks, kept in their file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import structlog

from agent.access.keys import ApiKey, KeysError, SecretFile
from agent.util.threads import in_thread

USE_NOTED_EVERY: Final = timedelta(hours=1)
"""The shortest interval between two stored uses, so that an SD card lasts."""

log = structlog.get_logger(__name__)


class UseLog:
    """Remembers uses until they are written."""

    def __init__(self, file: SecretFile[Any]) -> None:
        self._file = file
        self._used: dict[str, datetime] = {}
        """Pending notes for the file, by name."""
        self._noted: dict[str, datetime] = {}
        """Uses of the last USE_NOTED_EVERY, by name."""

    def note(self, key: ApiKey) -> None:
        """Note that this key is used now."""
        now = datetime.now(UTC).replace(microsecond=0)
        noted = self._noted.get(key.name) or key.last_used_at
        if noted is None or abs(now - noted) >= USE_NOTED_EVERY:  # a clock that was set may have gone back
            self._noted[key.name] = self._used[key.name] = now

    async def write(self) -> None:
        """Write the pending uses. Those that cannot be written are dropped."""
        used, self._used = self._used, {}
        # A key that is used after that is noted again, so nothing stays of a key that was revoked.
        since = datetime.now(UTC) - USE_NOTED_EVERY
        self._noted = {name: at for name, at in self._noted.items() if at > since}
        if used:
            try:
                await in_thread(partial(self._file.note_use, used), name="keys")
            except KeysError as error:
                log.debug("key_use_write_failed", reason=str(error))
