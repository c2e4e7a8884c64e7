"""The health of the parts of the agent, as each reports it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class DisplayHealth:
    """The state of the screen, and what to do if there is none."""

    available: bool
    display: str | None = None
    """The X display in use, such as `:0`."""
    width: int = 0
    height: int = 0
    message: str = ""
    """A sentence for a person; says what to do when the display is not available, or what is on is covered."""
    depth: int = 24
    """Bits of colour in a pixel."""
    covered: bool = False
    """Windows of other programs hide all of what is shown."""

    @property
    def is_well(self) -> bool:
        """Return True if the picture is visible, as far as that is known."""
        return self.available and not self.covered


@dataclass(frozen=True, slots=True)
class PlayerHealth:
    """The state of the players, and what to do if a start would get none."""

    available: bool
    spare_ready: bool = False
    engine: str = ""
    version: str = ""
    features: dict[str, bool | str] = field(default_factory=dict)
    """The features that the engine reports, such as `rtsp`."""
    message: str = ""
    plays: tuple[str, ...] = ()
    """The schemes and kinds of media that the table gives to the engine."""
    engines: Mapping[str, PlayerHealth] = field(default_factory=dict)
    """The same of each engine, by name; empty in that of one engine."""


@dataclass(frozen=True, slots=True)
class CameraHealth:
    """The state of a camera that is to be kept ready."""

    preset: str
    """The id of the preset that says so."""
    url: str
    """Without credentials."""
    ready: bool = False
    """True if a start shows a picture at once."""
    size: int = 0
    """Bytes that are kept."""
    seconds: float = 0.0
    """The time since its last key frame."""
    viewers: int = 0
    """Players that show it now."""
    problem: str | None = None
    """A sentence that says what is wrong and what to do; None when all is well."""


@dataclass(frozen=True, slots=True)
class ReportingStatus:
    """The state of the reporting to a central API."""

    enabled: bool = False
    """True if this box has a central API."""
    connected: bool = False
    """True if the last call to it was answered."""
    last_success: datetime | None = None
    """The time of the last call in this run that was answered, UTC."""
    queued: int = 0
    """Events that it does not have yet."""
    dropped: int = 0
    """Events that it will never have."""
    url: str | None = None
    device_id: str | None = None
    """The id of this box at the central API."""
    stream_id: str | None = None
    """The id of this box's stream there."""
    code: str | None = None
    """The code by which others join that stream."""
    problem: str | None = None
    """A sentence that says what is wrong and what to do; None when all is well."""


@dataclass(frozen=True, slots=True)
class WebhookStatus:
    """The state of one webhook."""

    url: str
    """Scheme and host alone: the rest may be a secret."""
    connected: bool = False
    """True if the last call had a good answer."""
    last_success: datetime | None = None
    """The time of the last good answer in this run, UTC."""
    queued: int = 0
    """Events that wait for it."""
    dropped: int = 0
    """Events that it will never get."""
    disabled: bool = False
    """The receiver wants no more of them."""
    problem: str | None = None
    """A sentence that says what is wrong and what to do; None when all is well."""


@dataclass(frozen=True, slots=True)
class DlnaStatus:
    """The reachability of this box for DLNA controllers."""

    port: int | None = None
    """The port; None if it could not be opened."""
    subscribers: tuple[str, ...] = ()
    """The addresses of those that are told what changes."""
    problem: str | None = None
    """A sentence that says what is wrong and what to do; None when all is well."""


@dataclass(frozen=True, slots=True)
class EspHomeStatus:
    """The reachability of this box for Home Assistant."""

    name: str
    """The node name: `living-room`."""
    port: int | None = None
    """The port; None if it could not be opened."""
    has_key: bool = False
    """True if somebody has added the box, or its key was shown to be typed."""
    window_s: float = 0.0
    """Seconds for which the first one who comes may add the box yet; 0.0 when nobody may."""
    clients: tuple[str, ...] = ()
    """The names of the connected clients, as they call themselves."""
    problem: str | None = None
    """A sentence that says what is wrong and what to do; None when all is well."""
