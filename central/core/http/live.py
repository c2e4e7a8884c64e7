"""Replies that are sent as they come: bounded by how fast the caller reads, its right to be here, and our end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import structlog
from aiohttp import WSCloseCode, WSMsgType, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp_sse import EventSourceResponse

from central.core.errors import CentralError, MissingError, OverloadedError, UnavailableError
from central.core.http.problems import REQUEST_ID
from central.core.replies import EventsReply, FileReply, LiveReply, SocketReply, StreamReply

log = structlog.stdlib.get_logger(__name__)

LIVE_LIMIT: Final = 10_000
"""The limit for live replies at once: each keeps a connection, and there are 65,536 descriptors for all that is
open."""

HEARTBEAT_S: Final = 15.0
"""Proxies cut what is silent for 60 s."""

SEND_TIMEOUT_S: Final = 20.0
"""The longest wait for the caller to take the data: a caller that does not is cut off."""

SLOWEST_BPS: Final = 10_000
"""Bytes of a file a second: who is slower keeps a descriptor for too long."""

LOOK_EVERY_S: Final = 10.0
"""The interval at which it is checked that a caller is still connected and still has access."""

MESSAGE_LIMIT: Final = 64 * 1024
"""Bytes of one message over a WebSocket, where the call sets no limit."""

CLOSE_S: Final = 2.0
"""The longest wait for the caller to close a WebSocket, too."""

BEGAN: Final = web.RequestKey("began", float)
"""The start of a live reply, by `time.perf_counter`: the length of a reply says nothing about how quickly we answer."""

Admit = Callable[[], Awaitable[object]]
"""A check that raises CentralError when the caller has lost access."""


class Live:
    """All live replies of one application."""

    def __init__(self) -> None:
        self._open: set[asyncio.Timeout] = set()

    async def serve(
        self, request: web.Request, reply: LiveReply, admit: Admit, *, message_limit: int | None
    ) -> web.StreamResponse:
        """Answer until there is no more to say. Raises OverloadedError when too many are served already, MissingError
        for a file that is not there."""
        if len(self._open) >= LIVE_LIMIT:
            raise OverloadedError("More callers listen here already than can be served. Try again later.")
        answer, limit_s = await _answer_to(request, reply, message_limit or MESSAGE_LIMIT)
        if request.method == "HEAD" and not isinstance(reply, FileReply):
            return web.Response(headers=answer.headers)
        scope = asyncio.timeout(limit_s)
        self._open.add(scope)
        is_whole = False
        try:
            async with scope, _watched(request, scope, admit):
                request[BEGAN] = time.perf_counter()
                await answer.prepare(request)
                await _say(reply, answer)
                is_whole = True
        except Exception as error:
            if not answer.prepared:
                raise
            if not scope.expired() and not isinstance(error, ConnectionError):
                log.exception("reply_failed", path=_path(request))
        finally:
            self._open.discard(scope)
        await _hang_up(request, answer, is_whole=is_whole)
        return answer

    async def end(self, _app: web.Application) -> None:
        """End all live replies when the service stops."""
        for scope in tuple(self._open):
            if not scope.expired():  # one that is ending cannot be ended once more
                scope.reschedule(0.0)


class _SentFile(web.FileResponse):
    """A file, which is sent once: aiohttp prepares anew what a handler answers with, and failed at that."""

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        return None if self.prepared else await super().prepare(request)


class _Talk:
    """A WebSocket as handlers have it: text alone."""

    def __init__(self, answer: web.WebSocketResponse) -> None:
        self._answer = answer

    async def send(self, text: str) -> None:
        await _taken(self._answer.send_str(text))

    async def __aiter__(self) -> AsyncIterator[str]:
        async for message in self._answer:
            if message.type is not WSMsgType.TEXT:
                return
            yield message.data


async def _answer_to(
    request: web.Request, reply: LiveReply, message_limit: int
) -> tuple[web.StreamResponse, float | None]:
    """The response for a reply, and the seconds that it may take; None for no limit."""
    headers = {"X-Request-ID": request[REQUEST_ID], "X-Content-Type-Options": "nosniff"}
    match reply:
        case FileReply(path=path):
            try:
                size = (await asyncio.to_thread(path.stat)).st_size
            except FileNotFoundError as error:
                raise MissingError("This is not there any more.") from error
            headers |= {"Content-Type": reply.content_type, **reply.headers}
            return _SentFile(path, headers=headers), SEND_TIMEOUT_S + size / SLOWEST_BPS
        case StreamReply():
            headers |= {"Content-Type": reply.content_type, "Cache-Control": "no-store", **reply.headers}
            return web.StreamResponse(headers=headers), None
        case EventsReply():
            return EventSourceResponse(headers=headers, ping_interval=HEARTBEAT_S, send_timeout=SEND_TIMEOUT_S), None
        case SocketReply():
            return web.WebSocketResponse(heartbeat=HEARTBEAT_S, timeout=CLOSE_S, max_msg_size=message_limit), None


async def _say(reply: LiveReply, answer: web.StreamResponse) -> None:
    """All that is to be said, to an answer that has begun; a file was sent when it did."""
    match reply, answer:
        case StreamReply(), _:
            async with contextlib.aclosing(reply.chunks):
                async for chunk in reply.chunks:
                    await _taken(answer.write(chunk))
        case EventsReply(), EventSourceResponse():
            async with answer, contextlib.aclosing(reply.events):
                async for event in reply.events:
                    await _taken(answer.send(event.data, id=event.id, event=event.kind))
        case SocketReply(), web.WebSocketResponse():
            await reply.talk(_Talk(answer))


async def _hang_up(request: web.Request, answer: web.StreamResponse, *, is_whole: bool) -> None:
    """Cut the connection of a caller that would take a part for the whole, or that does not read."""
    try:
        if isinstance(answer, web.WebSocketResponse):
            async with asyncio.timeout(2 * CLOSE_S):  # for our word, and for the caller's
                await answer.close(code=WSCloseCode.OK if is_whole else WSCloseCode.GOING_AWAY)
    except TimeoutError:
        is_whole = False
    finally:
        if not is_whole and request.transport is not None:
            request.transport.abort()


async def _taken(sending: Awaitable[None]) -> None:
    """Await a write. Raises ConnectionError if the caller does not read."""
    try:
        async with asyncio.timeout(SEND_TIMEOUT_S):
            await sending
    except TimeoutError as error:
        raise ConnectionError("the caller does not read") from error


@contextlib.asynccontextmanager
async def _watched(request: web.Request, scope: asyncio.Timeout, admit: Admit) -> AsyncIterator[None]:
    """End the reply when its caller has gone, or is not let in any more."""

    async def watch() -> None:
        try:
            while request.transport is not None:
                await asyncio.sleep(LOOK_EVERY_S)
                with contextlib.suppress(UnavailableError):  # a missing database ends no reply
                    await admit()
        except CentralError as error:
            log.info("reply_ended", path=_path(request), code=error.code.value)
        except Exception:
            log.exception("reply_failed", path=_path(request))
        scope.reschedule(0.0)

    task = asyncio.create_task(watch(), name="reply-watch")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _path(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else ""
