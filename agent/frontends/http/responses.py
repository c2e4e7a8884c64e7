"""The answers of the calls."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import RootModel, WithJsonSchema

from agent.casting.saved import Volume
from agent.frontends.http.answer import Answer, Moment, Seconds
from agent.frontends.http.connections import DlnaAnswer, EspHomeAnswer, ReportingAnswer, WebhookAnswer
from agent.health import DlnaStatus, EspHomeStatus, ReportingStatus, WebhookStatus
from agent.snapshot import TrackerSnapshot
from agent.types import (
    Capability,
    DeviceInfo,
    EndReason,
    ErrorCode,
    MediaType,
    PlayerState,
    Quality,
    SessionState,
    StreamType,
)
from cast_wire.kinds import FOLLOWED, EventKind


class Started(Answer):
    """The answer of `POST /start`; what is None is left out."""

    status: Literal["success", "pending"]
    session_id: str
    time_to_first_frame: Seconds | None = None


class Stopped(Answer):
    """The answer of `POST /stop`."""

    status: Literal["success"] = "success"
    message: str


class Controlled(Answer):
    """The answer of `POST /pause`, `/resume` and `/seek`."""

    status: Literal["success"] = "success"
    session_id: str
    state: PlayerState
    position: Seconds | None
    """Into the media; null when live or unknown."""


class HookDone(RootModel[Started | Stopped | Controlled]):
    """The answer of a hook, which is the answer of the call that it stands for."""


class VolumeAnswer(Answer):
    """The volume of the device, for a start that names none."""

    volume_level: Seconds
    muted: bool

    @classmethod
    def of(cls, volume: Volume) -> Self:
        return cls(volume_level=volume.level, muted=volume.muted)


class VolumeSet(VolumeAnswer):
    """The answer of `POST /volume`."""

    status: Literal["success"] = "success"


class ScreenAnswer(Answer):
    """The power of the screen."""

    on: bool | None
    """The screen is lit; null where it cannot be switched, or is not there."""


class ScreenSet(ScreenAnswer):
    """The answer of `POST /screen`."""

    status: Literal["success"] = "success"


class SettingsAnswer(Answer):
    """The answer of `GET /settings`."""

    settings: dict[str, bool | float | str | tuple[str, ...]]
    """The settings by `section.key` that a reload of the configuration can change, except presets and webhooks; of each
    `login` its purpose."""


class SessionAnswer(Answer):
    """The answer of `GET /session`."""

    name: str | None
    """The name of the caller's key; null where none is needed."""


class SignedIn(SessionAnswer):
    """The answer of `POST /session` and `DELETE /session`."""

    status: Literal["success"] = "success"


class FailureAnswer(Answer):
    """The failure of a session, or the last one while it is retried."""

    code: ErrorCode
    message: str


class Capabilities(Answer):
    """The controls that a session has."""

    pause: Capability
    seek: Capability
    volume_set: Capability
    snapshot: Capability


class StreamAnswer(Answer):
    """The current state of one session."""

    session_id: str
    url: str
    """Without credentials; empty while the central API is asked for it."""
    title: str | None
    stream_id: str | None
    """The id of the joined stream of the central API; null for an address."""
    code: str | None
    """The code of that stream. The code of what this box itself shows is in `reporting`."""
    video_id: str | None
    """The id of the video in the library of the central API; null for anything else."""
    cached: bool
    """It is such a video, and plays from the cache of this box."""
    quality: Quality
    state: PlayerState
    session_state: SessionState
    started_at: Moment
    first_frame_at: Moment | None
    time_to_first_frame: Seconds | None
    position: Seconds | None
    """Into the media, at `position_updated_at`; null when live or unknown."""
    position_updated_at: Moment | None
    duration: Seconds | None
    """Length of the media; null when live or unknown."""
    expires_at: Moment | None
    """The time at which the cast ends automatically."""
    frames_displayed: int
    attempt: int
    """The number of the attempt since it last played; 1 when all is well."""
    retry_at: Moment | None
    """The time of the next attempt; null while one is under way or none is needed."""
    error: FailureAnswer | None
    """The last failure, while it is retried; in `last` the reason why it ended."""
    capabilities: Capabilities
    volume_level: Seconds
    muted: bool
    media_type: MediaType | None
    stream_type: StreamType | None
    engine: str | None
    hardware_decoding: str | None


class EndedAnswer(StreamAnswer):
    """The session that ended last."""

    ended_at: Moment | None
    reason: EndReason | None


class DeviceAnswer(Answer):
    """The identity of this box."""

    id: str
    name: str
    version: str


class StatusAnswer(Answer):
    """The answer of `GET /status`."""

    status: Literal["idle", "casting"]
    stream: StreamAnswer | None
    """The newest accepted session that has not ended."""
    on_screen: str | None
    """Id of the session whose picture is on the screen: another one than `stream` while that is being prepared."""
    interrupted: tuple[StreamAnswer, ...]
    """The streams that wait underneath, the next to come back first."""
    last: EndedAnswer | None
    volume: VolumeAnswer
    screen: ScreenAnswer
    device: DeviceAnswer
    reporting: ReportingAnswer
    webhooks: tuple[WebhookAnswer, ...]
    esphome: EspHomeAnswer | None
    """Null when `[esphome] enabled` is false."""
    dlna: DlnaAnswer | None
    """Null when `[dlna] enabled` is false."""

    @classmethod
    def of(
        cls,
        snapshot: TrackerSnapshot,
        device: DeviceInfo,
        volume: Volume,
        screen_is_on: bool | None,
        reporting: ReportingStatus,
        webhooks: tuple[WebhookStatus, ...],
        esphome: EspHomeStatus | None = None,
        dlna: DlnaStatus | None = None,
    ) -> Self:
        stream, on_screen, last = snapshot.stream, snapshot.on_screen, snapshot.last
        return cls(
            status="idle" if stream is None else "casting",
            stream=None if stream is None else StreamAnswer.model_validate(stream),
            on_screen=None if on_screen is None else on_screen.session_id,
            interrupted=tuple(StreamAnswer.model_validate(waiting) for waiting in snapshot.interrupted),
            last=None if last is None else EndedAnswer.model_validate(last),
            volume=VolumeAnswer.of(volume),
            screen=ScreenAnswer(on=screen_is_on),
            device=DeviceAnswer.model_validate(device),
            reporting=ReportingAnswer.model_validate(reporting),
            webhooks=tuple(WebhookAnswer.model_validate(webhook) for webhook in webhooks),
            esphome=None if esphome is None else EspHomeAnswer.model_validate(esphome),
            dlna=None if dlna is None else DlnaAnswer.model_validate(dlna),
        )


class EventMessage(Answer):
    """The data of one change in `GET /events`."""

    kind: Annotated[EventKind, WithJsonSchema({"type": "string", "enum": list(FOLLOWED)})]
    session_id: str | None
    """The session that it is about."""
    occurred_at: Moment
    data: dict[str, str | float | bool | None]
    """The facts of this kind of event: `url` and `title`, `state`, `reason`, `code`, `attempt`, `level` and `muted` and
    so on."""
    status: StatusAnswer
    """The whole answer of `GET /status` at that moment."""


class FollowerClosed(Answer):
    """The data of `closed` in `GET /events`: why the agent ends the connection."""

    code: ErrorCode
    detail: str


class Done(Answer):
    """The answer of a call that leaves nothing to tell."""

    status: Literal["success"] = "success"
