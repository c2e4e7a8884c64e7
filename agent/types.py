"""The words of cast-agent: enums for states on the wire, ids, and the frozen records that rooms hand each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NewType

from agent.page_options import PageOptions

DEFAULT_PORT: Final = 8090
"""The port of the HTTP API."""

ESPHOME_PORT: Final = 6053
"""The port of ESPHome's native API; Home Assistant expects it unless it is told another one."""

DLNA_PORT: Final = 8091
"""The port of the DLNA renderer; controllers learn it from the announcement."""

SessionId = NewType("SessionId", str)
"""A UUID in its canonical text form; one per accepted start, never used again."""


class PlayerState(StrEnum):
    """The state of a player. There is no error and no ended state: those are an end with a reason."""

    IDLE = "idle"
    """Nothing is loaded."""
    LOADING = "loading"
    """Loaded; nothing has reached the screen or the loudspeaker yet."""
    BUFFERING = "buffering"
    """Something was shown or heard, and nothing advances at the moment."""
    PLAYING = "playing"
    """The media that people should see or hear advances."""
    COVERED = "covered"
    """The stream would be playing, but windows of other programs hide all of it."""
    PAUSED = "paused"
    """Stands still because somebody asked for it."""


class SessionState(StrEnum):
    """The state of a session in its one-way life."""

    PENDING = "pending"
    """Accepted; its task has not begun."""
    STARTING = "starting"
    """Being prepared, unseen and unheard."""
    ACTIVE = "active"
    """The session has the screen and the sound."""
    WAITING = "waiting"
    """Interrupted; underneath."""
    STOPPING = "stopping"
    """Its player is being ended."""
    ENDED = "ended"
    """Over, with a reason; it never leaves this state."""


class EndReason(StrEnum):
    """The reason why a session ended."""

    FINISHED = "finished"
    STOPPED = "stopped"
    REPLACED = "replaced"
    EXPIRED = "expired"
    """Its duration is over."""
    FAILED = "failed"
    """The session failed, with an error code and a sentence."""
    SHUTDOWN = "shutdown"


class Auth(StrEnum):
    """The credentials that a caller from the network needs."""

    NONE = "none"
    """No credentials are needed."""
    KEY = "key"
    CLOSED = "closed"
    """Protected mode: no caller from the network gets in."""


class Quality(StrEnum):
    """The rendition to choose, and the distance from live."""

    AUTO = "auto"
    FULL_HD = "1080p"
    HD = "720p"
    LOW_LATENCY = "low-latency"

    @property
    def lines(self) -> int | None:
        """The lines that a picture may have at most, where there is a choice; None: any number."""
        return {Quality.FULL_HD: 1080, Quality.HD: 720}.get(self)


class VideoOutput(StrEnum):
    """The way players draw."""

    AUTO = "auto"
    """libVLC with GL; mpv with GL where the machine has a GPU, else with X11."""
    GL = "gl"
    X11 = "x11"


class MediaType(StrEnum):
    """The media type of a stream."""

    VIDEO = "video"
    AUDIO = "audio"
    IMAGE = "image"
    WEB = "web"


class ShownAs(StrEnum):
    """The kind of media that a caller declares."""

    PAGE = "page"
    """A web page."""

    @property
    def kind(self) -> MediaType:
        """The kind of its media."""
        return MediaType.WEB


class StreamType(StrEnum):
    """The type of a stream: one with an end and positions, or live."""

    LIVE = "live"
    BUFFERED = "buffered"


class Capability(StrEnum):
    """The state of a control of a session."""

    AVAILABLE = "available"
    UNAVAILABLE = "unavailable"
    """The control is not available now."""
    UNSUPPORTED = "unsupported"
    """The control is never available with this stream."""


class ErrorCode(StrEnum):
    """Stable, machine-readable; the sentence beside it may change, the code does not."""

    INVALID_REQUEST = "invalid_request"
    NOT_FOUND = "not_found"
    SESSION_NOT_FOUND = "session_not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    INVALID_TRANSITION = "invalid_transition"
    REPLACED = "replaced"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    TIMED_OUT = "timed_out"
    TOO_MANY_REQUESTS = "too_many_requests"
    TOO_MANY_CLIENTS = "too_many_clients"
    NOT_SUPPORTED = "not_supported"
    STREAM_NOT_FOUND = "stream_not_found"
    CENTRAL_UNAVAILABLE = "central_unavailable"
    PRESET_NOT_FOUND = "preset_not_found"
    PRESET_BROKEN = "preset_broken"
    PRESET_READ_ONLY = "preset_read_only"
    PRESET_CONFLICT = "preset_conflict"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    INTERNAL = "internal"

    UNAUTHORIZED = "unauthorized"
    PROTECTED_MODE = "protected_mode"
    FORBIDDEN_ORIGIN = "forbidden_origin"
    FORBIDDEN_HOST = "forbidden_host"

    PLAYER_UNAVAILABLE = "player_unavailable"
    PLAYER_TIMEOUT = "player_timeout"

    MEDIA_NOT_FOUND = "media_not_found"
    MEDIA_UNAUTHORIZED = "media_unauthorized"
    MEDIA_UNSUPPORTED = "media_unsupported"
    MEDIA_NETWORK = "media_network"
    MEDIA_DECODE = "media_decode"
    MEDIA_STALLED = "media_stalled"
    MEDIA_FORBIDDEN = "media_forbidden"
    PAGE_LOGIN = "page_login"
    SOUND_LOST = "sound_lost"


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure: a stable code and a sentence that says what to do. The sentence holds no credentials."""

    code: ErrorCode
    message: str
    retry_after_s: float | None = None
    """Seconds until another try makes sense, if somebody has said so."""
    is_full: bool = False
    """The source refuses another viewer, perhaps because it has one already."""


@dataclass(frozen=True, slots=True)
class StreamRef:
    """A stream of the central API, or a video of its library, as somebody names it: by one of these."""

    code: str | None = None
    """The code by which others join it, such as `K7QF2M`."""
    stream_id: str | None = None
    video_id: str | None = None


@dataclass(frozen=True, slots=True)
class CentralStream:
    """A stream of the central API that is on."""

    stream_id: str
    code: str
    urls: tuple[str, ...]
    """Its addresses, the best first; without credentials, and not checked yet."""
    title: str | None = None
    is_published: bool = False
    """True if it comes from a media server, which may ask viewers for the code; otherwise another box shows it."""
    is_interrupted: bool = field(default=False, compare=False)
    """Its publisher is away, and expected back."""


@dataclass(frozen=True, slots=True)
class StartRequest:
    """A validated wish to play something: the address `url`, or what `join` names."""

    url: str = ""
    """Absolute, its scheme allowed, without control characters; may hold credentials: never log it as it is."""
    join: StreamRef | None = None
    """A stream of the central API instead of an address."""
    quality: Quality = Quality.AUTO
    duration: float | None = None
    """Seconds > 0, counted from the first frame; None plays until it ends or is stopped."""
    title: str | None = None
    volume: float | None = None
    """0.0-1.0; None takes the volume of the device."""
    muted: bool | None = None
    """None takes the mute of the device."""
    interrupt: bool = False
    """Go on top; what was on comes back afterwards."""
    position: float = 0.0
    """Seconds into the media at which to begin; without effect on a live stream."""
    loop: bool = False
    """Begin again at the end."""
    refresh: float | None = None
    """Seconds after which a still picture is fetched again or a page is reloaded; None shows it once. Without effect
    on anything else."""
    shown_as: ShownAs | None = None
    """None: as what it turns out to be, and never as a page."""
    page: PageOptions | None = None
    """The options of a page, for media that is shown as one."""

    @property
    def kind(self) -> MediaType | None:
        """The kind of its media, where that is known before it is opened."""
        return None if self.shown_as is None else self.shown_as.kind

    @property
    def rotation(self) -> tuple[tuple[str, float], ...]:
        """The pages that follow one another, each with its seconds; none where it is one alone."""
        return () if self.page is None else self.page.rotation(self.url)


@dataclass(frozen=True, slots=True)
class SessionChange:
    """The changes to a running session by a start with its id; None leaves a field unchanged."""

    url: str | None = None
    """The url that is expected: another one is refused."""
    duration: float | None = None
    """Seconds > 0, counted anew from now."""
    title: str | None = None
    volume: float | None = None
    muted: bool | None = None


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """The identity of this box."""

    id: str
    """Stable across restarts and renames."""
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class LanService:
    """A service of this box that is announced beside the agent's own, under a host name of its own."""

    kind: str
    """The type, such as `_esphomelib._tcp`."""
    name: str
    """The name of the service, and of the host in `.local`: a label of a-z, 0-9 and dashes."""
    port: int
    txt: tuple[tuple[str, str], ...]
    advice: str
    """The advice for when another device in the network has this name; a sentence."""
