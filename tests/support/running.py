"""Things that run while in a `with`: a program, a thread, a server before another."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Self

LEAVES_S = 5.0
"""A thread that is told to end looks many times a second."""

PIECE_BYTES = 64 * 1024


class Started(ABC):
    """A program or a server: started when the `with` is entered, and stopped, also when it does not start."""

    @abstractmethod
    def start(self) -> None:
        """Return when it can be used."""

    @abstractmethod
    def stop(self) -> None:
        """End it and forget it. Idempotent."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class Beside(ABC):
    """Work in a thread of its own, until the `with` is left."""

    def __init__(self, name: str) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    @abstractmethod
    def _work(self) -> None:
        """Do it until `_over` is set."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(LEAVES_S)
        assert not self._thread.is_alive(), f"the thread {self._thread.name} does not end"


class Front(ABC):
    """A TCP server on a free port of 127.0.0.1, in front of the one that has the port `before`."""

    def __init__(self, name: str, *, before: int, context: ssl.SSLContext | None = None) -> None:
        """With a `context` it speaks TLS to its clients."""
        self.port = 0
        self.before = before
        self._context = context
        self._carrying: set[asyncio.Task[None]] = set()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name=name, daemon=True)

    @abstractmethod
    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, and close it."""

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._listening.wait(LEAVES_S), f"{self._thread.name} does not listen"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._serving.cancel)
        self._thread.join(LEAVES_S)
        assert not self._thread.is_alive(), f"the thread {self._thread.name} does not end"

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._serving = asyncio.create_task(asyncio.Event().wait())
        server = await asyncio.start_server(self._take, "127.0.0.1", 0, ssl=self._context)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        with contextlib.suppress(asyncio.CancelledError):
            await self._serving
        server.close()
        for task in list(self._carrying):
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._carry(reader, writer))
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)
        task.add_done_callback(lambda ended: writer.close())  # one that is cancelled before it began closes nothing


async def pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: Callable[[int], object] = lambda count: None
) -> None:
    """Carry everything from one to the other until either is closed; `seen` is told how many bytes came."""
    with contextlib.suppress(OSError):
        while data := await reader.read(PIECE_BYTES):
            seen(len(data))
            writer.write(data)
            await writer.drain()
