"""The calls to the central API (`docs/central.openapi.json`), and what their failures mean."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from agent.reporting.http.client import Caller
from agent.reporting.http.errors import central_at, of_answer
from agent.reporting.http.resolver import FindLocal
from cast_wire import models as wire

CALL_TIMEOUT_S: Final = 10.0
"""The bound of one call from the first byte to the last, looking up the name and TLS included."""

ANSWER_LIMIT: Final = 256 * 1024
"""Bytes, unpacked. The longest is the answer to 50 events, about 10 KB; a page of streams has more."""

Model = TypeVar("Model", bound=BaseModel)


class Urls(BaseModel):
    """The addresses at which viewers find a published stream."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    rtsp: wire.Url | None = None
    hls: wire.Url | None = None
    webrtc: wire.Url | None = None


class Stream(BaseModel):
    """A stream as the central API tells it, as far as a box needs it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: wire.Uuid
    code: wire.Code
    source: str = "device"
    url: wire.Url | None = None
    urls: Urls | None = None
    title: wire.Title | None = None
    quality: str | None = None
    status: str
    interrupted_at: str | None = None
    metadata: dict[str, JsonValue] = {}


class Streams(BaseModel):
    """A page of streams."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    items: tuple[Stream, ...]


class VideoSource(BaseModel):
    """The address at which this box gets a video of the library."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    path: str | None = Field(default=None, pattern=r"^/api/v1/videos/[!-~]{1,500}$", repr=False)
    """On the central API itself."""
    url: str | None = Field(default=None, pattern=r"^https?://[!-~]{1,2000}$", repr=False)
    """Instead of the path: on a server that keeps its videos, which signs addresses in more words."""
    title: wire.Title
    type: str = Field(pattern=r"^[!-~]{1,100}$")
    size: int = Field(gt=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    @model_validator(mode="after")
    def _has_one_address(self) -> Self:
        if (self.path is None) == (self.url is None):
            raise ValueError("needs either path or url")
        return self

    def address_at(self, central: str) -> str:
        """The whole address; `central` is that of the central API."""
        return self.url or f"{central}{self.path}"


class Device(BaseModel):
    """A box as the central API knows it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    name: str


class CentralClient:
    """One connection to the central API at `url`, made when it is needed. Every call takes CALL_TIMEOUT_S at most and
    raises CallFailedError when it did not do what it is for."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        agent_version: str,
        timeout_s: float = CALL_TIMEOUT_S,
        find_local: FindLocal | None = None,
    ) -> None:
        self.url: Final = url
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "User-Agent": f"cast-agent/{agent_version}",
        }
        self._caller = Caller(
            central_at(url),
            headers=headers,
            timeout_s=timeout_s,
            answer_limit=ANSWER_LIMIT,
            find_local=find_local,
        )

    async def enrol(self, enrolment: wire.Enrolment) -> wire.Enrolled:
        """Come in, with an enrolment token."""
        return await self._call("POST", "/api/v1/devices", wire.Enrolled, enrolment.model_dump(mode="json"))

    async def device(self, device_id: str) -> Device:
        """The central API's record of this box."""
        return await self._call("GET", f"/api/v1/devices/{device_id}", Device)

    async def put_state(self, state: wire.State) -> wire.StateAnswer:
        """Report the state of this box."""
        path = f"/api/v1/devices/{state.device_id}/state"
        return await self._call("PUT", path, wire.StateAnswer, state.model_dump(mode="json"))

    async def post_events(self, device_id: str, events: Sequence[Mapping[str, JsonValue]]) -> wire.EventsAnswer:
        """Report events. Returns an answer for each of them."""
        body = {"events": [{**event, "device_id": device_id} for event in events]}
        answer = await self._call("POST", f"/api/v1/devices/{device_id}/events", wire.EventsAnswer, body)
        fits = len(answer.results) == len(events) and all(
            result.event_id == event["event_id"] or result.status is wire.EventStatus.REJECTED
            for result, event in zip(answer.results, events, strict=True)
        )
        if not fits:
            raise of_answer(self.url, 200, {}, b"", why="its answer does not fit the events that were sent")
        return answer

    async def start_stream(self, device_id: str, fields: Mapping[str, JsonValue]) -> Stream:
        """The stream of this box: a new one with these fields, or the existing one unchanged."""
        return await self._call("POST", "/api/v1/streams", Stream, {"device_id": device_id, **fields})

    async def change_stream(self, stream_id: str, fields: Mapping[str, JsonValue]) -> Stream:
        return await self._call("PATCH", f"/api/v1/streams/{stream_id}", Stream, fields)

    async def stream(self, reference: str) -> Stream:
        """The stream of this id, or with this join code."""
        return await self._call("GET", f"/api/v1/streams/{quote(reference, safe='')}", Stream)

    async def video_source(self, video_id: str) -> VideoSource:
        """The address at which this box gets the video of this id."""
        return await self._call("GET", f"/api/v1/videos/{quote(video_id, safe='')}/source", VideoSource)

    async def stop_stream(self, stream_id: str) -> Stream:
        return await self._call("POST", f"/api/v1/streams/{stream_id}/stop", Stream)

    async def active_streams(self, device_id: str) -> tuple[Stream, ...]:
        """The active streams of this box: one or none."""
        path = f"/api/v1/streams?device_id={device_id}&status=active&source=device"
        return (await self._call("GET", path, Streams)).items

    async def close(self) -> None:
        """Close the connection; the next call makes another. Idempotent."""
        await self._caller.close()

    async def _call(self, method: str, path: str, answer: type[Model], body: Mapping[str, Any] | None = None) -> Model:
        data = None if body is None else json.dumps(body).encode()
        answered = await self._caller.call(method, self.url + path, data=data)
        status, headers, content = answered.status, answered.headers, answered.content
        if content is None:
            raise of_answer(self.url, status, headers, b"", why="its answer does not end")
        if not 200 <= status < 300:
            raise of_answer(self.url, status, headers, content)
        try:
            return answer.model_validate_json(content)
        except ValidationError as error:
            raise of_answer(self.url, status, headers, content) from error
