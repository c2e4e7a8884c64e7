"""`GET /events`: what changes on the box, as server-sent events."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress
from typing import Final

from aiohttp import web
from aiohttp_sse import EventSourceResponse, sse_response

from agent.errors import AgentError
from agent.events.bus import Event, EventBus, SlowFollowerError, Subscription
from agent.frontends.http.answer import rfc3339
from agent.frontends.http.app_keys import REQUEST_ID
from agent.frontends.http.guard import admit
from agent.frontends.http.status import status_answer
from agent.types import ErrorCode
from cast_wire.storable import storable

CLIENTS_LIMIT: Final = 64
"""Open pages, dashboards and scripts at once: each costs a connection and at most QUEUE_LIMIT events."""

HEARTBEAT_S: Final = 15.0
"""A client that has heard nothing for longer may take the connection for lost."""

LOOK_EVERY_S: Final = 1.0
"""The interval at which it is checked that a client is still connected and its key is still valid."""

SEND_TIMEOUT_S: Final = 20.0
"""The longest wait for the client to take the data: a client that does not is cut off."""

RETRY_MS: Final = 1000
"""The pause after which a browser connects again."""

MADE_LIMIT: Final = 16
"""Messages that are kept for those who get them a little later: a start makes nine within a second."""


class TooManyClientsError(AgentError):
    """All places of followers are taken."""

    code = ErrorCode.TOO_MANY_CLIENTS


class Feed:
    """The bus as HTTP clients get it: numbered lines, each with the status as it is then, made once for all."""

    def __init__(self, bus: EventBus) -> None:
        self.bus: Final = bus
        self._made: tuple[int, str] = (-1, "")
        self._messages: dict[int, bytes] = {}
        """The newest, by the number of the event."""
        self.clients: set[asyncio.Task[object]] = set()

    def status(self, app: web.Application) -> str:
        """The body of `GET /status`; made anew after each event."""
        number, text = self._made
        if number != self.bus.last_id:
            text = status_answer(app).model_dump_json()
            self._made = self.bus.last_id, text
        return text

    def name(self, number: int) -> str:
        """The id of an event as clients see it: it tells runs of the agent apart."""
        return f"{self.bus.run}-{number}"

    def resume(self, last: str) -> Subscription | None:
        """Follow from the event after `last`; None when there is a gap."""
        run, _, number = last.partition("-")
        if run != self.bus.run or not re.fullmatch(r"[0-9]{1,15}", number):
            return None
        return self.bus.resume(int(number))

    def message(self, app: web.Application, event: Event) -> bytes:
        """One event as it is sent, the same bytes to all clients."""
        message = self._messages.get(event.id)
        if message is None:
            if len(self._messages) >= MADE_LIMIT:
                del self._messages[next(iter(self._messages))]
            name, data = self.name(event.id), self._data(app, event)
            message = f"id: {name}\r\nevent: {event.kind}\r\ndata: {data}\r\n\r\n".encode()
            self._messages[event.id] = message
        return message

    def _data(self, app: web.Application, event: Event) -> str:
        """JSON, in one line."""
        head = json.dumps(
            {
                "kind": event.kind,
                "session_id": event.session_id,
                "occurred_at": rfc3339(event.at.utc),
                "data": storable(dict(event.data)),
            }
        )
        return f'{head[:-1]}, "status": {self.status(app)}}}'


FEED: Final = web.AppKey[Feed]("feed")


async def events(request: web.Request) -> web.StreamResponse:
    """`GET /events`: a snapshot first, then each change with its id. With `Last-Event-ID` what was missed comes instead
    of the snapshot; where that is not known any more, `gap` and a snapshot."""
    feed = request.app[FEED]
    if len(feed.clients) >= CLIENTS_LIMIT:
        raise TooManyClientsError(
            f"{CLIENTS_LIMIT} clients follow /events already. Close pages and scripts that are not needed, or ask for "
            "/status instead."
        )
    task = asyncio.current_task()
    assert task is not None, "a request is handled in a task"
    feed.clients.add(task)
    follower: Subscription | None = None
    try:
        last = request.headers.get("Last-Event-ID", "")
        follower = feed.resume(last) if last else None
        headers = {"X-Request-ID": request[REQUEST_ID], "X-Content-Type-Options": "nosniff"}
        async with sse_response(
            request, ping_interval=HEARTBEAT_S, send_timeout=SEND_TIMEOUT_S, headers=headers
        ) as stream:
            with suppress(ConnectionResetError, TimeoutError):  # it hung up, or does not read
                if follower is None:
                    follower = feed.bus.subscribe()
                    if last:
                        await stream.send("{}", event="gap")
                    now = status_answer(request.app).model_dump_json()
                    await stream.send(now, id=feed.name(feed.bus.last_id), event="snapshot", retry=RETRY_MS)
                await _follow(request, feed, follower, stream)
        return stream
    finally:
        feed.clients.discard(task)
        if follower is not None:
            follower.close()


async def _follow(request: web.Request, feed: Feed, follower: Subscription, stream: EventSourceResponse) -> None:
    """Send events until the client is slow, gone, or not let in any more."""
    clock = asyncio.get_running_loop().time
    look_at = clock() + LOOK_EVERY_S
    while stream.is_connected():
        try:
            if clock() >= look_at:  # also while one event follows the other
                look_at = clock() + LOOK_EVERY_S
                if request.transport is None:
                    return
                admit(request)
            async with asyncio.timeout_at(look_at):
                batch = await follower.batch()
        except TimeoutError:
            continue
        except AgentError as error:
            await stream.send(json.dumps({"code": error.failure.code, "detail": str(error)}), event="closed")
            return
        except SlowFollowerError:
            await stream.send("{}", event="gap")
            return
        await _write(request, stream, b"".join(feed.message(request.app, event) for event in batch))


async def _write(request: web.Request, stream: EventSourceResponse, messages: bytes) -> None:
    """Write messages that came together in one piece, so that a browser takes them in at once. Raises
    ConnectionResetError, TimeoutError."""
    try:
        async with asyncio.timeout(SEND_TIMEOUT_S):
            await stream.write(messages)
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()  # else the end of the answer would wait for this client as well
        raise


async def end_followers(app: web.Application) -> None:
    """End all followers when the agent stops, so that none delays its end."""
    for task in tuple(app[FEED].clients):
        task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(0)
