"""MediaMTX as its publishers meet it, for the tests that have no real one: what it asks, in which order, and when it
tells. Seen in version 1.20.1 (with ffmpeg 5.1 publishing, and a WHIP client by hand) unless another is named.

What takes time there and not here:

- Who shows something wrong waits for its refusal for a random time of up to 4 s (since 1.19.1; before that always 2 s).
  Who shows nothing over RTSP or WHIP is refused at once, because that is how they are asked.
- A publisher that is killed is gone within 10 ms over RTSP and RTMP. Over SRT it takes 10 s, because there is no
  connection that its system could close.
- An RTMP stream is ready about 2 s after its publisher was let in: its tracks have to be found out.
- Over HLS the first viewer of the default variant gets a list of six gaps (`EXT-X-GAP`, `gap.mp4`, which answers 401)
  and one segment; see `tests.support.gap_hls`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from aiohttp import ClientSession

from tests.central.support.mediamtx import FakeControlApi, fake_control_api

KINDS = {"rtsp": "rtspSession", "rtmp": "rtmpConn", "srt": "srtConn", "webrtc": "webRTCSession"}


@dataclass
class Connection:
    """A publisher that was let in."""

    protocol: str
    path: str
    id: str
    hook: asyncio.Task[None] | None = None
    """The command that tells that it can be viewed."""


@dataclass
class FakeMediaMtx:
    """Asks `central` about publishers, and runs the hooks of the example if it has them."""

    control: FakeControlApi
    session: ClientSession
    central: str = ""
    hooks: bool = True
    asked: list[dict[str, Any]] = field(default_factory=list)
    """The bodies of its questions."""

    async def publish(self, protocol: str, path: str, key: str) -> Connection | None:
        """Show the key in the way of the protocol. None when it was refused."""
        connection = Connection(protocol, path, str(uuid4()))
        for body in questions(connection, key):
            status = await self._ask(body)
        if status != 200 or path in self.control.paths:  # overridePublisher is false
            return None
        self.control.put_on(path, connection.id, KINDS[protocol])
        connection.hook = self._tell("ready", connection)
        return connection

    async def drop(self, connection: Connection) -> None:
        """It is gone, and that has been noticed. A `ready` that is still under way is ended with SIGINT; the other
        command is started at once, and waits for nothing."""
        self.control.paths.pop(connection.path, None)
        if connection.hook is not None and not connection.hook.done():
            connection.hook.cancel()
        if (told := self._tell("not-ready", connection)) is not None:
            await told

    async def settle(self, connection: Connection) -> None:
        """Its hook has told."""
        if connection.hook is not None:
            await asyncio.wait([connection.hook])

    async def _ask(self, body: dict[str, Any]) -> int:
        self.asked.append(body)
        async with self.session.post(f"{self.central}/auth", json=body) as answer:
            return answer.status

    def _tell(self, what: str, connection: Connection) -> asyncio.Task[None] | None:
        """Call a hook like curl does, whose exit code nobody looks at."""
        form = {
            "path": connection.path,
            "source_type": KINDS[connection.protocol],
            "source_id": connection.id,
        }

        async def call() -> None:
            async with self.session.post(f"{self.central}/webhook/{what}", data=form):
                pass

        return asyncio.create_task(call(), name=f"hook {what}") if self.hooks else None


def questions(connection: Connection, key: str) -> list[dict[str, Any]]:
    """The questions to `/auth` until such a publisher is on, in this order; every question has all of these fields."""
    user, password, token, query, agent = "any", key, key, "", "Lavf59.27.100"
    match connection.protocol:
        case "rtmp":  # the query stays what it was
            query, agent = f"user=any&pass={key}", "FMLE/3.0 (compatible; Lavf59.27.100)"
        case "srt":
            agent = ""
        case "webrtc":  # a token is no password
            user, password, agent = "", "", "Mozilla/5.0"
    plain = {
        "ip": "192.0.2.7",
        "action": "publish",
        "path": connection.path,
        "protocol": connection.protocol,
        "id": connection.id,
        "query": query,
        "userAgent": agent,
    }
    shown = plain | {"user": user, "password": password, "token": token}
    nothing = plain | {"user": "", "password": "", "token": ""}
    match connection.protocol:
        case "rtsp":  # it has to be asked for credentials first; the connection is the same
            return [nothing, shown]
        case "webrtc":  # a browser asks with OPTIONS before it posts, and there is no session then
            return [shown | {"id": None}, shown]
    return [shown]


@contextlib.asynccontextmanager
async def fake_mediamtx(*, hooks: bool = True) -> AsyncIterator[FakeMediaMtx]:
    """With its control API served; give it the address of central before somebody publishes."""
    async with fake_control_api() as control, ClientSession() as session:
        yield FakeMediaMtx(control, session, hooks=hooks)
