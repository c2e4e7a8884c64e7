"""How the application is served: limits of a connection, and answers to what is not HTTP at all."""

from __future__ import annotations

from typing import Any, Final

import structlog
from aiohttp import web
from aiohttp.web import BaseRequest, RequestHandler, RequestPayloadError, Server

from agent.frontends.http.problems import problem
from agent.types import ErrorCode

log = structlog.get_logger(__name__)

KEEPALIVE_S: Final = 75.0
"""Also bounds how long a new connection may take to send its headers. Home Assistant polls every 30 or 60 s."""

LINGER_S: Final = 2.0
"""How long the rest of a refused body is read, so that the caller sees the answer and not a reset."""

SHUTDOWN_S: Final = 0.5
"""How long answers under way may take at the end, and twice that when their caller does not read them; the whole
daemon has 5 s to stop."""


class ApiRunner(web.AppRunner):
    """Runs the application with our limits. aiohttp's own access log is off: the app writes its own line."""

    __slots__ = ()

    def __init__(self, app: web.Application) -> None:
        super().__init__(
            app,
            access_log=None,
            keepalive_timeout=KEEPALIVE_S,
            lingering_time=LINGER_S,
            shutdown_timeout=SHUTDOWN_S,
        )

    async def _make_server(self) -> Server:
        # There is no public way to say which class handles a connection; test_api_server notices a change here.
        server = await super()._make_server()
        return _Server(
            server.request_handler,
            request_factory=server.request_factory,
            handler_cancellation=server.handler_cancellation,
            loop=server._loop,
            **server._kwargs,
        )


class _Server(Server):
    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(RequestHandler):
    __slots__ = ()

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What aiohttp calls when it cannot make sense of the bytes, or when the app itself breaks."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer had begun already")
        if status < 500:
            # No text of the exception: it repeats what was sent, and that may hold a password.
            log.info("request", method=None, path=None, status=status, peer=request.remote)
            detail = "The request is not valid HTTP: its first line or its headers are broken or too long."
            answer = problem(request, ErrorCode.INVALID_REQUEST, detail, status=status)
        else:
            log.error("request_failed", peer=request.remote, exc_info=exc)
            answer = problem(request, ErrorCode.INTERNAL, "Something went wrong inside the agent; see its log.")
        answer.force_close()
        return answer

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """aiohttp reads on after an answer, and takes a body that turns out broken for a mistake of ours."""
        if isinstance(kw.get("exc_info"), RequestPayloadError):
            log.debug("request_body_broken")
        else:
            super().log_exception(*args, **kw)
