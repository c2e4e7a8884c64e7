"""The server of an application: limits of a connection, and answers to what is not HTTP at all."""

from __future__ import annotations

from typing import Any, Final

import structlog
from aiohttp import HttpVersion11, web
from aiohttp.web import BaseRequest, RequestHandler, RequestPayloadError, Server

from cast_http.problems import Problems

log = structlog.get_logger(__name__)

KEEPALIVE_S: Final = 75.0
"""Seconds for which an unused connection is kept: longer than the intervals of regular callers. Home Assistant polls
every 30 or 60 s, and boxes send heartbeats. Also bounds how long a new connection may take to send its headers."""

LINGER_S: Final = 2.0
"""The time for which the rest of a refused body is read, so that the caller sees the answer and not a reset."""


class ApiRunner(web.AppRunner):
    """Runs an application with our limits. aiohttp's own access log is off: the application writes its own line.

    `shutdown_s` is how long answers under way may take at the end, and twice that when their caller does not read
    them.
    """

    __slots__ = ("_problems",)

    def __init__(self, app: web.Application, *, problems: Problems, shutdown_s: float) -> None:
        super().__init__(
            app,
            access_log=None,
            keepalive_timeout=KEEPALIVE_S,
            lingering_time=LINGER_S,
            shutdown_timeout=shutdown_s,
        )
        self._problems = problems

    async def _make_server(self) -> Server:
        # There is no public way to say which class handles a connection; tests of both services notice a change here.
        server = await super()._make_server()
        return _Server(
            self._problems,
            server.request_handler,
            request_factory=server.request_factory,
            handler_cancellation=server.handler_cancellation,
            loop=server._loop,
            **server._kwargs,
        )


class _Server(Server):
    def __init__(self, problems: Problems, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._problems = problems

    def __call__(self) -> RequestHandler:
        return _Connection(self._problems, self, loop=self._loop, **self._kwargs)


class _Connection(RequestHandler):
    __slots__ = ("_problems",)

    def __init__(self, problems: Problems, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._problems = problems

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer if aiohttp cannot parse the bytes, or if the application itself breaks."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer had begun already")
        if status < 500:
            # No text of the exception: it repeats what was sent, and that may hold a password or a token.
            log.info("request_completed", method=None, path=None, status=status, peer=request.remote)
        else:
            log.error("request_failed", peer=request.remote, exc_info=exc)
        return self._problems.of_broken(request, status)

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """aiohttp reads on after an answer, and takes a body that turns out broken for a mistake of ours."""
        if isinstance(kw.get("exc_info"), RequestPayloadError):
            log.debug("request_body_broken")
        else:
            super().log_exception(*args, **kw)


async def expect(request: web.Request) -> None:
    """Let the body come when the caller waits for our word; overlook other expectations, as RFC 9110 10.1.1 allows.

    aiohttp's own handler refuses those with a plain text, before errors are made into problems.
    """
    if request.version == HttpVersion11 and request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # The answer itself has not begun.
        request.writer.output_size = 0
