"""Live sources that lose their power and get it back, or fall silent."""

from __future__ import annotations

import time
from typing import Protocol
from urllib.parse import urlsplit

from bench.media import MediaProcess, Stream
from tests.support.rtsp_server import RtspServer


class LiveSource(Protocol):
    """A live source that a player has to stay with."""

    name: str
    stream: Stream

    def lose_power(self) -> None:
        """Its connections break, and new ones are refused."""

    def regain_power(self) -> float:
        """The moment (monotonic) from which on it takes connections again, at its old address."""

    def silence(self, silent: bool) -> None:
        """It sends nothing more, or goes on; its connections stay."""


class Camera:
    """An RTSP camera that runs: a key frame each second, wherever in between somebody comes."""

    name = "RTSP camera"
    path = "/red/running"

    def __init__(self, server: RtspServer) -> None:
        self.stream = Stream(server.url(self.path), "red")
        self._server = server

    def lose_power(self) -> None:
        self._server.kill()

    def regain_power(self) -> float:
        self._server.start(port=self._server.port)
        return time.monotonic()

    def silence(self, silent: bool) -> None:
        self._server.silence(self.path, silent)


class HttpSource:
    """A stream of a media server of its own."""

    def __init__(self, name: str, stream: Stream, server: MediaProcess) -> None:
        self.name = name
        self.stream = stream
        self._server = server
        self._address = urlsplit(stream.url)

    def lose_power(self) -> None:
        self._server.kill()

    def regain_power(self) -> float:
        assert self._address.port is not None
        self._server.start(port=self._address.port)
        return time.monotonic()

    def silence(self, silent: bool) -> None:
        self._server.silence(self._address.path, silent)
