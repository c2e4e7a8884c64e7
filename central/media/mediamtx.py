"""MediaMTX's control API, version 3: who publishes, ending a connection, and recording a path."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from aiohttp import BasicAuth, ClientError, ClientSession, ClientTimeout

from central.media.server import Look, MediaServerError, Publisher

TIMEOUT_S: Final = 5.0
"""MediaMTX answers from memory. It may wait for our own answer to its question about us, see `auth` in the API."""

PAGE: Final = 500
PAGES_LIMIT: Final = 100

SEGMENT: Final = "%s-%f"
"""The name of a recording: the second since 1970 at which it begins, and the microsecond."""
SEGMENT_S: Final = 3600
"""A publisher that stays longer has several recordings: each is in the library within the hour, and a file of an hour
is some GB."""

# The name of a connection in the list of paths, and in the call that disconnects it.
_KICK: Final[Mapping[str, tuple[str, ...]]] = {
    "rtspSession": ("rtspsessions",),
    "rtspsSession": ("rtspssessions",),
    "rtmpConn": ("rtmpconns",),
    "rtmpsConn": ("rtmpsconns",),
    "srtConn": ("srtconns",),
    "webRTCSession": ("webrtcsessions",),
    "moqSession": ("moqsessions",),
    # Before its stream is ready only the protocol of a connection is known.
    "rtsp": ("rtspsessions", "rtspssessions"),
    "rtmp": ("rtmpconns", "rtmpsconns"),
    "srt": ("srtconns",),
    "webrtc": ("webrtcsessions",),
    "moq": ("moqsessions",),
}


class MediaMtx:
    """The control API at `url`, which may hold a user name and a password. Every call ends within TIMEOUT_S."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        self._auth = BasicAuth(parts.username, parts.password or "") if parts.username else None
        self._session: ClientSession | None = None

    async def look(self) -> Look:
        """Its paths now. Raises MediaServerError."""
        asked_at = time.time()
        found: list[Publisher] = []
        recorded: set[str] = set()
        for page in range(PAGES_LIMIT):
            answer = await self._call("GET", f"/v3/paths/list?page={page}&itemsPerPage={PAGE}")
            try:
                for item in answer["items"] or ():
                    source = item["source"]
                    if item["confName"] == item["name"]:
                        recorded.add(item["name"])
                    if item["ready"] and source is not None:
                        found.append(Publisher(item["name"], source["id"], source["type"]))
                if page + 1 >= answer["pageCount"]:
                    break
            except (KeyError, TypeError) as error:
                raise MediaServerError(f"{self._url} answers, but not as MediaMTX does.") from error
        return Look(asked_at, found, frozenset(recorded))

    async def record(self, path: str, folder: Path | None) -> None:
        """Give the path a configuration of its own, which is the usual one beside what is said here, or take it away.
        MediaMTX changes that under a publisher without disconnecting it. Raises MediaServerError."""
        if folder is None:
            await self._call("DELETE", f"/v3/config/paths/delete/{path}", missing=None)
            return
        settings = {
            "record": True,
            "recordPath": f"{folder}/%path/{SEGMENT}",
            "recordFormat": "fmp4",
            "recordSegmentDuration": f"{SEGMENT_S}s",
            "recordDeleteAfter": "0s",
        }
        await self._call("POST", f"/v3/config/paths/replace/{path}", body=settings)

    async def kick(self, publisher: Publisher) -> bool:
        """End its connection; False when it was gone already. Raises MediaServerError."""
        for kind in _KICK.get(publisher.connection_type, ()):
            if await self._call("POST", f"/v3/{kind}/kick/{publisher.connection_id}", missing=None) is not None:
                return True
        return False

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _call(self, method: str, path: str, *, body: Any = None, missing: Any = ...) -> Any:
        """The answer of MediaMTX; `missing`, if given, for a 404."""
        if self._session is None:
            self._session = ClientSession(timeout=ClientTimeout(total=TIMEOUT_S), auth=self._auth)
        try:
            async with self._session.request(method, self._url + path, json=body, allow_redirects=False) as answer:
                if answer.status == 404 and missing is not ...:
                    return missing
                if answer.status in (401, 403):
                    raise MediaServerError(
                        f"{self._url} refuses this service ({answer.status}). Exclude the action api from its "
                        "authentication, or put the shared secret as a password into mediamtx.api_url."
                    )
                if answer.status != 200:
                    raise MediaServerError(f"{self._url} answered {answer.status} to {path.partition('?')[0]}.")
                return await answer.json(content_type=None) if method == "GET" else {}
        except (ClientError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
            raise MediaServerError(f"{self._url} does not answer ({type(error).__name__}).") from error
