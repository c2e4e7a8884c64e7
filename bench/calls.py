"""Calls to the agent as `curl` makes them: each on a new connection, timed from before it is opened."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any

ANSWER_S = 15.0
"""Longer than the agent may think about any call that the bench makes (`?wait=10`)."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: dict[str, Any]
    seconds: float
    """The time from before the connection was opened until the whole answer was there."""


class Call:
    """A call that has been sent and whose answer is still to come."""

    def __init__(self, port: int, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: */*\r\nConnection: close\r\n"
        self._began = time.perf_counter()
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S)
        try:
            self._socket.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        except OSError:
            self._socket.close()
            raise

    def __enter__(self) -> Call:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def answer(self) -> Answer:
        """Wait for the answer. Raises OSError when there is none within ANSWER_S, ValueError when it is not HTTP."""
        with self._socket, self._socket.makefile("rb") as stream:
            status = int(stream.readline().split()[1])
            length = 0
            while (line := stream.readline().strip()) != b"":
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            text = stream.read(length)
            seconds = time.perf_counter() - self._began
        return Answer(status, json.loads(text), seconds)


def call(port: int, method: str, path: str, body: dict[str, Any] | None = None) -> Answer:
    """Make a call and wait for its answer. Raises OSError, ValueError."""
    with Call(port, method, path, body) as sent:
        return sent.answer()
