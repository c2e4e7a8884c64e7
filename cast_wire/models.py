"""The messages between an agent and the central API: the only code that both sides share.

Either side may be the newer one. So a reader ignores fields that it does not know, and takes an event whose kind it
does not know; a known kind must carry the data that belongs to it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, model_validator

from cast_wire.engines import Engine
from cast_wire.kinds import EventKind
from cast_wire.storable import flaw_of

EVENTS_LIMIT: Final = 50
"""Events of one batch."""

EVENT_DATA_LIMIT: Final = 4 * 1024
"""Bytes of the data of one event, as JSON."""

STATE_LIMIT: Final = 32 * 1024
"""Bytes of a state as JSON."""

INTERVAL_LEAST_S: Final = 1.0
INTERVAL_MOST_S: Final = 3600.0
"""The limits within which a box follows `next_interval_s`, whatever a server says."""


def _flawless(value: Any) -> Any:
    if (flaw := flaw_of(value)) is not None:
        raise ValueError(flaw)
    return value


def _in_utc(moment: datetime) -> datetime:
    # A clock that was never set stands in 1970 or later; at the ends of the calendar arithmetic overflows.
    if not 1970 <= moment.year < 3000:
        raise ValueError("must be between the years 1970 and 2999")
    return moment.astimezone(UTC)


KIND_PATTERN: Final = r"^[a-z][a-z0-9_]{0,63}$"

DEVICE_TOKEN_PATTERN: Final = r"^dt_[A-Za-z0-9_-]{43}$"  # noqa: S105 - a form, not a token
"""256 random bits in URL-safe base64."""

Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
Uuid = Annotated[str, Field(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
Code = Annotated[str, Field(pattern=r"^[0-9A-Z]{4,16}$")]
"""A join code as it is sent; people may type it in lower case, with blanks and dashes."""
Seq = Annotated[int, Field(ge=0, le=2**53 - 1)]
Seconds = Annotated[float, Field(ge=0, le=1e10, allow_inf_nan=False)]
Version = Annotated[str, Field(min_length=1, max_length=64)]
SessionId = Annotated[str, Field(min_length=1, max_length=64)]
Word = Annotated[str, Field(min_length=1, max_length=64)]
Text = Annotated[str, Field(max_length=1000)]
Title = Annotated[str, Field(max_length=200)]
Url = Annotated[str, Field(max_length=4096)]
Count = Annotated[int, Field(ge=0, le=2**53 - 1)]


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Envelope(_Wire):
    """The members that every message of a box has. Raises ValidationError for a message with a flaw."""

    device_id: Uuid
    """The id that the central API gave the box."""
    boot_id: Uuid
    """Made anew by each run of the agent."""
    seq: Seq
    """Counts up within a `boot_id`, for states and for events apart."""
    occurred_at: Moment
    """The time by the clock of the box, with its offset; see `clock_synced`."""
    uptime: Seconds
    """Since the box was switched on: tells order and distance when the clock was wrong."""
    clock_synced: bool
    """False: the clock of the box had not been set, so `occurred_at` may be anything."""
    agent_version: Version

    _whole = model_validator(mode="before")(_flawless)


class ErrorInfo(_Wire):
    """The reason why something failed."""

    code: Word
    message: Text


class StateSession(_Wire):
    """A session as it is now; words and units are those of the agent's own /status."""

    session_id: SessionId
    url: Url
    """Without credentials."""
    title: Title | None = None
    quality: Word | None = None
    state: Word
    session_state: Word
    started_at: Moment
    first_frame_at: Moment | None = None
    position: Seconds | None = None
    duration: Seconds | None = None
    expires_at: Moment | None = None
    attempt: Count = 1
    error: ErrorInfo | None = None


class State(Envelope):
    """All that a box says about itself at one moment; the latest by (boot_id, seq) wins."""

    name: Annotated[str, Field(max_length=200)] | None = None
    """The name of the box on its own network."""
    status: Literal["idle", "casting"]
    stream: StateSession | None = None
    """The session that is on top."""
    interrupted: Annotated[tuple[StateSession, ...], Field(max_length=16)] = ()
    """The sessions that wait, from the top down."""
    volume_level: Annotated[float, Field(ge=0, le=1)] | None = None
    muted: bool | None = None
    health: Literal["healthy", "degraded"] = "healthy"
    problems: Annotated[tuple[Text, ...], Field(max_length=16)] = ()
    """The problems of the box, in sentences."""
    engines: Annotated[tuple[Engine, ...], Field(max_length=8)] | None = None
    """Those that are installed; null: a box of a version that does not tell."""
    events_queued: Count = 0
    events_dropped: Count = 0
    stopping: bool = False
    """The last word of this run: from now on the box is offline."""


class SessionStarted(_Wire):
    """The data of `session_started`."""

    url: Url
    """Without credentials."""
    title: Title | None = None
    quality: Word | None = None


class FirstFrame(_Wire):
    """The data of `first_frame`."""

    time_to_first_frame: Seconds
    attempt: Count = 1


class SessionFailing(_Wire):
    """The data of `session_failing`."""

    error: ErrorInfo
    attempt: Count


class VideoShown(_Wire):
    """The part of a library video that a session has shown."""

    video_id: Uuid
    seconds: Seconds
    """The seconds for which the session was playing; pauses, buffering and interruptions do not count."""
    completed: bool
    """True if the end of the video was reached."""


class SessionEnded(_Wire):
    """The data of `session_ended`."""

    reason: Word
    """finished, stopped, replaced, expired, failed or shutdown."""
    error: ErrorInfo | None = None
    """The error, if the reason is failed."""
    position: Seconds | None = None
    shown: VideoShown | None = None
    """Null if the session played no library video, or never had a first frame."""


class EventsDropped(_Wire):
    """The data of `events_dropped`."""

    count: Annotated[int, Field(ge=1, le=2**53 - 1)]
    reason: Word
    since: Moment | None = None


EVENT_DATA: Final[dict[str, type[BaseModel]]] = {
    EventKind.SESSION_STARTED: SessionStarted,
    EventKind.FIRST_FRAME: FirstFrame,
    EventKind.SESSION_FAILING: SessionFailing,
    EventKind.SESSION_ENDED: SessionEnded,
    EventKind.EVENTS_DROPPED: EventsDropped,
}
"""The model of the data of each kind; the data of other kinds may be anything."""

SESSION_KINDS: Final = frozenset(
    {
        EventKind.SESSION_STARTED,
        EventKind.FIRST_FRAME,
        EventKind.SESSION_WAITING,
        EventKind.SESSION_FAILING,
        EventKind.SESSION_RESUMED,
        EventKind.SESSION_ENDED,
    }
)
"""Kinds that must name their session."""


class Event(Envelope):
    """An event. It may be sent more than once; `event_id` identifies it."""

    event_id: Uuid
    """UUIDv7 (RFC 9562)."""
    kind: Annotated[str, Field(pattern=KIND_PATTERN)]
    """An EventKind, or one that only a newer version knows."""
    session_id: SessionId | None = None
    data: dict[str, JsonValue] = Field(default_factory=dict)


class EventBatch(_Wire):
    """The body of `POST /api/v1/devices/{id}/events`: in the order in which they happened."""

    events: Annotated[tuple[Event, ...], Field(min_length=1, max_length=EVENTS_LIMIT)]


class EventStatus(StrEnum):
    """The outcome for one event of a batch."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    """The event had arrived before; nothing was changed."""
    REJECTED = "rejected"
    """The event cannot be stored as it is, now or later: the error says why."""


class EventResult(_Wire):
    """The answer for one event, at the place of that event."""

    event_id: str | None
    """The id as it was sent; None if it could not be read."""
    status: EventStatus
    error: ErrorInfo | None = None


class EventsAnswer(_Wire):
    """The answer to a batch, for each event in its order. With it the events are on the server's disk."""

    results: tuple[EventResult, ...]
    next_interval_s: Seconds | None = None


class StateAnswer(_Wire):
    """The answer to a state."""

    accepted: bool
    """False: a later one had come before."""
    next_interval_s: Seconds | None = None
    """Seconds until the next state, if nothing changes before."""
    server_time: datetime


class Enrolment(_Wire):
    """The body of `POST /api/v1/devices`, sent with an enrolment token."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    agent_version: Version | None = None
    token: str | None = Field(
        default=None,
        pattern=DEVICE_TOKEN_PATTERN,
        repr=False,
        description="What the box proposes as its device token. Sent once more, because the answer was lost, it gets "
        "the same device and uses nothing up. Null: the server makes one.",
    )
    metadata: dict[str, JsonValue] = Field(default_factory=dict)

    _whole = model_validator(mode="before")(_flawless)


class Enrolled(_Wire):
    """The answer to an enrolment. The token is shown only this once."""

    id: Uuid
    name: str
    token: str
    """The one to be used: it may be another than was proposed."""
    next_interval_s: Seconds | None = None
