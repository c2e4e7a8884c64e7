"""The bytes of a video, from the central API or the server that has them for it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Final

from aiohttp import ClientError, ClientSession, ClientTimeout
from yarl import URL

from agent.errors import CentralUnavailableError
from agent.reporting.http.client import connector_to
from agent.reporting.http.errors import CallFailedError, Peer, Trouble, of_busy, of_error
from agent.reporting.http.resolver import FindLocal

SILENCE_S: Final = 30.0
"""A connection over which nothing comes for so long is dead; the central API takes the same of uploads."""

PIECE: Final = 1024 * 1024
"""Bytes that are handed on together, so that the disk has few things to do; they are held in memory."""


class Downloads:
    """Makes a connection for each download, which ends with it."""

    def __init__(self, *, agent_version: str, find_local: FindLocal | None = None) -> None:
        self._headers: Final[Mapping[str, str]] = {
            "Accept-Encoding": "identity",
            "User-Agent": f"cast-agent/{agent_version}",
        }
        self._find_local = find_local

    async def pieces(self, url: str, offset: int) -> AsyncGenerator[bytes, None]:
        """The bytes of a signed address from `offset` on. Raises CentralUnavailableError when they do not come, or end
        too early."""
        peer = Peer(url, _CHECK_SERVER, _CHECK_SERVER, "see the video")
        timeout = ClientTimeout(total=None, connect=SILENCE_S, sock_read=SILENCE_S)
        headers = {**self._headers, "Range": f"bytes={offset}-"}
        try:
            connector = await connector_to(peer, find_local=self._find_local)
            async with (
                ClientSession(connector=connector, timeout=timeout) as session,
                session.get(URL(url, encoded=True), headers=headers, allow_redirects=False) as answer,
            ):
                begins = answer.headers.get("Content-Range", "")
                if answer.status != 206 or not begins.startswith(f"bytes {offset}-"):
                    raise _failed(_refusal(peer.host, answer.status, answer.headers))
                piece = bytearray()
                async for some in answer.content.iter_any():
                    piece += some
                    if len(piece) >= PIECE:
                        yield bytes(piece)
                        piece.clear()
                if piece:
                    yield bytes(piece)
        except (ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError, too
            raise _failed(of_error(peer, error, timeout_s=SILENCE_S)) from error


_CHECK_SERVER: Final = "Check the server of the central API's videos, and the network to it."


def _refusal(host: str, status: int, headers: Mapping[str, str]) -> CallFailedError:
    """The failure of a call whose answer is not the part of the video. A new address may be another matter."""
    if (busy := of_busy(host, status, headers)) is not None:
        return busy
    why = "the whole video or nothing, instead of the rest of it" if status < 300 else str(status)
    return CallFailedError(Trouble.PASSING, f"{host} answered {why}. {_CHECK_SERVER}")


def _failed(error: CallFailedError) -> CentralUnavailableError:
    return CentralUnavailableError(f"The video cannot be fetched. {error.fact}", retry_after_s=error.retry_after_s)
