"""A stretch of bad network: a TCP proxy in front of the real central API that can be told what to do to it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.support.running import LEAVES_S, PIECE_BYTES, Front, pump


@dataclass(frozen=True)
class Fault:
    """The fault of a connection. Without any it is carried to the server."""

    answer: bytes | None = None
    """Sent after the request, instead of carrying it; then it is closed."""
    delay_s: float = 0.0
    """Before the first byte of an answer."""
    silent: bool = False
    """Taken, and never a word."""
    reset: bool = False
    """Reset as soon as something is sent."""
    cut_answer: bool = False
    """The request is carried and the answer is not: it is closed instead."""


def http(status: int, body: str = "", **headers: str) -> Fault:
    """An answer of somebody in between, or of the server itself, as it is written."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body.encode())}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return Fault(answer=("\r\n".join(lines) + "\r\n\r\n" + body).encode())


FINE = Fault()
BLACK_HOLE = Fault(silent=True)
GARBAGE = Fault(answer=b"\x00\x01SSH-2.0-nonsense\r\n\r\n" * 10)


class Proxy(Front):
    """`with Proxy(before=port) as proxy: proxy.url`. A new fault ends the connections that there are."""

    def __init__(self, *, before: int) -> None:
        super().__init__("proxy", before=before)
        self.connections = 0
        """Taken so far."""
        self._fault = FINE

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def fault(self) -> Fault:
        return self._fault

    @fault.setter
    def fault(self, fault: Fault) -> None:
        def change() -> None:
            self._fault = fault
            for task in self._carrying:
                task.cancel()

        self._call(change)

    def _call(self, work: Callable[[], object]) -> None:
        done = threading.Event()

        def run() -> None:
            work()
            done.set()

        self._loop.call_soon_threadsafe(run)
        assert done.wait(LEAVES_S)

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        super()._take(reader, writer)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fault = self._fault
        try:
            with contextlib.suppress(OSError):
                if fault.silent:
                    await asyncio.Event().wait()
                elif fault.reset:
                    await reader.read(1)
                    linger: Any = struct.pack("ii", 1, 0)
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                elif fault.answer is not None:
                    await reader.read(PIECE_BYTES)
                    await asyncio.sleep(fault.delay_s)
                    writer.write(fault.answer)
                    await writer.drain()
                else:
                    await self._through(reader, writer, fault)
        finally:
            writer.transport.abort() if fault.reset or fault.silent else writer.close()

    async def _through(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self.before)
        ways = [asyncio.create_task(pump(reader, to_server))]
        try:
            if fault.delay_s or fault.cut_answer:
                first = await from_server.read(PIECE_BYTES)
                if fault.cut_answer:
                    return
                await asyncio.sleep(fault.delay_s)
                writer.write(first)
            ways.append(asyncio.create_task(pump(from_server, writer)))
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            to_server.transport.abort()  # first: who is cancelled once more comes no further than the next wait
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
