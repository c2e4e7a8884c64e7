"""RTSP over TLS for mpv, with the certificate checked.

FFmpeg gives the connection of an rtsps address no options (libavformat/rtsp.c), so it takes any certificate, whatever
mpv is told. Here the daemon makes that connection, checked against the system's authorities and the name in the
address, and mpv speaks plain RTSP to a port of this machine. Nothing in between is looked at or changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

from agent.player.mpv.reasons import no_connection
from agent.types import Failure

DEFAULT_PORT = 322
"""Of rtsps, by IANA and FFmpeg."""

CONNECTIONS_AT_ONCE = 4
"""mpv holds one; another while it opens the address again. A port of this machine is open to its other users."""

HANDSHAKE_TIMEOUT_S = 60.0
"""Only against what hangs for ever: start_timeout decides, and ends the player."""

_PIECE_BYTES = 64 * 1024


class TlsRelay:
    """A port of this machine behind which is the server of an rtsps address. `failed` is told why it cannot be."""

    def __init__(self, url: str, *, failed: Callable[[Failure], None]) -> None:
        self._url = url
        self._parts = urlsplit(url)
        self._failed = failed
        self._server: asyncio.Server | None = None
        self._carrying: set[asyncio.Task[None]] = set()

    async def open(self) -> str:
        """Take connections from now on; the address for mpv, with the user, password and path of the other."""
        context = await asyncio.to_thread(ssl.create_default_context)  # reads a file of 200 KB: 20 ms

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if len(self._carrying) >= CONNECTIONS_AT_ONCE:
                writer.transport.abort()
                return
            task = asyncio.create_task(self._carry(reader, writer, context), name="tls-relay")
            self._carrying.add(task)
            task.add_done_callback(self._carrying.discard)

        self._server = await asyncio.start_server(accept, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        userinfo, at, _ = self._parts.netloc.rpartition("@")
        return urlunsplit(self._parts._replace(scheme="rtsp", netloc=f"{userinfo}{at}127.0.0.1:{port}"))

    async def serve(self) -> None:
        """Until it is cancelled; then the port and every connection are closed."""
        try:
            await asyncio.Event().wait()
        finally:
            if self._server is not None:
                self._server.close()
            for task in list(self._carrying):
                task.cancel()
            await asyncio.gather(*self._carrying, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext) -> None:
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
                from_camera, to_camera = await asyncio.open_connection(
                    self._parts.hostname,
                    self._parts.port or DEFAULT_PORT,
                    ssl=context,
                    ssl_handshake_timeout=HANDSHAKE_TIMEOUT_S,
                )
        except (OSError, TimeoutError) as e:
            self._failed(no_connection(e, self._url))
            writer.transport.abort()
            return
        except BaseException:
            writer.transport.abort()
            raise
        ways = {
            asyncio.create_task(_pump(reader, to_camera), name="tls-relay-out"),
            asyncio.create_task(_pump(from_camera, writer), name="tls-relay-in"),
        }
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)  # RTSP knows no half of a connection
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            to_camera.transport.abort()
            with contextlib.suppress(OSError):
                writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):  # ssl.SSLError is one; the connection ends then, and mpv says what that means
        while data := await reader.read(_PIECE_BYTES):
            writer.write(data)
            await writer.drain()
