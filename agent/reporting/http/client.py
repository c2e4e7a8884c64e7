"""Calls over HTTP that end in time, whatever answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, TCPConnector
from yarl import URL

from agent.host.trust import trusted
from agent.reporting.http.errors import Peer, of_error
from agent.reporting.http.resolver import FindLocal, Names
from agent.util.threads import in_thread

KEEPALIVE_S: Final = 70.0
"""Seconds for which an unused connection is kept: longer than a heartbeat, and the central API closes it after 75."""


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, whatever its status."""

    status: int
    headers: Mapping[str, str]
    content: bytes | None
    """None: it is longer than it may be, or nobody wants it."""


async def connector_to(peer: Peer, *, find_local: FindLocal | None) -> TCPConnector:
    """One connection at a time to `peer`: with TLS by the certificates of this box, without it to no public address."""
    is_tls = peer.url.startswith("https:")
    return TCPConnector(
        limit=1,
        resolver=Names(private_only=not is_tls, find_local=find_local),
        ssl=await in_thread(trusted, name="certificates") if is_tls else True,
        keepalive_timeout=KEEPALIVE_S,
    )


class Caller:
    """One connection to `peer`, made when it is needed. Every call takes `timeout_s` at most, from the first byte to
    the last, looking up the name and TLS included. Redirects are not followed."""

    def __init__(
        self,
        peer: Peer,
        *,
        headers: Mapping[str, str],
        timeout_s: float,
        answer_limit: int,
        find_local: FindLocal | None = None,
    ) -> None:
        """`answer_limit` is in bytes, unpacked; with 0 the status alone is waited for."""
        self._find_local = find_local
        self.peer: Final = peer
        self._headers = headers
        self._timeout_s = timeout_s
        self._answer_limit = answer_limit
        self._session: ClientSession | None = None

    async def call(
        self, method: str, url: str, *, data: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answered:
        """Make a call. Raises CallFailedError if there is no answer."""
        try:
            async with asyncio.timeout(self._timeout_s):
                session = self._session or await self._open()
                made = session.request(
                    method, URL(url, encoded=True), data=data, headers=headers, allow_redirects=False
                )
                async with made as response:
                    content = await self._read(response) if self._answer_limit else None
        except (ClientError, OSError, TimeoutError, ValueError) as error:
            # Nothing of a failed connection is reused; certificates are read anew.
            await self.close()
            raise of_error(self.peer, error, timeout_s=self._timeout_s) from error
        if content is None and self._answer_limit:
            await self.close()
        return Answered(response.status, response.headers, content)

    async def close(self) -> None:
        """Close the connection; the next call makes another. Idempotent."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _open(self) -> ClientSession:
        self._session = ClientSession(
            connector=await connector_to(self.peer, find_local=self._find_local),
            timeout=ClientTimeout(total=self._timeout_s),
            headers=self._headers,
        )
        return self._session

    async def _read(self, response: ClientResponse) -> bytes | None:
        content = b""
        while piece := await response.content.read(self._answer_limit + 1 - len(content)):
            content += piece
            if len(content) > self._answer_limit:
                response.close()
                return None
        return content
