"""The questions to the media server, whichever way it is reached."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from central.core.errors import CentralError

log = structlog.stdlib.get_logger(__name__)


class MediaServerError(CentralError):
    """The media server does not answer, or says that it cannot."""


@dataclass(frozen=True, slots=True)
class Publisher:
    """The publisher of a path."""

    path: str
    connection_id: str
    """Empty when it is no connection of a client, but a source that the media server itself pulls from."""
    connection_type: str
    """MediaMTX's name for the type, such as `rtspSession`; before the stream is ready only the protocol, such as
    `rtsp`."""


@dataclass(frozen=True, slots=True)
class Look:
    """The paths of the media server at one moment."""

    asked_at: float
    """Seconds since 1970, before it answered."""
    publishers: Sequence[Publisher]
    """The publishers of all paths that are ready to be viewed."""
    recorded: frozenset[str]
    """The paths with a configuration of their own, as `record` gives them one; others may be among them."""


class MediaServer(Protocol):
    """The media server. Every call is bounded in time and raises MediaServerError."""

    async def look(self) -> Look:
        """Its paths now."""

    async def record(self, path: str, folder: Path | None) -> None:
        """Record what is published on this path, now and later, into a folder of that name in `folder`; None: no
        longer. Its publisher stays connected. A media server that is restarted forgets it."""

    async def kick(self, publisher: Publisher) -> bool:
        """End its connection; False when it was gone already."""


class NoMediaServer:
    """None is configured: nobody is there, and nobody can be kicked."""

    async def look(self) -> Look:
        raise _not_configured()

    async def record(self, path: str, folder: Path | None) -> None:
        raise _not_configured()

    async def kick(self, publisher: Publisher) -> bool:
        raise _not_configured()


async def kick_all(server: MediaServer, publishers: Iterable[Publisher]) -> int:
    """Kick them; how many there were. What cannot be done now the reconciliation does later."""
    kicked = 0
    for publisher in publishers:
        try:
            kicked += await server.kick(publisher)
            log.info("publisher_kicked", path=publisher.path, connection=publisher.connection_id)
        except MediaServerError as error:
            log.warning("kick_failed", path=publisher.path, connection=publisher.connection_id, message=str(error))
    return kicked


def _not_configured() -> MediaServerError:
    return MediaServerError("No control API of MediaMTX is configured (mediamtx.api_url).")
