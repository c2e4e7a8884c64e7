"""A watch on the files that confined players were given.

A player that is confined keeps the files that it found when it was started. What took the place of one of them since
(a new /etc/resolv.conf, a disk that was mounted on a media folder, a loudspeaker that was plugged in) is another file,
and out of its reach: it is the next player that has it. So spares are made anew then.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping

import structlog

from agent.player.confine.reach import readable
from agent.util.threads import in_thread

LOOK_INTERVAL_S = 5.0
"""A look takes 0.6 ms of a thread: 0.017 % of a core, of 0.09 % for all that the daemon does at rest. A start that
comes before the look fails, and is tried again with a new player.

No watch instead (inotify): it is not told of a disk that is mounted, and what is not there yet, or is replaced, is only
found by watching the folders above."""

RENEWALS_APART_S = 10.0
"""A network that comes up writes its files several times."""

_NAMES_LOGGED = 5

Identities = Mapping[str, tuple[int, int] | None]
"""The device and the number of the file at each path; None where there is none."""

log = structlog.get_logger(__name__)


class FileWatch:
    """Looks again and again, and calls `changed` when something is another than it was. A look may hang, as on a dead
    network disk: then it is waited for, and no other is begun."""

    def __init__(self, look: Callable[[], Identities], *, changed: Callable[[], None]) -> None:
        self._look = look
        self._changed = changed

    async def watch(self) -> None:
        """Watch until cancelled."""
        known = await self._now()
        while True:
            await asyncio.sleep(LOOK_INTERVAL_S)
            now = await self._now()
            if now == known:
                continue
            paths = sorted(path for path in {*known, *now} if known.get(path) != now.get(path))
            log.info("host_files_changed", paths=paths[:_NAMES_LOGGED], count=len(paths))
            known = now
            self._changed()
            await asyncio.sleep(RENEWALS_APART_S - LOOK_INTERVAL_S)

    async def _now(self) -> Identities:
        return await in_thread(self._look, name="surroundings")


def of_the_system(environ: Mapping[str, str]) -> Identities:
    """All that a player is given but the media folders. What the kernel makes up (/proc) is not replaced."""
    reach = readable(environ=dict(environ), media_folders=(), programs=(), libraries=[], cache=None)
    return identities(path for path in (*reach.read, *reach.use) if not path.startswith("/proc/"))


def identities(paths: Iterable[str]) -> Identities:
    """Blocks for the file system."""
    return {path: _identity(path) for path in paths}


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
