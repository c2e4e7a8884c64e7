"""The ways in which an answer of the media server goes wrong, and the writer that makes it so."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from aiohttp import web

PIECE = 16 * 1024
LOOK_AGAIN_S = 0.02
"""The interval at which a body that is held looks whether the test, in another thread, wants it to go on."""
PACE_S = 0.1
"""The interval between two pieces of a body that has a `rate`."""
TRICKLE_S = 0.25
"""The pause between two bytes of a trickle: four bytes a second keep every read time-out from firing."""


class Then(StrEnum):
    """The fate of a body once its time or its bytes are over."""

    PLAY = "play"
    """The body is sent whole."""
    HOLD = "hold"
    """The connection stays open and nothing more is sent."""
    TRICKLE = "trickle"
    """A few bytes a second."""
    END = "end"
    """An orderly end, as if there were no more."""
    CLOSE = "close"
    """The connection is closed in the middle (FIN)."""
    RESET = "reset"
    """The connection is reset in the middle (RST)."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """The behaviour of the server towards one request. The default is to answer well."""

    status: int | None = None
    """This HTTP status, with a short text, instead of the answer."""
    never: bool = False
    """Accept the request and never answer."""
    delay_s: float = 0.0
    """Wait so long before answering."""
    rate: float | None = None
    """Bytes a second at most."""
    then: Then = Then.PLAY
    after_s: float = 0.0
    """`then` begins so many seconds into the body ..."""
    after_bytes: int = 0
    """... and not before so many bytes of it."""

    def with_query(self, request: web.Request) -> Behaviour:
        """This behaviour, with what the URL asks for: `?then=hold&after=2.5&after_bytes=9000&delay=1&rate=20000`."""
        query = request.query
        asked = self
        if "then" in query:
            asked = replace(asked, then=Then(query["then"]))
        if "after" in query:
            asked = replace(asked, after_s=float(query["after"]))
        if "after_bytes" in query:
            asked = replace(asked, after_bytes=int(query["after_bytes"]))
        if "delay" in query:
            asked = replace(asked, delay_s=float(query["delay"]))
        if "rate" in query:
            asked = replace(asked, rate=float(query["rate"]))
        return asked


GOOD = Behaviour()


@dataclass(slots=True)
class Record:
    """One request as the server saw it. `sent` counts the bytes of the body and grows while it is sent."""

    path: str
    query: str
    method: str
    headers: dict[str, str]
    at: float
    """Monotonic time of its arrival."""
    status: int | None = None
    """None until it is answered."""
    sent: int = 0
    finished_at: float | None = None
    """Monotonic time at which the answer was over, in whichever way; None while it is being sent."""


@dataclass(slots=True)
class BodyWriter:
    """Sends one body, obeying a behaviour that may change at any moment."""

    request: web.Request
    record: Record
    behaviour: Callable[[], Behaviour]
    """The behaviour that the test wants now."""
    _usual: Behaviour = GOOD
    _began: float = field(default_factory=time.monotonic)

    async def send(
        self,
        pieces: AsyncIterable[bytes],
        *,
        content_type: str,
        length: int | None = None,
        status: int = 200,
        headers: dict[str, str] | None = None,
        usual: Behaviour = GOOD,
    ) -> web.StreamResponse:
        """Send `pieces`, behaving as `usual` unless the test wants otherwise; a live stream has no `length`."""
        self._usual = usual
        response = web.StreamResponse(status=status, headers=headers)
        response.content_type = content_type
        response.content_length = length
        self.record.status = status
        await response.prepare(self.request)
        if self.request.method == "HEAD":
            return response
        self._began = time.monotonic()
        # The client may leave at any moment: that is not the server's error.
        with contextlib.suppress(ConnectionResetError):
            async for piece in pieces:
                for at in range(0, len(piece), PIECE):
                    if not await self._write(response, piece[at : at + PIECE]):
                        return response
        return response

    async def _write(self, response: web.StreamResponse, data: bytes) -> bool:
        """Write all of `data`, or return False when the body is to end here."""
        while data:
            behaviour = self.behaviour()
            if behaviour.then is Then.PLAY:
                behaviour = replace(self._usual, rate=behaviour.rate)
            free = len(data)
            if behaviour.then is not Then.PLAY:
                free = max(0, behaviour.after_bytes - self.record.sent)
                if free == 0 and time.monotonic() - self._began < behaviour.after_s:
                    free = len(data)
            if free == 0:
                if behaviour.then is Then.END:
                    return False
                if behaviour.then in (Then.CLOSE, Then.RESET):
                    await self._break(reset=behaviour.then is Then.RESET)
                if behaviour.then is Then.HOLD:
                    await asyncio.sleep(LOOK_AGAIN_S)
                    continue
                await asyncio.sleep(TRICKLE_S)
                free = 1
            if behaviour.rate is not None:
                free = min(free, max(1, round(behaviour.rate * PACE_S)))
            now, data = data[:free], data[free:]
            await response.write(now)
            self.record.sent += len(now)
            if behaviour.rate is not None:
                await asyncio.sleep(len(now) / behaviour.rate)
        return True

    async def _break(self, *, reset: bool) -> None:
        transport = self.request.transport
        if transport is not None and reset:
            raw: socket.socket = transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        elif transport is not None:
            transport.close()
        # The closed connection cancels this handler; returning would write the end of the body.
        await asyncio.sleep(5.0)
        raise ConnectionAbortedError


WRITER = web.RequestKey("writer", BodyWriter)
"""The key under which the server puts the writer that sends a body and obeys the test."""
