"""Asks the central API for the streams of others, so that they can be joined by code or id, and for videos."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from agent.casting.video_source import CentralVideo
from agent.errors import (
    AgentError,
    CentralRefusedError,
    CentralUnavailableError,
    MediaError,
    NotSupportedError,
    StreamNotFoundError,
)
from agent.reporting.central.client import CentralClient, Stream
from agent.reporting.central.credentials import Credentials
from agent.reporting.http.errors import ENROL_COMMAND, CallFailedError, Trouble, central_at, of_error
from agent.reporting.http.resolver import FindLocal
from agent.types import CentralStream, ErrorCode, StreamRef

Found = TypeVar("Found")

LOOKUP_TIMEOUT_S: Final = 2.0
"""The bound of a whole look-up: somebody has typed a code, and waits."""


class Lookup:
    """Look-ups on a connection of their own, so that they wait neither for reports nor for their pauses after failures.
    One question at a time, and a session has few. `registered` tells what the box is registered as, `problem` why it is
    not where it should be."""

    def __init__(
        self,
        *,
        registered: Callable[[], Awaitable[Credentials | None]],
        problem: Callable[[], str | None],
        agent_version: str,
        find_local: FindLocal | None = None,
    ) -> None:
        self._find_local = find_local
        self._registered = registered
        self._problem = problem
        self._version = agent_version
        self._turn = asyncio.Lock()
        self._enrolment: Credentials | None = None
        self._client: CentralClient | None = None

    async def find(self, ref: StreamRef) -> CentralStream:
        """The stream, if it is on; within LOOKUP_TIMEOUT_S.

        Raises StreamNotFoundError, CentralUnavailableError, NotSupportedError when the box is registered nowhere, and
        MediaError when the stream has no address that an agent could play.
        """
        try:
            stream = await self._asked(lambda client: client.stream(ref.stream_id or ref.code or ""))
        except CallFailedError as error:
            raise _not_there(ref) if error.reason == "stream_not_found" else _unavailable(error) from error
        if stream.status != "active":
            raise _not_there(ref)
        return _as_found(stream)

    async def kept_video(self, video_id: str) -> None:
        """Return None: nothing is kept."""

    async def find_video(self, video_id: str) -> CentralVideo:
        """The video, with the address at which this box gets it; within LOOKUP_TIMEOUT_S.

        Raises StreamNotFoundError, CentralUnavailableError, NotSupportedError when the box is registered nowhere, and
        MediaError when the video cannot be played.
        """

        async def ask(client: CentralClient) -> CentralVideo:
            source = await client.video_source(video_id)
            return CentralVideo(source.address_at(client.url), source.title, source.type, source.size, source.sha256)

        try:
            return await self._asked(ask)
        except CallFailedError as error:
            if error.reason in ("video_not_found", "not_found"):
                raise StreamNotFoundError(
                    f"There is no video with the id {video_id} in the library of the central API. Check the id; it may "
                    "also have been deleted."
                ) from error
            raise _unplayable(error) if error.reason == "wrong_state" else _unavailable(error) from error

    async def _asked(self, ask: Callable[[CentralClient], Awaitable[Found]]) -> Found:
        """The answer of the central API. Raises CallFailedError, CentralUnavailableError, NotSupportedError."""
        enrolment: Credentials | None = None
        try:
            async with asyncio.timeout(LOOKUP_TIMEOUT_S):
                enrolment = await self._registered()
                if enrolment is None:
                    raise NotSupportedError(self._problem() or _NOT_REGISTERED)
                async with self._turn:
                    return await ask(await self._client_for(enrolment))
        except TimeoutError as error:
            if enrolment is None:
                raise CentralUnavailableError("It is not known yet whether this box is registered anywhere.") from error
            failure = of_error(central_at(enrolment.url), error, timeout_s=LOOKUP_TIMEOUT_S)
            raise _unavailable(failure) from error

    async def close(self) -> None:
        """Idempotent."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _client_for(self, enrolment: Credentials) -> CentralClient:
        if self._client is None or enrolment != self._enrolment:
            await self.close()
            self._enrolment = enrolment
            self._client = CentralClient(
                enrolment.url, enrolment.token, agent_version=self._version, find_local=self._find_local
            )
        return self._client


_NOT_REGISTERED: Final = (
    "This box reports to no central API, so it knows no codes. Register it: "
    + ENROL_COMMAND.format(url="https://central.example.org")
)


def _not_there(ref: StreamRef) -> AgentError:
    if ref.stream_id is not None:
        return StreamNotFoundError(
            f"No stream with the id {ref.stream_id} is on. Check the id; it may also have ended."
        )
    return StreamNotFoundError(f"No stream with the code {ref.code} is on. Check the code; it may also have ended.")


def _unplayable(error: CallFailedError) -> AgentError:
    return MediaError(ErrorCode.MEDIA_UNSUPPORTED, f"The library has no video to play under this id. {error.fact}")


def _unavailable(error: CallFailedError) -> AgentError:
    # Without the promise of another try, which goes for reports.
    kind = CentralRefusedError if error.trouble in (Trouble.REFUSED, Trouble.GONE) else CentralUnavailableError
    return kind(f"The stream cannot be looked up. {error.fact}", retry_after_s=error.retry_after_s)


def _as_found(stream: Stream) -> CentralStream:
    """The addresses, RTSP before HLS, because it is seconds nearer to live."""
    urls = (stream.url,) if stream.urls is None else (stream.urls.rtsp, stream.urls.hls)
    found = tuple(url for url in urls if url is not None)
    if not found and stream.urls is not None and stream.urls.webrtc is not None:
        raise MediaError(
            ErrorCode.MEDIA_UNSUPPORTED,
            "This stream is to be had over WebRTC only, which this box does not play. Set rtsp_url or hls_url in the "
            "section [mediamtx] of cast-central.",
        )
    if not found:
        raise MediaError(
            ErrorCode.MEDIA_UNSUPPORTED,
            "This stream has no address that others could play. Set public_url in the section [mediamtx] of "
            "cast-central.",
        )
    return CentralStream(
        stream.id,
        stream.code,
        found,
        stream.title,
        is_published=stream.source == "publisher",
        is_interrupted=stream.interrupted_at is not None,
    )
