"""RTSP by way of the daemon, where FFmpeg cannot do alone what is needed.

FFmpeg gives the connection of an rtsps address no options (libavformat/rtsp.c), so it takes any certificate, whatever
mpv is told. Here the daemon makes that connection, checked against the system's authorities and the name in the
address, and mpv speaks plain RTSP to a port of this machine. Of what goes through only the challenges of a server that
wants a password are changed (`challenges`).
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

from agent.host.trust import trusted
from agent.player.ffmpeg.challenges import Challenges
from agent.player.ffmpeg.reasons import no_connection, refused
from agent.types import Failure

RTSP_PROTOCOLS = "rtsp,tcp,udp,rtp,srtp"
"""The protocols that FFmpeg may follow from inside RTSP. TLS is not among them, because it would not check certificates
there."""

DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322}
"""The ports by IANA and FFmpeg."""

CONNECTIONS_AT_ONCE = 4
"""mpv holds one; another while it opens the address again. A port of this machine is open to its other users."""

HANDSHAKE_TIMEOUT_S = 60.0
"""A bound only against what hangs for ever: start_timeout decides, and ends the player."""

_PIECE_BYTES = 64 * 1024


class Relay:
    """A port of this machine behind which is the server of an rtsp or rtsps address. `failed` is told why it cannot be.

    `only_to_mend`: the password was refused without it, and is not told once more where nothing can be mended.
    """

    def __init__(self, url: str, *, failed: Callable[[Failure], None], only_to_mend: bool = False) -> None:
        self._url = url
        self._only_to_mend = only_to_mend
        self.unknown_digest = ""
        """The algorithm by which alone the server wants the password, where FFmpeg does not know it."""
        self._parts = urlsplit(url)
        self._failed = failed
        self._server: asyncio.Server | None = None
        self._carrying: set[asyncio.Task[None]] = set()

    async def open(self) -> str:
        """Take connections from now on; the address for mpv, with the user, password and path of the other."""
        context = None
        if self._parts.scheme == "rtsps":
            context = await asyncio.to_thread(trusted)

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if len(self._carrying) >= CONNECTIONS_AT_ONCE:
                writer.transport.abort()
                return
            task = asyncio.create_task(self._carry(reader, writer, context), name="relay")
            self._carrying.add(task)
            task.add_done_callback(self._carrying.discard)

        self._server = await asyncio.start_server(accept, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        userinfo, at, _ = self._parts.netloc.rpartition("@")
        return urlunsplit(self._parts._replace(scheme="rtsp", netloc=f"{userinfo}{at}127.0.0.1:{port}"))

    async def serve(self) -> None:
        """Serve until cancelled. Then the port and every connection are closed."""
        try:
            await asyncio.Event().wait()
        finally:
            if self._server is not None:
                self._server.close()
            for task in list(self._carrying):
                task.cancel()
            await asyncio.gather(*self._carrying, return_exceptions=True)

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext | None
    ) -> None:
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
                from_camera, to_camera = await asyncio.open_connection(
                    self._parts.hostname,
                    self._parts.port or DEFAULT_PORTS[self._parts.scheme],
                    ssl=context,
                    ssl_handshake_timeout=HANDSHAKE_TIMEOUT_S if context else None,
                )
        except (OSError, TimeoutError) as e:
            self._failed(no_connection(e, self._url))
            writer.transport.abort()
            return
        except BaseException:
            writer.transport.abort()
            raise
        ways = {
            asyncio.create_task(_pump(reader, to_camera), name="relay-out"),
            asyncio.create_task(_pump(from_camera, writer, self._mend(Challenges())), name="relay-in"),
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

    def _mend(self, challenges: Challenges) -> Callable[[bytes], bytes]:
        def mend(data: bytes) -> bytes:
            told = challenges.pass_on(data)
            self.unknown_digest = challenges.unknown
            if self._only_to_mend and challenges.refused and not challenges.mended:
                self._failed(refused(self._url, unknown_digest=challenges.unknown))
                return b""
            return told

        return mend


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, change: Callable[[bytes], bytes] = bytes
) -> None:
    with contextlib.suppress(OSError):  # ssl.SSLError is one; the connection ends then, and mpv says what that means
        while data := await reader.read(_PIECE_BYTES):
            writer.write(change(data))
            await writer.drain()
