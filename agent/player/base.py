"""Players as others know them: a process that plays one thing, once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from agent.config.logins import BoundLogin
from agent.config.web import WebSettings
from agent.errors import AgentError, MediaError, PlayerTimeoutError, PlayerUnavailableError, PlaylistError
from agent.health import PlayerHealth
from agent.page_options import PageOptions
from agent.types import ErrorCode, Failure, MediaType, Quality, StreamType


@dataclass(frozen=True, slots=True)
class Media:
    """The media for a player."""

    url: str
    quality: Quality
    volume: float
    """0.0-1.0; heard from the moment that the player is given the sound."""
    muted: bool
    position: float = 0.0
    """Seconds into the media at which to begin; without effect on a live stream."""
    refresh: float | None = None
    """Seconds after which a still picture is fetched again, or a page is reloaded."""
    page: PageOptions | None = None
    logins: tuple[BoundLogin, ...] = ()
    """The log-ins for web pages, each for its origin."""
    web: WebSettings = field(default_factory=WebSettings)
    ready: bool = False
    """It is a camera that is kept ready: pictures come at once, as fast as they can be shown, and from then on live."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The facts that the player found when it opened its media."""

    media_type: MediaType
    has_audio: bool


@dataclass(frozen=True, slots=True)
class Report:
    """The latest report of a player, at most 0.5 s old while it lives. Counters only ever grow."""

    pictures: int = 0
    """Pictures displayed."""
    lost: int = 0
    """Pictures that were decoded or due and never displayed, as far as the engine counts them."""
    audio_buffers: int = 0
    """Audio buffers played."""
    clock: float | None = None
    """Seconds on the player's clock; None when unknown. It runs while a picture stands because the media holds no
    newer one (a slide), and stops while what should have come has not."""
    position: float | None = None
    """Seconds; None when live or unknown."""
    duration: float | None = None
    """Seconds; None when live or unknown."""
    stream_type: StreamType | None = None
    hardware_decoding: str | None = None
    sound_lost: bool = False
    """True if it was heard before and should be heard, but is not; the player seeks an output again and again."""
    untimed: bool = False
    """The media has no times: a picture comes whenever the source has one."""
    silence: Failure | None = None
    """The reason why nothing would advance now, as far as the player knows one."""
    at: float = 0.0
    """Monotonic time at which the report arrived."""


class KillReason(StrEnum):
    """The reason why a player process was ended."""

    ENDED = "ended"
    """Its media ended, was stopped or was replaced, or continues with another player."""
    FAILED = "failed"
    """Its media could not be played, or broke."""
    STALLED = "stalled"
    """Its media stood still."""
    GIVEN_UP = "given_up"
    """The player had shown nothing yet, and was too late, slower than another engine, or no longer wanted."""
    HUNG = "hung"
    """The player did not answer."""
    DIED = "died"
    """Its process had ended by itself."""
    UNFIT = "unfit"
    """The player could not be made ready, or sent an invalid message."""
    DISPLAY_LOST = "display_lost"
    SPARE = "spare"
    """A spare that was out of date, or that was left when the agent stopped."""

    @classmethod
    def of(cls, error: BaseException) -> KillReason:
        """The player that was on when this was raised. It knows best what its process has done itself."""
        match error:
            case MediaError(code=ErrorCode.MEDIA_STALLED):
                return cls.STALLED
            case PlayerTimeoutError():
                return cls.HUNG
            case PlayerUnavailableError():
                return cls.DISPLAY_LOST
            case PlaylistError():
                return cls.ENDED
            case MediaError():
                return cls.FAILED
        return cls.GIVEN_UP


class PageRefusal(StrEnum):
    """A thing that a web page wanted and may not have, as far as the browser tells of it."""

    DIALOG = "dialog"
    POP_UP = "pop_up"
    DOWNLOAD = "download"
    PRINT = "print"
    FILE = "file"
    """A file of this machine, which somebody would choose."""
    TOOLS = "tools"
    """The developer tools, by a key."""
    PERMISSION = "permission"
    """To know where it is, to hear or see, to notify, or to have a device, a key, the pointer or a window over it."""
    LOCAL = "local"
    """An address of this machine, of the browser or of its tools, such as `file:`."""
    PROGRAM = "program"
    """An address that another program would open, such as `mailto:`."""
    LAN = "lan"
    """A page of the internet led to this box or into its network."""


@dataclass(frozen=True, slots=True)
class Totals:
    """The totals of all players of one engine since the agent started. Each number only grows."""

    pictures: int
    """Displayed."""
    lost: int
    """Pictures; see Report."""
    killed: Mapping[KillReason, int]
    """Players, with every reason."""
    refused: Mapping[PageRefusal, int]
    """Requests of web pages, with every kind."""


class HiddenWindow(Protocol):
    """The window for the pre-roll."""

    @property
    def xid(self) -> int: ...

    async def close(self) -> None: ...


class Adoption(Protocol):
    """The windows of one process that cannot be told to draw into a window of the stage, such as a browser. They are
    taken off the screen before they are seen."""

    async def place(self, xid: int) -> None:
        """Move its window, as soon as there is one, into window `xid` of the stage, and have it fill that. Waits
        without limit: the caller bounds it. Raises PlayerUnavailableError."""

    def focus(self, on: bool) -> None:
        """Give its window the keyboard, and see to it that no other adopted window takes that; or do so no longer."""

    async def release(self) -> None:
        """Take in that the process is gone. Idempotent; never raises for a lost display."""


Adopt = Callable[[int], Awaitable[Adoption]]
"""Have the windows taken that the process of this id opens from now on. Raises PlayerUnavailableError."""


class Player(Protocol):
    """One player process. It plays one thing and is then killed: ending a stream is ending its process."""

    @property
    def engine(self) -> str:
        """Kind of player, such as `vlc`."""

    @property
    def pid(self) -> int: ...

    @property
    def progress(self) -> Report: ...

    async def load(self, media: Media, xid: int) -> None:
        """Begin to open the media, silent, drawing into window `xid`. Called once."""

    async def opened(self) -> Opened:
        """Return when a picture is about to be drawn, or when audio without video is ready to be heard.

        Waits without limit: the caller bounds it. Raises MediaError, PlaylistError, PlayerTimeoutError when the process
        hangs, PlayerUnavailableError when it died.
        """

    async def set_sound(self, on: bool) -> None:
        """Give the player the sound, or take it away. Without the sound it holds no audio device.

        Audio without video begins at its beginning when it is given the sound. A muted media has no sound.
        Raises PlayerTimeoutError.
        """

    async def prepare_sound(self) -> None:
        """Begin to open the audio device, without being heard, while another player has the sound: it is heard sooner
        once it is given the sound. Does nothing where the device cannot be shared, or that saves no time.
        Raises PlayerTimeoutError.
        """

    async def set_volume(self, volume: float, muted: bool) -> None:
        """Change volume (0.0-1.0) and mute. Raises PlayerTimeoutError."""

    async def pause(self, on: bool) -> None:
        """Stand still, or go on. Raises PlayerTimeoutError."""

    async def seek(self, position: float) -> None:
        """Go on at `position` seconds into the media. Raises PlayerTimeoutError."""

    async def finished(self) -> None:
        """Return when the media has come to its end. Raises as `opened` does when it broke instead."""

    async def go_to(self, media: Media) -> bool:
        """Go on with other media in place, without a new start, and return True; False if that takes another player, as
        for most it does. Raises PlayerTimeoutError, PlayerUnavailableError."""

    async def outdated(self) -> None:
        """Return when another process had better take over: some grow. Never, for most."""

    async def kill(self, why: KillReason) -> None:
        """End the process, with SIGKILL, and reap it. The first reason counts, and what the process itself has done
        before any. Idempotent; bounded; never raises."""


class Players(Protocol):
    """The source of players for an attempt."""

    async def take(self, url: str, *, ready: bool = False) -> Player:
        """A player for this address, ready: the warm spare, or a new one when there is none. `ready` as in Media.

        Raises PlayerUnavailableError when players cannot be started.
        """

    def beside(self, url: str) -> Callable[[], Awaitable[Player]] | None:
        """A way to take a player of another engine for the same address while the first goes on; None where no other
        engine might do better."""

    def has_room(self, url: str) -> bool:
        """Return True if there is memory for one more player for this address."""

    def failed_beside(self, url: str, engine: str, error: AgentError) -> None:
        """Record that the player of this engine, taken by `beside`, has failed."""


class PlayerSource(Protocol):
    """The source of all players."""

    @property
    def health(self) -> PlayerHealth: ...

    @property
    def totals(self) -> Mapping[str, Totals]:
        """The totals by the name of the engine."""

    def check(self, url: str, *, kind: MediaType | None = None) -> None:
        """Raise PlayerUnavailableError, which says what to do, if a start of this address would get no player.

        `kind` is the kind of the media if a caller has declared it, here and below: a web page is http, too.
        """

    @property
    def for_ready(self) -> str | None:
        """The engine that shows best what is kept ready; None where there is none, and the usual one shows it."""

    async def take(self, url: str, *, engine: str | None = None, kind: MediaType | None = None) -> Player:
        """Like `Players.take`, with this engine instead of the one that usually plays such an address."""

    def has_room(self, url: str, *, kind: MediaType | None = None) -> bool:
        """Like `Players.has_room`."""

    def expect(self, url: str, *, kind: MediaType | None = None, ready: bool = False) -> None:
        """Be ready for a start of this address, also as one that is kept `ready`."""

    def others(self, url: str, error: AgentError, *, kind: MediaType | None = None) -> Mapping[str, str]:
        """The other engines that might play this address although one failed with `error`, the likeliest first; each
        with what to do to have it, or "" when it can be had."""
