"""A receiver of webhooks, in threads of its own: it checks signatures with the library of Standard Webhooks, and can
answer in every way that receivers do."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from standardwebhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PATH = "/api/webhook/geheim"


@dataclass(frozen=True)
class Answer:
    """The answer to a request."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    endless: str = ""
    """`body` or `headers`: one that never ends, a byte after the other."""
    silent: bool = False
    """True if it never says a word."""


@dataclass(frozen=True)
class Got:
    """A request that came."""

    at: float
    """The time of the monotonic clock."""
    headers: Mapping[str, str]
    body: dict[str, Any]

    @property
    def kind(self) -> str:
        return str(self.body["type"])

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


class Receiver:
    """`with Receiver() as receiver: receiver.url`. With a secret, what is not signed with it gets a 400. After a
    stop it can be started again, on the same port."""

    def __init__(self, *, secret: str | None = None) -> None:
        self.secret = secret
        self.port = 0
        self.answer = Answer()
        """The answer to all requests after `first`."""
        self.first: deque[Answer] = deque()
        self.got: list[Got] = []
        """Whatever the answer was."""
        self.others: list[str] = []
        """Methods and paths of other requests than a webhook."""
        self._connections: set[socket.socket] = set()
        self._over = threading.Event()
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PATH}"

    @property
    def kinds(self) -> list[str]:
        """The kinds of all events that came, repeats included."""
        return [got.kind for got in self.got]

    def start(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                receiver._connections.add(self.connection)

            def finish(self) -> None:
                receiver._connections.discard(self.connection)
                with contextlib.suppress(OSError):
                    super().finish()

            def do_POST(self) -> None:
                receiver._take(self)

            def do_OPTIONS(self) -> None:
                receiver._other(self)

            def log_message(self, *args: Any) -> None:
                """Do nothing: there is no need for another log."""

        self._over.clear()
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), name="receiver", daemon=True).start()

    def stop(self) -> None:
        """End it, and all connections. Idempotent."""
        server, self._server = self._server, None
        if server is None:
            return
        self._over.set()
        server.shutdown()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        server.server_close()

    def __enter__(self) -> Receiver:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _take(self, handler: BaseHTTPRequestHandler) -> None:
        content = handler.rfile.read(int(handler.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        answer = self.first.popleft() if self.first else self.answer
        if handler.path != PATH:
            self.others.append(f"POST {handler.path}")
            answer = Answer(404)
        elif self.secret is not None:
            try:
                Webhook(self.secret).verify(content, headers)
            except Exception:
                answer = Answer(400)
        self.got.append(Got(time.monotonic(), headers, json.loads(content)))
        self._send(handler, answer)

    def _other(self, handler: BaseHTTPRequestHandler) -> None:
        self.others.append(f"{handler.command} {handler.path}")
        self._send(handler, self.answer)

    def _send(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        if answer.silent:
            self._over.wait()
            return
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        if answer.endless:
            handler.close_connection = True
        else:
            handler.send_header("Content-Length", "0")
        if answer.endless != "headers":
            handler.end_headers()
        else:
            handler.flush_headers()
        with contextlib.suppress(OSError):
            while answer.endless and not self._over.wait(0.01):
                handler.wfile.write(b"X: x\r\n" if answer.endless == "headers" else b"x")
