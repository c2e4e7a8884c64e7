"""The stream of this box at the central API: what is on, with a code by which others join it."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import structlog
from pydantic import JsonValue

from agent.events.event import TITLE_LIMIT, URL_LIMIT
from agent.reporting.central.client import CentralClient, Stream
from agent.reporting.http.circuit import Circuit
from agent.reporting.http.errors import CallFailedError, Trouble
from agent.snapshot import SessionSnapshot, TrackerSnapshot

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The content that the stream should have."""

    url: str
    title: str | None
    quality: str
    session_id: str

    def fields(self) -> dict[str, JsonValue]:
        metadata: dict[str, JsonValue] = {"session_id": self.session_id}
        return {"url": self.url, "title": self.title, "quality": self.quality, "metadata": metadata}

    def is_said_by(self, stream: Stream) -> bool:
        said = (stream.url, stream.title, stream.quality, stream.metadata.get("session_id"))
        return said == (self.url, self.title, self.quality, self.session_id)


UNDECIDED: Final = "undecided"
"""The session is only being prepared: the stream stays as it is."""


def wanted(snapshot: TrackerSnapshot) -> Wanted | str | None:
    """The content that the stream should have; None if nothing is on; UNDECIDED."""
    for session in (snapshot.on_screen, snapshot.stream):
        if session is not None and session.first_frame_at is not None:
            return _wanted(session)
    return UNDECIDED if snapshot.sessions else None


class SharedStream:
    """Keeps the central API's stream of this box equal to the current session. While something is on there is one, also
    after a restart of either side; it ends when the box goes idle."""

    def __init__(self, *, circuit: Circuit, client: CentralClient, device_id: str) -> None:
        self._circuit = circuit
        self._client = client
        self._device_id = device_id
        self._refused: Wanted | None = None
        """The stream that was refused: it is not tried again until it changes."""
        self._is_clear = False
        """True if no stream of this box is on there; not known at the start, because there may be one from before
        it."""
        self.stream: Stream | None = None
        """The stream at the central API, as far as it is known."""

    async def update(self, want: Wanted | str | None, *, look: bool) -> None:
        """Bring the stream up to date. With `look` the known state is verified first. Raises CallFailedError when that
        may pass."""
        if want is None:
            await self._end()
        elif isinstance(want, Wanted) and want != self._refused:
            try:
                await self._show(want, look=look)
                self._refused = None
            except CallFailedError as error:
                if error.trouble is not Trouble.REJECTED:
                    raise
                self._refused = want
                log.error("stream_refused", code=error.reason, message=str(error))

    async def _show(self, want: Wanted, *, look: bool) -> None:
        if self.stream is None or look:
            # The existing stream, or a new one, also after another caller has ended ours.
            self.stream = await self._circuit.call(lambda: self._client.start_stream(self._device_id, want.fields()))
            self._is_clear = False
        if not want.is_said_by(self.stream):
            stream_id = self.stream.id
            try:
                self.stream = await self._circuit.call(lambda: self._client.change_stream(stream_id, want.fields()))
            except CallFailedError as error:
                if error.reason not in ("stream_ended", "stream_not_found"):
                    raise
                self.stream = await self._circuit.call(
                    lambda: self._client.start_stream(self._device_id, want.fields())
                )

    async def _end(self) -> None:
        if self._is_clear:
            return
        ids = [self.stream.id] if self.stream is not None else await self._left_behind()
        for stream_id in ids:
            try:
                await self._circuit.call(lambda: self._client.stop_stream(stream_id))  # noqa: B023 - it is awaited here
            except CallFailedError as error:
                if error.trouble is not Trouble.REJECTED:
                    raise
                log.warning("stream_end_failed", code=error.reason, message=str(error))
        self.stream, self._is_clear = None, True

    async def _left_behind(self) -> list[str]:
        streams = await self._circuit.call(lambda: self._client.active_streams(self._device_id))
        return [stream.id for stream in streams]


def _wanted(session: SessionSnapshot) -> Wanted:
    # The limits of `/start` now; a session that an older version saved may exceed them.
    seen = (c for c in session.title or "" if c in "\u200c\u200d" or unicodedata.category(c) not in ("Cf", "Co"))
    title = " ".join("".join(seen).split())[:TITLE_LIMIT]
    return Wanted(_public(session.url), title or None, session.quality.value, session.session_id)


def _public(url: str) -> str:
    """The address without user name and password, because whoever knows the code sees it."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")  # udp://@239.0.0.1:5004 has nobody before its @: that means to listen
    return urlunsplit(parts._replace(netloc=host) if user else parts)[:URL_LIMIT]
